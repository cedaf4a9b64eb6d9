// SPDX-License-Identifier: MIT
#include "route/repeat.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define CHUNK(text) "{\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}"

static bool matches(const mb_repeat *r, const char *chunk, const char *want) {
    const char *text = NULL;
    size_t len = 0;
    if (!mb_repeat_match(r, chunk, strlen(chunk), &text, &len)) return false;
    ck_assert_uint_eq(len, strlen(want));
    ck_assert(memcmp(text, want, len) == 0);
    return true;
}

static mb_repeat learnt(const char *chunk, const char *text) {
    mb_repeat r = {0};
    mb_repeat_learn(&r, chunk, strlen(chunk), "content", text, strlen(text));
    return r;
}

START_TEST(a_chunk_that_differs_in_its_text_gives_it) {
    mb_repeat r = learnt(CHUNK("one"), "one");
    ck_assert(matches(&r, CHUNK("two three"), "two three"));
    ck_assert(matches(&r, CHUNK(""), ""));
    ck_assert(matches(&r, CHUNK("caf\xc3\xa9"), "caf\xc3\xa9"));
}
END_TEST

START_TEST(any_other_difference_is_no_match) {
    mb_repeat r = learnt(CHUNK("one"), "one");
    ck_assert(
        !matches(&r, "{\"id\":\"y\",\"choices\":[{\"delta\":{\"content\":\"one\"},\"finish_reason\":null}]}", ""));
    ck_assert(
        !matches(&r, "{\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"one\"},\"finish_reason\":\"stop\"}]}", ""));
    ck_assert(!matches(&r, "{\"id\":\"x\"}", ""));
    ck_assert(!matches(&r, "", ""));
}
END_TEST

START_TEST(escapes_quotes_and_control_characters_are_parsed_properly) {
    mb_repeat r = learnt(CHUNK("one"), "one");
    ck_assert(!matches(&r, CHUNK("a\\nb"), ""));
    ck_assert(!matches(&r, CHUNK("a\",\"content\":\"b"), ""));
    ck_assert(!matches(&r, CHUNK("a\nb"), ""));
}
END_TEST

START_TEST(only_a_member_that_stands_there_once_is_learnt) {
    ck_assert_uint_eq(learnt("{\"content\":\"one\",\"more\":{\"content\":\"one\"}}", "one").head, 0);
    ck_assert_uint_eq(learnt("{\"a\\\"content\":\"one\"}", "one").head, 0);
    ck_assert_uint_eq(learnt("{\"content\":\"one\",\"more\":{\"content\": \"one\"}}", "one").head, 0);
    ck_assert_uint_eq(learnt("{\"content\":  \"one\"}", "one").head, 0);
    ck_assert_uint_eq(learnt("{\"content\":\"one two\"}", "one").head, 0);
    ck_assert_uint_eq(learnt("{\"content\":\"a\\u0062\"}", "ab").head, 0);
    ck_assert_uint_eq(learnt("{\"content\":\"one\"}", "one").head, 12);
    ck_assert_uint_eq(learnt("{\"content\": \"one\"}", "one").head, 13);
    ck_assert_uint_eq(learnt("{\"content\":null,\"more\":{\"content\":\"one\"}}", "one").head, 35);
}
END_TEST

START_TEST(a_long_chunk_is_not_remembered) {
    char chunk[2 * MB_REPEAT_MAX];
    int n = snprintf(chunk, sizeof chunk, "{\"pad\":\"%*s\",\"content\":\"one\"}", MB_REPEAT_MAX, "");
    mb_repeat r = {0};
    mb_repeat_learn(&r, chunk, (size_t)n, "content", "one", 3);
    ck_assert_uint_eq(r.head, 0);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, a_chunk_that_differs_in_its_text_gives_it);
    tcase_add_test(tc, any_other_difference_is_no_match);
    tcase_add_test(tc, escapes_quotes_and_control_characters_are_parsed_properly);
    tcase_add_test(tc, only_a_member_that_stands_there_once_is_learnt);
    tcase_add_test(tc, a_long_chunk_is_not_remembered);
}

UNIT_MAIN("repeat", tests)
