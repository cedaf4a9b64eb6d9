// SPDX-License-Identifier: MIT
// Every wire from memory, on one thread: a request of 100 messages and 40 tools is built, an answer of a few kilobytes
// parsed, and a stream of text chunks decoded (framing, JSON, adapter, turn). A line of JSON a wire.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/adapter.h"

enum { CHUNKS = 1000, SECONDS = 1 };

// %d in a chunk is its number (those that number or date their chunks cannot repeat them). An event stream of AWS is
// given as the events' names and payloads.
typedef struct wire_row {
    const char *kind, *before, *chunk, *event, *whole;
} wire_row;

#define TEN(x)   x x x x x x x x x x
#define TEXT     TEN(TEN("A sentence or so. "))
#define ARGS     "{\\\"path\\\":\\\"/srv/notes/2026.txt\\\",\\\"limit\\\":100}"
#define ARGS_OBJ "{\"path\":\"/srv/notes/2026.txt\",\"limit\":100}"

static const wire_row ROWS[] = {
    {"openai-compatible", "",
     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1735689600,\"model\":\"m\",\"choices\":"
     "[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n",
     NULL,
     "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
     "\"content\":\"" TEXT
     "\",\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"tool_1\","
     "\"arguments\":\"" ARGS "\"}}]},\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":9000,"
     "\"completion_tokens\":400,\"total_tokens\":9400}}"},
    {"ollama", "",
     "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00.%06dZ\",\"message\":{\"role\":\"assistant\",\"content\":\" word\"},"
     "\"done\":false}\n",
     NULL,
     "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":\"" TEXT
     "\",\"tool_calls\":[{\"function\":{\"name\":\"tool_1\",\"arguments\":" ARGS_OBJ
     "}}]},\"done\":true,\"done_reason\":\"stop\","
     "\"prompt_eval_count\":9000,\"eval_count\":400}"},
    {"anthropic",
     "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":"
     "\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
     "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
     "\"text\":\"\"}}\n\n",
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
     "\"text\":\" word\"}}\n\n",
     NULL,
     "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"" TEXT
     "\"},{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"tool_1\",\"input\":" ARGS_OBJ
     "}],\"stop_reason\":\"tool_use\","
     "\"usage\":{\"input_tokens\":9000,\"output_tokens\":400}}"},
    {"gemini", "",
     "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \" word\"}],\"role\": \"model\"},\"index\": 0}],"
     "\"usageMetadata\": {\"promptTokenCount\": 9,\"totalTokenCount\": 9},\"modelVersion\": \"m\",\"responseId\": \"r\"}\r\n\r\n",
     NULL,
     "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" TEXT
     "\"},{\"functionCall\":{\"name\":\"tool_1\",\"args\":" ARGS_OBJ
     "}}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9000,"
     "\"candidatesTokenCount\":400,\"totalTokenCount\":9400},\"modelVersion\":\"m\"}"},
    {"openai-responses",
     "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\","
     "\"model\":\"m\",\"status\":\"in_progress\",\"output\":[]}}\n\n"
     "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,"
     "\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[]}}\n\n",
     "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":%d,\"item_id\":"
     "\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\" word\"}\n\n",
     NULL,
     "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"m\",\"output\":[{\"id\":\"msg_1\",\"type\":"
     "\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"" TEXT
     "\",\"annotations\":[]}]},{\"id\":\"fc_1\",\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"tool_1\","
     "\"arguments\":\"" ARGS "\",\"status\":\"completed\"}],\"usage\":{\"input_tokens\":9000,\"output_tokens\":400}}"},
    {"cohere",
     "event: message-start\ndata: {\"id\":\"c1\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\","
     "\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}}\n\n"
     "event: content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\","
     "\"text\":\"\"}}}}\n\n",
     "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":"
     "\" word\"}}}}\n\n",
     NULL,
     "{\"id\":\"c1\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"" TEXT
     "\"}],\"tool_calls\":"
     "[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"tool_1\",\"arguments\":\"" ARGS "\"}}]},"
     "\"finish_reason\":\"TOOL_CALL\",\"usage\":{\"tokens\":{\"input_tokens\":9000,\"output_tokens\":400}}}"},
    {"bedrock", "", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\" word\"},\"p\":\"abcdefgh\"}", "contentBlockDelta",
     "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"" TEXT
     "\"},{\"toolUse\":{\"toolUseId\":\"t1\","
     "\"name\":\"tool_1\",\"input\":" ARGS_OBJ "}}]}},\"stopReason\":\"tool_use\",\"usage\":{\"inputTokens\":9000,"
     "\"outputTokens\":400,\"totalTokens\":9400},\"metrics\":{\"latencyMs\":1}}"},
    {"cohere-v1", "", "{\"is_finished\":false,\"event_type\":\"text-generation\",\"text\":\" word\"}\n", NULL,
     "{\"response_id\":\"r\",\"text\":\"" TEXT
     "\",\"generation_id\":\"g\",\"finish_reason\":\"COMPLETE\",\"meta\":{\"tokens\":"
     "{\"input_tokens\":9000,\"output_tokens\":400}}}"},
    // the events of Anthropic's stream in base64
    {"bedrock-invoke", "",
     "{\"bytes\":\"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV4IjowLCJkZWx0YSI6eyJ0eXBlIjoidGV4dF9kZWx0YSIsInRleHQiOiIgd29yZCJ9fQ==\",\"p\":\"abcdefgh\"}",
     "chunk",
     "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"" TEXT
     "\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":9000,\"output_tokens\":400}}"},
    {"tgi", "",
     "data:{\"index\":%d,\"token\":{\"id\":7,\"text\":\" word\",\"logprob\":-0.25,\"special\":false},\"generated_text\":null,"
     "\"details\":null}\n\n",
     NULL, "{\"generated_text\":\"" TEXT "\",\"details\":{\"finish_reason\":\"eos_token\",\"generated_tokens\":400}}"},
    {"triton", "", "data: {\"model_name\":\"m\",\"model_version\":\"1\",\"text_output\":\" word\"}\n\n", NULL,
     "{\"model_name\":\"m\",\"model_version\":\"1\",\"text_output\":\"" TEXT "\"}"},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *kind, const char *what, membrane_error *err) {
    fprintf(stderr, "%s: %s: %s\n", kind, what, err ? membrane_error_message(err) : "");
    exit(1);
}

