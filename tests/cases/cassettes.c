// SPDX-License-Identifier: MIT
// cassettes DIR: every recorded provider exchange under DIR/cassettes (or DIR) is played to us, and what we make of it
// is compared with the file's "expect". A line a provider, every failure with why, "N passed, N failed" at the end.
//     cassettes [--pure | --requests] [--only TEXT] DIR
// By default the answers come over a loopback socket through the public API; --pure drives the adapters in-process.
// Each recorded request is read into canonical form and written again, too (--requests: nothing but that).
#include "cassettes.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/pattern.h"

typedef struct tally {
    char name[64];
    int passed, failed, left_out;
    int requests_passed, requests_failed;
} tally;

static char *paths[20000];
static size_t path_count;
static tally providers[256], left_out[64];
static size_t provider_count, left_out_count;
static bool only_requests;

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)ftw;
    size_t len = strlen(path);
    bool is_case =
        type == FTW_F && len > 5 && strcmp(path + len - 5, ".json") == 0 && strcmp(path + ftw->base, "index.json");
    if (is_case && path_count < MB_COUNT(paths)) paths[path_count++] = strdup(path);
    return 0;
}

static int by_path(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static tally *tally_of(tally *all, size_t *count, size_t max, const char *name) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp(all[i].name, name) == 0) return &all[i];
    if (*count == max) return &all[max - 1];
    snprintf(all[*count].name, sizeof all->name, "%s", name);
    return &all[(*count)++];
}

// ---- one file ------------------------------------------------------------------------------------------------------

// path: a glob over the recorded path, where more than one wire has an api of that name.
static const struct {
    const char *api, *path, *wire;
    mb_ask_kind kind;
} APIS[] = {
    {"chat.completions", "*", "openai", MB_ASK_CHAT},
    {"completions", "*", "openai", MB_ASK_COMPLETION},
    {"embeddings", "*", "openai", MB_ASK_EMBED},
    {"models", "*", "openai", MB_ASK_MODELS},
    {"ollama.chat", "*", "ollama", MB_ASK_CHAT},
    {"ollama.generate", "*", "ollama", MB_ASK_COMPLETION},
    {"ollama.embed", "*", "ollama", MB_ASK_EMBED},
    {"generateContent", "*", "gemini", MB_ASK_CHAT},
    {"embedContent", "*", "gemini", MB_ASK_EMBED},
    {"predict", "*/text-*embedding*:predict", "gemini", MB_ASK_EMBED},
    {"predict", "*/gemini-embedding*:predict", "gemini", MB_ASK_EMBED},
    {"batchEmbedContents", "*", "gemini", MB_ASK_EMBED},
    {"count_tokens", "*:countTokens", "gemini", MB_ASK_COUNT_TOKENS},
    {"messages", "*", "anthropic", MB_ASK_CHAT},
    {"count_tokens", "*/messages/count_tokens*", "anthropic", MB_ASK_COUNT_TOKENS},
    {"rerank", "*/v1/rerank", "openai", MB_ASK_RERANK},
    {"responses", "*", "openai-responses", MB_ASK_CHAT},
    {"cohere.chat", "*", "cohere", MB_ASK_CHAT},
    {"cohere.v1.chat", "*", "cohere-v1", MB_ASK_CHAT},
    {"cohere.embed", "*", "cohere", MB_ASK_EMBED},
    {"rerank", "*/v2/rerank", "cohere", MB_ASK_RERANK},
    {"count_tokens", "*/responses/input_tokens", "openai-responses", MB_ASK_COUNT_TOKENS},
    {"converse", "*", "bedrock", MB_ASK_CHAT},
    {"invoke", "*", "bedrock-invoke", MB_ASK_CHAT},
    {"count_tokens", "/model/*/count-tokens", "bedrock", MB_ASK_COUNT_TOKENS},
};

static int digit_of(char c) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(DIGITS, c) : NULL;
    return at ? (int)(at - DIGITS) : -1;
}

