// SPDX-License-Identifier: MIT
// Each allocation of ours fails once in turn in every public function: no crash, no hang, no block left behind, and the
// handle still closes. Linked with the rooms themselves, for their allocator's hooks.
#include <stdio.h>

#include "base/alloc.h"
#include "fault.h"
#include "sweep.h"

static void arm(long n) {
    mb_alloc_count_live(true);
    mb_alloc_fail_at(n);
}

static bool disarm(void) {
    bool hit = mb_alloc_fail_hit();
    mb_alloc_fail_at(0);
    return hit;
}

static const saboteur OURS = {arm, disarm, mb_alloc_live, false, NULL};

static void without_a_failure(void) {
    scenarios_prepare();
    for (size_t i = 0; i < SCENARIO_COUNT; i++) {
        mb_alloc_count_live(true);
        int code = SCENARIOS[i].run();
        CHECK(code == 0, "%s: %s", SCENARIOS[i].name, membrane_status_kind(code));
        CHECK(mb_alloc_live() == 0, "%s: %ld blocks are left", SCENARIOS[i].name, mb_alloc_live());
        mb_alloc_count_live(false);
    }
}

static void every_allocation_fails_once(void) {
    for (size_t i = 0; i < SCENARIO_COUNT; i++) sweep(&SCENARIOS[i], &OURS);
}

int main(void) {
    static const fault_test TESTS[] = {
        {"without_a_failure the_handle_", without_a_failure},
        {"every_allocation_fails_once", every_allocation_fails_once},
    };
    return fault_run(TESTS, COUNT(TESTS));
}
