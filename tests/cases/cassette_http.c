// SPDX-License-Identifier: MIT
// Playing a cassette through the public API: a server on the loopback gives the recorded answer in pieces, and a call
// with one configured provider makes of it what a program would see.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "cassettes.h"
#include "membrane/membrane.h"

static int listener = -1, port;
static pthread_t server;
static const cassette *_Atomic playing;

// ---- the server ----------------------------------------------------------------------------------------------------

static void send_all(int fd, const char *bytes, size_t len) {
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) return;
        bytes += n;
        len -= (size_t)n;
    }
}

// The request to its end, so that closing does not reset the connection.
static void read_request(int fd) {
    static char bytes[1 << 20];
    size_t len = 0, need = 0;
    for (ssize_t n; need == 0 || len < need; len += (size_t)n) {
        n = recv(fd, bytes + len, sizeof bytes - 1 - len, 0);
        if (n <= 0) return;
        bytes[len + (size_t)n] = '\0';
        const char *end = strstr(bytes, "\r\n\r\n"), *length = strcasestr(bytes, "content-length:");
        if (end && !need)
            need = (size_t)(end + 4 - bytes) + (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
    }
}

static void put_headers(mb_buf *out, const cassette *c) {
    bool has_type = false;
    mb_buf_putf(out, "HTTP/1.1 %d Recorded\r\nConnection: close\r\n", c->status);
    for (uint32_t i = 0; c->headers && i < c->headers->count; i++) {
        const mb_json *h = &c->headers->children[i];
        if (!mb_json_str(h)) continue;
        mb_buf_putf(out, "%s: %s\r\n", h->key, h->str);
        has_type |= strcasecmp(h->key, "content-type") == 0;
    }
    bool stream = c->streaming && c->status < 300;
    const char *type = !stream                                                ? "application/json"
                       : mb_adapter_find(c->wire)->frames == MB_FRAMES_NDJSON ? "application/x-ndjson"
                                                                              : "text/event-stream";
    if (!has_type) mb_buf_putf(out, "Content-Type: %s\r\n", type);
    mb_buf_puts(out, "Transfer-Encoding: chunked\r\n\r\n");
}

static void answer(int fd, const cassette *c) {
    mb_buf out = MB_BUF(2 * MB_LIMIT_RESPONSE);
    put_headers(&out, c);
    for (size_t at = 0, piece = 1; at < c->body->len; at += piece) {
        piece = piece * 31 % 1009 + 1; // chunks that end anywhere
        size_t n = c->body->len - at < piece ? c->body->len - at : piece;
        mb_buf_putf(&out, "%zx\r\n", n);
        mb_buf_put(&out, c->body->str + at, n);
        mb_buf_puts(&out, "\r\n");
    }
    mb_buf_puts(&out, "0\r\n\r\n");
    send_all(fd, mb_buf_text(&out), out.len);
    mb_buf_free(&out);
}

static void *serve(void *unused) {
    (void)unused;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        const cassette *c = playing;
        if (!c) break;
        read_request(fd);
        answer(fd, c);
        shutdown(fd, SHUT_WR);
    }
    return NULL;
}

static bool http_open(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &len) != 0)
        return false;
    port = ntohs(at.sin_port);
    return pthread_create(&server, NULL, serve, NULL) == 0;
}

static void http_close(void) {
    shutdown(listener, SHUT_RDWR); // ends accept
    pthread_join(server, NULL);
    close(listener);
}

// ---- the call ------------------------------------------------------------------------------------------------------

static char *config_of(const cassette *c) {
    mb_buf out = MB_BUF(4096);
    mb_buf_putf(
        &out,
        "{\"providers\":{\"%s\":{\"kind\":\"%s\",\"base_url\":\"http://127.0.0.1:%d%s\",\"api_key\":\"sk-PLANTED-test\"}}}",
        c->provider, cassette_kind(c), port, strcmp(c->wire, "ollama") == 0 ? "" : "/v1");
    return mb_buf_take(&out, NULL);
}

