// SPDX-License-Identifier: MIT
// cases PATH…: runs every *.case under the paths. A case is text, so that a new quirk of a provider needs no C:
//
//     # words for the reader; only before the first section
//     ask chat stream                what is asked: a kind of mb_ask_kind in small letters; "stream" if in frames
//     engine llamacpp                row of providers.json; also the provider's name
//     model tiny
//     keep_alive -1
//     == request                     the canonical request, JSON
//     == sends                       METHOD /path, and below it the body: compared as data; only if the section is
//     there
//     == status 400                  below it the answer's bytes: a whole body …
//     == stream                      … or a stream with status 200, fed whole, byte by byte and in random cuts;
//                                    "== stream cut": then the connection broke
//                                    Amazon's event stream is written as lines (tests/wires/event_lines.h)
//     == expect                      one fact a line; what is not named is not checked, but text, thinking, calls and
//                                    error, which are then absent
//     text "joined pieces"           thinking "…"           finish stop            model tiny:latest
//     call {"id","name","arguments"} usage {"input":1}      json […]               error rate_limit 429
//     logprobs 3                     vectors 2 128          loading yes            provider_data {…}
//     refused unsupported_parameter  (the adapter would not write it)              warnings 1
//     ranks [[2, 0.9], [0, 0.1]]     (document, score)
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../wires/event_lines.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "route/classify.h"
#include "route/request.h"

typedef struct part {
    const char *text;
    size_t len;
} part;

typedef struct test_case {
    char *bytes;
    char kind[32], engine[64], model[128];
    bool stream_ask, is_stream, is_cut;
    int64_t keep_alive_ms;
    int status;
    part request, sends, answer, expect;
} test_case;

static const struct {
    const char *name;
    mb_ask_kind kind;
} KINDS[] = {{"chat", MB_ASK_CHAT},
             {"completion", MB_ASK_COMPLETION},
             {"embed", MB_ASK_EMBED},
             {"models", MB_ASK_MODELS},
             {"show", MB_ASK_SHOW},
             {"loaded", MB_ASK_LOADED},
             {"load", MB_ASK_LOAD},
             {"unload", MB_ASK_UNLOAD},
             {"health", MB_ASK_HEALTH},
             {"version", MB_ASK_VERSION},
             {"tokenize", MB_ASK_TOKENIZE},
             {"metrics", MB_ASK_METRICS},
             {"slots", MB_ASK_SLOTS},
             {"rerank", MB_ASK_RERANK},
             {"count_tokens", MB_ASK_COUNT_TOKENS}};

static mb_json_parser *parser;
static char *paths[4096];
static size_t path_count;

// ---- reading -------------------------------------------------------------------------------------------------------

static char *read_file(const char *path) {
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    char piece[65536];
    FILE *f = fopen(path, "rb");
    for (size_t n; f && (n = fread(piece, 1, sizeof piece, f)) > 0;) mb_buf_put(&text, piece, n);
    if (f) fclose(f);
    mb_buf_putc(&text, '\n');
    return mb_buf_take(&text, NULL);
}

static void read_head(test_case *t, const char *line) {
    char word[16] = "";
    if (sscanf(line, "ask %31s %15s", t->kind, word) >= 1) t->stream_ask = strcmp(word, "stream") == 0;
    sscanf(line, "engine %63s", t->engine);
    sscanf(line, "model %127s", t->model);
    long long keep;
    if (sscanf(line, "keep_alive %lld", &keep) == 1) t->keep_alive_ms = keep;
}

static part *section(test_case *t, const char *title) {
    if (strncmp(title, "request", 7) == 0) return &t->request;
    if (strncmp(title, "sends", 5) == 0) return &t->sends;
    if (strncmp(title, "expect", 6) == 0) return &t->expect;
    t->is_stream = strncmp(title, "stream", 6) == 0;
    t->is_cut = strncmp(title, "stream cut", 10) == 0;
    if (!t->is_stream && sscanf(title, "status %d", &t->status) != 1) return NULL;
    return &t->answer;
}

