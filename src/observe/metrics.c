// SPDX-License-Identifier: MIT
// Counting. One lock over all numbers: it is held for a few adds, or to copy one histogram, and never while text is
// written, so that a look costs the calls nothing.
#include "observe/metrics.h"

#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "observe/metrics_parts.h"

// The bounds that the conventions advise; times in milliseconds.
const mb_histogram_shape mb_duration_shape = {
    14, {10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 40960, 81920}};
const mb_histogram_shape mb_first_token_shape = {
    16, {1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}};
const mb_histogram_shape mb_tokens_shape = {
    14, {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}};

// ---- labels --------------------------------------------------------------------------------------------------------

// What the conventions call a provider, where they have a name for it; else the kind stands for itself.
static const struct {
    const char *engine, *name;
} PROVIDER_NAMES[] = {
    {"openai-responses", "openai"},
    {"azure", "azure.ai.openai"},
    {"mistral", "mistral_ai"},
    {"xai", "x_ai"},
    {"cohere-v1", "cohere"},
    {"gemini", "gcp.gemini"},
    {"vertex", "gcp.vertex_ai"},
    {"vertexai", "gcp.vertex_ai"},
    {"vertex-anthropic", "gcp.vertex_ai"},
    {"bedrock", "aws.bedrock"},
    {"bedrock-invoke", "aws.bedrock"},
};

static const char *const OPERATIONS[MB_METRIC_CALLS] = {
    [MB_ASK_CHAT] = "chat",     [MB_ASK_COMPLETION] = "text_completion", [MB_ASK_EMBED] = "embeddings",
    [MB_ASK_RERANK] = "rerank", [MB_ASK_COUNT_TOKENS] = "count_tokens",  [MB_METRIC_CALLS - 1] = "other"};

static size_t operation_of(mb_ask_kind kind) {
    return (size_t)kind < MB_METRIC_CALLS - 1 ? (size_t)kind : MB_METRIC_CALLS - 1;
}

static const char *provider_name(const char *engine) {
    for (size_t i = 0; i < MB_COUNT(PROVIDER_NAMES); i++)
        if (strcmp(PROVIDER_NAMES[i].engine, engine) == 0) return PROVIDER_NAMES[i].name;
    return engine;
}

static void put_escaped(mb_buf *out, const char *text, size_t len) {
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\\' && text[i] != '"' && text[i] != '\n') continue;
        mb_buf_put(out, text + from, i - from);
        mb_buf_puts(out, text[i] == '\n' ? "\\n" : text[i] == '"' ? "\\\"" : "\\\\");
        from = i + 1;
    }
    mb_buf_put(out, text + from, len - from);
}

void mb_metric_put_label(mb_buf *out, const char *name, const char *value) {
    mb_buf clean = MB_BUF(4 * MB_LIMIT_NAME);
    mb_utf8_put_clean(&clean, value, mb_utf8_prefix(value, strlen(value), MB_LIMIT_NAME));
    mb_buf_putf(out, "%s%s=\"", out->len ? "," : "", name);
    put_escaped(out, mb_buf_text(&clean), clean.len);
    mb_buf_putc(out, '"');
    if (!mb_buf_ok(&clean)) out->failed = clean.failed;
    mb_buf_free(&clean);
}

// The labels between the braces as a string of its own; NULL: out of memory.
static char *make_labels(size_t operation, const char *provider, const char *engine, const char *model) {
    mb_buf labels = MB_BUF(16 * MB_LIMIT_NAME);
    mb_metric_put_label(&labels, "gen_ai_operation_name", OPERATIONS[operation]);
    if (engine) mb_metric_put_label(&labels, "gen_ai_provider_name", provider_name(engine));
    if (provider) mb_metric_put_label(&labels, "membrane_provider", provider);
    if (model) mb_metric_put_label(&labels, "gen_ai_request_model", model);
    char *text = mb_buf_ok(&labels) ? mb_buf_take(&labels, NULL) : NULL;
    mb_buf_free(&labels);
    return text;
}

// ---- series --------------------------------------------------------------------------------------------------------

mb_metrics *mb_metrics_new(void) {
    mb_metrics *m = mb_calloc(1, sizeof *m);
    if (!m) return NULL;
    pthread_mutex_init(&m->lock, NULL);
    for (size_t i = 0; i < MB_METRIC_CALLS; i++) {
        m->others[i].owner = m;
        m->others[i].labels = make_labels(i, "other", "other", "other");
        if (m->others[i].labels) continue;
        mb_metrics_free(m);
        return NULL;
    }
    return m;
}

static void clear(mb_metric_series *s) {
    mb_free(s->labels);
    for (size_t i = 0; i < MB_METRIC_KINDS; i++) mb_free(s->failed[i]);
}

static bool is_other(const mb_metrics *m, const mb_metric_series *s) {
    return s >= m->others && s < m->others + MB_METRIC_CALLS;
}

void mb_metrics_abandon(mb_metrics *m) {
    if (!m) return;
    for (size_t i = 0; i < m->count; i++) {
        if (is_other(m, m->series[i])) continue;
        clear(m->series[i]);
        mb_free(m->series[i]);
    }
    for (size_t i = 0; i < MB_METRIC_CALLS; i++) clear(&m->others[i]);
    mb_map_free(&m->by_target);
    mb_free(m);
}

void mb_metrics_free(mb_metrics *m) {
    if (m) pthread_mutex_destroy(&m->lock);
    mb_metrics_abandon(m);
}

static void list(mb_metrics *m, mb_metric_series *s) {
    if (s->is_listed) return;
    s->is_listed = true;
    m->series[m->count++] = s;
}

