// SPDX-License-Identifier: MIT
// Timers as an intrusive pairing heap: setting and clearing allocates nothing and cannot fail. One thread.
#ifndef MB_NET_TIMER_H
#define MB_NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mb_timer mb_timer;
struct mb_timer {
    int64_t due_ms;
    void (*fire)(mb_timer *timer); // it is no longer set when this is called
    mb_timer *child, *next, *prev; // prev: the left sibling, or the parent of a first child
    bool is_set;
};

typedef struct mb_timers {
    mb_timer *root;
} mb_timers;

void mb_timers_set(mb_timers *timers, mb_timer *timer, int64_t due_ms); // moves it if it is set already
void mb_timers_clear(mb_timers *timers, mb_timer *timer);               // harmless if it is not set
int64_t mb_timers_next(const mb_timers *timers);                        // due time of the first, -1 without any
void mb_timers_run(mb_timers *timers, int64_t now_ms);                  // fires all that are due

#endif
