// SPDX-License-Identifier: MIT
// The published suite runs in tests/cases; here are the messages, what a schema may not say, and what must stay
// bounded.
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/schema.h"

static char reason[4097];

static int check_text(const char *schema_text, const char *value_text) {
    mb_arena arena = {0};
    mb_buf why = MB_BUF(4096);
    const mb_json *schema = NULL, *value = NULL;
    int code = mb_json_parse(&arena, schema_text, strlen(schema_text), &schema, NULL);
    if (code == 0) code = mb_json_parse_lenient(&arena, value_text, strlen(value_text), &value, NULL);
    if (code == 0) code = mb_schema_check(schema, value, &why);
    strcpy(reason, mb_buf_text(&why));
    mb_buf_free(&why);
    mb_arena_free(&arena);
    return code;
}

typedef struct row {
    const char *schema, *value;
    int code;
    const char *reason; // part of it
} row;

static void check_rows(const row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int code = check_text(rows[i].schema, rows[i].value);
        ck_assert_msg(code == rows[i].code, "%s on %s: %s (%s)", rows[i].schema, rows[i].value,
                      membrane_status_kind(code), reason);
        ck_assert_msg(strstr(reason, rows[i].reason) != NULL, "%s on %s: %s", rows[i].schema, rows[i].value, reason);
    }
}

START_TEST(a_reason_names_the_place_and_the_value) {
    static const row rows[] = {
        {"{\"properties\":{\"items\":{\"items\":{\"properties\":{\"name\":{\"type\":\"string\"}}}}}}",
         "{\"items\":[{},{\"name\":12}]}", MEMBRANE_ESCHEMA, "/items/1/name: must be of type string, is 12"},
        {"{\"type\":\"object\",\"required\":[\"a\",\"b\"]}", "{\"a\":1}", MEMBRANE_ESCHEMA, "\"b\" is missing"},
        {"{\"additionalProperties\":false}", "{\"a/b~\":1}", MEMBRANE_ESCHEMA,
         "/a~1b~0: nothing is allowed here, is 1"},
        {"{\"enum\":[1,2]}", "3", MEMBRANE_ESCHEMA, "one of the 2 values"},
        {"{\"anyOf\":[{\"type\":\"null\"},{\"minimum\":5}]}", "4", MEMBRANE_ESCHEMA, "anyOf, is 4"},
        {"{\"type\":[\"string\",\"null\"]}", "[1]", MEMBRANE_ESCHEMA, "string or null, is an array of 1"},
        {"{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},3,{\"b\":2.0,\"a\":1}]", MEMBRANE_ESCHEMA, "items 0 and 2"},
        {"{\"maxLength\":2}", "\"\xC3\xA4\xC3\xB6\xC3\xBC\"", MEMBRANE_ESCHEMA, "at most 2 characters"},
    };
    check_rows(rows, MB_COUNT(rows));
}
END_TEST

START_TEST(a_schema_that_makes_no_sense_is_an_invalid_argument) {
    static const row rows[] = {
        {"{\"type\":12}", "1", MEMBRANE_EINVAL, "type must be"},
        {"{\"type\":\"strin\"}", "1", MEMBRANE_EINVAL, "type must be"},
        {"{\"properties\":{\"a\":{\"minLength\":-1}}}", "1", MEMBRANE_EINVAL, "minLength must be a whole number"},
        {"{\"exclusiveMaximum\":true}", "1", MEMBRANE_EINVAL, "exclusiveMaximum must be a number"},
        {"{\"$ref\":\"https://example.com/other.json\"}", "1", MEMBRANE_EINVAL, "not fetched"},
        {"{\"$ref\":\"#/nowhere\"}", "1", MEMBRANE_EINVAL, "names nothing"},
        {"{\"$ref\":\"#/const\",\"const\":3}", "3", MEMBRANE_EINVAL, "an object or a boolean"},
        {"{\"$schema\":\"http://json-schema.org/draft-03/schema#\"}", "1", MEMBRANE_EINVAL, "draft 7 or 2020-12"},
        {"{\"pattern\":\"(?i)a\"}", "\"a\"", MEMBRANE_EINVAL, "ECMA-262"},
        {"{\"pattern\":\"a(\"}", "\"a\"", MEMBRANE_EINVAL, "cannot be used"},
        {"{\"$recursiveRef\":\"#\"}", "1", MEMBRANE_EINVAL, "no keyword"},
    };
    check_rows(rows, MB_COUNT(rows));
}
END_TEST

START_TEST(drafts_differ_where_they_do) {
    static const row rows[] = {
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"$ref\":\"#/definitions/a\",\"maximum\":1,"
         "\"definitions\":{\"a\":{\"type\":\"integer\"}}}",
         "5", 0, ""},
        {"{\"$ref\":\"#/$defs/a\",\"maximum\":1,\"$defs\":{\"a\":{\"type\":\"integer\"}}}", "5", MEMBRANE_ESCHEMA,
         "at most"},
        {"{\"items\":[{\"type\":\"string\"}],\"additionalItems\":false}", "[\"a\",1]", MEMBRANE_ESCHEMA, "/1"},
        {"{\"unevaluatedProperties\":false,\"allOf\":[{\"properties\":{\"a\":true}}]}", "{\"a\":1,\"b\":2}",
         MEMBRANE_ESCHEMA, "/b: nothing"},
    };
    check_rows(rows, MB_COUNT(rows));
}
END_TEST