static bool parse_case(test_case *t) {
    part *at = NULL;
    for (char *line = t->bytes, *next; *line; line = next) {
        next = line + strcspn(line, "\n") + 1;
        if (strncmp(line, "== ", 3) == 0) {
            if (!(at = section(t, line + 3))) return false;
            *at = (part){next, 0};
        } else if (at) {
            at->len = (size_t)(next - at->text);
        } else {
            read_head(t, line);
        }
        if (!*(next - 1)) break;
    }
    return t->kind[0] && t->engine[0] && (t->expect.text || t->sends.text);
}

// ---- running -------------------------------------------------------------------------------------------------------

typedef struct run {
    const test_case *t;
    mb_ask ask;
    const mb_adapter *adapter;
    mb_arena arena;
    mb_buf warnings;
} run;

typedef struct player {
    const mb_adapter *adapter;
    mb_decode decode;
    bool ended;
} player;

static int on_frame(void *user, const mb_frame *frame) {
    player *p = user;
    int status = p->ended ? 0 : p->adapter->frame(&p->decode, frame);
    if (status == 1) p->ended = true;
    return status < 0 ? status : 0;
}

// How many bytes come next: 0 is whole, 1 byte by byte, anything else a seed for random cuts.
static int feed(run *r, player *p, uint64_t how) {
    mb_sse *sse = mb_sse_new(r->adapter->frames, MB_LIMIT_STREAM_EVENT);
    mb_rng rng;
    mb_rng_seed_with(&rng, how);
    mb_buf bytes = MB_BUF(MB_LIMIT_RESPONSE);
    part all = r->t->answer;
    if (r->adapter->frames == MB_FRAMES_EVENTSTREAM) {
        event_lines(&bytes, all.text, all.len);
        all = (part){mb_buf_text(&bytes), bytes.len};
    }
    int status = 0;
    for (size_t at = 0, n; at < all.len && status == 0; at += n) {
        n = how == 0 ? all.len : how == 1 ? 1 : 1 + mb_rng_below(&rng, 200);
        if (n > all.len - at) n = all.len - at;
        status = mb_sse_feed(sse, all.text + at, n, on_frame, p);
    }
    mb_buf_free(&bytes);
    if (status == 0) status = mb_sse_finish(sse, true, on_frame, p);
    if (status == 0) status = r->adapter->end(&p->decode);
    mb_sse_free(sse);
    return status;
}

static int answer(run *r, mb_turn *turn, uint64_t how) {
    const test_case *t = r->t;
    player p = {.adapter = r->adapter, .decode = {.ask = &r->ask, .turn = turn, .parser = parser}};
    size_t len = t->answer.len && !t->is_stream ? t->answer.len - 1 : 0; // without the file's own last newline
    p.decode.is_cut = t->is_cut;
    if (t->is_stream) return feed(r, &p, how);
    if (t->status >= 300) {
        int code = r->adapter->refused ? r->adapter->refused(&p.decode, t->status, t->answer.text, len) : 0;
        if (code) return code;
        return mb_classify(r->ask.quirks->kind, r->ask.provider, t->status, t->answer.text, len, NULL, -1,
                           &turn->error);
    }
    char *copy = mb_strndup(t->answer.text, len);
    int status = r->adapter->body(&p.decode, copy, len);
    mb_free(copy);
    return status;
}

// ---- comparing -----------------------------------------------------------------------------------------------------

static const mb_json *json_of(mb_arena *arena, const char *text, size_t len) {
    const mb_json *v = NULL;
    return mb_json_parse(arena, text, len, &v, NULL) == 0 ? v : NULL;
}

static void differ(mb_buf *why, const char *what, const char *ours, size_t len, const char *want) {
    mb_buf_putf(why, "\n    %s is ", what);
    mb_buf_put(why, ours, len < 300 ? len : 300);
    mb_buf_putf(why, "\n    not %.300s", want);
}

static void check_json(mb_buf *why, mb_arena *arena, const char *what, const char *ours, size_t len, const char *want) {
    const mb_json *a = json_of(arena, ours, len), *b = json_of(arena, want, strlen(want));
    if (!a || !b || !mb_json_equal(a, b)) differ(why, what, ours, len, want);
}

