// SPDX-License-Identifier: MIT
#include "route/fair.h"

#include <string.h>

#include "base/alloc.h"

// Lives as long as somebody of it waits.
struct mb_fair_session {
    mb_fair_session *next, *prev; // the ring
    mb_waiter *first, *last;
    char name[];
};

static mb_fair_session *session_of(mb_fair *fair, const char *name) {
    mb_fair_session *s = mb_map_get(&fair->sessions, name);
    if (s) return s;
    s = mb_calloc(1, sizeof *s + strlen(name) + 1);
    if (!s) return NULL;
    strcpy(s->name, name);
    if (!mb_map_put(&fair->sessions, s->name, s)) {
        mb_free(s);
        return NULL;
    }
    mb_fair_session *turn = fair->turn;
    s->next = turn ? turn : s; // the last one of the round
    s->prev = turn ? turn->prev : s;
    s->prev->next = s->next->prev = s;
    if (!turn) fair->turn = s;
    return s;
}

static void forget_session(mb_fair *fair, mb_fair_session *s) {
    if (fair->turn == s) fair->turn = s->next == s ? NULL : s->next;
    s->prev->next = s->next;
    s->next->prev = s->prev;
    mb_map_remove(&fair->sessions, s->name);
    mb_free(s);
}

static void link_last(mb_waiter **first, mb_waiter **last, mb_waiter *w) {
    w->prev = *last;
    w->next = NULL;
    *(*last ? &(*last)->next : first) = w;
    *last = w;
}

static void unlink_waiter(mb_waiter **first, mb_waiter **last, mb_waiter *w) {
    *(w->prev ? &w->prev->next : first) = w->next;
    *(w->next ? &w->next->prev : last) = w->prev;
}

bool mb_fair_add(mb_fair *fair, mb_waiter *w, const char *name, bool in_front) {
    mb_fair_session *s = in_front ? NULL : session_of(fair, name ? name : "");
    if (!s && !in_front) return false;
    w->session = s;
    w->fair = fair;
    if (s)
        link_last(&s->first, &s->last, w);
    else
        link_last(&fair->front, &fair->front_last, w);
    fair->count++;
    return true;
}

mb_waiter *mb_fair_first(const mb_fair *fair) {
    return fair->front ? fair->front : fair->turn ? fair->turn->first : NULL;
}

void mb_fair_remove(mb_waiter *w) {
    mb_fair *fair = w->fair;
    mb_fair_session *s = w->session;
    if (!fair) return;
    const bool was_its_turn = mb_fair_first(fair) == w;
    w->fair = NULL;
    w->session = NULL;
    fair->count--;
    if (!s) {
        unlink_waiter(&fair->front, &fair->front_last, w);
        return;
    }
    unlink_waiter(&s->first, &s->last, w);
    if (!s->first)
        forget_session(fair, s);
    else if (was_its_turn)
        fair->turn = s->next;
}

static void let_go(mb_waiter *first) {
    for (mb_waiter *w = first; w; w = w->next) {
        w->fair = NULL;
        w->session = NULL;
    }
}

void mb_fair_free(mb_fair *fair) {
    let_go(fair->front);
    fair->front = fair->front_last = NULL;
    while (fair->turn) {
        let_go(fair->turn->first);
        forget_session(fair, fair->turn);
    }
    mb_map_free(&fair->sessions);
    fair->count = 0;
}
