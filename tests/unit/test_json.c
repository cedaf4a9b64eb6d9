// SPDX-License-Identifier: MIT
#include "unit.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"

static mb_arena arena;

static const mb_json *parse(const char *text) {
    const mb_json *v = NULL;
    membrane_error *e = NULL;
    int status = mb_json_parse(&arena, text, strlen(text), &v, &e);
    ck_assert_msg(status == 0, "%s: %s", text, membrane_error_message(e));
    return v;
}

static const mb_json *parse_lenient(const char *text) {
    const mb_json *v = NULL;
    return mb_json_parse_lenient(&arena, text, strlen(text), &v, NULL) == 0 ? v : NULL;
}

// The tree as text; in the arena.
static const char *text_of(const mb_json *v) {
    mb_buf b = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&b);
    mb_jw_value(&w, v);
    const char *text = mb_arena_strndup(&arena, mb_buf_text(&b), b.len);
    mb_buf_free(&b);
    return text;
}

static void no_arena(void) { mb_arena_free(&arena); }

// ---- reading -------------------------------------------------------------------------------------------------------

START_TEST(each_kind_of_value_is_read) {
    const mb_json *v = parse("{\"a\":[1,-2,18446744073709551615,1.5,true,false,null,\"x\\u0000y\",{},[]]}");
    const mb_json *a = mb_json_get(v, "a");
    ck_assert_uint_eq(a->count, 10);
    ck_assert_int_eq(a->children[0].type, MB_JSON_INT);
    ck_assert_int_eq(a->children[1].integer, -2);
    ck_assert_int_eq(a->children[2].type, MB_JSON_UINT);
    ck_assert(a->children[2].uinteger == UINT64_MAX);
    ck_assert(a->children[3].type == MB_JSON_DOUBLE && a->children[3].number == 1.5);
    ck_assert(a->children[4].boolean && !a->children[5].boolean);
    ck_assert_int_eq(a->children[6].type, MB_JSON_NULL);
    ck_assert_uint_eq(a->children[7].len, 3);
    ck_assert_int_eq(memcmp(a->children[7].str, "x\0y", 4), 0);
    ck_assert(a->children[8].type == MB_JSON_OBJECT && a->children[8].count == 0);
    ck_assert(a->children[9].type == MB_JSON_ARRAY && a->children[9].count == 0);
    ck_assert_str_eq(a->key, "a");
    ck_assert_ptr_null(v->key);
}
END_TEST

START_TEST(members_keep_their_order_and_the_last_of_a_name_is_found) {
    const mb_json *v = parse("{\"b\":1,\"a\":2,\"b\":3}");
    ck_assert_uint_eq(v->count, 3);
    ck_assert_str_eq(v->children[1].key, "a");
    ck_assert_int_eq(mb_json_int(mb_json_get(v, "b"), 0), 3);
    ck_assert_ptr_null(mb_json_get(v, "c"));
}
END_TEST

START_TEST(children_of_inner_containers_do_not_mix_with_their_siblings) {
    const char *text = "[[1,[2,3],{\"a\":[4],\"b\":5}],6,[],[[7]],{\"c\":{\"d\":{}}},8]";
    ck_assert_str_eq(text_of(parse(text)), text);
}
END_TEST

START_TEST(what_is_no_json_is_refused_with_its_place) {
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "empty"},
        {" ", "at byte 1"},
        {"[1,]", "at byte 3"},
        {"{\"a\" 1}", "colon"},
        {"{\"a\":1,}", "key"},
        {"[1 2]", "comma or ]"},
        {"{\"a\":1 2}", "comma or }"},
        {"[1]x", "behind the end"},
        {"[01]", "number"},
        {"[1e400]", "64 bits"},
        {"[\"a", "inside a string"},
        {"[\"\\x\"]", "escape"},
        {"[\"\n\"]", "control character"},
        {"[\"\\ud800\"]", "surrogate"},
        {"[\"\\udc00\"]", "surrogate"},
        {"[\"\xff\"]", "UTF-8"},
        {"[tru]", "value"},
        {"\xEF\xBB\xBF[]", "at byte 0"},
    };
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        const mb_json *v = NULL;
        membrane_error *e = NULL;
        ck_assert_int_eq(mb_json_parse(&arena, rows[i].text, strlen(rows[i].text), &v, &e), MEMBRANE_ERESPONSE);
        ck_assert_ptr_null(v);
        ck_assert_msg(strstr(membrane_error_message(e), rows[i].says) != NULL, "%s", membrane_error_message(e));
        membrane_error_free(e);
    }
}
END_TEST