static void check_text(mb_buf *why, mb_arena *arena, const char *what, const mb_buf *ours, const char *want) {
    const mb_json *text = want ? json_of(arena, want, strlen(want)) : NULL;
    size_t len = text ? text->len : 0;
    if (want && !mb_json_is(text, MB_JSON_STRING))
        mb_buf_putf(why, "\n    the expected %s is no JSON string", what);
    else if (ours->len != len || (len && memcmp(ours->data, text->str, len) != 0))
        differ(why, what, mb_buf_text(ours), ours->len, want ? want : "empty");
}

static void check_call(mb_buf *why, mb_arena *arena, const mb_tool_call *c, const char *want) {
    mb_buf ours = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&ours);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "id", c->id);
    mb_jw_kstr(&w, "name", c->name);
    mb_jw_key(&w, "arguments");
    mb_jw_strn(&w, mb_buf_text(&c->arguments), c->arguments.len);
    if (!c->whole) mb_jw_kbool(&w, "whole", false);
    mb_jw_end_object(&w);
    check_json(why, arena, "call", mb_buf_text(&ours), ours.len, want);
    mb_buf_free(&ours);
}

static void check_usage(mb_buf *why, mb_arena *arena, const mb_usage *u, const char *want) {
    const mb_json *v = json_of(arena, want, strlen(want));
    const struct {
        const char *key;
        int64_t n;
    } ALL[] = {{"input", u->input}, {"cached", u->cached}, {"output", u->output}, {"reasoning", u->reasoning}};
    for (size_t i = 0; i < MB_COUNT(ALL); i++) {
        int64_t n = mb_json_int(mb_json_get(v, ALL[i].key), -1);
        if (n != ALL[i].n)
            mb_buf_putf(why, "\n    usage.%s is %lld, not %lld", ALL[i].key, (long long)ALL[i].n, (long long)n);
    }
}

static size_t count_items(mb_arena *arena, const mb_buf *items) {
    mb_buf list = MB_BUF(MB_LIMIT_RESPONSE);
    mb_buf_putf(&list, "[%s]", mb_buf_text(items));
    const mb_json *v = json_of(arena, mb_buf_text(&list), list.len);
    mb_buf_free(&list);
    return v ? v->count : SIZE_MAX;
}

static void check_number(mb_buf *why, const char *what, size_t ours, size_t want) {
    if (ours != want) mb_buf_putf(why, "\n    %s: %zu, not %zu", what, ours, want);
}

static void check_wrapped(mb_buf *why, mb_arena *arena, const char *what, const mb_buf *members, const char *want) {
    mb_buf object = MB_BUF(MB_LIMIT_RESPONSE);
    mb_buf_putf(&object, "{%s}", mb_buf_text(members));
    check_json(why, arena, what, mb_buf_text(&object), object.len, want);
    mb_buf_free(&object);
}

static void check_ranks(mb_buf *why, mb_arena *arena, const mb_turn *turn, const char *want) {
    mb_buf list = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&list);
    mb_jw_array(&w);
    for (size_t i = 0; i < turn->rank_count; i++) {
        mb_jw_array(&w);
        mb_jw_int(&w, turn->ranks[i].index);
        mb_jw_double(&w, turn->ranks[i].score);
        mb_jw_end_array(&w);
    }
    mb_jw_end_array(&w);
    check_json(why, arena, "ranks", mb_buf_text(&list), list.len, want);
    mb_buf_free(&list);
}

