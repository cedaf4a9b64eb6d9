// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"

START_TEST(pieces_are_aligned_and_do_not_overlap) {
    mb_arena a = {0};
    char *pieces[300];
    for (size_t i = 0; i < 300; i++) {
        pieces[i] = mb_arena_alloc(&a, i);
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t k = 0; k < i; k++) ck_assert_int_eq((unsigned char)pieces[i][k], (unsigned char)i);
    mb_arena_free(&a);
}
END_TEST

START_TEST(a_large_piece_gets_its_own_block) {
    mb_arena a = {0};
    char *small = mb_arena_alloc(&a, 16), *large = mb_arena_alloc(&a, 1 << 20);
    ck_assert(small && large);
    memset(large, 1, 1 << 20);
    ck_assert_ptr_nonnull(mb_arena_alloc(&a, 16));
    mb_arena_free(&a);
}
END_TEST

START_TEST(a_size_that_cannot_be_is_refused) {
    mb_arena a = {0};
    ck_assert_ptr_null(mb_arena_alloc(&a, SIZE_MAX));
    ck_assert_ptr_null(mb_arena_alloc(&a, SIZE_MAX - 8));
    ck_assert_ptr_null(mb_arena_strndup(&a, "x", SIZE_MAX));
    mb_arena_free(&a);
}
END_TEST

START_TEST(cleared_memory_is_clear) {
    mb_arena a = {0};
    char *p = mb_arena_zalloc(&a, 500);
    for (int i = 0; i < 500; i++) ck_assert_int_eq(p[i], 0);
    mb_arena_free(&a);
}
END_TEST

START_TEST(texts_are_copied_and_formatted) {
    mb_arena a = {0};
    ck_assert_str_eq(mb_arena_strndup(&a, "abcdef", 3), "abc");
    ck_assert_str_eq(mb_arena_strdup(&a, "abc"), "abc");
    ck_assert_ptr_null(mb_arena_strdup(&a, NULL));
    ck_assert_str_eq(mb_arena_printf(&a, "%s:%d", "line", 7), "line:7");
    mb_arena_free(&a);
}
END_TEST

START_TEST(a_freed_arena_can_be_used_again) {
    mb_arena a = {0};
    mb_arena_alloc(&a, 10);
    mb_arena_free(&a);
    ck_assert_ptr_nonnull(mb_arena_alloc(&a, 10));
    mb_arena_free(&a);
    mb_arena_free(&a);
}
END_TEST

static int use_all(void *unused) {
    mb_arena a = {0};
    int status = mb_arena_alloc(&a, 10) && mb_arena_zalloc(&a, 3000) && mb_arena_strdup(&a, "x") &&
                         mb_arena_printf(&a, "%d", 1) && mb_arena_alloc(&a, 5000)
                     ? 0
                     : -1;
    mb_arena_free(&a);
    return status;
}

START_TEST(without_memory_the_answer_is_null_and_nothing_leaks) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

START_TEST(a_text_grows_and_keeps_what_it_held) {
    mb_arena a = {0};
    mb_arena_text t = {0};
    for (int i = 0; i < 5000; i++) ck_assert(mb_arena_append(&a, &t, "0123456789", 10));
    ck_assert(mb_arena_append(&a, &t, NULL, 0));
    ck_assert_uint_eq(t.len, 50000);
    for (size_t i = 0; i < t.len; i++) ck_assert_int_eq(t.data[i], '0' + (int)(i % 10));
    ck_assert(!mb_arena_append(&a, &t, "x", SIZE_MAX - 10));
    ck_assert_uint_eq(t.len, 50000);
    mb_arena_free(&a);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, a_text_grows_and_keeps_what_it_held);
    tcase_add_test(tc, pieces_are_aligned_and_do_not_overlap);
    tcase_add_test(tc, a_large_piece_gets_its_own_block);
    tcase_add_test(tc, a_size_that_cannot_be_is_refused);
    tcase_add_test(tc, cleared_memory_is_clear);
    tcase_add_test(tc, texts_are_copied_and_formatted);
    tcase_add_test(tc, a_freed_arena_can_be_used_again);
    tcase_add_test(tc, without_memory_the_answer_is_null_and_nothing_leaks);
}
UNIT_MAIN("arena", tests)
