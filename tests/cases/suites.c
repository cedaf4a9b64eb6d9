// SPDX-License-Identifier: MIT
// suites DIR: runs the cases in DIR/suites/json (manifests beside their files), DIR/suites/sse and DIR/suites/schema
// (cases, one JSON object a line). One line a failure, a count a suite; exits with 1 if anything failed or nothing was
// found.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/schema.h"
#include "net/sse.h"

static struct { size_t cases, failures; } count;

static void failed(const char *name, const char *what) {
    count.failures++;
    printf("not ok %s: %s\n", name, what);
}

static bool read_file(const char *path, mb_buf *out) {
    char block[65536];
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;) mb_buf_put(out, block, n);
    bool ok = !ferror(f) && mb_buf_ok(out);
    fclose(f);
    return ok;
}

// ---- json ----------------------------------------------------------------------------------------------------------

static bool writes_back(mb_arena *arena, const mb_json *tree) {
    const mb_json *again;
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    mb_jw_value(&w, tree);
    bool same =
        mb_buf_ok(&out) && mb_json_parse(arena, out.data, out.len, &again, NULL) == 0 && mb_json_equal(tree, again);
    mb_buf_free(&out);
    return same;
}

static void json_case(const char *name, const char *expect, const mb_buf *text) {
    mb_arena arena = {0};
    const mb_json *strict, *lenient;
    mb_json_parser *parser = mb_json_parser_new();
    bool taken = mb_json_parse(&arena, mb_buf_text(text), text->len, &strict, NULL) == 0;
    bool taken_leniently =
        mb_json_parser_parse(parser, mb_buf_text(text), text->len, text->data != NULL, &lenient) == 0;
    count.cases++;
    if (taken && !writes_back(&arena, strict)) failed(name, "written out and read again, it is another");
    if (taken && !(taken_leniently && mb_json_equal(strict, lenient))) failed(name, "the two parsers differ");
    if (strcmp(expect, "accept") == 0 && !taken) failed(name, "refused");
    if (strcmp(expect, "reject") == 0 && taken) failed(name, "accepted");
    if (strcmp(expect, "reject") == 0 && taken_leniently) failed(name, "accepted by the lenient parser");
    mb_json_parser_free(parser);
    mb_arena_free(&arena);
}

static void json_manifest(const char *path) {
    mb_arena arena = {0};
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    const mb_json *list = NULL;
    if (!read_file(path, &text) || mb_json_parse(&arena, mb_buf_text(&text), text.len, &list, NULL) != 0)
        failed(path, "cannot be read");
    for (size_t i = 0; mb_json_at(list, i); i++) {
        const char *name = mb_json_get_str(list->children + i, "name"),
                   *file = mb_json_get_str(list->children + i, "file");
        const char *expect = mb_json_get_str(list->children + i, "expect");
        mb_buf bytes = MB_BUF(MB_LIMIT_RESPONSE);
        int folder = (int)(strrchr(path, '/') - path);
        char *at = file ? mb_arena_printf(&arena, "%.*s/%s", folder, path, file) : NULL;
        if (at && expect && read_file(at, &bytes))
            json_case(name ? name : file, expect, &bytes);
        else
            failed(name ? name : path, "its file cannot be read");
        mb_buf_free(&bytes);
    }
    mb_buf_free(&text);
    mb_arena_free(&arena);
}

// ---- sse -----------------------------------------------------------------------------------------------------------

static bool decode_base64(const char *text, mb_buf *out) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, held = 0;
    for (; *text && *text != '='; text++) {
        const char *digit = strchr(DIGITS, *text);
        if (!digit) return false;
        bits = bits << 6 | (unsigned)(digit - DIGITS);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        mb_buf_putc(out, (char)(bits >> held));
    }
    return mb_buf_ok(out);
}

typedef struct expected {
    const mb_json *events; // an array
    size_t next;
    const char *wrong; // the first difference
} expected;

static int compare_frame(void *user, const mb_frame *frame) {
    expected *e = user;
    const mb_json *want = mb_json_at(e->events, e->next++), *v;
    if (e->wrong) return 0;
    if (!want)
        e->wrong = "an event too many";
    else if ((v = mb_json_get(want, "event")) && !mb_json_str_is(v, frame->event))
        e->wrong = "another event name";
    else if ((v = mb_json_get(want, "data")) && !(v->len == frame->len && memcmp(v->str, frame->data, v->len) == 0))
        e->wrong = "other data";
    else if ((v = mb_json_get(want, "id")) && !mb_json_str_is(v, frame->id))
        e->wrong = "another id";
    else if ((v = mb_json_get(want, "retry")) && mb_json_int(v, -1) != frame->retry_ms)
        e->wrong = "another retry time";
    return 0;
}

// The stream in pieces of `step` bytes, or, if `cut` is not 0, in two.
static const char *sse_run(mb_sse *sse, const mb_json *test, const mb_buf *bytes, size_t step, size_t cut) {
    const mb_json *at_end = mb_json_get(test, "at_end"), *final_id = mb_json_get(test, "final_id");
    expected e = {mb_json_get(test, "events"), 0, NULL};
    for (int want_last = 0; want_last < 2 && !e.wrong; want_last++) {
        mb_sse_reset(sse, MB_FRAMES_SSE);
        e.events = mb_json_get(test, "events");
        e.next = 0;
        for (size_t at = 0, n; at < bytes->len; at += n) {
            n = cut && at == 0 ? cut : step < bytes->len - at ? step : bytes->len - at;
            if (mb_sse_feed(sse, bytes->data + at, n, compare_frame, &e) != 0) return "feed failed";
        }
        if (!e.wrong && e.next != e.events->count) e.wrong = "an event too few";
        mb_json last = {.type = MB_JSON_ARRAY, .count = at_end && at_end->type == MB_JSON_OBJECT, .children = at_end};
        if (want_last) e.events = &last;
        if (want_last) e.next = 0;
        if (mb_sse_finish(sse, want_last, compare_frame, &e) != 0) return "finish failed";
        if (!e.wrong && want_last && e.next != last.count) e.wrong = "the event at the end is missing";
        if (!e.wrong && !want_last && final_id && !mb_json_str_is(final_id, mb_sse_last_id(sse)))
            e.wrong = "another last id";
    }
    return e.wrong;
}

