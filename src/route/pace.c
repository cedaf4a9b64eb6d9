// SPDX-License-Identifier: MIT
// A bucket is a quarter of a power of two wide: 4 of them from 4 to 8 ms, from 8 to 16, … up to two minutes.
#include "route/pace.h"

#include <math.h>

enum { FULL = 1000 }; // then everything is halved, so that the shape follows the target

static int bucket_of(int64_t ms) {
    if (ms < 4) return ms < 0 ? 0 : (int)ms;
    int exponent = 63 - __builtin_clzll((unsigned long long)ms);
    int bucket = (exponent - 1) * 4 + (int)(ms >> (exponent - 2) & 3);
    return bucket < MB_PACE_BUCKETS ? bucket : MB_PACE_BUCKETS - 1;
}

static int64_t bucket_end(int bucket) {
    if (bucket < 4) return bucket;
    int exponent = bucket / 4 + 1;
    return ((INT64_C(4) + bucket % 4 + 1) << (exponent - 2)) - 1;
}

double mb_pace_at(const mb_pace *p, int64_t now_ms) {
    if (!p->count) return -1;
    return now_ms <= p->at_ms ? p->average_ms : p->average_ms * exp(-(double)(now_ms - p->at_ms) / MB_PACE_FORGET_MS);
}

void mb_pace_note(mb_pace *p, int64_t ms, int64_t now_ms) {
    double value = ms < 0 ? 0 : (double)ms;
    if (!p->count || value >= p->average_ms) {
        p->average_ms = value;
    } else {
        double keep = now_ms <= p->at_ms ? 1 : exp(-(double)(now_ms - p->at_ms) / MB_PACE_FORGET_MS);
        p->average_ms = p->average_ms * keep + value * (1 - keep);
    }
    p->at_ms = now_ms;
    p->buckets[bucket_of(ms)]++;
    if (++p->count < FULL) return;
    p->count = 0;
    for (int i = 0; i < MB_PACE_BUCKETS; i++) p->count += p->buckets[i] /= 2;
}

int64_t mb_pace_percentile(const mb_pace *p, int percent) {
    if (p->count < MB_PACE_ENOUGH) return -1;
    uint64_t seen = 0, wanted = (uint64_t)p->count * (unsigned)percent;
    for (int i = 0; i < MB_PACE_BUCKETS; i++) {
        seen += p->buckets[i];
        if (seen * 100 >= wanted) return bucket_end(i);
    }
    return bucket_end(MB_PACE_BUCKETS - 1);
}