// As many documents as the answer may speak of.
static void put_rerank(mb_buf *out, const cassette *c) {
    const mb_json *ranking = mb_json_get(c->expect, "ranking");
    int64_t last = 0;
    for (uint32_t i = 0; mb_json_is(ranking, MB_JSON_ARRAY) && i < ranking->count; i++) {
        int64_t index = mb_json_int(mb_json_at(&ranking->children[i], 0), 0);
        if (index > last && index < 1000) last = index;
    }
    mb_buf_puts(out, ",\"kind\":\"rerank\",\"query\":\"x\",\"documents\":[\"x\"");
    while (last-- > 0) mb_buf_puts(out, ",\"x\"");
    mb_buf_puts(out, "]");
}

// Only InvokeModel looks at the name: it tells whose body it is.
static const char *model_of(const cassette *c) {
    const char *model = mb_json_get_str(c->root, "model");
    if (strcmp(c->wire, "bedrock-invoke") != 0) return "m";
    if (c->kind == MB_ASK_RERANK) return "cohere.rerank";
    return model ? model : c->kind == MB_ASK_EMBED ? "cohere.embed" : "anthropic.claude";
}

static char *request_of(const cassette *c) {
    mb_buf out = MB_BUF(65536);
    int64_t inputs = mb_json_int(mb_json_path(c->expect, "embeddings.count"), 1);
    mb_buf_putf(&out, "{\"model\":\"%s/%s\"", c->provider, model_of(c));
    if (c->kind == MB_ASK_CHAT) mb_buf_puts(&out, ",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]");
    if (c->kind == MB_ASK_COMPLETION) mb_buf_puts(&out, ",\"kind\":\"completion\",\"prompt\":\"x\"");
    if (c->kind == MB_ASK_EMBED) {
        mb_buf_puts(&out, ",\"kind\":\"embed\",\"input\":[\"x\"");
        while (--inputs > 0) mb_buf_puts(&out, ",\"x\"");
        mb_buf_puts(&out, "]");
    } else if (c->kind == MB_ASK_COUNT_TOKENS) {
        mb_buf_puts(&out, ",\"kind\":\"count_tokens\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]");
    } else if (c->kind == MB_ASK_RERANK) {
        put_rerank(&out, c);
    } else {
        mb_buf_puts(&out, c->streaming ? ",\"stream\":true" : ",\"stream\":false");
    }
    mb_buf_putc(&out, '}');
    return mb_buf_take(&out, NULL);
}

static char *text_of(const mb_json *result, const char *key, size_t *ret_len) {
    const mb_json *v = mb_json_get(result, key);
    *ret_len = mb_json_is(v, MB_JSON_STRING) ? v->len : 0;
    return mb_strndup(*ret_len ? v->str : "", *ret_len);
}

static char *calls_of(const mb_json *result) {
    const mb_json *calls = mb_json_get(result, "tool_calls");
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    mb_jw_array(&w);
    for (uint32_t i = 0; calls && i < calls->count; i++) mb_jw_value(&w, mb_json_get(&calls->children[i], "function"));
    mb_jw_end_array(&w);
    return mb_buf_take(&out, NULL);
}

// [[index, score], …]; NULL where the result has no ranking.
static char *ranking_of(const mb_json *result) {
    const mb_json *ranking = mb_json_get(result, "ranking");
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    if (!mb_json_is(ranking, MB_JSON_ARRAY)) return NULL;
    mb_jw_array(&w);
    for (uint32_t i = 0; i < ranking->count; i++) {
        mb_jw_array(&w);
        mb_jw_value(&w, mb_json_get(&ranking->children[i], "index"));
        mb_jw_value(&w, mb_json_get(&ranking->children[i], "score"));
        mb_jw_end_array(&w);
    }
    mb_jw_end_array(&w);
    return mb_buf_take(&out, NULL);
}