static char *nested(int depth) {
    char *text = mb_arena_zalloc(&arena, 2 * (size_t)depth + 1);
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    return text;
}

START_TEST(depth_ends_at_the_limit) {
    const mb_json *v;
    char *good = nested(MB_LIMIT_JSON_DEPTH), *bad = nested(MB_LIMIT_JSON_DEPTH + 1), *huge = nested(1000000);
    ck_assert_str_eq(text_of(parse(good)), good);
    ck_assert_int_eq(mb_json_parse(&arena, bad, strlen(bad), &v, NULL), MEMBRANE_ERESPONSE);
    ck_assert_int_eq(mb_json_parse_lenient(&arena, huge, strlen(huge), &v, NULL), MEMBRANE_ERESPONSE);
}
END_TEST

START_TEST(bad_characters_are_repaired_where_that_is_asked_for) {
    ck_assert_str_eq(mb_json_at(parse_lenient("[\"a\\ud800b\"]"), 0)->str, "a\xEF\xBF\xBD"
                                                                           "b");
    ck_assert_str_eq(mb_json_at(parse_lenient("[\"\\udc00\\ud83d\\ude00\"]"), 0)->str, "\xEF\xBF\xBD\xF0\x9F\x98\x80");
    ck_assert_str_eq(mb_json_at(parse_lenient("[\"\\ud83d\\u0041\"]"), 0)->str, "\xEF\xBF\xBD"
                                                                                "A");
    ck_assert_str_eq(mb_json_at(parse_lenient("[\"\xff\\\"\xE2\x82\"]"), 0)->str, "\xEF\xBF\xBD\"\xEF\xBF\xBD");
    ck_assert_ptr_nonnull(mb_json_get(parse_lenient("{\"\xff\":1}"), "\xEF\xBF\xBD"));
    ck_assert_ptr_nonnull(parse_lenient("\xEF\xBB\xBF[]"));
}
END_TEST

START_TEST(numbers_that_fit_no_type_keep_their_digits) {
    const char *text = "{\"a\":[123456789012345678901234567890,\"1\",-1e400],\"b\":-9223372036854775809,\"c\":\"\"}";
    const mb_json *v = parse_lenient(text);
    ck_assert_ptr_nonnull(v);
    ck_assert_int_eq(mb_json_path(v, "a.0")->type, MB_JSON_NUMTEXT);
    ck_assert_int_eq(mb_json_path(v, "a.1")->type, MB_JSON_STRING);
    ck_assert_str_eq(mb_json_path(v, "a.2")->str, "-1e400");
    ck_assert_int_eq(mb_json_get(v, "b")->type, MB_JSON_NUMTEXT);
    ck_assert_str_eq(text_of(v), text);
}
END_TEST

START_TEST(repair_makes_no_json_of_what_was_none) {
    static const char *const rows[] = {"{1e400:1}", "[1e400",   "[1e400e]", "[01e400]",
                                       "\xff",      "[\"\xff]", "[\xff]",   "\xEF\xBB\xBF"};
    for (size_t i = 0; i < MB_COUNT(rows); i++) ck_assert_msg(!parse_lenient(rows[i]), "%s", rows[i]);
}
END_TEST