START_TEST(numbers_are_compared_as_they_are_written) {
    static const row rows[] = {
        {"{\"multipleOf\":0.0001}", "0.0075", 0, ""},
        {"{\"multipleOf\":0.01}", "4.35", 0, ""},
        {"{\"multipleOf\":0.01}", "4.355", MEMBRANE_ESCHEMA, "multiple"},
        {"{\"multipleOf\":0.123456789}", "1e308", MEMBRANE_ESCHEMA, "multiple"},
        {"{\"multipleOf\":7}", "18446744073709551614", 0, ""},
        {"{\"maximum\":9223372036854775806}", "9223372036854775807", MEMBRANE_ESCHEMA, "at most"},
        {"{\"type\":\"integer\"}", "123456789012345678901234567890", 0, ""},
        {"{\"type\":\"integer\"}", "1.5e400", 0, ""},
        {"{\"maximum\":1e300}", "1e400", MEMBRANE_ESCHEMA, "at most"},
        {"{\"const\":1.0}", "1", 0, ""},
        {"{\"const\":true}", "1", MEMBRANE_ESCHEMA, "the one value"},
    };
    check_rows(rows, MB_COUNT(rows));
}
END_TEST

START_TEST(patterns_mean_what_ecma_262_says) {
    static const row rows[] = {
        {"{\"pattern\":\"^\\\\d$\"}", "\"5\"", 0, ""},
        {"{\"pattern\":\"^\\\\d$\"}", "\"\xD9\xA5\"", MEMBRANE_ESCHEMA, "pattern"}, // an Arabic five
        {"{\"pattern\":\"^a$\"}", "\"a\\n\"", MEMBRANE_ESCHEMA, "pattern"},
        {"{\"pattern\":\"^a.b$\"}", "\"a\\rb\"", MEMBRANE_ESCHEMA, "pattern"},
        {"{\"pattern\":\"^[\\\\s]\\\\S$\"}", "\"\xC2\xA0x\"", 0, ""},
        {"{\"pattern\":\"^[^\\\\S]$\"}", "\"\xEF\xBB\xBF\"", 0, ""},
        {"{\"pattern\":\"^\\\\u00e4\\\\u{1F600}\\\\uD83D\\\\uDE00\\\\x41$\"}",
         "\"\xC3\xA4\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
         "A\"",
         0, ""},
        {"{\"pattern\":\"^\\\\p{Lowercase_Letter}\\\\p{Script=Greek}\\\\P{L}$\"}",
         "\"a\xCE\xB1"
         "1\"",
         0, ""},
        {"{\"pattern\":\"^[^][[a]$\"}", "\"x[\"", 0, ""},
        {"{\"pattern\":\"[]\"}", "\"x\"", MEMBRANE_ESCHEMA, "pattern"},
        {"{\"pattern\":\"^(?<year>\\\\d{4})-\\\\cJ?\\\\/\\\\v?$\"}", "\"2024-/\"", 0, ""},
    };
    check_rows(rows, MB_COUNT(rows));
}
END_TEST

START_TEST(hostile_schemas_end_soon) {
    static char text[20000], list[400000];
    size_t n = (size_t)sprintf(text, "{\"$ref\":\"#/$defs/a0\",\"$defs\":{");
    for (int i = 0; i < 60; i++) // 2^60 paths
        n += (size_t)sprintf(text + n, "\"a%d\":{\"allOf\":[{\"$ref\":\"#/$defs/a%d\"},{\"$ref\":\"#/$defs/a%d\"}]},",
                             i, i + 1, i + 1);
    sprintf(text + n, "\"a60\":true}}");
    ck_assert_int_eq(check_text(text, "1"), MEMBRANE_EINVAL);
    ck_assert_int_eq(check_text("{\"$ref\":\"#\"}", "1"), MEMBRANE_EINVAL);
    ck_assert_int_eq(check_text("{\"allOf\":[{\"$ref\":\"#\"}]}", "1"), MEMBRANE_EINVAL);
    ck_assert_int_eq(check_text("{\"pattern\":\"^(a+)+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\""),
                     MEMBRANE_EINVAL);
    n = (size_t)sprintf(list, "[0");
    for (int i = 1; i < 50000; i++) n += (size_t)sprintf(list + n, ",%d", i);
    sprintf(list + n, "]");
    ck_assert_int_eq(check_text("{\"uniqueItems\":true}", list), 0);
}
END_TEST

static int one_of_everything(void *user) {
    (void)user;
    int code = check_text("{\"$id\":\"http://x/y\",\"$defs\":{\"s\":{\"$anchor\":\"s\",\"pattern\":\"^a\"}},"
                          "\"properties\":{\"a\":{\"$ref\":\"y#s\"}},\"unevaluatedProperties\":{\"uniqueItems\":true}}",
                          "{\"a\":\"abc\",\"b\":[1,2,3]}");
    return code;
}

START_TEST(no_memory_is_an_error_and_no_leak) { unit_every_allocation_fails(one_of_everything, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, a_reason_names_the_place_and_the_value);
    tcase_add_test(tc, a_schema_that_makes_no_sense_is_an_invalid_argument);
    tcase_add_test(tc, drafts_differ_where_they_do);
    tcase_add_test(tc, numbers_are_compared_as_they_are_written);
    tcase_add_test(tc, patterns_mean_what_ecma_262_says);
    tcase_add_test(tc, hostile_schemas_end_soon);
    tcase_add_test(tc, no_memory_is_an_error_and_no_leak);
}
UNIT_MAIN("schema", tests)
