// SPDX-License-Identifier: MIT
#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/yaml.h"

static mb_arena arena;

static void no_arena(void) { mb_arena_free(&arena); }

static const mb_json *parse(const char *text) {
    const mb_json *v = NULL;
    membrane_error *e = NULL;
    int status = mb_yaml_parse(&arena, "test.yaml", text, strlen(text), &v, &e);
    ck_assert_msg(status == 0, "%s: %s", text, membrane_error_message(e));
    return v;
}

static void check_same(const char *yaml, const char *json) {
    const mb_json *v;
    ck_assert_int_eq(mb_json_parse(&arena, json, strlen(json), &v, NULL), 0);
    ck_assert_msg(mb_json_equal(parse(yaml), v), "%s", yaml);
}

START_TEST(a_configuration_becomes_the_tree_that_json_gives) {
    check_same(
        "# a comment\nproviders:\n  - name: local\n    kind: ollama\n  - {name: openai, key: $KEY}\nbudget: 1.5\n",
        "{\"providers\":[{\"name\":\"local\",\"kind\":\"ollama\"},{\"name\":\"openai\",\"key\":\"$KEY\"}],\"budget\":1.5}");
    check_same("text: |\n  a\n  b\nfolded: >\n  a\n  b\n", "{\"text\":\"a\\nb\\n\",\"folded\":\"a b\\n\"}");
    check_same("{\"a\": [1, \"x\", null]}", "{\"a\":[1,\"x\",null]}");
}
END_TEST

START_TEST(plain_words_mean_what_the_core_schema_says_and_no_more) {
    check_same("[null, ~, true, True, FALSE, 1, -1, 1.5, 1e3]", "[null,null,true,true,false,1,-1,1.5,1000]");
    check_same("[no, on, yes, 007, 1_000, 0x10, .5, +1, 1., nan, 12:30]",
               "[\"no\",\"on\",\"yes\",\"007\",\"1_000\",\"0x10\",\".5\",\"+1\",\"1.\",\"nan\",\"12:30\"]");
    check_same("['1', \"true\", !!str 1]", "[\"1\",\"true\",\"1\"]");
    check_same("a:\nb: ''", "{\"a\":null,\"b\":\"\"}");
    check_same("1: x", "{\"1\":\"x\"}");
    ck_assert_int_eq(mb_json_at(parse("[99999999999999999999999]"), 0)->type, MB_JSON_NUMTEXT);
}
END_TEST

START_TEST(an_empty_text_is_null) {
    ck_assert_int_eq(parse("")->type, MB_JSON_NULL);
    ck_assert_int_eq(parse("# nothing\n")->type, MB_JSON_NULL);
    ck_assert_int_eq(parse("---\n...\n")->type, MB_JSON_NULL);
}
END_TEST

START_TEST(every_value_has_its_line) {
    const mb_json *v = parse("\na: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n");
    ck_assert_uint_eq(v->line, 2);
    ck_assert_uint_eq(mb_json_path(v, "a")->line, 2);
    ck_assert_uint_eq(mb_json_path(v, "b.0")->line, 4);
    ck_assert_uint_eq(mb_json_path(v, "b.1.d")->line, 6);
}
END_TEST

START_TEST(an_alias_stands_for_its_anchor) {
    check_same("a: &x {k: [1, 2]}\nb: *x\nc: [*x, &s text, *s]",
               "{\"a\":{\"k\":[1,2]},\"b\":{\"k\":[1,2]},\"c\":[{\"k\":[1,2]},\"text\",\"text\"]}");
    ck_assert_str_eq(mb_json_get(parse("a: &x 1\nb: *x"), "b")->key, "b");
}
END_TEST

