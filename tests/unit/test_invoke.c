// SPDX-License-Identifier: MIT
// What tests/cases/bedrock-invoke/ cannot say: odd ways of wrapping an event, and memory that runs out.
#include "unit.h"
#include "wire.h"

#include <stdio.h>

#define USER  "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define TITAN "amazon.titan-text-express-v1"

static int look_text(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)wire;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&turn->text), "Hi");
    return 0;
}

START_TEST(an_event_is_unpacked_however_it_is_written) {
    wire_test t = {
        .kind = "bedrock-invoke", .request = "{" USER "}", .stream = true, .model = TITAN, .look = look_text};
    t.answer = "chunk {\"outputText\":\"Hi\",\"completionReason\":\"FINISH\"}\n";
    ck_assert_int_eq(wire_run(&t), 0);
    t.answer = "chunk {\"outputText\":\"Hi\"}\nchunk {\"is_finished\":true}\nchunk {\"completionReason\":\"FINISH\"}\n";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

static int play(const char *data, char *ret_text, size_t size) {
    mb_arena arena = {0};
    mb_turn turn;
    mb_ask ask = {.kind = MB_ASK_CHAT, .provider = "p", .model = "m", .stream = true};
    mb_buf padded = MB_BUF(65536);
    mb_buf_puts(&padded, data);
    const mb_frame f = {"chunk", padded.data, padded.len, "", -1};
    ck_assert_int_eq(mb_quirks_load(&arena, "bedrock-invoke", NULL, &ask.quirks, NULL), 0);
    mb_turn_init(&turn, (mb_turn_sink){0});
    mb_decode d = {.ask = &ask, .turn = &turn, .parser = mb_json_parser_new()};
    int status = mb_adapter_find("bedrock-invoke")->frame(&d, &f);
    snprintf(ret_text, size, "%s", mb_buf_text(&turn.text));
    mb_turn_free(&turn);
    mb_json_parser_free(d.parser);
    mb_buf_free(&padded);
    mb_arena_free(&arena);
    return status;
}

START_TEST(base64_is_read_with_and_without_escapes) {
    static const struct {
        const char *data;
        int status;
        const char *text;
    } ROWS[] = {{"{\"bytes\":\"eyJvdXRwdXRUZXh0Ijoixbw/In0=\"}", 0, "\xc5\xbc?"}, // has a slash
                {"{\"bytes\":\"eyJvdXRwdXRUZXh0Ijoixbw\\/In0=\"}", 0, "\xc5\xbc?"},
                {"{ \"p\":\"ab\", \"bytes\":\"eyJvdXRwdXRUZXh0IjoiaGkifQ\" }", 0, "hi"},
                {"{\"bytes\":\"\"}", 0, ""},
                {"{\"bytes\":\"e\"}", MEMBRANE_EMALFORMED, ""},
                {"{\"bytes\":\"e-9_\"}", MEMBRANE_EMALFORMED, ""},
                {"{\"bytes\":\"WzFd\"}", MEMBRANE_EMALFORMED, ""}, // [1]
                {"{\"bytes\":\"eyJ4\"}", MEMBRANE_EMALFORMED, ""}, // {"x
                {"{\"bytes\":7}", MEMBRANE_EMALFORMED, ""},
                {"{}", MEMBRANE_EMALFORMED, ""},
                {"{\"bytes\":\"", MEMBRANE_EMALFORMED, ""}};
    char text[64];
    for (size_t i = 0; i < MB_COUNT(ROWS); i++) {
        ck_assert_msg(play(ROWS[i].data, text, sizeof text) == ROWS[i].status, "%s", ROWS[i].data);
        ck_assert_str_eq(text, ROWS[i].text);
    }
}
END_TEST

START_TEST(every_allocation_may_fail) {
    static const struct {
        const char *model, *request, *answer;
        bool stream;
        mb_ask_kind kind;
    } ROWS[] = {
        {"anthropic.claude", "{" USER ",\"max_tokens\":5}",
         "chunk {\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"usage\":{\"input_tokens\":1}}}\n"
         "chunk {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n"
         "chunk {\"type\":\"message_stop\"}\n",
         true, MB_ASK_CHAT},
        {"amazon.nova-pro", "{" USER ",\"max_tokens\":5}",
         "chunk {\"contentBlockDelta\":{\"contentBlockIndex\":0,\"delta\":{\"text\":\"a\"}}}\n"
         "chunk {\"messageStop\":{\"stopReason\":\"end_turn\"}}\n",
         true, MB_ASK_CHAT},
        {TITAN,
         "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":5,\"stop\":\"x\"}",
         "{\"results\":[{\"outputText\":\"a\",\"completionReason\":\"FINISH\"}],\"amazon-bedrock-guardrailAction\":\"INTERVENED\"}",
         false, MB_ASK_CHAT},
        {"cohere.command-text", "{" USER "}",
         "{\"id\":\"i\",\"generations\":[{\"text\":\"a\",\"finish_reason\":\"COMPLETE\"}]}", false, MB_ASK_CHAT},
        {"qwen.qwen3", "{" USER ",\"max_tokens\":5}",
         "chunk {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n", true, MB_ASK_CHAT},
        {"meta.llama3", "{\"kind\":\"completion\",\"prompt\":\"x\"}", "{\"generation\":\"a\",\"stop_reason\":\"stop\"}",
         false, MB_ASK_COMPLETION},
        {"cohere.command-r", "{" USER "}", "{\"generation_id\":\"g\",\"text\":\"a\",\"finish_reason\":\"COMPLETE\"}",
         false, MB_ASK_CHAT},
        {"cohere.embed", "{\"kind\":\"embed\",\"input\":[\"a\",\"b\"]}", "{\"embeddings\":[[1],[2]]}", false,
         MB_ASK_EMBED},
        {"amazon.titan-embed-image-v1", "{\"kind\":\"embed\",\"input\":\"a\",\"dimensions\":2}", "{\"embedding\":[1]}",
         false, MB_ASK_EMBED},
        {"cohere.rerank", "{\"kind\":\"rerank\",\"query\":\"q\",\"documents\":[\"a\"]}",
         "{\"results\":[{\"index\":0,\"relevance_score\":1}]}", false, MB_ASK_RERANK},
        {"anthropic.claude", "{\"kind\":\"count_tokens\"," USER "}", "{\"inputTokens\":1}", false, MB_ASK_COUNT_TOKENS},
    };
    for (size_t i = 0; i < MB_COUNT(ROWS); i++) {
        wire_test t = {.kind = "bedrock-invoke",
                       .request = ROWS[i].request,
                       .answer = ROWS[i].answer,
                       .stream = ROWS[i].stream,
                       .ask_kind = ROWS[i].kind,
                       .model = ROWS[i].model};
        unit_every_allocation_fails(wire_run, &t);
    }
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, an_event_is_unpacked_however_it_is_written);
    tcase_add_test(tc, base64_is_read_with_and_without_escapes);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("invoke", tests)