START_TEST(a_parser_is_used_again_for_texts_of_every_size) {
    mb_json_parser *p = mb_json_parser_new();
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    for (int round = 0; round < 3; round++)
        for (size_t n = 1; n < 400000; n = n * 3 + 1) {
            const mb_json *v;
            mb_buf_reset(&text);
            mb_buf_putc(&text, '[');
            for (size_t i = 0; i < n; i++) mb_buf_puts(&text, i ? ",\"ab\"" : "\"ab\"");
            mb_buf_putc(&text, ']');
            ck_assert_int_eq(mb_json_parser_parse(p, text.data, text.len, round % 2, &v), 0);
            ck_assert_uint_eq(v->count, n);
            ck_assert_str_eq(v->children[n - 1].str, "ab");
        }
    const mb_json *v;
    ck_assert_int_eq(mb_json_parser_parse(p, "[1", 2, false, &v), MEMBRANE_EMALFORMED);
    ck_assert_int_eq(mb_json_parser_parse(p, "", 0, false, &v), MEMBRANE_EMALFORMED);
    ck_assert_int_eq(mb_json_parser_parse(p, "[1e999]", 7, false, &v), 0);
    ck_assert_int_eq(v->children[0].type, MB_JSON_NUMTEXT);
    ck_assert_int_eq(mb_json_parser_parse(p, "[\"a\"]", 5, false, &v), 0);
    ck_assert_int_eq(v->children[0].type, MB_JSON_STRING);
    mb_buf_free(&text);
    mb_json_parser_free(p);
}
END_TEST

START_TEST(lines_are_those_of_the_text) {
    const char *text = "{\n \"a\": 1,\n \"b\": [\n  2,\n  \"}\\\"]\", {}\n ],\n \"c\":\n  {\"d\": null}}";
    const mb_json *v = parse(text);
    mb_json_number_lines(v, text, strlen(text));
    ck_assert_uint_eq(v->line, 1);
    ck_assert_uint_eq(mb_json_path(v, "a")->line, 2);
    ck_assert_uint_eq(mb_json_path(v, "b")->line, 3);
    ck_assert_uint_eq(mb_json_path(v, "b.0")->line, 4);
    ck_assert_uint_eq(mb_json_path(v, "b.2")->line, 5);
    ck_assert_uint_eq(mb_json_path(v, "c")->line, 8);
    ck_assert_uint_eq(mb_json_path(v, "c.d")->line, 8);
}
END_TEST

// ---- looking -------------------------------------------------------------------------------------------------------

START_TEST(lookups_of_what_is_absent_give_null) {
    const mb_json *v = parse("{\"a\":[{\"b\":\"x\"}],\"\":1}");
    ck_assert(mb_json_str_is(mb_json_path(v, "a.0.b"), "x"));
    ck_assert_ptr_eq(mb_json_path(v, ""), v);
    ck_assert_ptr_null(mb_json_path(v, "a.1.b"));
    ck_assert_ptr_null(mb_json_path(v, "a.x"));
    ck_assert_ptr_null(mb_json_path(v, "a.0.b.c"));
    ck_assert_ptr_null(mb_json_path(NULL, "a"));
    ck_assert_ptr_null(mb_json_get(NULL, "a"));
    ck_assert_ptr_null(mb_json_at(v, 0));
    ck_assert_ptr_null(mb_json_get_str(v, "a"));
    ck_assert(!mb_json_str_is(NULL, "x"));
}
END_TEST

START_TEST(numbers_convert_only_where_nothing_is_lost) {
    const mb_json *v = parse("[5, 18446744073709551615, 2.0, 2.5, 1e300, -1e300, \"5\"]");
    static const int64_t expected[] = {5, INT64_MAX, 2, -7, INT64_MAX, INT64_MIN, -7};
    for (size_t i = 0; i < MB_COUNT(expected); i++) ck_assert(mb_json_int(mb_json_at(v, i), -7) == expected[i]);
    ck_assert(mb_json_double(mb_json_at(v, 0), 0) == 5.0);
    ck_assert(mb_json_double(mb_json_at(v, 6), -7) == -7.0);
    ck_assert(mb_json_int(NULL, 9) == 9 && mb_json_bool(NULL, true));
    ck_assert_str_eq(mb_json_type_name(mb_json_at(v, 1)), "integer");
    ck_assert_str_eq(mb_json_type_name(mb_json_at(v, 3)), "number");
}
END_TEST

