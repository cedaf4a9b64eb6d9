// SPDX-License-Identifier: MIT
// What tests/cases/bedrock/ cannot say: the control plane's host, padded events that are told without being parsed,
// warnings of the answer, and memory that runs out.
#include "unit.h"
#include "wire.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

// ---- addresses -----------------------------------------------------------------------------------------------------

static void check_url(mb_ask_kind kind, const char *base, const char *expected) {
    mb_arena arena = {0};
    mb_ask ask = {.kind = kind, .provider = "p", .model = "a:b", .base_url = base};
    mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    ck_assert_int_eq(mb_quirks_load(&arena, "bedrock", NULL, &ask.quirks, NULL), 0);
    ck_assert_int_eq(mb_adapter_find("bedrock")->write(&ask, &wire, NULL), 0);
    ck_assert_str_eq(mb_buf_text(&wire.url), expected);
    ck_assert_str_eq(wire.method, "GET");
    mb_buf_free(&wire.url);
    mb_arena_free(&arena);
}

START_TEST(models_are_listed_by_the_control_plane) {
    check_url(MB_ASK_MODELS, "https://bedrock-runtime.us-east-1.amazonaws.com",
              "https://bedrock.us-east-1.amazonaws.com/foundation-models");
    check_url(MB_ASK_SHOW, "https://bedrock-runtime.us-east-1.amazonaws.com/",
              "https://bedrock.us-east-1.amazonaws.com/foundation-models/a%3Ab");
    check_url(MB_ASK_HEALTH, "http://127.0.0.1:9", "http://127.0.0.1:9/foundation-models"); // a host of one's own
}
END_TEST

// ---- events --------------------------------------------------------------------------------------------------------

typedef struct tape {
    mb_decode decode;
    mb_turn turn;
    mb_ask ask;
    mb_arena arena;
} tape;

static void begin(tape *t) {
    *t = (tape){.ask = {.kind = MB_ASK_CHAT, .provider = "p", .model = "m", .stream = true}};
    ck_assert_int_eq(mb_quirks_load(&t->arena, "bedrock", NULL, &t->ask.quirks, NULL), 0);
    mb_turn_init(&t->turn, (mb_turn_sink){0});
    t->decode = (mb_decode){.ask = &t->ask, .turn = &t->turn, .parser = mb_json_parser_new()};
}

static int play(tape *t, const char *event, const char *data) {
    mb_buf padded = MB_BUF(65536);
    mb_buf_puts(&padded, data);
    const mb_frame f = {event, padded.data, padded.len, "", -1};
    int status = mb_adapter_find("bedrock")->frame(&t->decode, &f);
    mb_buf_free(&padded);
    return status;
}

static void end(tape *t) {
    mb_turn_free(&t->turn);
    mb_json_parser_free(t->decode.parser);
    mb_arena_free(&t->arena);
}

#define DELTA "{\"contentBlockIndex\":0,\"delta\":{\"text\":"

START_TEST(padded_pieces_of_text_are_told_without_being_parsed) {
    tape t;
    begin(&t);
    ck_assert_int_eq(play(&t, "contentBlockDelta", DELTA "\"a\"},\"p\":\"abc\"}"), 0);
    ck_assert_uint_gt(t.decode.repeat.head, 0);
    mb_json_parser *parser = t.decode.parser;
    t.decode.parser = NULL; // what is parsed now would crash
    ck_assert_int_eq(play(&t, "contentBlockDelta", DELTA "\"b\"},\"p\":\"abcdefghij\"}"), 0);
    ck_assert_int_eq(play(&t, "contentBlockDelta", DELTA "\"c\"},\"p\":\"\"}"), 0);
    t.decode.parser = parser;
    ck_assert_int_eq(play(&t, "contentBlockDelta", DELTA "\"\\n\"},\"p\":\"ab\"}"), 0); // an escape is parsed
    ck_assert_int_eq(play(&t, "contentBlockDelta", DELTA "\"d\"},\"p\":\"a-b\"}"), 0);  // no padding that we know
    ck_assert_int_eq(play(&t, "contentBlockDelta", DELTA "\"e\"}}"), 0);
    ck_assert_str_eq(mb_buf_text(&t.turn.text), "abc\nde");
    end(&t);
}
END_TEST