// ---- a request of 100 messages and 40 tools ------------------------------------------------------------------------

static mb_buf make_request(void) {
    mb_buf b = MB_BUF(1 << 24);
    mb_buf_puts(&b, "{\"messages\":[{\"role\":\"system\",\"content\":\"You help with files.\"}");
    for (int i = 0; i < 33; i++)
        mb_buf_putf(
            &b,
            ",{\"role\":\"user\",\"content\":\"Question %d: " TEN(
                "what stands in the notes? ") "\"},"
                                              "{\"role\":\"assistant\",\"content\":\"Let me look.\",\"tool_calls\":[{\"id\":\"call_%d\",\"type\":\"function\","
                                              "\"function\":{\"name\":\"tool_%d\",\"arguments\":\"" ARGS "\"}}]},"
                                              "{\"role\":\"tool\",\"tool_call_id\":\"call_%d\",\"content\":\"" TEN(
                                                  "A line of the notes. ") "\"}",
            i, i, i % 40, i);
    mb_buf_puts(&b, "],\"max_tokens\":1000,\"tools\":[");
    for (int i = 0; i < 40; i++)
        mb_buf_putf(
            &b,
            "%s{\"type\":\"function\",\"function\":{\"name\":\"tool_%d\",\"description\":\"Reads notes, number %d.\","
            "\"parameters\":{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\",\"description\":\"which "
            "file\"},\"limit\":{\"type\":\"integer\"}},\"required\":[\"path\"]}}}",
            i ? "," : "", i, i);
    mb_buf_puts(&b, "]}");
    return b;
}