START_TEST(equality_is_of_data) {
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"{\"a\":1,\"b\":2}", "{\"a\":1}", false},
        {"{\"a\":0,\"a\":1}", "{\"a\":1}", true},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,1]", false},
        {"1", "1.0", true},
        {"9223372036854775807", "9223372036854775808.0", false},
        {"18446744073709551615", "18446744073709551616.0", false},
        {"9223372036854775808", "9223372036854775808.0", true},
        {"0", "-0.0", true},
        {"1", "\"1\"", false},
        {"null", "false", false},
        {"\"a\\u0000b\"", "\"a\\u0000c\"", false},
    };
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        const mb_json *a = parse(rows[i].a), *b = parse(rows[i].b);
        ck_assert_msg(mb_json_equal(a, b) == rows[i].same && mb_json_equal(b, a) == rows[i].same, "%s = %s", rows[i].a,
                      rows[i].b);
    }
    ck_assert(mb_json_equal(NULL, NULL) && !mb_json_equal(parse("null"), NULL));
}
END_TEST

START_TEST(a_copy_outlives_its_original) {
    const char *text = "{\"a\":[1,{\"b\":\"x\\u0000y\"},[]],\"c\":{}}";
    mb_json_parser *p = mb_json_parser_new();
    const mb_json *v;
    ck_assert_int_eq(mb_json_parser_parse(p, text, strlen(text), false, &v), 0);
    const mb_json *copy = mb_json_copy(&arena, v), *part = mb_json_copy(&arena, mb_json_get(v, "a"));
    mb_json_parser_free(p);
    ck_assert_str_eq(text_of(copy), text);
    ck_assert_ptr_null(part->key);
    ck_assert_str_eq(text_of(part), "[1,{\"b\":\"x\\u0000y\"},[]]");
}
END_TEST

// ---- writing -------------------------------------------------------------------------------------------------------

START_TEST(commas_stand_between_and_nowhere_else) {
    mb_buf b = MB_BUF(1000);
    mb_jw w = mb_jw_to(&b);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "a", "x");
    mb_jw_kstr_if(&w, "no", NULL);
    mb_jw_key(&w, "b");
    mb_jw_array(&w);
    mb_jw_int(&w, 1);
    mb_jw_object(&w);
    mb_jw_end_object(&w);
    mb_jw_array(&w);
    mb_jw_end_array(&w);
    mb_jw_raw(&w, "[2]", 3);
    mb_jw_str(&w, NULL);
    mb_jw_end_array(&w);
    mb_jw_kbool(&w, "c", true);
    mb_jw_kint(&w, "d", -1);
    mb_jw_kvalue_if(&w, "no", NULL);
    mb_jw_end_object(&w);
    ck_assert_str_eq(b.data, "{\"a\":\"x\",\"b\":[1,{},[],[2],null],\"c\":true,\"d\":-1}");
    mb_buf_free(&b);
}
END_TEST

START_TEST(every_byte_in_a_string_is_written_so_that_it_reads_back) {
    char text[80];
    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < 20; at++) {
            mb_buf b = MB_BUF(1000);
            mb_jw w = mb_jw_to(&b);
            memset(text, 'a', 20);
            text[at] = (char)c;
            mb_jw_strn(&w, text, 20);
            const mb_json *v = parse(b.data);
            if (c < 0x80)
                ck_assert(v->len == 20 && memcmp(v->str, text, 20) == 0);
            else
                ck_assert(v->len == 22 && memcmp(v->str + at, "\xEF\xBF\xBD", 3) == 0);
            mb_buf_free(&b);
        }
    ck_assert_str_eq(text_of(parse("\"\\b\\f\\n\\r\\t\\\"\\\\\\u001f\\u007f\\u00e9\"")),
                     "\"\\b\\f\\n\\r\\t\\\"\\\\\\u001f\x7f\xC3\xA9\"");
}
END_TEST

START_TEST(doubles_read_back_exactly_and_stay_doubles) {
    static const double rows[] = {0.1,     1.0,     -0.0,    1e100,  1e-7,     123456.789, 1e17,    1e16,   5e-324,
                                  DBL_MAX, DBL_MIN, 1.0 / 3, 2.5e-5, 100000.0, 1e22,       -1e-300, 0.00001};
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        mb_json v = {.type = MB_JSON_DOUBLE, .number = rows[i]};
        const mb_json *again = parse(text_of(&v));
        ck_assert_int_eq(again->type, MB_JSON_DOUBLE);
        ck_assert_msg(memcmp(&again->number, &rows[i], sizeof(double)) == 0, "%s", text_of(&v));
    }
    mb_json tenth = {.type = MB_JSON_DOUBLE, .number = 0.1}, whole = {.type = MB_JSON_DOUBLE, .number = 100000};
    ck_assert_str_eq(text_of(&tenth), "0.1");
    ck_assert_str_eq(text_of(&whole), "100000.0");
    mb_json nan = {.type = MB_JSON_DOUBLE, .number = NAN}, inf = {.type = MB_JSON_DOUBLE, .number = INFINITY};
    ck_assert_str_eq(text_of(&nan), "null");
    ck_assert_str_eq(text_of(&inf), "null");
}
END_TEST

