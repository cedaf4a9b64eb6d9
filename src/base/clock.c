// SPDX-License-Identifier: MIT
// Two clocks, read through the vDSO: about 20 ns a call.
#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t); // cannot fail for these two clocks
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t mb_now_us(void) { return read_us(CLOCK_MONOTONIC); }

int64_t mb_now_ms(void) { return read_us(CLOCK_MONOTONIC) / 1000; }

int64_t mb_wall_ms(void) { return read_us(CLOCK_REALTIME) / 1000; }

struct timespec mb_after_ms(int64_t ms) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}
