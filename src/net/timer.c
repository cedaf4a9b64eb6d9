// SPDX-License-Identifier: MIT
#include "net/timer.h"

#include <stddef.h>

static mb_timer *meld(mb_timer *a, mb_timer *b) {
    if (!a) return b;
    if (!b) return a;
    if (b->due_ms < a->due_ms) {
        mb_timer *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (a->child) a->child->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

// The usual two passes: pairs from left to right, then all of them from right to left.
static mb_timer *meld_children(mb_timer *first) {
    mb_timer *pairs = NULL, *root = NULL;
    while (first) {
        mb_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b) b->next = b->prev = NULL;
        mb_timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        mb_timer *pair = pairs;
        pairs = pair->next;
        pair->next = pair->prev = NULL;
        root = meld(root, pair);
    }
    return root;
}

void mb_timers_clear(mb_timers *timers, mb_timer *timer) {
    if (!timer->is_set) return;
    mb_timer *rest = meld_children(timer->child);
    if (timers->root == timer) {
        timers->root = rest;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next) timer->next->prev = timer->prev;
        timers->root = meld(timers->root, rest);
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->is_set = false;
}

void mb_timers_set(mb_timers *timers, mb_timer *timer, int64_t due_ms) {
    mb_timers_clear(timers, timer);
    timer->due_ms = due_ms;
    timer->is_set = true;
    timers->root = meld(timers->root, timer);
}

int64_t mb_timers_next(const mb_timers *timers) { return timers->root ? timers->root->due_ms : -1; }

void mb_timers_run(mb_timers *timers, int64_t now_ms) {
    while (timers->root && timers->root->due_ms <= now_ms) {
        mb_timer *timer = timers->root;
        mb_timers_clear(timers, timer);
        timer->fire(timer);
    }
}
