// SPDX-License-Identifier: MIT
// Whether an answer is what the request's response_format asked for.
#include "runtime/answer.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

// The code of the check, and that a failure always comes with its error.
static int check(const char *format, const char *answer) {
    static membrane_call call;
    membrane_error *error = NULL;
    char request[4096];
    memset(&call, 0, sizeof call);
    snprintf(request, sizeof request, "{\"response_format\":%s}", format);
    ck_assert_int_eq(mb_json_parse(&call.arena, request, strlen(request), &call.request, NULL), 0);
    call.runner = &call.first_runner;
    call.first_runner.has_turn = true;
    mb_turn_init(&call.first_runner.turn, (mb_turn_sink){0});
    ck_assert_int_eq(mb_turn_text(&call.first_runner.turn, answer, strlen(answer)), 0);
    int code = mb_answer_check(&call, &error);
    ck_assert_msg((code == 0) == (error == NULL), "%s: %d without its error", format, code);
    if (error) ck_assert_int_eq(membrane_error_code(error), code);
    membrane_error_free(error);
    mb_turn_free(&call.first_runner.turn);
    mb_arena_free(&call.arena);
    return code;
}

#define SCHEMA(text) "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":" text "}}"

START_TEST(an_answer_fits_or_does_not) {
    static const char schema[] = SCHEMA("{\"type\":\"object\",\"required\":[\"a\"]}");
    ck_assert_int_eq(check(schema, "{\"a\":1}"), 0);
    ck_assert_int_eq(check(schema, "{\"b\":1}"), MEMBRANE_ESCHEMA);
    ck_assert_int_eq(check(schema, "{\"a\":"), MEMBRANE_ESCHEMA);
    ck_assert_int_eq(check("{\"type\":\"json_object\"}", "[]"), MEMBRANE_ESCHEMA);
    ck_assert_int_eq(check("{\"type\":\"text\"}", "no JSON"), 0);
}
END_TEST

START_TEST(a_schema_that_cannot_be_used_says_yes_to_nothing) {
    ck_assert_int_eq(check(SCHEMA("{\"type\":\"objekt\"}"), "{}"), MEMBRANE_ESCHEMA);
    ck_assert_int_eq(check(SCHEMA("{\"$ref\":\"https://example.com/other\"}"), "{}"), MEMBRANE_ESCHEMA);
    ck_assert_int_eq(check(SCHEMA("{\"properties\":{\"a\":7}}"), "{\"a\":1}"), MEMBRANE_ESCHEMA);
    ck_assert_int_eq(check(SCHEMA("{\"pattern\":\"(\"}"), "\"a\""), MEMBRANE_ESCHEMA);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, an_answer_fits_or_does_not);
    tcase_add_test(tc, a_schema_that_cannot_be_used_says_yes_to_nothing);
}
UNIT_MAIN("answer", tests)
