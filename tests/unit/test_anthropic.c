// SPDX-License-Identifier: MIT
// What tests/cases/anthropic/ cannot say: headers, warnings of an answer, depth, memory that runs out.
#include "unit.h"
#include "wire.h"

#define USER        "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define EVENT(json) "data: " json "\n\n"
#define START                                                                                                          \
    EVENT("{\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}")
#define OPEN(block)  EVENT("{\"type\":\"content_block_start\",\"index\":0,\"content_block\":" block "}")
#define DELTA(delta) EVENT("{\"type\":\"content_block_delta\",\"index\":0,\"delta\":" delta "}")
#define DONE(reason)                                                                                                   \
    EVENT("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason "\"},\"usage\":{\"output_tokens\":2}}")   \
    EVENT("{\"type\":\"message_stop\"}")

static const char *wanted;

// ---- headers -------------------------------------------------------------------------------------------------------

static int look_headers(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&wire->headers), wanted);
    return 0;
}

START_TEST(the_version_is_a_header_at_its_own_hosts_only) {
    wire_test t = {"anthropic", "{" USER "}", NULL, NULL, false, MB_ASK_CHAT, look_headers};
    wanted = "anthropic-version: 2023-06-01\n";
    ck_assert_int_eq(wire_run(&t), 0);
    t.request = NULL;
    t.ask_kind = MB_ASK_MODELS;
    ck_assert_int_eq(wire_run(&t), 0);
    t = (wire_test){"vertex-anthropic", "{" USER "}", NULL, NULL, false, MB_ASK_CHAT, look_headers};
    wanted = "";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(a_host_may_have_no_list_of_models) {
    wire_test t = {"vertex-anthropic", NULL, NULL, NULL, false, MB_ASK_MODELS, NULL};
    const mb_ask_kind kinds[] = {MB_ASK_MODELS, MB_ASK_SHOW, MB_ASK_HEALTH, MB_ASK_LOADED, MB_ASK_VERSION};
    for (size_t i = 0; i < MB_COUNT(kinds); i++) {
        t.ask_kind = kinds[i];
        ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    }
}
END_TEST

static int look_url(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&wire->url), wanted);
    return 0;
}

