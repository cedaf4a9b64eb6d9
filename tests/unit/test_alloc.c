// SPDX-License-Identifier: MIT
#include "unit.h"

#include <string.h>

#include "base/alloc.h"

START_TEST(sizes_that_overflow_are_refused_and_leave_the_result_alone) {
    size_t n = 7;
    ck_assert(!mb_size_add(SIZE_MAX, 1, &n));
    ck_assert(!mb_size_mul(SIZE_MAX / 2, 3, &n));
    ck_assert(mb_size_add(2, 3, &n) && n == 5);
    ck_assert(mb_size_mul(2, 3, &n) && n == 6);
}
END_TEST

START_TEST(nothing_is_still_a_block) {
    void *p = mb_malloc(0), *q = mb_calloc(0, 0);
    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_nonnull(q);
    p = mb_realloc(p, 0);
    ck_assert_ptr_nonnull(p);
    mb_free(p);
    mb_free(q);
    mb_free(NULL);
}
END_TEST

START_TEST(copies_end_with_a_nul) {
    char *a = mb_strdup("membrane"), *b = mb_strndup("membrane", 3);
    ck_assert_str_eq(a, "membrane");
    ck_assert_str_eq(b, "mem");
    ck_assert_ptr_null(mb_strdup(NULL));
    mb_free(a);
    mb_free(b);
}
END_TEST

START_TEST(the_chosen_allocation_fails_and_only_that_one) {
    mb_alloc_fail_at(2);
    void *first = mb_malloc(1), *second = mb_malloc(1), *third = mb_malloc(1);
    ck_assert(first && !second && third);
    ck_assert(mb_alloc_fail_hit());
    mb_alloc_fail_at(0);
    ck_assert(!mb_alloc_fail_hit());
    mb_free(first);
    mb_free(third);
}
END_TEST

START_TEST(a_failed_realloc_keeps_the_block) {
    char *p = mb_strdup("kept");
    mb_alloc_fail_at(1);
    ck_assert_ptr_null(mb_realloc(p, 1000));
    mb_alloc_fail_at(0);
    ck_assert_str_eq(p, "kept");
    mb_free(p);
}
END_TEST

START_TEST(live_blocks_are_counted) {
    mb_alloc_count_live(true);
    void *p = mb_malloc(1), *q = mb_realloc(NULL, 1);
    q = mb_realloc(q, 100);
    ck_assert_int_eq(mb_alloc_live(), 2);
    mb_free(p);
    mb_free(q);
    ck_assert_int_eq(mb_alloc_live(), 0);
    mb_alloc_count_live(false);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, sizes_that_overflow_are_refused_and_leave_the_result_alone);
    tcase_add_test(tc, nothing_is_still_a_block);
    tcase_add_test(tc, copies_end_with_a_nul);
    tcase_add_test(tc, the_chosen_allocation_fails_and_only_that_one);
    tcase_add_test(tc, a_failed_realloc_keeps_the_block);
    tcase_add_test(tc, live_blocks_are_counted);
}
UNIT_MAIN("alloc", tests)