START_TEST(a_locale_with_commas_changes_nothing) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    for (size_t i = 0; i < MB_COUNT(names) && !setlocale(LC_ALL, names[i]); i++) {}
    ck_assert_str_eq(text_of(parse("[1.5,1e30]")), "[1.5,1e+30]");
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(integers_of_all_sizes_read_back) {
    const char *text = "[0,9,10,-1,9223372036854775807,-9223372036854775808,9223372036854775808,18446744073709551615]";
    ck_assert_str_eq(text_of(parse(text)), text);
}
END_TEST

// ---- without memory ------------------------------------------------------------------------------------------------

static const char SAMPLE[] = "{\"a\":[1,2.5,\"x\",{\"b\":null}],\"n\":1e999,\"s\":\"\\ud800\"}";

static int parse_all(void *unused) {
    mb_arena a = {0};
    const mb_json *v = NULL;
    membrane_error *e = NULL;
    int status = mb_json_parse_lenient(&a, SAMPLE, sizeof SAMPLE - 1, &v, &e);
    ck_assert_int_eq(membrane_error_code(e), status);
    if (status == 0) status = mb_json_copy(&a, v) ? 0 : MEMBRANE_ENOMEM;
    ck_assert(status == 0 || status == MEMBRANE_ENOMEM);
    membrane_error_free(e);
    mb_arena_free(&a);
    return status;
}

static int use_parser(void *unused) {
    const mb_json *v;
    mb_json_parser *p = mb_json_parser_new();
    if (!p) return -1;
    int status = mb_json_parser_parse(p, SAMPLE, sizeof SAMPLE - 1, false, &v);
    ck_assert(status == 0 || status == MEMBRANE_ENOMEM);
    if (status != 0) ck_assert_int_eq(mb_json_parser_parse(p, "[1]", 3, false, &v), 0); // it has recovered
    mb_json_parser_free(p);
    return status;
}

START_TEST(without_memory_it_says_so_and_nothing_leaks) {
    unit_every_allocation_fails(parse_all, NULL);
    unit_every_allocation_fails(use_parser, NULL);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_checked_fixture(tc, NULL, no_arena);
    tcase_add_test(tc, each_kind_of_value_is_read);
    tcase_add_test(tc, members_keep_their_order_and_the_last_of_a_name_is_found);
    tcase_add_test(tc, children_of_inner_containers_do_not_mix_with_their_siblings);
    tcase_add_test(tc, what_is_no_json_is_refused_with_its_place);
    tcase_add_test(tc, depth_ends_at_the_limit);
    tcase_add_test(tc, bad_characters_are_repaired_where_that_is_asked_for);
    tcase_add_test(tc, numbers_that_fit_no_type_keep_their_digits);
    tcase_add_test(tc, repair_makes_no_json_of_what_was_none);
    tcase_add_test(tc, a_parser_is_used_again_for_texts_of_every_size);
    tcase_add_test(tc, lines_are_those_of_the_text);
    tcase_add_test(tc, lookups_of_what_is_absent_give_null);
    tcase_add_test(tc, numbers_convert_only_where_nothing_is_lost);
    tcase_add_test(tc, equality_is_of_data);
    tcase_add_test(tc, a_copy_outlives_its_original);
    tcase_add_test(tc, commas_stand_between_and_nowhere_else);
    tcase_add_test(tc, every_byte_in_a_string_is_written_so_that_it_reads_back);
    tcase_add_test(tc, doubles_read_back_exactly_and_stay_doubles);
    tcase_add_test(tc, a_locale_with_commas_changes_nothing);
    tcase_add_test(tc, integers_of_all_sizes_read_back);
    tcase_add_test(tc, without_memory_it_says_so_and_nothing_leaks);
}
UNIT_MAIN("json", tests)
