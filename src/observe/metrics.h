// SPDX-License-Identifier: MIT
// Numbers about calls: counters and histograms that the call path adds to, gauges that are asked for when somebody
// looks, and the Prometheus text of all of them (prometheus.c). Any thread may add and any thread may look.
//
// A series is what one (operation, provider, model) came to. It is looked up once and may be kept with the target: it
// lives as long as the metrics, over any reload. An addition is a lock and a few adds, no memory, no time of day:
//     call->series = mb_metrics_series(m->metrics, &(mb_metric_target){call->kind, p->name, p->quirks->kind, model});
//     mb_metrics_attempt(call->series, code, MB_TRY_FIRST);
//     mb_metrics_call(call->series, &row);
//
// Names of models come from requests, so there are MB_LIMIT_SERIES series at most; what comes later shares the
// series "other" of its operation, and how often that happened is a counter too.
#ifndef MB_OBSERVE_METRICS_H
#define MB_OBSERVE_METRICS_H

#include "base/buf.h"
#include "route/adapter.h"

typedef struct mb_metrics mb_metrics;
typedef struct mb_metric_series mb_metric_series;
typedef struct mb_metrics_writer mb_metrics_writer; // of one look

typedef struct mb_metric_target {
    mb_ask_kind operation;
    const char *provider; // its configured name; NULL: the call found no target
    const char *engine;   // its kind: "openai", "vllm", …; NULL like provider
    const char *model;    // NULL like provider
} mb_metric_target;

// A call that is over. Numbers are -1 where nobody knows.
typedef struct mb_metrics_call_row {
    int code; // 0: answered; MEMBRANE_ECANCELLED; else what it failed with
    int64_t duration_ms;
    int64_t first_token_ms; // from the start of the call
    int64_t input, cached, output, reasoning;
    int64_t cost_usd_micros; // 0, not -1, where nothing was sent
    bool cost_unknown;       // of an attempt beside the one that answered
} mb_metrics_call_row;

// Why an attempt was made.
typedef enum {
    MB_TRY_FIRST,    // the call's first one
    MB_TRY_RETRY,    // the same target and key once more
    MB_TRY_KEY,      // the same target with its next key
    MB_TRY_FALLBACK, // another target
    MB_TRY_HEDGE,    // another target beside one that is silent
    MB_TRIES
} mb_metric_try;

// What is asked for when somebody looks, with the labels of each.
typedef enum {
    MB_GAUGE_IN_FLIGHT,       // provider, model
    MB_GAUGE_QUEUE_DEPTH,     // provider, model; the model is NULL where they wait for the provider
    MB_GAUGE_BREAKER,         // provider, model; 0 closed, 1 half-open, 2 open
    MB_GAUGE_KEYS,            // provider
    MB_GAUGE_KEYS_COOLING,    // provider
    MB_GAUGE_BUDGET_LIMIT,    // scope, match, period, owner; micro-dollars
    MB_GAUGE_BUDGET_SETTLED,  // likewise
    MB_GAUGE_BUDGET_UNKNOWN,  // likewise
    MB_GAUGE_BUDGET_RESERVED, // likewise
    MB_GAUGES
} mb_metric_gauge;

mb_metrics *mb_metrics_new(void);             // NULL: out of memory
void mb_metrics_abandon(mb_metrics *metrics); // in a forked child: takes no lock
void mb_metrics_free(mb_metrics *metrics);    // takes NULL

// The series of a target; never NULL: without memory, and beyond the limit, it is that of "other".
mb_metric_series *mb_metrics_series(mb_metrics *metrics, const mb_metric_target *target);
void mb_metrics_call(mb_metric_series *series, const mb_metrics_call_row *row);
// An attempt that has ended. code: 0, or what it failed with.
void mb_metrics_attempt(mb_metric_series *series, int code, mb_metric_try why);
// A second request beside a silent first one has come to its end: its answer was taken, or it came too late.
void mb_metrics_hedge(mb_metric_series *series, bool won);

// collect is called for each look, on the thread that looks, without a lock held. Set before anybody looks; NULL: none.
void mb_metrics_collect(mb_metrics *metrics, void (*collect)(void *user, mb_metrics_writer *writer), void *user);
// From within collect: one gauge. labels: as many texts as the gauge has labels; a NULL one is left out. What has the
// same labels replaces the value; beyond MB_LIMIT_SERIES values are added up under "other".
void mb_metrics_gauge(mb_metrics_writer *writer, mb_metric_gauge gauge, const char *const *labels, int64_t value);

// Appends everything as Prometheus text, format 0.0.4. 0 or MEMBRANE_ENOMEM.
int mb_metrics_text(mb_metrics *metrics, mb_buf *out);

#endif
