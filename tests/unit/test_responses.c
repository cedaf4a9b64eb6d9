// SPDX-License-Identifier: MIT
// What tests/cases/responses/ cannot say: rows that are asked by this wire, limits, hostile shapes, and memory that
// runs out.
#include "unit.h"
#include "wire.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define ENDED                                                                                                          \
    "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"model\":\"m1\",\"output\":[]}}\n\n"

static const char *wanted;

static int look_body(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&wire->body), wanted);
    return 0;
}

static int look_url(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&wire->url), wanted);
    return 0;
}

START_TEST(any_provider_can_be_asked_by_it) {
    wire_test t = {"deepseek",
                   "{" USER ",\"thinking\":\"low\",\"max_tokens\":3}",
                   "{\"wire\":\"openai-responses\"}",
                   NULL,
                   false,
                   MB_ASK_CHAT,
                   look_body};
    wanted = "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"hi\"}],\"reasoning\":{\"effort\":\"low\"},"
             "\"max_output_tokens\":3,\"include\":[\"reasoning.encrypted_content\"],\"store\":false}";
    ck_assert_int_eq(wire_run(&t), 0);
    t.look = look_url;
    wanted = "http://h/v1/responses";
    ck_assert_int_eq(wire_run(&t), 0);
    t.look = NULL;
    t.request = "{" USER ",\"stop\":\"x\"}";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
}
END_TEST

START_TEST(what_a_server_does_not_know_is_not_asked) {
    wire_test t = {"lmstudio", "{" USER "}", "{\"wire\":\"openai-responses\"}", NULL, false, MB_ASK_CHAT, look_body};
    wanted = "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"hi\"}],\"store\":false}"; // it is local
    ck_assert_int_eq(wire_run(&t), 0);
    t.kind = "openai-responses";
    t.overrides = "{\"thinking_echo_key\":null,\"thinking_key\":null}";
    t.request = "{" USER ",\"thinking\":false}";
    ck_assert_int_eq(wire_run(&t), 0);
    t.request = "{" USER ",\"thinking\":true}";
    t.look = NULL;
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
}
END_TEST

static int look_ids(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)wire;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(turn->response_id, "resp_1");
    ck_assert_str_eq(turn->model, "m1");
    ck_assert_str_eq(turn->finish_raw, "completed");
    ck_assert(turn->has_end);
    return 0;
}

