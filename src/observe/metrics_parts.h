// SPDX-License-Identifier: MIT
// What counting and writing share: the numbers themselves.
#ifndef MB_OBSERVE_METRICS_PARTS_H
#define MB_OBSERVE_METRICS_PARTS_H

#include <pthread.h>

#include "base/limits.h"
#include "base/map.h"
#include "observe/metrics.h"

#define MB_METRIC_BUCKETS 16 // bounds of the longest histogram
#define MB_METRIC_KINDS   64 // kinds of error, by minus their code; 0 is for codes that are none
#define MB_METRIC_CALLS   6  // operations of calls, the first ones of mb_ask_kind, and one for all others

// Bounds are whole numbers in the unit that is counted (milliseconds, tokens), so that nothing is ever rounded.
typedef struct mb_histogram_shape {
    size_t count;
    int64_t bounds[MB_METRIC_BUCKETS];
} mb_histogram_shape;

typedef struct mb_histogram {
    uint64_t counts[MB_METRIC_BUCKETS + 1]; // not cumulative; what is above the last bound stands behind it
    uint64_t sum;
} mb_histogram;

extern const mb_histogram_shape mb_duration_shape, mb_first_token_shape, mb_tokens_shape;

typedef struct mb_metric_counts {
    uint64_t ok, failed, cancelled;
    uint64_t attempts[MB_TRIES];
    uint64_t hedges_won, hedges_lost;
    uint64_t input, cached, output, reasoning;
    uint64_t cost_usd_micros, cost_unknown;
    uint64_t errors[MB_METRIC_KINDS]; // of attempts
} mb_metric_counts;

struct mb_metric_series {
    mb_metrics *owner;
    char *labels; // as they stand between braces; never changed
    // under the owner's lock
    bool is_listed;
    mb_metric_counts counts;
    mb_histogram took, first_token, input, output;
    mb_histogram *failed[MB_METRIC_KINDS]; // how long failed calls took; made when there is one
};

// Series are added and never taken away.
struct mb_metrics {
    pthread_mutex_t lock;
    mb_map by_target;
    mb_metric_series *series[MB_LIMIT_SERIES + MB_METRIC_CALLS]; // in the order of their first use
    size_t count;
    mb_metric_series others[MB_METRIC_CALLS]; // beyond the limit; among series once they are used
    uint64_t folded;                          // how often one of them was given
    void (*collect)(void *user, mb_metrics_writer *writer);
    void *user;
};

// Appends name="value", escaped, cut to MB_LIMIT_NAME bytes, behind a comma if something stands there.
void mb_metric_put_label(mb_buf *out, const char *name, const char *value);

#endif
