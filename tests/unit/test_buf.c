// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "membrane/error.h"

START_TEST(an_unused_buffer_is_an_empty_text) {
    mb_buf b = MB_BUF(10);
    ck_assert_str_eq(mb_buf_text(&b), "");
    ck_assert(mb_buf_ok(&b));
    mb_buf_drop(&b, 0);
    mb_buf_cut(&b, 0);
    mb_buf_reset(&b);
    mb_buf_free(&b);
}
END_TEST

START_TEST(text_grows_and_always_ends_with_a_nul) {
    mb_buf b = MB_BUF(100000);
    for (int i = 0; i < 1000; i++) {
        mb_buf_puts(&b, "0123456789");
        ck_assert_int_eq(b.data[b.len], 0);
    }
    ck_assert_uint_eq(b.len, 10000);
    ck_assert_int_eq(memcmp(b.data + 9990, "0123456789", 10), 0);
    mb_buf_free(&b);
}
END_TEST

START_TEST(the_padding_behind_the_bytes_can_be_written) {
    mb_buf b = MB_BUF(256);
    for (int i = 0; i < 256; i++) mb_buf_putc(&b, 'x');
    memset(b.data + b.len, 0, MB_BUF_PADDING); // the sanitizer objects if it is not there
    ck_assert(mb_buf_ok(&b));
    mb_buf_free(&b);
}
END_TEST

START_TEST(the_maximum_is_reached_but_never_passed) {
    mb_buf b = MB_BUF(5);
    mb_buf_puts(&b, "12345");
    ck_assert(mb_buf_ok(&b));
    mb_buf_putc(&b, '6');
    ck_assert_int_eq(b.failed, MEMBRANE_EINVAL);
    ck_assert_str_eq(b.data, "12345");
    mb_buf_free(&b);
}
END_TEST

START_TEST(failure_sticks_until_reset) {
    mb_buf b = MB_BUF(5);
    mb_buf_puts(&b, "123456");
    mb_buf_puts(&b, "1");
    ck_assert(!mb_buf_ok(&b));
    ck_assert_uint_eq(b.len, 0);
    ck_assert_ptr_null(mb_buf_take(&b, NULL));
    mb_buf_puts(&b, "1");
    ck_assert_str_eq(mb_buf_text(&b), "1");
    mb_buf_puts(&b, "234567");
    mb_buf_reset(&b);
    ck_assert(mb_buf_ok(&b) && b.len == 0);
    mb_buf_free(&b);
}
END_TEST

START_TEST(formatted_text_of_any_length_fits) {
    char long_text[2000];
    mb_buf b = MB_BUF(10000);
    memset(long_text, 'a', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    mb_buf_putf(&b, "%s|%d", "short", 7);
    mb_buf_putf(&b, "%s|", long_text);
    ck_assert_uint_eq(b.len, 7 + 2000);
    ck_assert_int_eq(b.data[b.len - 1], '|');
    ck_assert_int_eq(b.data[b.len], 0);
    mb_buf_free(&b);
}
END_TEST

START_TEST(integers_are_written_in_full) {
    static const struct {
        int64_t n;
        const char *text;
    } rows[] = {
        {0, "0"}, {-1, "-1"}, {42, "42"}, {INT64_MAX, "9223372036854775807"}, {INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        mb_buf b = MB_BUF(100);
        mb_buf_put_int(&b, rows[i].n);
        ck_assert_str_eq(b.data, rows[i].text);
        mb_buf_free(&b);
    }
}
END_TEST

START_TEST(cut_shortens_the_end_and_drop_the_start) {
    mb_buf b = MB_BUF(100);
    mb_buf_puts(&b, "abcdef");
    mb_buf_cut(&b, 4);
    ck_assert_str_eq(b.data, "abcd");
    mb_buf_cut(&b, 9);
    mb_buf_drop(&b, 1);
    ck_assert_str_eq(b.data, "bcd");
    mb_buf_drop(&b, 99);
    ck_assert_str_eq(b.data, "");
    mb_buf_free(&b);
}
END_TEST

START_TEST(taken_bytes_belong_to_the_caller) {
    size_t len;
    mb_buf b = MB_BUF(100);
    mb_buf_put(&b, "a\0b", 3);
    char *p = mb_buf_take(&b, &len);
    ck_assert_uint_eq(len, 3);
    ck_assert_int_eq(memcmp(p, "a\0b", 4), 0);
    mb_free(p);
    p = mb_buf_take(&b, &len); // of an empty buffer: an empty text
    ck_assert_uint_eq(len, 0);
    ck_assert_str_eq(p, "");
    mb_free(p);
}
END_TEST

static int use_all(void *unused) {
    mb_buf b = MB_BUF(100000);
    for (int i = 0; i < 100; i++) mb_buf_putf(&b, "%0300d", i);
    char *p = mb_buf_take(&b, NULL);
    mb_free(p);
    return p ? 0 : -1;
}

START_TEST(without_memory_the_buffer_fails_and_nothing_leaks) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, an_unused_buffer_is_an_empty_text);
    tcase_add_test(tc, text_grows_and_always_ends_with_a_nul);
    tcase_add_test(tc, the_padding_behind_the_bytes_can_be_written);
    tcase_add_test(tc, the_maximum_is_reached_but_never_passed);
    tcase_add_test(tc, failure_sticks_until_reset);
    tcase_add_test(tc, formatted_text_of_any_length_fits);
    tcase_add_test(tc, integers_are_written_in_full);
    tcase_add_test(tc, cut_shortens_the_end_and_drop_the_start);
    tcase_add_test(tc, taken_bytes_belong_to_the_caller);
    tcase_add_test(tc, without_memory_the_buffer_fails_and_nothing_leaks);
}
UNIT_MAIN("buf", tests)