START_TEST(errors_name_the_file_and_the_line) {
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"a: 1\nb: [1\n", "test.yaml:3: "},
        {"a: 1\na: 2\n", "test.yaml:2: the key 'a' stands twice"},
        {"a: 1\n\tb: 2\n", "test.yaml:2: "},
        {"a: *no\n", "test.yaml:1: nothing before this has the anchor 'no'"},
        {"a: &x [*x]\n", "test.yaml:1: nothing"},
        {"a: 1\n--- \nb: 2\n", "test.yaml:2: a second document"},
        {"a: !!binary aGk=\n", "test.yaml:1: the tag"},
        {"\na: !mine 1\n", "test.yaml:2: the tag"},
        {"!!int x", "test.yaml:1: the tag"},
        {"? [a]\n: 1\n", "test.yaml:1: a key must be text"},
        {"a: 1\nb: \xff\n", "test.yaml:2: "},
    };
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        const mb_json *v;
        membrane_error *e = NULL;
        ck_assert_int_eq(mb_yaml_parse(&arena, "test.yaml", rows[i].text, strlen(rows[i].text), &v, &e),
                         MEMBRANE_ECONFIG);
        ck_assert_msg(strncmp(membrane_error_message(e), rows[i].says, strlen(rows[i].says)) == 0, "%s",
                      membrane_error_message(e));
        membrane_error_free(e);
    }
}
END_TEST

START_TEST(aliases_cannot_multiply_past_the_limit) {
    const char *bomb =
        "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e]\n";
    const mb_json *v;
    membrane_error *e = NULL;
    ck_assert_int_eq(mb_yaml_parse(&arena, "bomb", bomb, strlen(bomb), &v, &e), MEMBRANE_ECONFIG);
    ck_assert_ptr_nonnull(strstr(membrane_error_message(e), "more values"));
    membrane_error_free(e);
}
END_TEST

START_TEST(depth_ends_at_the_limit_with_aliases_too) {
    mb_buf b = MB_BUF(10000);
    const mb_json *v;
    for (int i = 0; i < MB_LIMIT_JSON_DEPTH; i++) mb_buf_putc(&b, '[');
    for (int i = 0; i < MB_LIMIT_JSON_DEPTH; i++) mb_buf_putc(&b, ']');
    ck_assert_int_eq(mb_yaml_parse(&arena, "deep", b.data, b.len, &v, NULL), 0);
    for (int i = 0; i <= MB_LIMIT_JSON_DEPTH; i++) mb_buf_putc(&b, '[');
    mb_buf_drop(&b, 2 * MB_LIMIT_JSON_DEPTH);
    ck_assert_int_eq(mb_yaml_parse(&arena, "deep", b.data, b.len, &v, NULL), MEMBRANE_ECONFIG);
    mb_buf_reset(&b);
    mb_buf_puts(&b, "- &a0 [x]\n");
    for (int i = 1; i < 200; i++) mb_buf_putf(&b, "- &a%d [*a%d]\n", i, i - 1);
    ck_assert_int_eq(mb_yaml_parse(&arena, "deep", b.data, b.len, &v, NULL), MEMBRANE_ECONFIG);
    mb_buf_free(&b);
}
END_TEST

static int parse_all(void *unused) {
    static const char text[] = "a: &x [1, two, {b: c}]\nd: *x\ne: !!str 5\n";
    mb_arena a = {0};
    const mb_json *v;
    membrane_error *e = NULL;
    int status = mb_yaml_parse(&a, "test.yaml", text, sizeof text - 1, &v, &e);
    ck_assert(status == 0 || status == MEMBRANE_ENOMEM);
    ck_assert_int_eq(membrane_error_code(e), status);
    membrane_error_free(e);
    mb_arena_free(&a);
    return status;
}

START_TEST(without_memory_it_says_so_and_nothing_leaks) { unit_every_allocation_fails(parse_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_checked_fixture(tc, NULL, no_arena);
    tcase_add_test(tc, a_configuration_becomes_the_tree_that_json_gives);
    tcase_add_test(tc, plain_words_mean_what_the_core_schema_says_and_no_more);
    tcase_add_test(tc, an_empty_text_is_null);
    tcase_add_test(tc, every_value_has_its_line);
    tcase_add_test(tc, an_alias_stands_for_its_anchor);
    tcase_add_test(tc, errors_name_the_file_and_the_line);
    tcase_add_test(tc, aliases_cannot_multiply_past_the_limit);
    tcase_add_test(tc, depth_ends_at_the_limit_with_aliases_too);
    tcase_add_test(tc, without_memory_it_says_so_and_nothing_leaks);
}
UNIT_MAIN("yaml", tests)