// The rarer facts, one a line.
static void check_fact(run *r, const mb_turn *turn, const char *fact, const char *value, mb_buf *why) {
    mb_arena *arena = &r->arena;
    size_t n = strtoul(value, NULL, 10);
    const char *finish = mb_finish_name(turn->finish), *second = strchr(value, ' ');
    if (strcmp(fact, "finish") == 0) {
        if (!finish || strcmp(finish, value) != 0)
            differ(why, fact, finish ? finish : "unsaid", strlen(finish ? finish : "unsaid"), value);
    } else if (strcmp(fact, "usage") == 0)
        check_usage(why, arena, &turn->usage, value);
    else if (strcmp(fact, "json") == 0)
        check_json(why, arena, fact, mb_buf_text(&turn->json), turn->json.len, value);
    else if (strcmp(fact, "model") == 0) {
        if (!turn->model || strcmp(turn->model, value) != 0)
            mb_buf_putf(why, "\n    model is %s, not %s", turn->model, value);
    } else if (strcmp(fact, "logprobs") == 0)
        check_number(why, fact, count_items(arena, &turn->logprobs), n);
    else if (strcmp(fact, "warnings") == 0)
        check_number(why, fact, count_items(arena, &r->warnings), n);
    else if (strcmp(fact, "loading") == 0)
        check_number(why, fact, mb_is_loading(turn->error), strcmp(value, "yes") == 0);
    else if (strcmp(fact, "provider_data") == 0)
        check_wrapped(why, arena, fact, &turn->provider_data, value);
    else if (strcmp(fact, "vectors") == 0) {
        check_number(why, fact, turn->vector_count, n);
        check_number(why, "dimensions", turn->vector_dims, second ? strtoul(second, NULL, 10) : 0);
    } else if (strcmp(fact, "ranks") == 0) {
        check_ranks(why, arena, turn, value);
    } else if (strcmp(fact, "refused") != 0)
        mb_buf_putf(why, "\n    unknown fact: %s", fact);
}

static void check_error(mb_buf *why, const mb_turn *turn, int status, const char *want) {
    char ours[160];
    int http = membrane_error_http_status(turn->error);
    if (http)
        snprintf(ours, sizeof ours, "%s %d", membrane_status_kind(status), http);
    else
        snprintf(ours, sizeof ours, "%s", membrane_status_kind(status));
    if (strcmp(ours, want ? want : "ok") != 0)
        mb_buf_putf(why, "\n    error is %s, not %s: %s", ours, want ? want : "ok",
                    membrane_error_message(turn->error));
}

static void check_turn(run *r, const mb_turn *turn, int status, mb_buf *why) {
    const char *text = NULL, *thinking = NULL, *error = NULL;
    char *copy = mb_strndup(r->t->expect.text, r->t->expect.len), *save = NULL;
    size_t calls = 0;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, ' ');
        if (*line == '#' || !value) continue;
        *value++ = '\0';
        if (strcmp(line, "text") == 0)
            text = value;
        else if (strcmp(line, "thinking") == 0)
            thinking = value;
        else if (strcmp(line, "error") == 0)
            error = value;
        else if (strcmp(line, "call") != 0)
            check_fact(r, turn, line, value, why);
        else if (calls++ < turn->call_count)
            check_call(why, &r->arena, &turn->calls[calls - 1], value);
    }
    if (!error) check_number(why, "calls", turn->call_count, calls);
    check_text(why, &r->arena, "text", &turn->text, text);
    check_text(why, &r->arena, "thinking", &turn->thinking, thinking);
    check_error(why, turn, status, error);
    mb_free(copy);
}

static void check_sent(run *r, const mb_wire *wire, mb_buf *why) {
    const part *want = &r->t->sends;
    char method[16], path[512];
    const char *body = memchr(want->text, '\n', want->len);
    if (sscanf(want->text, "%15s %511s", method, path) != 2 || !body) return;
    const char *url = strstr(mb_buf_text(&wire->url), "//"), *sent = url ? strchr(url + 2, '/') : NULL;
    if (!sent || strcmp(sent, path) != 0 || strcmp(wire->method, method) != 0)
        mb_buf_putf(why, "\n    sends %s %s, not %s %s", wire->method, sent ? sent : mb_buf_text(&wire->url), method,
                    path);
    size_t len = want->len - (size_t)(body - want->text);
    if (len <= 1 && wire->body.len == 0) return;
    char *text = mb_strndup(body, len);
    check_json(why, &r->arena, "body", mb_buf_text(&wire->body), wire->body.len, text);
    mb_free(text);
}

// ---- a case --------------------------------------------------------------------------------------------------------

