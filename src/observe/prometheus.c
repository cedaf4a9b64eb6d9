// SPDX-License-Identifier: MIT
// The numbers as Prometheus text, format 0.0.4: one family after another, HELP and TYPE before its samples. Names are
// those of the OpenTelemetry conventions for generative AI as their translation to Prometheus makes them (dots become
// underscores, a unit is a suffix), and membrane_… for what they have no name for. A family without samples is left
// out.
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "membrane/version.h"
#include "observe/metrics_parts.h"

static void put_family(mb_buf *out, const char *name, const char *type, const char *help) {
    mb_buf_putf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

// The same before the first sample of a family.
static void put_family_once(mb_buf *out, const char *name, const char *type, const char *help, bool *is_there) {
    if (!*is_there) put_family(out, name, type, help);
    *is_there = true;
}

// name{labels,name="value",…} up to the value. more: a further label, ready, or NULL.
static void put_sample(mb_buf *out, const char *name, const char *suffix, const char *labels, const char *more) {
    mb_buf_puts(out, name);
    mb_buf_puts(out, suffix);
    bool has_labels = *labels, has_more = more && *more;
    if (has_labels || has_more) mb_buf_putc(out, '{');
    mb_buf_puts(out, labels);
    if (has_labels && has_more) mb_buf_putc(out, ',');
    if (has_more) mb_buf_puts(out, more);
    if (has_labels || has_more) mb_buf_putc(out, '}');
    mb_buf_putc(out, ' ');
}

static void put_value(mb_buf *out, uint64_t value) { mb_buf_putf(out, "%" PRIu64 "\n", value); }

// ---- counters ------------------------------------------------------------------------------------------------------

// Rows of one name follow each other and are one family.
typedef struct counter {
    const char *name, *help, *label;
    size_t at; // in mb_metric_counts
} counter;

#define AT(member) offsetof(mb_metric_counts, member)
static const counter COUNTERS[] = {
    {"membrane_calls_total", "Calls that are over, by how they ended.", "outcome=\"ok\"", AT(ok)},
    {"membrane_calls_total", NULL, "outcome=\"error\"", AT(failed)},
    {"membrane_calls_total", NULL, "outcome=\"cancelled\"", AT(cancelled)},
    {"membrane_attempts_total", "Requests to providers that are over, by why they were made.", "reason=\"first\"",
     AT(attempts[MB_TRY_FIRST])},
    {"membrane_attempts_total", NULL, "reason=\"retry\"", AT(attempts[MB_TRY_RETRY])},
    {"membrane_attempts_total", NULL, "reason=\"key\"", AT(attempts[MB_TRY_KEY])},
    {"membrane_attempts_total", NULL, "reason=\"fallback\"", AT(attempts[MB_TRY_FALLBACK])},
    {"membrane_attempts_total", NULL, "reason=\"hedge\"", AT(attempts[MB_TRY_HEDGE])},
    {"membrane_hedges_total", "Second requests beside a silent first one, by whose answer was taken.", "result=\"won\"",
     AT(hedges_won)},
    {"membrane_hedges_total", NULL, "result=\"lost\"", AT(hedges_lost)},
    {"membrane_input_tokens_total", "Tokens of input, the cached ones too.", NULL, AT(input)},
    {"membrane_cached_tokens_total", "Tokens of input that the provider had kept.", NULL, AT(cached)},
    {"membrane_output_tokens_total", "Tokens of output, the reasoning ones too.", NULL, AT(output)},
    {"membrane_reasoning_tokens_total", "Tokens of output that were reasoning.", NULL, AT(reasoning)},
    {"membrane_cost_usd_micros_total", "What calls of known cost cost, in millionths of a US dollar.", NULL,
     AT(cost_usd_micros)},
    {"membrane_cost_unknown_calls_total", "Calls whose cost is not known; they are not in the sum.", NULL,
     AT(cost_unknown)},
};
#undef AT

static size_t count_series(mb_metrics *m) {
    pthread_mutex_lock(&m->lock);
    size_t count = m->count;
    pthread_mutex_unlock(&m->lock);
    return count;
}

static uint64_t counter_of(mb_metric_series *s, size_t at) {
    uint64_t value;
    pthread_mutex_lock(&s->owner->lock);
    memcpy(&value, (const char *)&s->counts + at, sizeof value);
    pthread_mutex_unlock(&s->owner->lock);
    return value;
}

static void put_counters(mb_metrics *m, size_t count, mb_buf *out) {
    for (const counter *c = COUNTERS; c < COUNTERS + MB_COUNT(COUNTERS); c++) {
        if (c->help) put_family(out, c->name, "counter", c->help);
        for (size_t i = 0; i < count; i++) {
            put_sample(out, c->name, "", m->series[i]->labels, c->label);
            put_value(out, counter_of(m->series[i], c->at));
        }
    }
}

// A code that is none of ours has the name that the conventions have for it.
static void make_kind(mb_buf *out, size_t kind) {
    mb_buf_reset(out);
    mb_metric_put_label(out, "error_type", kind ? membrane_status_kind(-(int)kind) : "_OTHER");
}

static void put_errors(mb_metrics *m, size_t count, mb_buf *out) {
    static const char name[] = "membrane_attempt_errors_total";
    mb_buf label = MB_BUF(256);
    bool is_there = false;
    for (size_t i = 0; i < count; i++)
        for (size_t kind = 0; kind < MB_METRIC_KINDS; kind++) {
            uint64_t errors = counter_of(m->series[i], offsetof(mb_metric_counts, errors) + kind * sizeof errors);
            if (!errors) continue;
            put_family_once(out, name, "counter", "Requests to providers that failed, by kind of error.", &is_there);
            make_kind(&label, kind);
            put_sample(out, name, "", m->series[i]->labels, mb_buf_text(&label));
            put_value(out, errors);
        }
    mb_buf_free(&label);
}

// ---- histograms ----------------------------------------------------------------------------------------------------

typedef struct histogram_row {
    const char *name, *help, *label;
    const mb_histogram_shape *shape;
    int decimals; // of the unit that is shown: 3 where milliseconds are counted and seconds shown
    size_t at;    // in mb_metric_series
} histogram_row;

#define AT(member) offsetof(mb_metric_series, member)
static const histogram_row DURATION = {"gen_ai_client_operation_duration_seconds",
                                       "GenAI operation duration, all attempts together.",
                                       NULL,
                                       &mb_duration_shape,
                                       3,
                                       AT(took)};
static const histogram_row HISTOGRAMS[] = {
    {"gen_ai_client_token_usage", "Number of input and output tokens used.", "gen_ai_token_type=\"input\"",
     &mb_tokens_shape, 0, AT(input)},
    {"gen_ai_client_token_usage", "Number of input and output tokens used.", "gen_ai_token_type=\"output\"",
     &mb_tokens_shape, 0, AT(output)},
    {"gen_ai_server_time_to_first_token_seconds",
     "Time to the first token, seen from here: all attempts and the network too.", NULL, &mb_first_token_shape, 3,
     AT(first_token)},
};
#undef AT

// The shortest digits, as other exporters write them: 0.25, 2.56, 10.
static void put_scaled(mb_buf *out, uint64_t value, int decimals) {
    uint64_t unit = decimals ? 1000 : 1;
    mb_buf_putf(out, "%" PRIu64, value / unit);
    if (value % unit == 0) return;
    mb_buf_putf(out, ".%03d", (int)(value % unit));
    while (mb_buf_ok(out) && out->data[out->len - 1] == '0') mb_buf_cut(out, out->len - 1);
}

static void put_bucket(mb_buf *out, const histogram_row *row, const char *labels, const char *more, size_t bucket) {
    mb_buf label = MB_BUF(512);
    if (more) mb_buf_putf(&label, "%s,", more);
    mb_buf_puts(&label, "le=\"");
    if (bucket == row->shape->count)
        mb_buf_puts(&label, "+Inf");
    else
        put_scaled(&label, (uint64_t)row->shape->bounds[bucket], row->decimals);
    mb_buf_putc(&label, '"');
    put_sample(out, row->name, "_bucket", labels, mb_buf_text(&label));
    if (!mb_buf_ok(&label)) out->failed = label.failed;
    mb_buf_free(&label);
}

static void put_histogram(mb_buf *out, const histogram_row *row, const char *labels, const char *more,
                          const mb_histogram *h) {
    uint64_t count = 0;
    for (size_t i = 0; i <= row->shape->count; i++) {
        count += h->counts[i];
        put_bucket(out, row, labels, more, i);
        put_value(out, count);
    }
    put_sample(out, row->name, "_sum", labels, more);
    put_scaled(out, h->sum, row->decimals);
    mb_buf_putc(out, '\n');
    put_sample(out, row->name, "_count", labels, more);
    put_value(out, count);
}

static bool has_counted(const mb_histogram *h) {
    for (size_t i = 0; i <= MB_METRIC_BUCKETS; i++)
        if (h->counts[i]) return true;
    return false;
}

// A copy of a histogram of the series; false if it is empty or not there.
static bool copy_histogram(mb_metric_series *s, size_t at, mb_histogram *ret) {
    pthread_mutex_lock(&s->owner->lock);
    memcpy(ret, (const char *)s + at, sizeof *ret);
    pthread_mutex_unlock(&s->owner->lock);
    return has_counted(ret);
}

static bool copy_failed(mb_metric_series *s, size_t kind, mb_histogram *ret) {
    pthread_mutex_lock(&s->owner->lock);
    bool is_there = s->failed[kind];
    if (is_there) *ret = *s->failed[kind];
    pthread_mutex_unlock(&s->owner->lock);
    return is_there && has_counted(ret);
}

static void put_durations(mb_metrics *m, size_t count, mb_buf *out) {
    const histogram_row *row = &DURATION;
    mb_histogram h;
    mb_buf label = MB_BUF(256);
    bool is_there = false;
    for (size_t i = 0; i < count; i++) {
        mb_metric_series *s = m->series[i];
        if (copy_histogram(s, row->at, &h)) {
            put_family_once(out, row->name, "histogram", row->help, &is_there);
            put_histogram(out, row, s->labels, NULL, &h);
        }
        for (size_t kind = 0; kind < MB_METRIC_KINDS; kind++) {
            if (!copy_failed(s, kind, &h)) continue;
            put_family_once(out, row->name, "histogram", row->help, &is_there);
            make_kind(&label, kind);
            put_histogram(out, row, s->labels, mb_buf_text(&label), &h);
        }
    }
    mb_buf_free(&label);
}

static void put_histograms(mb_metrics *m, size_t count, mb_buf *out) {
    mb_histogram h;
    bool is_there = false;
    for (const histogram_row *row = HISTOGRAMS; row < HISTOGRAMS + MB_COUNT(HISTOGRAMS); row++) {
        if (row > HISTOGRAMS && strcmp(row->name, row[-1].name) != 0) is_there = false;
        for (size_t i = 0; i < count; i++) {
            if (!copy_histogram(m->series[i], row->at, &h)) continue;
            put_family_once(out, row->name, "histogram", row->help, &is_there);
            put_histogram(out, row, m->series[i]->labels, row->label, &h);
        }
    }
}

// ---- gauges --------------------------------------------------------------------------------------------------------

typedef struct gauge_row {
    const char *name, *help;
    const char *labels[4];
} gauge_row;

#define TARGET_LABELS                                                                                                  \
    { "membrane_provider", "gen_ai_request_model" }
#define BUDGET_LABELS                                                                                                  \
    { "scope", "match", "period", "owner" }
static const gauge_row GAUGES[MB_GAUGES] = {
    [MB_GAUGE_IN_FLIGHT] = {"membrane_requests_in_flight", "Requests that a provider is answering now.", TARGET_LABELS},
    [MB_GAUGE_QUEUE_DEPTH] = {"membrane_queue_depth", "Calls that wait for a limit or for the next attempt.",
                              TARGET_LABELS},
    [MB_GAUGE_BREAKER] = {"membrane_breaker_state", "0: closed, 1: half-open, 2: open.", TARGET_LABELS},
    [MB_GAUGE_KEYS] = {"membrane_keys", "Keys that the provider is configured with.", {"membrane_provider"}},
    [MB_GAUGE_KEYS_COOLING] = {"membrane_keys_cooling",
                               "Keys of the provider that are left alone for a while.",
                               {"membrane_provider"}},
    [MB_GAUGE_BUDGET_LIMIT] = {"membrane_budget_limit_usd_micros", "What the budget allows in its period.",
                               BUDGET_LABELS},
    [MB_GAUGE_BUDGET_SETTLED] = {"membrane_budget_settled_usd_micros", "What was spent of the budget in its period.",
                                 BUDGET_LABELS},
    [MB_GAUGE_BUDGET_UNKNOWN] = {"membrane_budget_unknown_usd_micros",
                                 "What calls of unknown cost had reserved of it: it counts as spent.", BUDGET_LABELS},
    [MB_GAUGE_BUDGET_RESERVED] = {"membrane_budget_reserved_usd_micros", "What calls that run have reserved of it.",
                                  BUDGET_LABELS},
};

struct mb_metrics_writer {
    struct {
        mb_map values; // labels → int64_t, ours
        int64_t other; // the sum of what came beyond the limit
        uint64_t folded;
    } gauges[MB_GAUGES];
    bool failed;
};

static bool set_gauge(mb_map *values, const char *labels, int64_t value) {
    int64_t *at = mb_map_get(values, labels);
    if (!at) {
        at = mb_malloc(sizeof *at);
        if (!at || !mb_map_put(values, labels, at)) {
            mb_free(at);
            return false;
        }
    }
    *at = value;
    return true;
}

static void make_gauge_labels(mb_buf *out, const gauge_row *row, const char *const *values) {
    for (size_t i = 0; i < MB_COUNT(row->labels) && row->labels[i]; i++)
        if (!values || values[i]) mb_metric_put_label(out, row->labels[i], values ? values[i] : "other");
}

void mb_metrics_gauge(mb_metrics_writer *w, mb_metric_gauge gauge, const char *const *labels, int64_t value) {
    mb_map *values = &w->gauges[gauge].values;
    mb_buf text = MB_BUF(16 * MB_LIMIT_NAME);
    make_gauge_labels(&text, &GAUGES[gauge], labels);
    if (!mb_buf_ok(&text)) {
        w->failed = true;
    } else if (mb_map_count(values) == MB_LIMIT_SERIES && !mb_map_has(values, mb_buf_text(&text))) {
        w->gauges[gauge].other += value;
        w->gauges[gauge].folded++;
    } else if (!set_gauge(values, mb_buf_text(&text), value)) {
        w->failed = true;
    }
    mb_buf_free(&text);
}

static void put_gauge(mb_buf *out, const gauge_row *row, const mb_map *values) {
    const char *labels;
    void *value;
    if (!mb_map_count(values)) return;
    put_family(out, row->name, "gauge", row->help);
    for (size_t at = 0; mb_map_each(values, &at, &labels, &value);) {
        put_sample(out, row->name, "", labels, NULL);
        mb_buf_put_int(out, *(int64_t *)value);
        mb_buf_putc(out, '\n');
    }
}

// Asks, writes and forgets; what did not fit is added to *folded.
static void put_gauges(mb_metrics *m, mb_buf *out, uint64_t *folded) {
    mb_metrics_writer w = {0};
    if (m->collect) m->collect(m->user, &w);
    for (size_t i = 0; i < MB_GAUGES; i++) {
        const char *labels;
        void *value;
        if (w.gauges[i].folded) {
            mb_buf text = MB_BUF(16 * MB_LIMIT_NAME);
            make_gauge_labels(&text, &GAUGES[i], NULL);
            w.failed |= !mb_buf_ok(&text) || !set_gauge(&w.gauges[i].values, mb_buf_text(&text), w.gauges[i].other);
            mb_buf_free(&text);
        }
        put_gauge(out, &GAUGES[i], &w.gauges[i].values);
        *folded += w.gauges[i].folded;
        for (size_t at = 0; mb_map_each(&w.gauges[i].values, &at, &labels, &value);) mb_free(value);
        mb_map_free(&w.gauges[i].values);
    }
    if (w.failed) out->failed = MEMBRANE_ENOMEM;
}

// ---- all of it -----------------------------------------------------------------------------------------------------

int mb_metrics_text(mb_metrics *m, mb_buf *out) {
    uint64_t folded_gauges = 0;
    size_t count = count_series(m);
    put_family(out, "membrane_build_info", "gauge", "The library that says so; always 1.");
    mb_buf_puts(out, "membrane_build_info{version=\"" MEMBRANE_VERSION_STRING "\"} 1\n");
    if (count) {
        put_counters(m, count, out);
        put_errors(m, count, out);
        put_durations(m, count, out);
        put_histograms(m, count, out);
    }
    put_gauges(m, out, &folded_gauges);
    pthread_mutex_lock(&m->lock);
    uint64_t folded = m->folded;
    pthread_mutex_unlock(&m->lock);
    put_family(out, "membrane_series_folded_total", "counter",
               "How often a target beyond the limit of series was counted under \"other\".");
    mb_buf_puts(out, "membrane_series_folded_total ");
    put_value(out, folded);
    put_family(out, "membrane_gauges_folded", "gauge", "Gauges of this look that were added up under \"other\".");
    mb_buf_puts(out, "membrane_gauges_folded ");
    put_value(out, folded_gauges);
    return mb_buf_ok(out) ? 0 : MEMBRANE_ENOMEM;
}