static void sse_case(const char *path, const char *name, const mb_json *test) {
    (void)path;
    mb_buf bytes = MB_BUF(MB_LIMIT_RESPONSE);
    mb_sse *sse = mb_sse_new(MB_FRAMES_SSE, MB_LIMIT_STREAM_EVENT);
    const char *text = mb_json_get_str(test, "bytes_base64"), *wrong = NULL;
    count.cases++;
    if (!text || !decode_base64(text, &bytes) || !mb_json_is(mb_json_get(test, "events"), MB_JSON_ARRAY))
        wrong = "not a case";
    if (!wrong) wrong = sse_run(sse, test, &bytes, bytes.len ? bytes.len : 1, 0);
    if (wrong) failed(name, wrong);
    if (!wrong && (wrong = sse_run(sse, test, &bytes, 1, 0))) printf("# byte by byte\n"), failed(name, wrong);
    for (size_t cut = 1; cut < bytes.len && !wrong; cut++)
        if ((wrong = sse_run(sse, test, &bytes, bytes.len, cut)))
            printf("# cut at byte %zu\n", cut), failed(name, wrong);
    mb_sse_free(sse);
    mb_buf_free(&bytes);
}

static void each_line(const char *path, void (*run)(const char *path, const char *name, const mb_json *test)) {
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    if (!read_file(path, &text)) failed(path, "cannot be read");
    for (char *line = text.data, *next; line && *line; line = next) {
        mb_arena arena = {0};
        const mb_json *test;
        size_t len = strcspn(line, "\n");
        next = line + len + (line[len] == '\n');
        if (len == 0) continue;
        if (mb_json_parse(&arena, line, len, &test, NULL) != 0)
            failed(path, "a line that is not JSON");
        else
            run(path, mb_json_get_str(test, "name") ? mb_json_get_str(test, "name") : path, test);
        mb_arena_free(&arena);
    }
    mb_buf_free(&text);
}

static void sse_cases(const char *path) { each_line(path, sse_case); }

// ---- schema --------------------------------------------------------------------------------------------------------

// The dialect is that of the file's name; the library reads it from $schema, which few of the cases have.
static const mb_json *in_dialect(const char *path, const mb_json *schema, mb_json *copy, mb_json *members) {
    static const char DRAFT7[] = "http://json-schema.org/draft-07/schema#";
    const char *name = strrchr(path, '/');
    if (!schema || schema->type != MB_JSON_OBJECT || schema->count >= 64 || mb_json_get(schema, "$schema"))
        return schema;
    if (!strstr(name ? name : path, "draft7")) return schema;
    if (schema->count) memcpy(members, schema->children, schema->count * sizeof *members);
    members[schema->count] =
        (mb_json){.type = MB_JSON_STRING, .key = "$schema", .key_len = 7, .str = DRAFT7, .len = sizeof DRAFT7 - 1};
    *copy = *schema;
    copy->count++;
    copy->children = members;
    return copy;
}

static void schema_case(const char *path, const char *name, const mb_json *test) {
    mb_json copy, members[65];
    mb_buf why = MB_BUF(4096);
    const mb_json *schema = in_dialect(path, mb_json_get(test, "schema"), &copy, members);
    const mb_json *data = mb_json_get(test, "data"), *valid = mb_json_get(test, "valid");
    count.cases++;
    if (!schema || !data || !mb_json_is(valid, MB_JSON_BOOL)) {
        failed(name, "not a case");
        return;
    }
    int code = mb_schema_check(schema, data, &why);
    if (code != (valid->boolean ? 0 : MEMBRANE_ESCHEMA)) failed(name, code ? mb_buf_text(&why) : "accepted");
    if (code == MEMBRANE_ESCHEMA && !why.len) failed(name, "refused without a reason");
    mb_buf_free(&why);
}

static void schema_cases(const char *path) { each_line(path, schema_case); }

// ---- folders -------------------------------------------------------------------------------------------------------

static const struct suite {
    const char *name;
    const char *starts, *ends; // of the names of its files
    void (*run)(const char *path);
} SUITES[] = {{"json", "manifest", ".json", json_manifest},
              {"sse", "", ".jsonl", sse_cases},
              {"schema", "", ".jsonl", schema_cases}};

static const struct suite *now;

static int visit(const char *path, const struct stat *info, int type, struct FTW *where) {
    const char *name = path + where->base;
    size_t len = strlen(name), tail = strlen(now->ends);
    if (type != FTW_F || strncmp(name, now->starts, strlen(now->starts)) != 0) return 0;
    if (len >= tail && strcmp(name + len - tail, now->ends) == 0) now->run(path);
    return 0;
}

int main(int argc, char **argv) {
    char path[4096];
    size_t found = 0, bad = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: suites DIR\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof SUITES / sizeof *SUITES; i++) {
        now = &SUITES[i];
        count.cases = count.failures = 0;
        snprintf(path, sizeof path, "%s/suites/%s", argv[1], now->name);
        nftw(path, visit, 16, FTW_PHYS);
        printf("%s: %zu cases, %zu failures\n", now->name, count.cases, count.failures);
        found += count.cases;
        bad += count.failures;
    }
    return found == 0 || bad > 0;
}
