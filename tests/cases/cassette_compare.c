// SPDX-License-Identifier: MIT
// Comparing with "expect", by the rules of the recordings' README: null is not checked; usage is the wire's own
// figures, ours are normalised (input holds the cached tokens, output the reasoning).
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cassettes.h"

void outcome_free(outcome *o) {
    mb_free(o->text);
    mb_free(o->thinking);
    mb_free(o->finish);
    mb_free(o->calls);
    mb_free(o->ranking);
    mb_free(o->message);
}

static void put_short(mb_buf *why, const char *text, size_t len) {
    mb_jw w = mb_jw_to(why);
    mb_jw_strn(&w, text, len < 160 ? len : 160);
}

static size_t without_space(const char *text, size_t len, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        if (!isspace((unsigned char)text[i])) out[n++] = text[i];
    return n;
}

// Several reasoning summaries are joined by nobody's rule: compared without white space.
static bool same_text(const char *a, size_t a_len, const mb_json *b, bool loosely) {
    if (!loosely) return a_len == b->len && memcmp(a, b->str, b->len) == 0;
    char *x = malloc(a_len + 1), *y = malloc(b->len + 1);
    size_t n = without_space(a, a_len, x), m = without_space(b->str, b->len, y);
    bool same = n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

// The recordings' own decoder does not know Converse's block of text with citations, and says that there is no text.
static bool is_unknown_there(const cassette *c, const mb_json *want) {
    static const char BLOCK[] = "\"citationsContent\"";
    return want->len == 0 && strcmp(c->api, "converse") == 0 && !c->streaming && strstr(c->body->str, BLOCK);
}

static void compare_text(const cassette *c, const char *key, const char *text, size_t len, bool loosely, mb_buf *why) {
    const mb_json *want = mb_json_get(c->expect, key);
    if (!mb_json_is(want, MB_JSON_STRING) || is_unknown_there(c, want)) return;
    if (same_text(text ? text : "", len, want, loosely)) return;
    mb_buf_putf(why, "%s is ", key);
    put_short(why, text ? text : "", len);
    mb_buf_puts(why, ", not ");
    put_short(why, want->str, want->len);
    mb_buf_puts(why, "; ");
}

// ---- tool calls ----------------------------------------------------------------------------------------------------

static bool is_nothing(const mb_json *v) {
    return !v || v->type == MB_JSON_NULL || (v->type == MB_JSON_STRING && v->len == 0) ||
           (v->type == MB_JSON_OBJECT && v->count == 0);
}

// Parsed arguments are compared as data; what is no JSON as text.
static bool same_arguments(const mb_json *ours, const mb_json *want) {
    mb_arena arena = {0};
    const mb_json *tree = NULL;
    bool parsed = ours->len && mb_json_parse_lenient(&arena, ours->str, ours->len, &tree, NULL) == 0;
    bool same = (is_nothing(parsed ? tree : ours) && is_nothing(want)) || (parsed && mb_json_equal(tree, want)) ||
                mb_json_equal(ours, want);
    mb_arena_free(&arena);
    return same;
}

static void compare_calls(const cassette *c, const outcome *o, mb_buf *why) {
    const mb_json *want = mb_json_get(c->expect, "tool_calls"), *ours = NULL;
    mb_arena arena = {0};
    if (!mb_json_is(want, MB_JSON_ARRAY)) return;
    const char *text = o->calls ? o->calls : "[]";
    if (mb_json_parse(&arena, text, strlen(text), &ours, NULL) != 0 || ours->count != want->count) {
        mb_buf_putf(why, "%u tool calls, not %u; ", ours ? (unsigned)ours->count : 0u, (unsigned)want->count);
    } else {
        for (uint32_t i = 0; i < want->count; i++) {
            const mb_json *a = &ours->children[i], *b = &want->children[i];
            if (!mb_json_equal(mb_json_get(a, "name"), mb_json_get(b, "name")))
                mb_buf_putf(why, "tool call %u is of another tool (%s); ", (unsigned)i, mb_json_get_str(a, "name"));
            if (!same_arguments(mb_json_get(a, "arguments"), mb_json_get(b, "arguments")))
                mb_buf_putf(why, "tool call %u has other arguments; ", (unsigned)i);
        }
    }
    mb_arena_free(&arena);
}

// ---- usage ---------------------------------------------------------------------------------------------------------

static void compare_number(const char *what, int64_t ours, int64_t want, mb_buf *why) {
    if (want >= 0 && ours != want)
        mb_buf_putf(why, "usage.%s is %lld, not %lld; ", what, (long long)ours, (long long)want);
}

static void compare_usage(const cassette *c, const outcome *o, mb_buf *why) {
    const mb_json *want = mb_json_get(c->expect, "usage");
    if (!mb_json_is(want, MB_JSON_OBJECT)) return;
    int64_t input = mb_json_int(mb_json_get(want, "input"), -1), output = mb_json_int(mb_json_get(want, "output"), -1);
    int64_t cached = mb_json_int(mb_json_get(want, "cached_input"), -1);
    int64_t reasoning = mb_json_int(mb_json_get(want, "reasoning"), -1);
    if (cached > 0 && !mb_json_bool(mb_json_get(want, "cached_in_input"), true)) input += cached;
    if (reasoning > 0 && !mb_json_bool(mb_json_get(want, "reasoning_in_output"), true)) output += reasoning;
    // Ours holds what was written to the cache, too; where that stands beside the input it was not counted yet.
    int64_t written = mb_json_int(mb_json_get(want, "cache_write"), -1);
    bool beside = written > 0 && !mb_json_bool(mb_json_get(want, "cached_in_input"), false);
    if (beside && input >= 0 && o->usage.input == input + written) input += written;
    // Where it cannot be told whether the output holds the reasoning, it may.
    bool unknown = reasoning > 0 && output >= 0 && !mb_json_get(want, "reasoning_in_output");
    if (unknown && o->usage.output == output + reasoning) output += reasoning;
    compare_number("input", o->usage.input, input, why);
    if (c->kind != MB_ASK_EMBED) compare_number("output", o->usage.output, output, why);
    compare_number("cached", o->usage.cached, cached, why);
    compare_number("reasoning", o->usage.reasoning, reasoning, why);
}

// ---- finish and error ----------------------------------------------------------------------------------------------

// Which of the recordings' coarse kinds a kind of ours may be.
static bool fits_kind(int code, const char *kind) {
    static const struct {
        const char *kind;
        int codes[8];
    } KINDS[] = {
        {"auth", {MEMBRANE_EAUTH}},
        {"permission", {MEMBRANE_EPERMISSION, MEMBRANE_ECONTENT}},
        {"rate_limit", {MEMBRANE_ERATE, MEMBRANE_EFUNDS}},
        {"context_overflow", {MEMBRANE_ECONTEXT}},
        {"bad_request",
         {MEMBRANE_EBADREQUEST, MEMBRANE_EUNSUPPORTED, MEMBRANE_ETOOLUSE, MEMBRANE_ECONTENT, MEMBRANE_EMODEL,
          MEMBRANE_EAUTH, MEMBRANE_EFUNDS}},
        {"not_found", {MEMBRANE_EMODEL}},
        {"server", {MEMBRANE_ESERVER, MEMBRANE_EOVERLOADED, MEMBRANE_EGATEWAY, MEMBRANE_ESTREAM, MEMBRANE_ETIMEOUT}},
    };
    for (size_t i = 0; i < MB_COUNT(KINDS); i++) {
        if (strcmp(KINDS[i].kind, kind) != 0) continue;
        for (size_t j = 0; j < MB_COUNT(KINDS[i].codes); j++)
            if (KINDS[i].codes[j] == code) return true;
        return false;
    }
    return true; // a kind that we have never heard of
}

static void compare_error(const cassette *c, const outcome *o, mb_buf *why) {
    const mb_json *want = mb_json_get(c->expect, "error"), *complete = mb_json_get(c->expect, "complete");
    bool cut = mb_json_is(complete, MB_JSON_BOOL) && !complete->boolean;
    if (!mb_json_is(want, MB_JSON_OBJECT)) {
        if (cut && o->error != MEMBRANE_ETRUNCATED)
            mb_buf_putf(why, "a cut stream ended as %s; ", membrane_status_kind(o->error));
        if (!cut && o->error)
            mb_buf_putf(why, "error %s: %s; ", membrane_status_kind(o->error), o->message ? o->message : "");
        return;
    }
    const char *kind = mb_json_get_str(want, "kind");
    int64_t status = mb_json_int(mb_json_get(want, "status"), -1);
    if (!o->error)
        mb_buf_puts(why, "no error; ");
    else if (kind && !fits_kind(o->error, kind))
        mb_buf_putf(why, "the error is %s, not %s; ", membrane_status_kind(o->error), kind);
    if (o->error && status > 0 && o->status != status)
        mb_buf_putf(why, "the error's status is %d, not %d; ", o->status, (int)status);
}

static void compare_finish(const cassette *c, const outcome *o, mb_buf *why) {
    const char *want = mb_json_get_str(c->expect, "finish"), *ours = o->error ? "error" : o->finish;
    if (want && (!ours || strcmp(want, ours) != 0))
        mb_buf_putf(why, "finish is %s, not %s; ", ours ? ours : "unsaid", want);
}

static void compare_vectors(const cassette *c, const outcome *o, mb_buf *why) {
    const mb_json *want = mb_json_get(c->expect, "embeddings");
    if (!mb_json_is(want, MB_JSON_OBJECT)) return;
    compare_number("embeddings", (int64_t)o->vectors, mb_json_int(mb_json_get(want, "count"), -1), why);
    // A request that named the dimensions knows better than a decoder that took one-byte numbers for floats.
    int64_t asked = mb_json_int(mb_json_path(c->root, "request.body.dimensions"), -1);
    int64_t dims = mb_json_int(mb_json_get(want, "dimensions"), -1);
    bool bytes = strcmp(c->provider, "perplexity") == 0 && (int64_t)o->dims == 4 * dims; // its default encoding
    if (asked == (int64_t)o->dims || (asked < 0 && bytes)) return;
    compare_number("dimensions", (int64_t)o->dims, dims, why);
}

static void compare_ranking(const cassette *c, const outcome *o, mb_buf *why) {
    const mb_json *want = mb_json_get(c->expect, "ranking"), *ours = NULL;
    mb_arena arena = {0};
    if (!mb_json_is(want, MB_JSON_ARRAY)) return;
    if (!o->ranking || mb_json_parse(&arena, o->ranking, strlen(o->ranking), &ours, NULL) != 0 ||
        !mb_json_equal(ours, want))
        mb_buf_putf(why, "the ranking is %s; ", o->ranking ? o->ranking : "absent");
    mb_arena_free(&arena);
}

void cassette_compare(const cassette *c, const outcome *o, mb_buf *why) {
    compare_error(c, o, why);
    compare_text(c, "text", o->text, o->text_len, false, why);
    compare_text(c, "thinking", o->thinking, o->thinking_len, true, why);
    compare_calls(c, o, why);
    compare_finish(c, o, why);
    compare_usage(c, o, why);
    compare_vectors(c, o, why);
    compare_ranking(c, o, why);
}
