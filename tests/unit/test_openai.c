// SPDX-License-Identifier: MIT
// What tests/cases/openai/ cannot say: URLs, sizes, and memory that runs out.
#include "unit.h"
#include "wire.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static int look_url(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(wire->headers.len, 0); // extra_headers are the runtime's
    ck_assert_str_eq(mb_buf_text(&wire->url), "http://h/v1/deployments/m/chat?v=1");
    ck_assert_str_eq(wire->method, "POST");
    return 0;
}

START_TEST(a_path_may_hold_the_model) {
    wire_test t = {"openai",
                   "{" USER ",\"extra_headers\":{\"X-A\":\"1\",\"X-B\":\"two words\"}}",
                   "{\"chat_path\":\"/deployments/{model}/chat?v=1\"}",
                   NULL,
                   false,
                   MB_ASK_CHAT,
                   look_url};
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

static int look_root(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&wire->url), "http://h/metrics");
    ck_assert_str_eq(wire->method, "GET");
    ck_assert_uint_eq(wire->body.len, 0);
    return 0;
}

START_TEST(server_paths_begin_at_the_root) {
    wire_test t = {"vllm", NULL, NULL, NULL, false, MB_ASK_METRICS, look_root};
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(a_cut_stream_is_an_error_with_the_partial_text) {
    wire_test t = {"openai", "{" USER "}", NULL, "data: {\"choices\":[{\"delta\":{\"content\":\"par\"}}]}\n\n",
                   true,     MB_ASK_CHAT,  NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ETRUNCATED);
}
END_TEST

START_TEST(a_frame_that_is_no_json_is_malformed) {
    wire_test t = {"openai", "{" USER "}", NULL, "data: {\"choices\n\n", true, MB_ASK_CHAT, NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EMALFORMED);
    t.answer = "data: 7\n\n";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EMALFORMED);
}
END_TEST

static int look_thinking_off(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_nonnull(strstr(mb_buf_text(&wire->body), "\"thinking\":{\"type\":\"disabled\"}"));
    ck_assert_ptr_nonnull(strstr(mb_buf_text(&wire->body), "\"reasoning_content\":\"hm\""));
    return 0;
}

START_TEST(thinking_is_said_and_echoed_as_the_row_wants_it) {
    wire_test t = {
        "deepseek",
        "{\"thinking\":false,\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},"
        "{\"type\":\"text\",\"text\":\"a\"}]}]}",
        NULL,
        NULL,
        false,
        MB_ASK_CHAT,
        look_thinking_off};
    ck_assert_int_eq(wire_run(&t), 0);
    t.kind = "together"; // has no word for it: not to think is what it does anyway
    t.look = NULL;
    ck_assert_int_eq(wire_run(&t), 0);
    t.request = "{" USER ",\"thinking\":true}";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
}
END_TEST

static const char RICH_REQUEST[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
    "\"a\"},{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"AAAA\"},{\"type\":\"document\",\"name\":\"d\",\"text\":\"x\"}]},"
    "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"}],\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":"
    "\"a.b\",\"arguments\":\"{}\"}}]},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"document\",\"name\":"
    "\"d\",\"text\":\"x\"}]}],\"tools\":[{\"function\":{\"name\":\"a.b\"}},{\"function\":{\"name\":\"a_b\"}}],\"stream\":true}";

static const char RICH_ANSWER[] =
    "data: {\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"t\",\"content\":\"a\","
    "\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"t\",\"index\":0}]},\"logprobs\":{\"content\":[{\"token\":\"a\"}]}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"extra_content\":{\"s\":1},\"function\":{\"name\":\"a_b\","
    "\"arguments\":{\"x\":1}}}],\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"u\",\"index\":0}]}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n"
    "data: [DONE]\n\n";

START_TEST(every_allocation_may_fail) {
    wire_test stream = {"llamacpp", RICH_REQUEST, NULL, RICH_ANSWER, true, MB_ASK_CHAT, NULL};
    unit_every_allocation_fails(wire_run, &stream);
    wire_test embed = {"openai", "{\"kind\":\"embed\",\"input\":\"a\"}",
                       NULL,     "{\"model\":\"m\",\"data\":[{\"index\":0,\"embedding\":\"AACAPw==\"}]}",
                       false,    MB_ASK_EMBED,
                       NULL};
    unit_every_allocation_fails(wire_run, &embed);
    wire_test models = {"llamacpp", NULL,          NULL, "{\"data\":[{\"id\":\"a\",\"capabilities\":[\"x\"]}]}",
                        false,      MB_ASK_MODELS, NULL};
    unit_every_allocation_fails(wire_run, &models);
}
END_TEST

#define LONG_ID "call-0123456789-0123456789-0123456789-0123456789"

static int look_short_id(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    const char *body = mb_buf_text(&wire->body), *call = strstr(body, "\"id\":\"call_"),
               *result = strstr(body, "\"tool_call_id\":\"call_");
    ck_assert_ptr_nonnull(call);
    ck_assert_ptr_nonnull(result);
    ck_assert_ptr_null(strstr(body, LONG_ID));
    ck_assert_mem_eq(call + 6, result + 16, 21);
    return 0;
}

static int look_long_id(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_nonnull(strstr(mb_buf_text(&wire->body), "\"tool_call_id\":\"" LONG_ID "\""));
    return 0;
}

START_TEST(an_id_too_long_for_the_server_is_replaced) {
    wire_test t = {"openai",
                   "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"" LONG_ID
                   "\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
                   "\"" LONG_ID "\",\"content\":\"ok\"}]}",
                   "{\"base_url\":\"http://h/v1\"}",
                   NULL,
                   false,
                   MB_ASK_CHAT,
                   look_short_id};
    ck_assert_int_eq(wire_run(&t), 0);
    t.overrides = NULL; // at another address it may be a gateway, whose ids hold what it needs
    t.look = look_long_id;
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, an_id_too_long_for_the_server_is_replaced);
    tcase_add_test(tc, a_path_may_hold_the_model);
    tcase_add_test(tc, server_paths_begin_at_the_root);
    tcase_add_test(tc, a_cut_stream_is_an_error_with_the_partial_text);
    tcase_add_test(tc, a_frame_that_is_no_json_is_malformed);
    tcase_add_test(tc, thinking_is_said_and_echoed_as_the_row_wants_it);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("openai", tests)
