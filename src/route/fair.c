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

bool mb_fair_add(mb_fair *fair, mb_waiter *w, const char *name, bool in_front) {
    mb_fair_session *s = session_of(fair, name ? name : "");
    if (!s) return false;
    w->session = s;
    w->fair = fair;
    w->prev = in_front ? NULL : s->last;
    w->next = in_front ? s->first : NULL;
    *(w->prev ? &w->prev->next : &s->first) = w;
    *(w->next ? &w->next->prev : &s->last) = w;
    if (in_front) fair->turn = s;
    fair->count++;
    return true;
}

mb_waiter *mb_fair_first(const mb_fair *fair) { return fair->turn ? fair->turn->first : NULL; }

void mb_fair_remove(mb_waiter *waiter) {
    mb_fair *fair = waiter->fair;
    mb_fair_session *s = waiter->session;
    if (!fair) return;
    bool was_its_turn = mb_fair_first(fair) == waiter;
    *(waiter->prev ? &waiter->prev->next : &s->first) = waiter->next;
    *(waiter->next ? &waiter->next->prev : &s->last) = waiter->prev;
    fair->count--;
    waiter->fair = NULL;
    waiter->session = NULL;
    if (!s->first)
        forget_session(fair, s);
    else if (was_its_turn)
        fair->turn = s->next;
}

void mb_fair_free(mb_fair *fair) {
    while (fair->turn) {
        mb_fair_session *s = fair->turn;
        for (mb_waiter *w = s->first; w; w = w->next) {
            w->fair = NULL;
            w->session = NULL;
        }
        forget_session(fair, s);
    }
    mb_map_free(&fair->sessions);
    fair->count = 0;
}
