// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdlib.h>

#include "base/alloc.h"

int unit_run(const char *name, void (*add)(TCase *tc)) {
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 120);
    add(tc);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void unit_every_allocation_fails(int (*body)(void *user), void *user) {
    for (long n = 1;; n++) {
        mb_alloc_count_live(true);
        mb_alloc_fail_at(n);
        int status = body(user);
        bool hit = mb_alloc_fail_hit();
        mb_alloc_fail_at(0);
        long live = mb_alloc_live();
        mb_alloc_count_live(false);
        ck_assert_msg(live == 0, "allocation %ld failed: %ld blocks leaked", n, live);
        if (!hit) {
            ck_assert_int_eq(status, 0);
            return;
        }
    }
}
