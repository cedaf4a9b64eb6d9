// SPDX-License-Identifier: MIT
#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/pattern.h"

static int match(const char *regex, bool ignore_case, const char *text) {
    mb_pattern *p;
    int status = mb_pattern_new(regex, ignore_case, &p, NULL);
    if (status != 0) return status;
    status = mb_pattern_match(p, text, strlen(text));
    mb_pattern_free(p);
    return status;
}

START_TEST(patterns_are_found_anywhere_unless_anchored) {
    ck_assert_int_eq(match("b+", false, "abbc"), 1);
    ck_assert_int_eq(match("^b+", false, "abbc"), 0);
    ck_assert_int_eq(match("B", false, "abc"), 0);
    ck_assert_int_eq(match("B", true, "abc"), 1);
    ck_assert_int_eq(match("^.$", false, "\xE2\x82\xAC"), 1); // a character, not a byte
}
END_TEST

START_TEST(text_that_is_not_utf8_is_still_searched) {
    ck_assert_int_eq(match("key", false, "\xff\xfe key"), 1);
    ck_assert_int_eq(match("kay", false, "\xff\xfe key\xff"), 0);
}
END_TEST

START_TEST(a_wrong_pattern_is_an_error_with_its_place) {
    mb_pattern *p = NULL;
    membrane_error *e = NULL;
    ck_assert_int_eq(mb_pattern_new("a(b", false, &p, &e), MEMBRANE_ECONFIG);
    ck_assert_ptr_null(p);
    ck_assert_ptr_nonnull(strstr(membrane_error_message(e), "position 3"));
    ck_assert_ptr_nonnull(strstr(membrane_error_message(e), "a(b"));
    membrane_error_free(e);
    ck_assert_int_eq(match("\xff", false, "x"), MEMBRANE_ECONFIG);
}
END_TEST

START_TEST(a_pattern_that_explodes_is_stopped) {
    char text[64];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 2] = '!';
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(match("^(a+)+$", false, text), MEMBRANE_EDENIED);
    ck_assert_int_eq(match("(*LIMIT_MATCH=4000000000)^(a+)+$", false, text), MEMBRANE_EDENIED); // cannot be raised
}
END_TEST

START_TEST(globs_match_whole_names) {
    static const struct {
        const char *glob, *text;
        bool matches;
    } rows[] = {
        {"*", "", true},
        {"*", "anything", true},
        {"", "", true},
        {"", "a", false},
        {"gpt-4*", "gpt-4o", true},
        {"gpt-4*", "gpt-4", true},
        {"gpt-4*", "gpt-3", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"a?c",
         "a\xC3\xA9"
         "c",
         true},
        {"*/*", "meta/llama", true},
        {"*-mini", "gpt-mini-x", false},
        {"*a*a*b", "aaaaaaaab", true},
        {"*a*a*c", "aaaaaaaab", false},
        {"a**", "a", true},
        {"A", "a", false},
        {"a.c", "abc", false},
    };
    for (size_t i = 0; i < MB_COUNT(rows); i++)
        ck_assert_msg(mb_pattern_glob(rows[i].glob, rows[i].text) == rows[i].matches, "%s ~ %s", rows[i].glob,
                      rows[i].text);
}
END_TEST

START_TEST(no_glob_takes_for_ever) {
    static char glob[20001], text[20001];
    for (int i = 0; i < 20000; i++) glob[i] = i % 2 ? 'a' : '*';
    memset(text, 'a', 20000);
    text[19999] = 'b';
    ck_assert(!mb_pattern_glob(glob, text));
}
END_TEST

static int use_all(void *unused) {
    mb_pattern *p = NULL;
    membrane_error *e = NULL;
    int status = mb_pattern_new("(a|b)+c", true, &p, &e), n;
    ck_assert_int_eq(membrane_error_code(e), status);
    membrane_error_free(e);
    if (status != 0) return status;
    n = mb_pattern_match(p, "xxababc", 7);
    mb_pattern_free(p);
    return n == 1 ? 0 : n;
}

START_TEST(without_memory_it_says_so_and_nothing_leaks) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, patterns_are_found_anywhere_unless_anchored);
    tcase_add_test(tc, text_that_is_not_utf8_is_still_searched);
    tcase_add_test(tc, a_wrong_pattern_is_an_error_with_its_place);
    tcase_add_test(tc, a_pattern_that_explodes_is_stopped);
    tcase_add_test(tc, globs_match_whole_names);
    tcase_add_test(tc, no_glob_takes_for_ever);
    tcase_add_test(tc, without_memory_it_says_so_and_nothing_leaks);
}
UNIT_MAIN("pattern", tests)