static void take_error(const membrane_error *err, outcome *o) {
    o->error = membrane_error_code(err);
    o->status = membrane_error_http_status(err);
    o->message = mb_strdup(err ? membrane_error_message(err) : NULL);
}

static void take_result(const membrane_result *result, outcome *o) {
    mb_arena arena = {0};
    const mb_json *r = NULL;
    size_t len;
    const char *text = membrane_result_json(result, &len);
    if (!text || mb_json_parse(&arena, text, len, &r, NULL) != 0) {
        o->error = MEMBRANE_EINTERNAL;
    } else {
        const mb_json *usage = mb_json_get(r, "usage");
        o->text = text_of(r, "text", &o->text_len);
        o->thinking = text_of(r, "thinking", &o->thinking_len);
        o->finish = mb_strdup(mb_json_get_str(r, "finish"));
        o->calls = calls_of(r);
        o->ranking = ranking_of(r);
        o->usage.input = mb_json_int(mb_json_get(r, "tokens"), mb_json_int(mb_json_get(usage, "input"), -1));
        o->usage.cached = mb_json_int(mb_json_get(usage, "cached"), -1);
        o->usage.output = mb_json_int(mb_json_get(usage, "output"), -1);
        o->usage.reasoning = mb_json_int(mb_json_get(usage, "reasoning"), -1);
        o->vectors = membrane_result_embedding_count(result);
        membrane_result_embedding(result, 0, &o->dims);
    }
    mb_arena_free(&arena);
}

static void call(membrane_t *m, const cassette *c, outcome *o) {
    membrane_call_options options;
    membrane_call *call = NULL;
    membrane_error *err = NULL;
    const membrane_event *event;
    mb_buf streamed = MB_BUF(MB_LIMIT_RESPONSE);
    char *request = request_of(c);
    membrane_call_options_init(&options, sizeof options);
    options.retries = 0;
    options.deadline_ms = 20000;
    if (membrane_call_start(m, request, strlen(request), &options, &call, &err) != 0) take_error(err, o);
    while (call && membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        size_t len;
        const char *text = membrane_event_text(event, &len);
        if (membrane_event_type(event) == MEMBRANE_EVENT_TEXT) mb_buf_put(&streamed, text, len);
        if (membrane_event_type(event) == MEMBRANE_EVENT_ERROR) take_error(membrane_event_error(event), o);
    }
    if (call) take_result(membrane_call_result(call), o);
    if (o->text && (o->text_len != streamed.len || memcmp(o->text, mb_buf_text(&streamed), streamed.len) != 0)) {
        o->error = MEMBRANE_EINTERNAL;
        mb_free(o->message);
        o->message = mb_strdup("the events have another text than the result");
    }
    mb_buf_free(&streamed);
    membrane_error_free(err);
    membrane_call_free(call);
    mb_free(request);
}

static void list(membrane_t *m, const cassette *c, outcome *o) {
    membrane_result *models = NULL;
    membrane_error *err = NULL;
    if (membrane_model_list(m, c->provider, 5000, &models, &err) != 0)
        take_error(err, o);
    else if (!strstr(membrane_result_json(models, NULL), "\"model\""))
        o->error = MEMBRANE_ERESPONSE;
    membrane_result_free(models);
    membrane_error_free(err);
}

static void http_play(const cassette *c, outcome *o) {
    membrane_options options;
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    char *config = config_of(c);
    playing = c;
    membrane_options_init(&options, sizeof options);
    options.flags = MEMBRANE_NO_DISCOVERY;
    options.config_text = config;
    if (membrane_open(&options, &m, &err) != 0)
        take_error(err, o);
    else if (c->kind == MB_ASK_MODELS)
        list(m, c, o);
    else
        call(m, c, o);
    membrane_error_free(err);
    membrane_close(m, MEMBRANE_FOREVER);
    mb_free(config);
}

const transport transport_http = {"http", http_open, http_play, http_close};