START_TEST(after_another_event_a_piece_is_parsed_again) {
    static const char *const EVENTS[][2] = {
        {"contentBlockStop", "{\"contentBlockIndex\":0}"},
        {"contentBlockStart", "{\"contentBlockIndex\":1,\"start\":{\"toolUse\":{\"toolUseId\":\"a\",\"name\":\"f\"}}}"},
        {"contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"reasoningContent\":{\"text\":\"t\"}}}"},
        {"contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"x\",\"toolUse\":{}}}"},
        {"contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"\"}}"},
        {"messageStop", "{\"stopReason\":\"end_turn\"}"}};
    for (size_t i = 0; i < MB_COUNT(EVENTS); i++) {
        tape t;
        begin(&t);
        ck_assert_int_eq(play(&t, "contentBlockDelta", DELTA "\"a\"},\"p\":\"abc\"}"), 0);
        ck_assert_int_eq(play(&t, EVENTS[i][0], EVENTS[i][1]), 0);
        ck_assert_uint_eq(t.decode.repeat.head, 0);
        end(&t);
    }
}
END_TEST

START_TEST(pictures_are_warned_about) {
    tape t;
    begin(&t);
    ck_assert_int_eq(play(&t, "contentBlockStart", "{\"start\":{\"image\":{}},\"contentBlockIndex\":0}"), 0);
    ck_assert_str_eq(mb_buf_text(&t.turn.warnings), "\"p answered with an image, left out\"");
    end(&t);
}
END_TEST

