// SPDX-License-Identifier: MIT
#include "route/turn.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "unit.h"

typedef struct seen {
    char text[256], thinking[256], calls[512];
    int answer; // of the sink
} seen;

static int see_text(void *user, const char *text, size_t len) {
    strncat(((seen *)user)->text, text, len);
    return ((seen *)user)->answer;
}

static int see_thinking(void *user, const char *text, size_t len) {
    strncat(((seen *)user)->thinking, text, len);
    return ((seen *)user)->answer;
}

static int see_call(void *user, const mb_tool_call *call) {
    char *out = ((seen *)user)->calls;
    snprintf(out + strlen(out), 512 - strlen(out), "%s:%s(%s)%s;", call->id, call->name, mb_buf_text(&call->arguments),
             call->whole ? "" : " cut");
    return ((seen *)user)->answer;
}

static mb_turn_sink sink_of(seen *s) { return (mb_turn_sink){s, see_text, see_thinking, see_call}; }

static int delta(mb_turn *t, int64_t index, const char *id, const char *name, const char *args) {
    return mb_turn_tool_delta(t, index, id, name, args, args ? strlen(args) : 0);
}

static const mb_json *json(mb_arena *arena, const char *text) {
    const mb_json *v = NULL;
    ck_assert_int_eq(mb_json_parse(arena, text, strlen(text), &v, NULL), 0);
    return v;
}

START_TEST(text_and_thinking_are_kept_and_passed_on) {
    seen s = {0};
    mb_turn t;
    mb_turn_init(&t, sink_of(&s));
    ck_assert_int_eq(mb_turn_thinking(&t, "hm", 2), 0);
    ck_assert_int_eq(mb_turn_text(&t, "a", 1), 0);
    ck_assert_int_eq(mb_turn_text(&t, "", 0), 0);
    ck_assert_int_eq(mb_turn_text(&t, "bc", 2), 0);
    ck_assert_str_eq(mb_buf_text(&t.text), "abc");
    ck_assert_str_eq(s.text, "abc");
    ck_assert_str_eq(s.thinking, "hm");
    mb_turn_free(&t);
}
END_TEST

START_TEST(what_the_sink_answers_ends_the_attempt) {
    seen s = {.answer = MEMBRANE_ECANCELLED};
    mb_turn t;
    mb_turn_init(&t, sink_of(&s));
    ck_assert_int_eq(mb_turn_text(&t, "a", 1), MEMBRANE_ECANCELLED);
    ck_assert_int_eq(mb_turn_tool_call(&t, "x", "f", NULL), 0);
    ck_assert_int_eq(mb_turn_end(&t), MEMBRANE_ECANCELLED);
    mb_turn_free(&t);
}
END_TEST

START_TEST(pieces_merge_by_index) {
    seen s = {0};
    mb_turn t;
    mb_turn_init(&t, sink_of(&s));
    delta(&t, 0, "a", "f", "{\"x\"");
    delta(&t, 1, "b", "g", NULL);
    delta(&t, 0, NULL, NULL, ":1}");
    delta(&t, 1, "b", "g", "{}"); // repeated id and name
    mb_turn_finish(&t, MB_FINISH_STOP, "stop");
    ck_assert_int_eq(mb_turn_end(&t), 0);
    ck_assert_int_eq(mb_turn_end(&t), 0); // harmless twice
    ck_assert_str_eq(s.calls, "a:f({\"x\":1});b:g({});");
    ck_assert_str_eq(mb_finish_name(t.finish), "tool_calls");
    mb_turn_free(&t);
}
END_TEST

START_TEST(a_piece_of_nothing_is_no_call) {
    mb_turn t;
    mb_turn_init(&t, (mb_turn_sink){0});
    ck_assert_int_eq(delta(&t, 0, "", "", ""), 0);
    ck_assert_uint_eq(t.call_count, 0);
    mb_turn_free(&t);
}
END_TEST

START_TEST(made_ids_avoid_those_of_the_wire) {
    seen s = {0};
    mb_turn t;
    mb_turn_init(&t, sink_of(&s));
    mb_turn_tool_call(&t, NULL, "f", NULL);
    mb_turn_tool_call(&t, "call_0", "g", NULL);
    ck_assert_int_eq(mb_turn_end(&t), 0);
    ck_assert_str_eq(s.calls, "call_1:f();call_0:g();");
    mb_turn_free(&t);
}
END_TEST

START_TEST(a_call_cut_by_length_is_marked) {
    seen s = {0};
    mb_turn t;
    mb_turn_init(&t, sink_of(&s));
    delta(&t, 0, "a", "f", "{}");
    delta(&t, 1, "b", "g", "{\"x\":");
    mb_turn_finish(&t, MB_FINISH_LENGTH, "length");
    ck_assert_int_eq(mb_turn_end(&t), 0);
    ck_assert_str_eq(s.calls, "a:f({});b:g({\"x\":) cut;");
    ck_assert_int_eq(t.finish, MB_FINISH_LENGTH);
    mb_turn_free(&t);
}
END_TEST