static mb_metric_series *share_other(mb_metrics *m, size_t operation) {
    list(m, &m->others[operation]);
    m->folded++;
    return &m->others[operation];
}

// Two names may be the same label: cut, or repaired. No two series may have the same labels.
static mb_metric_series *with_labels(mb_metrics *m, const char *labels) {
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->series[i]->labels, labels) == 0) return m->series[i];
    for (size_t i = 0; i < MB_METRIC_CALLS; i++)
        if (strcmp(m->others[i].labels, labels) == 0) return share_other(m, i);
    return NULL;
}

static mb_metric_series *add_series(mb_metrics *m, const char *key, const mb_metric_target *t) {
    size_t operation = operation_of(t->operation);
    if (mb_map_count(&m->by_target) == MB_LIMIT_SERIES) return share_other(m, operation);
    char *labels = make_labels(operation, t->provider, t->engine, t->model);
    if (!labels) return share_other(m, operation);
    mb_metric_series *s = with_labels(m, labels), *made = s ? NULL : mb_calloc(1, sizeof *made);
    if (made) {
        *made = (mb_metric_series){.owner = m, .labels = labels};
        s = made;
    } else {
        mb_free(labels);
    }
    if (!s) return share_other(m, operation);
    if (!mb_map_put(&m->by_target, key, s)) {
        if (made) clear(made), mb_free(made);
        return share_other(m, operation);
    }
    list(m, s);
    return s;
}

// A key of the map: the names with what no name holds between them.
static void make_key(char *key, const mb_metric_target *t) {
    const char *texts[] = {t->provider, t->engine, t->model};
    *key++ = (char)('a' + operation_of(t->operation));
    for (size_t i = 0; i < MB_COUNT(texts); i++) {
        size_t len = texts[i] ? mb_utf8_prefix(texts[i], strlen(texts[i]), MB_LIMIT_NAME) : 0;
        *key++ = texts[i] ? '\x1f' : '\x1e';
        if (len) memcpy(key, texts[i], len);
        key += len;
    }
    *key = '\0';
}

mb_metric_series *mb_metrics_series(mb_metrics *m, const mb_metric_target *target) {
    char key[3 * (MB_LIMIT_NAME + 1) + 2];
    make_key(key, target);
    pthread_mutex_lock(&m->lock);
    mb_metric_series *s = mb_map_get(&m->by_target, key);
    if (!s) s = add_series(m, key, target);
    pthread_mutex_unlock(&m->lock);
    return s;
}

// ---- adding --------------------------------------------------------------------------------------------------------

static void observe(mb_histogram *h, const mb_histogram_shape *shape, int64_t value) {
    size_t bucket = 0;
    for (size_t i = 0; i < shape->count; i++) bucket += value > shape->bounds[i];
    h->counts[bucket]++;
    h->sum += (uint64_t)value;
}

static void observe_known(mb_histogram *h, const mb_histogram_shape *shape, int64_t value) {
    if (value >= 0) observe(h, shape, value);
}

static void add_known(uint64_t *sum, int64_t value) {
    if (value > 0) *sum += (uint64_t)value;
}

static const bool IS_KIND[MB_METRIC_KINDS] = {
#define IS_KIND_ROW(name, code, kind, text, retryable, breaker, exit_code, orch) [-(code)] = true,
    MEMBRANE_ERRORS(IS_KIND_ROW)
#undef IS_KIND_ROW
};

static size_t kind_index(int code) { return code < 0 && code > -MB_METRIC_KINDS && IS_KIND[-code] ? (size_t)-code : 0; }

static void observe_failure(mb_metric_series *s, int code, int64_t duration_ms) {
    mb_histogram **h = &s->failed[kind_index(code)];
    if (!*h) *h = mb_calloc(1, sizeof **h);
    if (*h) observe_known(*h, &mb_duration_shape, duration_ms);
}

void mb_metrics_call(mb_metric_series *s, const mb_metrics_call_row *row) {
    mb_metric_counts *c = &s->counts;
    pthread_mutex_lock(&s->owner->lock);
    if (row->code == 0) {
        c->ok++;
        observe_known(&s->took, &mb_duration_shape, row->duration_ms);
        observe_known(&s->first_token, &mb_first_token_shape, row->first_token_ms);
    } else {
        *(row->code == MEMBRANE_ECANCELLED ? &c->cancelled : &c->failed) += 1;
        observe_failure(s, row->code, row->duration_ms);
    }
    observe_known(&s->input, &mb_tokens_shape, row->input);
    observe_known(&s->output, &mb_tokens_shape, row->output);
    add_known(&c->input, row->input);
    add_known(&c->cached, row->cached);
    add_known(&c->output, row->output);
    add_known(&c->reasoning, row->reasoning);
    add_known(&c->cost_usd_micros, row->cost_usd_micros);
    c->cost_unknown += row->cost_usd_micros < 0 || row->cost_unknown;
    pthread_mutex_unlock(&s->owner->lock);
}

void mb_metrics_attempt(mb_metric_series *s, int code, mb_metric_try why) {
    pthread_mutex_lock(&s->owner->lock);
    s->counts.attempts[why]++;
    if (code) s->counts.errors[kind_index(code)]++;
    pthread_mutex_unlock(&s->owner->lock);
}

void mb_metrics_hedge(mb_metric_series *s, bool won) {
    pthread_mutex_lock(&s->owner->lock);
    *(won ? &s->counts.hedges_won : &s->counts.hedges_lost) += 1;
    pthread_mutex_unlock(&s->owner->lock);
}

void mb_metrics_collect(mb_metrics *m, void (*collect)(void *user, mb_metrics_writer *writer), void *user) {
    m->collect = collect;
    m->user = user;
}