// A body that is no text (an event stream) is kept in base64: its bytes in the arena.
static const mb_json *decode_body(const mb_json *body, mb_arena *arena) {
    mb_json *out = mb_arena_zalloc(arena, sizeof *out);
    unsigned char *bytes = mb_arena_zalloc(arena, body->len / 4 * 3 + 4);
    uint32_t bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < body->len && digit_of(body->str[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)digit_of(body->str[i]);
        if (i % 4 != 0) bytes[n++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    out->type = MB_JSON_STRING;
    out->str = (const char *)bytes;
    out->len = n;
    return out;
}

static bool load(const char *path, cassette *c, mb_arena *arena) {
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    FILE *f = fopen(path, "rb");
    char piece[65536];
    for (size_t n; f && (n = fread(piece, 1, sizeof piece, f)) > 0;) mb_buf_put(&text, piece, n);
    if (f) fclose(f);
    bool good = f && mb_json_parse(arena, mb_buf_text(&text), text.len, &c->root, NULL) == 0;
    mb_buf_free(&text);
    const mb_json *response = mb_json_get(c->root, "response");
    if (!good || !response || !mb_json_get(c->root, "expect")) return false;
    c->id = mb_json_get_str(c->root, "id");
    c->provider = mb_json_get_str(c->root, "provider");
    c->api = mb_json_get_str(c->root, "api");
    c->streaming = mb_json_bool(mb_json_get(c->root, "streaming"), false);
    c->status = (int)mb_json_int(mb_json_get(response, "status"), 200);
    c->headers = mb_json_get(response, "headers");
    c->body = mb_json_get(response, "body");
    c->expect = mb_json_get(c->root, "expect");
    if (mb_json_is(c->body, MB_JSON_STRING) && mb_json_str_is(mb_json_get(response, "encoding"), "base64"))
        c->body = decode_body(c->body, arena);
    return c->id && c->provider && c->api && mb_json_is(c->body, MB_JSON_STRING);
}

// InvokeModel has one path for everything.
static mb_ask_kind invoked_kind(const cassette *c) {
    const mb_json *body = mb_json_path(c->root, "request.body");
    const char *path = mb_json_str(mb_json_path(c->root, "request.path"));
    if (mb_json_is(mb_json_get(c->expect, "embeddings"), MB_JSON_OBJECT)) return MB_ASK_EMBED;
    if (path && strstr(path, "embed")) return MB_ASK_EMBED; // an error
    if (mb_json_is(mb_json_get(body, "prompt"), MB_JSON_STRING)) return MB_ASK_COMPLETION;
    return mb_json_is(mb_json_get(c->expect, "ranking"), MB_JSON_ARRAY) ? MB_ASK_RERANK : MB_ASK_CHAT;
}

static bool find_wire(cassette *c) {
    const char *path = mb_json_get_str(mb_json_get(c->root, "request"), "path");
    for (size_t i = 0; i < MB_COUNT(APIS); i++) {
        if (strcmp(APIS[i].api, c->api) != 0 || !mb_pattern_glob(APIS[i].path, path ? path : "")) continue;
        c->wire = APIS[i].wire;
        c->kind = APIS[i].kind;
        if (strcmp(c->api, "invoke") == 0) c->kind = invoked_kind(c);
        return true;
    }
    return false;
}

static void check_request(const cassette *c, tally *p) {
    mb_buf why = MB_BUF(65536);
    if (cassette_request(c, &why)) {
        if (why.len) printf("FAIL %s (%s, request): %s\n", c->id, c->api, mb_buf_text(&why));
        *(why.len ? &p->requests_failed : &p->requests_passed) += 1;
    }
    mb_buf_free(&why);
}

static void run_file(const char *path, const transport *t) {
    mb_arena arena = {0};
    cassette c = {0};
    outcome o = {.usage = MB_USAGE_NONE};
    mb_buf why = MB_BUF(65536);
    if (load(path, &c, &arena)) {
        tally *p = tally_of(providers, &provider_count, MB_COUNT(providers), c.provider);
        if (!find_wire(&c)) {
            p->left_out++;
            tally_of(left_out, &left_out_count, MB_COUNT(left_out), c.api)->left_out++;
        } else {
            if (!only_requests) {
                t->play(&c, &o);
                cassette_compare(&c, &o, &why);
                if (why.len) printf("FAIL %s (%s): %s\n", c.id, c.api, mb_buf_text(&why));
                *(why.len ? &p->failed : &p->passed) += 1;
            }
            check_request(&c, p);
        }
    } else {
        printf("FAIL %s: cannot be read\n", path);
        tally_of(providers, &provider_count, MB_COUNT(providers), "(unreadable)")->failed++;
    }
    outcome_free(&o);
    mb_buf_free(&why);
    mb_arena_free(&arena);
}

static int report(void) {
    int passed = 0, failed = 0, written = 0, changed = 0;
    for (size_t i = 0; i < provider_count; i++) {
        const tally *p = &providers[i];
        printf("%-16s responses %4d passed %4d failed   requests %4d passed %4d failed   %4d left out\n", p->name,
               p->passed, p->failed, p->requests_passed, p->requests_failed, p->left_out);
        passed += p->passed;
        failed += p->failed;
        written += p->requests_passed;
        changed += p->requests_failed;
    }
    for (size_t i = 0; i < left_out_count; i++)
        printf("no adapter yet: %s (%d)\n", left_out[i].name, left_out[i].left_out);
    printf("responses: %d passed, %d failed\nrequests: %d passed, %d failed\n", passed, failed, written, changed);
    printf("%d passed, %d failed\n", passed + written, failed + changed);
    return failed || changed || !(passed + written) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    const char *dir = NULL, *only = NULL;
    char inner[4096];
    const transport *t = &TRANSPORT_DEFAULT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--pure") == 0)
            t = &transport_pure;
        else if (strcmp(argv[i], "--requests") == 0)
            only_requests = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else
            dir = argv[i];
    }
    if (!dir) {
        fprintf(stderr, "usage: %s [--pure | --requests] [--only TEXT] DIR\n", argv[0]);
        return 2;
    }
    snprintf(inner, sizeof inner, "%s/cassettes", dir);
    if (nftw(inner, visit, 16, FTW_PHYS) != 0) nftw(dir, visit, 16, FTW_PHYS);
    qsort(paths, path_count, sizeof *paths, by_path);
    if (!t->open()) {
        fprintf(stderr, "the %s transport does not start\n", t->name);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < path_count; i++) {
        if (!only || strstr(paths[i], only)) run_file(paths[i], t);
        free(paths[i]);
    }
    t->close();
    return report();
}
