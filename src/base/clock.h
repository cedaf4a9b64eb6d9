// SPDX-License-Identifier: MIT
// The time: a clock that only goes forward, for deadlines and latencies, and the wall clock, for what people and
// budgets see. Rules and adapters never call these; they are handed the time.
#ifndef MB_BASE_CLOCK_H
#define MB_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t mb_now_us(void);                 // monotonic microseconds
int64_t mb_now_ms(void);                 // the same in milliseconds
struct timespec mb_after_ms(int64_t ms); // so long from now, on the monotonic clock: for pthread_cond_timedwait
int64_t mb_wall_ms(void);                // milliseconds since 1970, UTC; may jump

#endif