START_TEST(arguments_that_are_an_object_become_text) {
    mb_arena arena = {0};
    mb_turn t;
    mb_turn_init(&t, (mb_turn_sink){0});
    ck_assert_int_eq(mb_turn_tool_call(&t, "a", "f", json(&arena, "{\"city\":\"Paris\"}")), 0);
    ck_assert_str_eq(mb_buf_text(&t.calls[0].arguments), "{\"city\":\"Paris\"}");
    mb_turn_free(&t);
    mb_arena_free(&arena);
}
END_TEST

START_TEST(more_calls_than_the_limit_are_malformed) {
    mb_turn t;
    mb_turn_init(&t, (mb_turn_sink){0});
    for (int i = 0; i < MB_LIMIT_TOOL_CALLS; i++) ck_assert_int_eq(delta(&t, i, NULL, "f", "{}"), 0);
    ck_assert_int_eq(delta(&t, MB_LIMIT_TOOL_CALLS, NULL, "f", "{}"), MEMBRANE_EMALFORMED);
    mb_turn_free(&t);
}
END_TEST

START_TEST(vectors_of_one_length_only) {
    mb_arena arena = {0};
    mb_turn t;
    mb_turn_init(&t, (mb_turn_sink){0});
    ck_assert_int_eq(mb_turn_vector(&t, json(&arena, "[1,-0.5]")), 0);
    ck_assert_int_eq(mb_turn_vector_base64(&t, "AACAPwAAAMA=", 12, false), 0); // 1, -2
    ck_assert_int_eq(mb_turn_vector_base64(&t, "Af8=", 4, true), 0);           // 1, -1
    ck_assert_int_eq(mb_turn_vector(&t, json(&arena, "[1]")), MEMBRANE_ERESPONSE);
    ck_assert_int_eq(mb_turn_vector(&t, json(&arena, "[1,\"x\"]")), MEMBRANE_ERESPONSE);
    ck_assert_int_eq(mb_turn_vector_base64(&t, "AAC*", 4, false), MEMBRANE_ERESPONSE);
    ck_assert_int_eq(mb_turn_vector_base64(&t, "AAA=", 4, false), MEMBRANE_ERESPONSE);
    ck_assert_uint_eq(t.vector_count, 3);
    ck_assert_uint_eq(t.vector_dims, 2);
    static const float WANT[] = {1, -0.5f, 1, -2, 1, -1};
    for (size_t i = 0; i < 6; i++) ck_assert_float_eq(t.vectors[i], WANT[i]);
    mb_turn_free(&t);
    mb_arena_free(&arena);
}
END_TEST

START_TEST(warnings_are_json) {
    mb_turn t;
    mb_turn_init(&t, (mb_turn_sink){0});
    mb_turn_warn(&t, "%s", "a \"b\"");
    mb_turn_warn(&t, "c");
    ck_assert_str_eq(mb_buf_text(&t.warnings), "\"a \\\"b\\\"\",\"c\"");
    mb_turn_free(&t);
}
END_TEST

static int pour(void *user) {
    (void)user;
    mb_turn t;
    mb_arena arena = {0};
    mb_turn_init(&t, (mb_turn_sink){0});
    const mb_json *v = NULL;
    int status = mb_json_parse(&arena, "[1,2,3]", 7, &v, NULL);
    if (status == 0) status = mb_turn_text(&t, "hello", 5);
    if (status == 0) status = mb_turn_thinking(&t, "hm", 2);
    for (int i = 0; i < 6 && status == 0; i++) status = delta(&t, i, NULL, "f", "{\"x\":1}");
    if (status == 0) status = mb_turn_vector(&t, v);
    if (status == 0) status = mb_turn_vector_base64(&t, "AACAPwAAAMAAAIA/", 16, false);
    if (status == 0) mb_turn_finish(&t, MB_FINISH_LENGTH, "length");
    if (status == 0) status = mb_turn_end(&t);
    ck_assert(status == 0 || status == MEMBRANE_ENOMEM);
    mb_turn_free(&t);
    mb_arena_free(&arena);
    return status;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(pour, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, text_and_thinking_are_kept_and_passed_on);
    tcase_add_test(tc, what_the_sink_answers_ends_the_attempt);
    tcase_add_test(tc, pieces_merge_by_index);
    tcase_add_test(tc, a_piece_of_nothing_is_no_call);
    tcase_add_test(tc, made_ids_avoid_those_of_the_wire);
    tcase_add_test(tc, a_call_cut_by_length_is_marked);
    tcase_add_test(tc, arguments_that_are_an_object_become_text);
    tcase_add_test(tc, more_calls_than_the_limit_are_malformed);
    tcase_add_test(tc, vectors_of_one_length_only);
    tcase_add_test(tc, warnings_are_json);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("turn", tests)