// What a chat without tools can say, for the wires that know nothing else.
static const char PLAIN[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"" TEXT "\"}],\"max_tokens\":100,"
                            "\"drop_unsupported\":true}";

static void build(const mb_ask *ask, double *us, double *mb_s) {
    size_t bytes = 0;
    long rounds = 0;
    double start = now(), used;
    do {
        mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
        mb_buf warnings = MB_BUF(65536);
        membrane_error *err = NULL;
        mb_ask own = *ask;
        own.warnings = &warnings;
        if (mb_adapter_find(ask->quirks->wire)->write(&own, &wire, &err)) fail(ask->provider, "request", err);
        bytes += wire.body.len;
        mb_buf_free(&wire.url);
        mb_buf_free(&wire.body);
        mb_buf_free(&wire.headers);
        mb_buf_free(&warnings);
        rounds++;
        used = now() - start;
    } while (used < SECONDS);
    *us = used * 1e6 / (double)rounds;
    *mb_s = (double)bytes / 1e6 / used;
}

// ---- a whole answer ------------------------------------------------------------------------------------------------

static void parse(const mb_ask *ask, mb_json_parser *parser, const char *text, double *us, double *mb_s) {
    size_t len = strlen(text);
    long rounds = 0;
    double start = now(), used;
    do {
        mb_turn turn;
        mb_turn_init(&turn, (mb_turn_sink){0});
        mb_decode d = {.ask = ask, .turn = &turn, .parser = parser};
        if (mb_adapter_find(ask->quirks->wire)->body(&d, text, len)) fail(ask->provider, "answer", turn.error);
        if (turn.text.len != 1800) fail(ask->provider, "answer's text", NULL);
        mb_turn_free(&turn);
        rounds++;
        used = now() - start;
    } while (used < SECONDS);
    *us = used * 1e6 / (double)rounds;
    *mb_s = (double)rounds * (double)len / 1e6 / used;
}

// ---- a stream ------------------------------------------------------------------------------------------------------

static uint32_t crc32_of(const unsigned char *p, size_t len) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1));
    }
    return ~crc;
}