START_TEST(what_a_block_gathers_has_its_limit) {
    tape t;
    begin(&t);
    const size_t piece = 12 * 1024 * 1024;
    mb_buf event = MB_BUF(piece + 1000);
    mb_buf_puts(&event, "{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"signature\":\"");
    while (event.len < piece) mb_buf_puts(&event, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    mb_buf_puts(&event, "\"}}}");
    const mb_frame f = {"contentBlockDelta", event.data, event.len, "", -1};
    int status = 0, count = 0;
    for (; status == 0 && count < 10; count++) status = mb_adapter_find("bedrock")->frame(&t.decode, &f);
    ck_assert_int_eq(status, MEMBRANE_EMALFORMED);
    ck_assert_int_eq(count, 6); // 64 MiB are passed
    mb_buf_free(&event);
    end(&t);
}
END_TEST

// ---- memory --------------------------------------------------------------------------------------------------------

static const char EVERYTHING[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"s\",\"cache\":true}]},{\"role\":\"user\",\"content\":["
    "{\"type\":\"image\",\"data\":\"AA\",\"media_type\":\"image/png\"},{\"type\":\"document\",\"name\":\"n\",\"text\":\"t\"},"
    "{\"type\":\"document\",\"name\":\"n.pdf\",\"data\":\"AA\",\"media_type\":\"application/pdf\"},{\"type\":\"text\",\"text\":\"a\"}]},"
    "{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":[{\"id\":\"a b\",\"function\":{\"name\":\"f.g\",\"arguments\":\"{}\"}},"
    "{\"id\":\"c\",\"function\":{\"name\":\"h\"}}],\"provider_data\":{\"provider\":\"p\",\"fields\":{\"blocks\":[{\"raw\":{\"r\":1}},"
    "{\"text\":1},{\"call\":\"a b\"},{\"call\":\"c\"}]}}},{\"role\":\"tool\",\"tool_call_id\":\"a b\",\"content\":\"r\"}],"
    "\"tools\":[{\"function\":{\"name\":\"f.g\",\"parameters\":{\"type\":\"object\"}},\"cache\":true}],\"tool_choice\":\"auto\","
    "\"thinking\":{\"budget_tokens\":2000},\"max_tokens\":10,\"stop\":\"x\",\"cache\":true,\"response_format\":{\"type\":\"json_schema\","
    "\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"}}},\"seed\":1,\"drop_unsupported\":true}";

START_TEST(every_allocation_may_fail) {
    wire_test stream = {.kind = "bedrock", .request = EVERYTHING, .stream = true, .model = "anthropic.claude"};
    stream.answer =
        "messageStart {\"role\":\"assistant\"}\n"
        "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"t\"}}}\n"
        "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"signature\":\"s\"}}}\n"
        "contentBlockStop {\"contentBlockIndex\":0}\n"
        "contentBlockDelta {\"contentBlockIndex\":1,\"delta\":{\"reasoningContent\":{\"redactedContent\":\"QQ==\"}}}\n"
        "contentBlockDelta {\"contentBlockIndex\":2,\"delta\":{\"text\":\"a\"},\"p\":\"abc\"}\n"
        "contentBlockDelta {\"contentBlockIndex\":2,\"delta\":{\"text\":\"b\"},\"p\":\"abcd\"}\n"
        "contentBlockStart {\"contentBlockIndex\":3,\"start\":{\"toolUse\":{\"toolUseId\":\"a\",\"name\":\"f_g\"}}}\n"
        "contentBlockDelta {\"contentBlockIndex\":3,\"delta\":{\"toolUse\":{\"input\":\"{}\"}}}\n"
        "contentBlockStart {\"contentBlockIndex\":4,\"start\":{\"toolUse\":{\"toolUseId\":\"b\",\"name\":\"h\"}}}\n"
        "contentBlockStart {\"contentBlockIndex\":5,\"start\":{\"toolUse\":{\"toolUseId\":\"s\",\"type\":\"server_tool_use\"}}}\n"
        "contentBlockDelta {\"contentBlockIndex\":5,\"delta\":{\"toolUse\":{\"input\":\"{\\\"x\\\":1}\"}}}\n"
        "contentBlockStart {\"contentBlockIndex\":6,\"start\":{\"toolResult\":{\"toolUseId\":\"s\"}}}\n"
        "contentBlockDelta {\"contentBlockIndex\":6,\"delta\":{\"toolResult\":[{\"json\":{}},{\"text\":\"t\"}]}}\n"
        "messageStop {\"stopReason\":\"tool_use\"}\n"
        "metadata {\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}\n";
    unit_every_allocation_fails(wire_run, &stream);
    wire_test body = {.kind = "bedrock", .request = "{" USER "}"};
    body.answer =
        "{\"output\":{\"message\":{\"content\":[{\"reasoningContent\":{\"reasoningText\":{\"text\":\"t\",\"signature\":\"s\"}}},"
        "{\"text\":\"a\"},{\"toolUse\":{\"toolUseId\":\"a\",\"name\":\"f\",\"input\":{\"x\":1}}},{\"new\":1}]}},\"stopReason\":"
        "\"tool_use\",\"usage\":{\"inputTokens\":1}}";
    unit_every_allocation_fails(wire_run, &body);
    wire_test count = {
        .kind = "bedrock", .request = "{\"kind\":\"count_tokens\"," USER "}", .ask_kind = MB_ASK_COUNT_TOKENS};
    count.answer = "{\"inputTokens\":3}";
    unit_every_allocation_fails(wire_run, &count);
    wire_test models = {.kind = "bedrock", .ask_kind = MB_ASK_MODELS};
    models.answer = "{\"modelSummaries\":[{\"modelId\":\"m\"}]}";
    unit_every_allocation_fails(wire_run, &models);
    wire_test show = {.kind = "bedrock", .ask_kind = MB_ASK_SHOW, .answer = "{\"modelDetails\":{}}"};
    unit_every_allocation_fails(wire_run, &show);
}
END_TEST

static int fails(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)wire, (void)turn;
    return status == MEMBRANE_ERATE ? 0 : status;
}

START_TEST(every_allocation_of_a_failure_may_fail) {
    wire_test t = {.kind = "bedrock", .request = "{" USER "}", .stream = true, .look = fails};
    t.answer = "!throttlingException {\"message\":\"slow down\"}\n";
    unit_every_allocation_fails(wire_run, &t);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, models_are_listed_by_the_control_plane);
    tcase_add_test(tc, padded_pieces_of_text_are_told_without_being_parsed);
    tcase_add_test(tc, after_another_event_a_piece_is_parsed_again);
    tcase_add_test(tc, pictures_are_warned_about);
    tcase_add_test(tc, what_a_block_gathers_has_its_limit);
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, every_allocation_of_a_failure_may_fail);
}

UNIT_MAIN("converse", tests)