START_TEST(a_path_with_a_question_keeps_it) {
    wire_test t = {"anthropic-compatible", NULL,    "{\"models_path\":\"/list?all=1\"}", NULL, false,
                   MB_ASK_MODELS,          look_url};
    wanted = "http://h/v1/list?all=1";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

// ---- the row -------------------------------------------------------------------------------------------------------

static int look_body(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_msg(strstr(mb_buf_text(&wire->body), wanted), "%s", mb_buf_text(&wire->body));
    return 0;
}

START_TEST(thinking_may_be_asked_for_by_effort) {
    wire_test t = {"anthropic",
                   "{" USER
                   ",\"thinking\":\"minimal\",\"max_tokens\":100,\"response_format\":{\"type\":\"json_schema\","
                   "\"json_schema\":{\"schema\":{}}}}",
                   "{\"thinking_key\":\"adaptive\"}",
                   NULL,
                   false,
                   MB_ASK_CHAT,
                   look_body};
    wanted =
        "\"thinking\":{\"type\":\"adaptive\"},\"max_tokens\":100,\"output_config\":{\"effort\":\"low\",\"format\":{";
    ck_assert_int_eq(wire_run(&t), 0);
    t.request = "{" USER ",\"thinking\":false}";
    wanted = "\"thinking\":{\"type\":\"disabled\"}";
    ck_assert_int_eq(wire_run(&t), 0);
    t.request = "{" USER ",\"thinking\":{\"budget_tokens\":2000}}";
    t.look = NULL;
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
}
END_TEST

START_TEST(a_host_may_not_know_thinking) {
    wire_test t = {"anthropic-compatible",
                   "{" USER ",\"thinking\":true}",
                   "{\"thinking_key\":null}",
                   NULL,
                   false,
                   MB_ASK_CHAT,
                   NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    t.request = "{" USER ",\"thinking\":false}";
    t.look = look_body;
    wanted = "\"max_tokens\":8192}";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(the_default_of_max_tokens_is_the_rows) {
    wire_test t = {"anthropic", "{" USER "}", "{\"default_max_tokens\":512}", NULL, false, MB_ASK_CHAT, look_body};
    wanted = "\"max_tokens\":512}";
    ck_assert_int_eq(wire_run(&t), 0);
    t.overrides = "{\"default_max_tokens\":-1}";
    t.look = NULL;
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ECONFIG);
}
END_TEST

START_TEST(what_is_raised_does_not_overflow) {
    wire_test t = {"anthropic",
                   "{" USER ",\"max_tokens\":9223372036854775806,\"thinking\":{\"budget_tokens\":9223372036854775807}}",
                   NULL,
                   NULL,
                   false,
                   MB_ASK_CHAT,
                   look_body};
    wanted = "\"max_tokens\":9223372036854775807";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

// ---- answers -------------------------------------------------------------------------------------------------------

static int look_warning(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)wire;
    ck_assert_int_eq(status, 0);
    ck_assert_msg(strstr(mb_buf_text(&turn->warnings), wanted), "%s", mb_buf_text(&turn->warnings));
    return 0;
}

START_TEST(what_needs_a_word_is_a_warning) {
    wire_test t = {"anthropic", "{" USER "}", NULL, START DONE("pause_turn"), true, MB_ASK_CHAT, look_warning};
    wanted = "\"p paused a long turn: send its message back as it is, and it goes on\"";
    ck_assert_int_eq(wire_run(&t), 0);
    t.answer = START START DONE("end_turn");
    wanted = "\"p began its answer a second time\"";
    ck_assert_int_eq(wire_run(&t), 0);
    t.stream = false;
    t.answer = "{\"content\":[],\"stop_reason\":\"refusal\",\"stop_details\":{\"explanation\":\"too \\\"hot\\\"\"}}";
    wanted = "\"p: too \\\"hot\\\"\"";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

static int look_finish(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)wire;
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(turn->finish, MB_FINISH_NONE);
    ck_assert_str_eq(turn->finish_raw, wanted);
    return 0;
}

START_TEST(a_new_stop_reason_is_kept_as_it_is) {
    wire_test t = {"anthropic", "{" USER "}", NULL, START DONE("sunset"), true, MB_ASK_CHAT, look_finish};
    wanted = "sunset";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

static int look_deep(const mb_wire *wire, const mb_turn *turn, int status) {
    ck_assert_uint_eq(turn->provider_data.len, 0);
    wanted = "nest too deep";
    return look_warning(wire, turn, status);
}

START_TEST(blocks_that_no_request_could_hold_are_not_kept) {
    mb_buf text = MB_BUF(65536);
    mb_buf_puts(&text, "{\"content\":[{\"type\":\"odd\",\"v\":");
    for (int i = 0; i < 120; i++) mb_buf_putc(&text, '[');
    for (int i = 0; i < 120; i++) mb_buf_putc(&text, ']');
    mb_buf_puts(&text, "}],\"stop_reason\":\"end_turn\"}");
    wire_test t = {"anthropic", "{" USER "}", NULL, mb_buf_text(&text), false, MB_ASK_CHAT, look_deep};
    ck_assert_int_eq(wire_run(&t), 0);
    mb_buf_free(&text);
}
END_TEST

START_TEST(what_is_no_answer_is_told_apart) {
    static const struct {
        bool stream;
        const char *answer;
        int code;
    } ALL[] = {
        {true, START, MEMBRANE_ETRUNCATED},
        {true, "data: {\"type\n\n", MEMBRANE_EMALFORMED},
        {true, "data: 7\n\n", MEMBRANE_EMALFORMED},
        {true, EVENT("{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\"}}"), MEMBRANE_ERATE},
        {true, "event: error\n" EVENT("{\"message\":\"x\"}"), MEMBRANE_ESTREAM},
        {false, "{\"content\":\"x\"}", MEMBRANE_ERESPONSE},
        {false, "7", MEMBRANE_ERESPONSE},
        {false, "<html>", MEMBRANE_ERESPONSE},
    };
    for (size_t i = 0; i < MB_COUNT(ALL); i++) {
        wire_test t = {"anthropic", "{" USER "}", NULL, ALL[i].answer, ALL[i].stream, MB_ASK_CHAT, NULL};
        ck_assert_msg(wire_run(&t) == ALL[i].code, "%s", ALL[i].answer);
    }
    wire_test t = {"anthropic", NULL, NULL, "{}", false, MB_ASK_MODELS, NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
    t.ask_kind = MB_ASK_SHOW;
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
    t = (wire_test){"anthropic", "{\"kind\":\"count_tokens\"," USER "}", NULL, "{}", false, MB_ASK_COUNT_TOKENS, NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
}
END_TEST

// ---- memory --------------------------------------------------------------------------------------------------------

static const char RICH_REQUEST[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"user\",\"content\":["
    "{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"AAAA\"},{\"type\":\"document\","
    "\"name\":\"d\",\"text\":\"x\"}]},{\"role\":\"assistant\",\"content\":\"ab\",\"tool_calls\":[{\"id\":\"a:1\",\"function\":{\"name\":"
    "\"a.b\",\"arguments\":\"{\\\"x\\\":1}\"}}],\"provider_data\":{\"provider\":\"p\",\"fields\":{\"blocks\":[{\"raw\":{\"type\":"
    "\"thinking\"}},{\"text\":2},{\"call\":\"a:1\"}]}}},{\"role\":\"tool\",\"tool_call_id\":\"a:1\",\"content\":\"r\"},{\"role\":"
    "\"assistant\",\"tool_calls\":[{\"id\":\"a:1\",\"function\":{\"name\":\"a.b\"}}]},{\"role\":\"user\",\"content\":\"b\",\"name\":\"n\"}],"
    "\"tools\":[{\"function\":{\"name\":\"a.b\"}},{\"function\":{\"name\":\"a_b\"}}],\"stream\":true,\"thinking\":true,\"max_tokens\":5,"
    "\"cache\":true,\"drop_unsupported\":true,\"stop\":\"x\",\"extra_body\":{\"output_config\":{\"effort\":\"low\"}}}";

static const char RICH_ANSWER[] = START OPEN("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}") DELTA(
    "{\"type\":\"thinking_delta\",\"thinking\":\"t\"}") DELTA("{\"type\":\"signature_delta\",\"signature\":\"s\"}")
    OPEN("{\"type\":\"text\",\"text\":\"\"}") DELTA("{\"type\":\"text_delta\",\"text\":\"a\"}") DELTA(
        "{\"type\":\"text_delta\",\"text\":\"b\"}")
        DELTA("{\"type\":\"citations_delta\",\"citation\":{\"type\":\"c\"}}") OPEN(
            "{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"w\",\"input\":{}}")
            DELTA("{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}") OPEN(
                "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"a_b\",\"input\":{\"a\":1},\"caller\":{\"type\":\"x\"}}")
                START OPEN("{\"type\":\"tool_use\",\"id\":\"u\",\"name\":\"a_b\",\"input\":{}}") DONE("pause_turn");

static const char RICH_BODY[] =
    "{\"id\":\"i\",\"model\":\"m\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"},{\"type\":\"text\","
    "\"text\":\"a\",\"citations\":[{\"type\":\"c\"}]},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"a_b\",\"input\":{\"a\":1}}],"
    "\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":1}}";

START_TEST(every_allocation_may_fail) {
    wire_test stream = {"anthropic", RICH_REQUEST, NULL, RICH_ANSWER, true, MB_ASK_CHAT, NULL};
    ck_assert_int_eq(wire_run(&stream), 0);
    unit_every_allocation_fails(wire_run, &stream);
    wire_test whole = {"vertex-anthropic", "{" USER "}", NULL, RICH_BODY, false, MB_ASK_CHAT, NULL};
    unit_every_allocation_fails(wire_run, &whole);
    wire_test models = {"anthropic", NULL,          NULL, "{\"data\":[{\"id\":\"a\",\"capabilities\":{}}]}",
                        false,       MB_ASK_MODELS, NULL};
    unit_every_allocation_fails(wire_run, &models);
    wire_test show = {"anthropic", NULL, NULL, "{\"id\":\"a\"}", false, MB_ASK_SHOW, NULL};
    unit_every_allocation_fails(wire_run, &show);
    wire_test count = {"anthropic", "{\"kind\":\"count_tokens\",\"input\":[\"a\"]}",
                       NULL,        "{\"input_tokens\":3}",
                       false,       MB_ASK_COUNT_TOKENS,
                       NULL};
    unit_every_allocation_fails(wire_run, &count);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, the_version_is_a_header_at_its_own_hosts_only);
    tcase_add_test(tc, a_host_may_have_no_list_of_models);
    tcase_add_test(tc, a_path_with_a_question_keeps_it);
    tcase_add_test(tc, thinking_may_be_asked_for_by_effort);
    tcase_add_test(tc, a_host_may_not_know_thinking);
    tcase_add_test(tc, the_default_of_max_tokens_is_the_rows);
    tcase_add_test(tc, what_is_raised_does_not_overflow);
    tcase_add_test(tc, what_needs_a_word_is_a_warning);
    tcase_add_test(tc, a_new_stop_reason_is_kept_as_it_is);
    tcase_add_test(tc, blocks_that_no_request_could_hold_are_not_kept);
    tcase_add_test(tc, what_is_no_answer_is_told_apart);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("anthropic", tests)