static bool set_up(run *r, mb_buf *why) {
    const test_case *t = r->t;
    const mb_quirks *quirks = NULL;
    mb_ask_kind kind;
    membrane_error *err = NULL;
    for (size_t i = 0; i < MB_COUNT(KINDS); i++)
        if (strcmp(KINDS[i].name, t->kind) == 0) r->ask.kind = KINDS[i].kind;
    if (mb_quirks_load(&r->arena, t->engine, NULL, &quirks, &err) == 0 && t->request.text) {
        r->ask.request = json_of(&r->arena, t->request.text, t->request.len);
        if (mb_request_check(r->ask.request, &kind, &err) == 0 && kind != r->ask.kind)
            mb_buf_puts(why, "\n    the request is of another kind");
    }
    if (err) mb_buf_putf(why, "\n    %s", membrane_error_message(err));
    membrane_error_free(err);
    if (why->len) return false;
    r->adapter = mb_adapter_find(quirks->wire);
    r->ask.quirks = quirks;
    r->ask.provider = t->engine;
    r->ask.model = t->model[0] ? t->model : NULL;
    r->ask.base_url = strcmp(quirks->wire, "ollama") == 0 ? "http://127.0.0.1:11434" : "http://127.0.0.1:8080/v1";
    r->ask.stream = t->stream_ask;
    r->ask.keep_alive_ms = t->keep_alive_ms;
    r->warnings = MB_BUF(65536);
    r->ask.warnings = &r->warnings;
    return true;
}

static void check_write(run *r, mb_buf *why) {
    membrane_error *err = NULL;
    mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    char want[64] = "ok";
    const char *refused = r->t->expect.text ? strstr(r->t->expect.text, "refused ") : NULL;
    if (refused) sscanf(refused, "refused %63s", want);
    int status = r->adapter->write(&r->ask, &wire, &err);
    if (strcmp(membrane_status_kind(status), want) != 0)
        mb_buf_putf(why, "\n    writing: %s, not %s: %s", membrane_status_kind(status), want,
                    membrane_error_message(err));
    else if (status == 0 && r->t->sends.text)
        check_sent(r, &wire, why);
    membrane_error_free(err);
    mb_buf_free(&wire.url);
    mb_buf_free(&wire.body);
    mb_buf_free(&wire.headers);
}

static void run_case(const test_case *t, mb_buf *why) {
    run r = {.t = t};
    if (set_up(&r, why)) {
        if (t->request.text || t->sends.text) check_write(&r, why);
        for (uint64_t how = 0; how < 8 && t->answer.text && !why->len; how++) {
            mb_turn turn;
            mb_turn_init(&turn, (mb_turn_sink){0});
            check_turn(&r, &turn, answer(&r, &turn, how), why);
            if (why->len)
                mb_buf_putf(why, "\n    (%s)", how == 0 ? "whole" : how == 1 ? "byte by byte" : "in random cuts");
            mb_turn_free(&turn);
        }
    }
    mb_buf_free(&r.warnings);
    mb_arena_free(&r.arena);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)ftw;
    size_t len = strlen(path);
    bool is_case = type == FTW_F && len > 5 && strcmp(path + len - 5, ".case") == 0;
    if (is_case && path_count < MB_COUNT(paths)) paths[path_count++] = strdup(path);
    return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv) {
    int failed = 0;
    for (int i = 1; i < argc; i++) nftw(argv[i], visit, 16, FTW_PHYS);
    qsort(paths, path_count, sizeof *paths, by_name);
    parser = mb_json_parser_new();
    for (size_t i = 0; i < path_count; i++) {
        mb_buf why = MB_BUF(65536);
        test_case t = {.bytes = read_file(paths[i]), .status = 200};
        if (parse_case(&t))
            run_case(&t, &why);
        else
            mb_buf_puts(&why, "\n    cannot be read as a case");
        if (why.len) printf("FAIL %s%s\n", paths[i], mb_buf_text(&why));
        failed += why.len > 0;
        mb_buf_free(&why);
        mb_free(t.bytes);
        free(paths[i]);
    }
    mb_json_parser_free(parser);
    printf("%zu passed, %d failed\n", path_count - (size_t)failed, failed);
    return failed || path_count == 0;
}