static void put_32(mb_buf *out, uint32_t n) {
    const char bytes[] = {(char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n};
    mb_buf_put(out, bytes, 4);
}

static void put_header(mb_buf *out, const char *name, const char *value) {
    const char len[] = {0, (char)strlen(value)};
    mb_buf_putc(out, (char)strlen(name));
    mb_buf_puts(out, name);
    mb_buf_putc(out, 7);
    mb_buf_put(out, len, 2);
    mb_buf_puts(out, value);
}

// application/vnd.amazon.eventstream
static void put_event(mb_buf *out, const char *event, const char *payload) {
    mb_buf headers = MB_BUF(4096);
    size_t start = out->len;
    put_header(&headers, ":message-type", "event");
    put_header(&headers, ":event-type", event);
    put_header(&headers, ":content-type", "application/json");
    put_32(out, (uint32_t)(12 + headers.len + strlen(payload) + 4));
    put_32(out, (uint32_t)headers.len);
    put_32(out, crc32_of((const unsigned char *)out->data + start, 8));
    mb_buf_put(out, headers.data, headers.len);
    mb_buf_puts(out, payload);
    put_32(out, crc32_of((const unsigned char *)out->data + start, out->len - start));
    mb_buf_free(&headers);
}

static mb_buf make_stream(const wire_row *row) {
    mb_buf bytes = MB_BUF(1 << 24);
    char chunk[1024];
    mb_buf_puts(&bytes, row->before);
    for (int i = 0; i < CHUNKS; i++) {
        const char *hole = strstr(row->chunk, "%d") ? "%d" : "%06d";
        const char *at = strstr(row->chunk, hole);
        if (at)
            snprintf(chunk, sizeof chunk, "%.*s%06d%s", (int)(at - row->chunk), row->chunk, i + 100000,
                     at + strlen(hole));
        if (row->event)
            put_event(&bytes, row->event, row->chunk);
        else
            mb_buf_puts(&bytes, at ? chunk : row->chunk);
    }
    return bytes;
}

typedef struct player {
    const mb_adapter *adapter;
    mb_decode decode;
} player;

static int on_frame(void *user, const mb_frame *frame) {
    player *p = user;
    int code = p->adapter->frame(&p->decode, frame);
    return code < 0 ? code : 0;
}

static double decode(const mb_ask *ask, mb_json_parser *parser, const mb_buf *bytes) {
    const mb_adapter *adapter = mb_adapter_find(ask->quirks->wire);
    mb_sse *frames = mb_sse_new(adapter->frames, MB_LIMIT_STREAM_EVENT);
    long rounds = 0;
    double start = now(), used;
    do {
        mb_turn turn;
        mb_turn_init(&turn, (mb_turn_sink){0});
        player p = {adapter, {.ask = ask, .turn = &turn, .parser = parser}};
        mb_sse_reset(frames, adapter->frames);
        for (size_t at = 0; at < bytes->len; at += 16384) {
            size_t n = bytes->len - at < 16384 ? bytes->len - at : 16384;
            if (mb_sse_feed(frames, bytes->data + at, n, on_frame, &p)) fail(ask->provider, "stream", turn.error);
        }
        if (turn.text.len != CHUNKS * 5) fail(ask->provider, "stream's text", NULL);
        mb_turn_free(&turn);
        rounds++;
        used = now() - start;
    } while (used < SECONDS);
    mb_sse_free(frames);
    return (double)rounds * CHUNKS / used;
}

static void run(const wire_row *row, mb_json_parser *parser, const mb_json *request, const mb_json *plain) {
    mb_arena arena = {0};
    double build_us, build_mb, parse_us, parse_mb;
    const char *model = strcmp(row->kind, "bedrock-invoke") == 0 ? "anthropic.claude-x" : "m"; // whose body it is
    mb_ask ask = {.kind = MB_ASK_CHAT, .provider = row->kind, .model = model, .base_url = "http://127.0.0.1/v1"};
    bool has_tools = strcmp(row->kind, "tgi") != 0 && strcmp(row->kind, "triton") != 0;
    if (mb_quirks_load(&arena, row->kind, NULL, &ask.quirks, NULL)) fail(row->kind, "no such kind", NULL);
    ask.request = has_tools ? request : plain;
    mb_buf stream = make_stream(row);
    build(&ask, &build_us, &build_mb);
    parse(&ask, parser, row->whole, &parse_us, &parse_mb);
    ask.stream = true;
    double events = decode(&ask, parser, &stream);
    printf(
        "{\"wire\":\"%s\",\"build_us\":%.1f,\"build_mb_s\":%.0f,\"parse_us\":%.2f,\"parse_mb_s\":%.0f,\"events_s\":%.0f}\n",
        ask.quirks->wire, build_us, build_mb, parse_us, parse_mb, events);
    mb_buf_free(&stream);
    mb_arena_free(&arena);
}

int main(int argc, char **argv) {
    mb_arena arena = {0};
    const mb_json *request, *plain;
    mb_buf text = make_request();
    mb_json_parser *parser = mb_json_parser_new();
    if (mb_json_parse(&arena, text.data, text.len, &request, NULL) ||
        mb_json_parse(&arena, PLAIN, sizeof PLAIN - 1, &plain, NULL))
        return 2;
    for (size_t i = 0; i < MB_COUNT(ROWS); i++)
        if (argc < 2 || strcmp(argv[1], ROWS[i].kind) == 0) run(&ROWS[i], parser, request, plain);
    mb_json_parser_free(parser);
    mb_buf_free(&text);
    mb_arena_free(&arena);
    return 0;
}