START_TEST(an_answer_says_its_id_and_model) {
    wire_test t = {"openai-responses", "{" USER "}", NULL, ENDED, true, MB_ASK_CHAT, look_ids};
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(streams_that_are_no_events_are_malformed) {
    static const char *const BAD[] = {"data: {\"type\n\n", "data: [1]\n\n", "data: null\n\n"};
    wire_test t = {"openai-responses", "{" USER "}", NULL, NULL, true, MB_ASK_CHAT, NULL};
    for (size_t i = 0; i < MB_COUNT(BAD); i++) {
        t.answer = BAD[i];
        ck_assert_int_eq(wire_run(&t), MEMBRANE_EMALFORMED);
    }
    t.answer = "data: {}\n\n: comment\n\n" ENDED "data: {\"type\n\n"; // what follows the end matters to nobody
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(any_type_may_stand_at_any_place) {
    static const char *const ODD[] = {
        "{\"type\":7,\"delta\":[]}",
        "{\"type\":\"response.output_text.delta\",\"delta\":{},\"output_index\":\"x\",\"item_id\":3}",
        "{\"type\":\"response.output_text.delta\",\"output_index\":-5,\"delta\":\"\"}",
        "{\"type\":\"response.output_item.added\",\"item\":[]}",
        "{\"type\":\"response.output_item.done\",\"item\":{\"type\":\"message\",\"content\":[null,1,{\"type\":\"refusal\"}]}}",
        "{\"type\":\"response.output_item.done\",\"output_index\":1,\"item\":{\"type\":\"reasoning\",\"summary\":[1],\"content\":7}}",
        "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":1,\"delta\":\"x\"}",
        "{\"type\":\"response.created\",\"response\":null}",
        "{\"type\":\"response.in_progress\"}",
        "{\"type\":\"response.reasoning_text.delta\",\"output_index\":0,\"delta\":\"x\"}",
    };
    wire_test t = {"openai-responses", "{" USER "}", NULL, NULL, true, MB_ASK_CHAT, NULL};
    mb_buf all = MB_BUF(65536);
    for (size_t i = 0; i < MB_COUNT(ODD); i++) mb_buf_putf(&all, "data: %s\n\n", ODD[i]);
    mb_buf_puts(&all, ENDED);
    t.answer = mb_buf_text(&all);
    ck_assert_int_eq(wire_run(&t), 0);
    mb_buf_free(&all);
}
END_TEST

START_TEST(an_answer_has_so_many_items_and_no_more) {
    wire_test t = {"openai-responses", "{" USER "}", NULL, NULL, true, MB_ASK_CHAT, NULL};
    mb_buf all = MB_BUF(1 << 20);
    for (int i = 0; i <= 1024; i++)
        mb_buf_putf(&all,
                    "data: {\"type\":\"response.output_item.added\",\"output_index\":%d,\"item\":{\"type\":\"x\"}}\n\n",
                    i);
    mb_buf_puts(&all, ENDED);
    t.answer = mb_buf_text(&all);
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EMALFORMED);
    mb_buf_free(&all);
}
END_TEST

START_TEST(a_question_that_it_cannot_be_asked_says_so) {
    static const mb_ask_kind KINDS[] = {MB_ASK_EMBED, MB_ASK_RERANK, MB_ASK_LOADED, MB_ASK_VERSION, MB_ASK_SLOTS};
    wire_test t = {"openai-responses", NULL, NULL, NULL, false, MB_ASK_CHAT, NULL};
    for (size_t i = 0; i < MB_COUNT(KINDS); i++) {
        t.ask_kind = KINDS[i];
        ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    }
    t.look = look_url;
    wanted = "http://h/v1/models";
    t.ask_kind = MB_ASK_HEALTH;
    ck_assert_int_eq(wire_run(&t), 0);
    t.ask_kind = MB_ASK_SHOW;
    ck_assert_int_eq(wire_run(&t), 0);
    t.overrides = "{\"health_path\":\"/health\"}";
    t.ask_kind = MB_ASK_HEALTH;
    wanted = "http://h/health";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

#define REASONING                                                                                                      \
    "{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"t\"}],"                \
    "\"encrypted_content\":\"gA\"}"
#define MESSAGE                                                                                                              \
    "{\"id\":\"msg_1\",\"type\":\"message\",\"phase\":\"commentary\",\"content\":[{\"type\":\"output_text\",\"text\":\"a\"," \
    "\"annotations\":[{\"url\":\"x\"}],\"logprobs\":[{\"token\":\"a\"}]}]}"
#define SECOND "{\"id\":\"msg_2\",\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"b\"}]}"
#define FUNCTION                                                                                                       \
    "{\"id\":\"fc_1\",\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"fs_read\",\"arguments\":{\"x\":1}}"
#define OUTPUT "[" REASONING "," MESSAGE "," SECOND "," FUNCTION "]"

static const char EVERYTHING[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"s\"},{\"type\":\"text\",\"text\":\"t\"}]},"
    "{\"role\":\"user\",\"name\":\"n\",\"content\":[{\"type\":\"image\",\"data\":\"AA\",\"media_type\":\"image/png\"},"
    "{\"type\":\"document\",\"name\":\"a\",\"text\":\"x\"},{\"type\":\"document\",\"data\":\"BB\",\"media_type\":\"application/pdf\"}]},"
    "{\"role\":\"assistant\",\"content\":\"ab\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"fs.read\",\"arguments\":\"{}\"}}],"
    "\"provider_data\":{\"provider\":\"p\",\"fields\":{\"blocks\":[{\"raw\":" REASONING
    "},{\"text\":2,\"with\":{\"id\":\"m\"}},{\"call\":\"c\"}]}}},"
    "{\"role\":\"assistant\",\"content\":\"plain\"}],"
    "\"tools\":[{\"function\":{\"name\":\"fs.read\"}},{\"type\":\"raw\",\"raw\":{\"type\":\"web_search\"}}],"
    "\"tool_choice\":{\"function\":{\"name\":\"fs.read\"}},\"thinking\":{\"budget_tokens\":5},\"logprobs\":2,"
    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}},\"drop_unsupported\":true,"
    "\"extra_body\":{\"text\":{\"verbosity\":\"low\"},\"truncation\":\"auto\"}}";

START_TEST(every_allocation_may_fail) {
    wire_test stream = {
        "openai-responses",
        EVERYTHING,
        NULL,
        "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"m\"}}\n\n"
        "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"rs_1\",\"type\":\"reasoning\"}}\n\n"
        "data: {\"type\":\"response.reasoning_summary_text.delta\",\"output_index\":0,\"delta\":\"t\"}\n\n"
        "data: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":" REASONING "}\n\n"
        "data: {\"type\":\"response.output_text.delta\",\"output_index\":1,\"item_id\":\"msg_1\",\"delta\":\"a\",\"logprobs\":[{\"token\":\"a\"}]}\n\n"
        "data: {\"type\":\"response.output_item.done\",\"output_index\":1,\"item\":" MESSAGE "}\n\n"
        "data: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":3,\"delta\":\"{\"}\n\n"
        "data: {\"type\":\"response.output_item.done\",\"output_index\":3,\"item\":" FUNCTION "}\n\n"
        "data: {\"type\":\"response.completed\",\"response\":{\"output\":" OUTPUT
        ",\"usage\":{\"input_tokens\":3}}}\n\n",
        true,
        MB_ASK_CHAT,
        NULL};
    unit_every_allocation_fails(wire_run, &stream);
    wire_test body = {"openai-responses",
                      "{" USER ",\"tools\":[{\"function\":{\"name\":\"fs.read\"}}]}",
                      NULL,
                      "{\"id\":\"r\",\"model\":\"m\",\"output\":" OUTPUT "}",
                      false,
                      MB_ASK_CHAT,
                      NULL};
    unit_every_allocation_fails(wire_run, &body);
    wire_test count = {"openai-responses",
                       "{\"kind\":\"count_tokens\"," USER "}",
                       NULL,
                       "{\"input_tokens\":3}",
                       false,
                       MB_ASK_COUNT_TOKENS,
                       NULL};
    unit_every_allocation_fails(wire_run, &count);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, any_provider_can_be_asked_by_it);
    tcase_add_test(tc, what_a_server_does_not_know_is_not_asked);
    tcase_add_test(tc, an_answer_says_its_id_and_model);
    tcase_add_test(tc, streams_that_are_no_events_are_malformed);
    tcase_add_test(tc, any_type_may_stand_at_any_place);
    tcase_add_test(tc, an_answer_has_so_many_items_and_no_more);
    tcase_add_test(tc, a_question_that_it_cannot_be_asked_says_so);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("responses", tests)
