// SPDX-License-Identifier: MIT
// How long a target takes until its first token: an average that rises at once and falls slowly (peak-EWMA, as in
// Finagle), and the shape of it, for percentiles. Pure: the time is handed in. All zeros: nothing was seen.
#ifndef MB_ROUTE_PACE_H
#define MB_ROUTE_PACE_H

#include <stdint.h>

enum { MB_PACE_BUCKETS = 64, MB_PACE_ENOUGH = 20, MB_PACE_FORGET_MS = 10000 };

typedef struct mb_pace {
    double average_ms; // at the time at_ms
    int64_t at_ms;
    uint32_t count; // of what the buckets hold
    uint16_t buckets[MB_PACE_BUCKETS];
} mb_pace;

void mb_pace_note(mb_pace *pace, int64_t ms, int64_t now_ms);
// The average as it is now: what is long ago weighs less and less. -1: nothing was seen.
double mb_pace_at(const mb_pace *pace, int64_t now_ms);
// So many of a hundred came within this time (an upper bound, at most a quarter too high); -1 before MB_PACE_ENOUGH.
int64_t mb_pace_percentile(const mb_pace *pace, int percent);

#endif
