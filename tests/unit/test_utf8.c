// SPDX-License-Identifier: MIT
#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

#define BAD "\xEF\xBF\xBD"

static const struct {
    const char *text, *clean;
} WRONG[] = {
    {"\x80", BAD},
    {"a\xC3", "a" BAD},
    {"\xC0\xAF", BAD BAD},                 // overlong
    {"\xE0\x80\x80", BAD BAD BAD},         // overlong
    {"\xED\xA0\x80", BAD BAD BAD},         // a surrogate
    {"\xF4\x90\x80\x80", BAD BAD BAD BAD}, // above U+10FFFF
    {"\xF5\x80", BAD BAD},
    {"\xE2\x82", BAD}, // cut: one for the maximal wrong part
    {"\xE2\x82x", BAD "x"},
    {"\xF0\x9F\x98\xE2\x82\xAC", BAD "\xE2\x82\xAC"},
    {"\xF0\x9F\x98\n", BAD "\n"},
};

static const char GOOD[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF";

START_TEST(well_formed_text_is_valid_and_stays_as_it_is) {
    mb_buf b = MB_BUF(100);
    ck_assert(mb_utf8_valid(GOOD, sizeof GOOD));
    ck_assert(mb_utf8_valid("", 0));
    mb_utf8_put_clean(&b, GOOD, strlen(GOOD));
    ck_assert_str_eq(b.data, GOOD);
    mb_buf_free(&b);
}
END_TEST

START_TEST(each_maximal_wrong_part_becomes_one_replacement) {
    for (size_t i = 0; i < MB_COUNT(WRONG); i++) {
        mb_buf b = MB_BUF(100);
        ck_assert(!mb_utf8_valid(WRONG[i].text, strlen(WRONG[i].text)));
        mb_utf8_put_clean(&b, WRONG[i].text, strlen(WRONG[i].text));
        ck_assert_str_eq(b.data, WRONG[i].clean);
        mb_buf_free(&b);
    }
}
END_TEST

START_TEST(a_wrong_byte_is_found_at_every_place_of_a_long_text) {
    char text[300];
    for (size_t len = 0; len < sizeof text; len += 7)
        for (size_t at = 0; at < len; at++) {
            memset(text, 'a', len);
            ck_assert(mb_utf8_valid(text, len));
            text[at] = (char)0xFF;
            ck_assert(!mb_utf8_valid(text, len));
        }
}
END_TEST

START_TEST(a_prefix_cuts_no_character) {
    const char *text = "a\xE2\x82\xAC"
                       "b";
    static const size_t expected[] = {0, 1, 1, 1, 4, 5, 5};
    for (size_t max = 0; max < MB_COUNT(expected); max++)
        ck_assert_uint_eq(mb_utf8_prefix(text, strlen(text), max), expected[max]);
    ck_assert_uint_eq(mb_utf8_prefix("\x80\x80\x80\x80\x80\x80\x80", 7, 5), 5); // not UTF-8: anywhere
}
END_TEST

static int use_all(void *unused) {
    mb_buf b = MB_BUF(100000);
    for (int i = 0; i < 1000; i++) mb_utf8_put_clean(&b, "a\xFF", 2);
    int status = mb_buf_ok(&b) ? 0 : -1;
    mb_buf_free(&b);
    return status;
}

START_TEST(without_memory_the_buffer_says_so) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, well_formed_text_is_valid_and_stays_as_it_is);
    tcase_add_test(tc, each_maximal_wrong_part_becomes_one_replacement);
    tcase_add_test(tc, a_wrong_byte_is_found_at_every_place_of_a_long_text);
    tcase_add_test(tc, a_prefix_cuts_no_character);
    tcase_add_test(tc, without_memory_the_buffer_says_so);
}
UNIT_MAIN("utf8", tests)
