// SPDX-License-Identifier: MIT
#include "route/board.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"

typedef struct sticky sticky;
struct sticky {
    sticky *older, *newer;
    mb_stick stick;
    int64_t until_ms;
    char session[];
};

struct mb_board {
    mb_map endpoints;                        // by name and id
    mb_target_facts *idle_first, *idle_last; // the one that was idle the longest comes first
    size_t idle_count;
    size_t calls, retries;
    uint64_t numbers; // of targets
    mb_gate *busy;    // gates at which somebody waits
    size_t waiting;
    mb_map sessions;
    sticky *oldest, *newest;
};

mb_board *mb_board_new(void) { return mb_calloc(1, sizeof(mb_board)); }

// ---- endpoints and targets -----------------------------------------------------------------------------------------

static void free_target(mb_target_facts *t) {
    mb_gate_free(&t->gate);
    mb_free(t->key_free_at_ms);
    mb_free(t);
}

static void free_endpoint(mb_endpoint *e) {
    size_t at = 0;
    for (mb_target_facts *t; (t = mb_endpoint_each(e, &at));) free_target(t);
    for (int i = 0; i < e->key_count; i++) mb_gate_free(&e->keys[i].gate);
    mb_gate_free(&e->gate);
    mb_map_free(&e->targets);
    mb_free(e->keys);
    mb_free((char *)e->name);
    mb_free(e);
}

void mb_board_free(mb_board *b) {
    size_t at = 0;
    if (!b) return;
    for (mb_endpoint *e; (e = mb_board_each_endpoint(b, &at));) free_endpoint(e);
    for (sticky *s = b->oldest, *next; s; s = next) {
        next = s->newer;
        mb_free(s);
    }
    mb_map_free(&b->endpoints);
    mb_map_free(&b->sessions);
    mb_free(b);
}

mb_endpoint *mb_board_each_endpoint(const mb_board *b, size_t *at) {
    const char *key;
    void *value;
    return mb_map_each(&b->endpoints, at, &key, &value) ? value : NULL;
}

mb_target_facts *mb_endpoint_each(const mb_endpoint *e, size_t *at) {
    const char *key;
    void *value;
    return mb_map_each(&e->targets, at, &key, &value) ? value : NULL;
}

mb_target_facts *mb_endpoint_target(const mb_endpoint *e, const char *model) { return mb_map_get(&e->targets, model); }

static void set_limits(mb_endpoint *e, const mb_limits *limits) {
    e->gate.limits.parallel = limits->parallel;
    for (int i = 0; i < e->key_count; i++) {
        e->keys[i].gate.limits.rpm = limits->rpm;
        e->keys[i].gate.limits.tpm = limits->tpm;
    }
}

static mb_endpoint *new_endpoint(const char *name, int key_count) {
    mb_endpoint *e = mb_calloc(1, sizeof *e);
    if (!e) return NULL;
    e->name = mb_strdup(name);
    e->keys = mb_calloc((size_t)key_count, sizeof *e->keys);
    if (e->name && e->keys) {
        e->key_count = key_count;
        return e;
    }
    free_endpoint(e);
    return NULL;
}

mb_endpoint *mb_board_endpoint(mb_board *b, const char *provider, const char *id, int key_count,
                               const mb_limits *limits) {
    char text[4096]; // an address that is longer is told apart by its beginning
    snprintf(text, sizeof text, "%s\n%d\n%s", provider, key_count, id ? id : "");
    mb_endpoint *e = mb_map_get(&b->endpoints, text);
    if (!e) {
        e = new_endpoint(provider, key_count);
        if (e && !mb_map_put(&b->endpoints, text, e)) {
            free_endpoint(e);
            e = NULL;
        }
    }
    if (e) set_limits(e, limits);
    return e;
}

static void leave_idle(mb_board *b, mb_target_facts *t) {
    *(t->idle_prev ? &t->idle_prev->idle_next : &b->idle_first) = t->idle_next;
    *(t->idle_next ? &t->idle_next->idle_prev : &b->idle_last) = t->idle_prev;
    t->idle_next = t->idle_prev = NULL;
    b->idle_count--;
}

static void join_idle(mb_board *b, mb_target_facts *t) {
    t->idle_prev = b->idle_last;
    *(b->idle_last ? &b->idle_last->idle_next : &b->idle_first) = t;
    b->idle_last = t;
    if (++b->idle_count <= MB_BOARD_IDLE_TARGETS) return;
    mb_target_facts *oldest = b->idle_first;
    leave_idle(b, oldest);
    mb_map_remove(&oldest->endpoint->targets, oldest->model);
    free_target(oldest);
}

static mb_target_facts *new_target(mb_endpoint *e, const char *model) {
    size_t len = strlen(model);
    mb_target_facts *t = mb_calloc(1, sizeof *t + len + 1);
    if (!t) return NULL;
    memcpy(t->model_text, model, len);
    t->model = t->model_text;
    t->endpoint = e;
    t->key_free_at_ms = mb_calloc((size_t)e->key_count, sizeof *t->key_free_at_ms);
    if (t->key_free_at_ms && mb_map_put(&e->targets, t->model, t)) return t;
    free_target(t);
    return NULL;
}

mb_target_facts *mb_board_take(mb_board *b, mb_endpoint *e, const char *model, const mb_limits *limits,
                               bool is_pinned) {
    mb_target_facts *t = mb_map_get(&e->targets, model);
    if (!t)
        t = new_target(e, model);
    else if (!t->refs && !t->is_pinned)
        leave_idle(b, t);
    if (!t) return NULL;
    if (!t->number) t->number = ++b->numbers;
    t->refs++;
    t->is_pinned |= is_pinned;
    t->gate.limits = *limits;
    return t;
}

void mb_board_give(mb_board *b, mb_target_facts *t) {
    if (t && --t->refs == 0 && !t->is_pinned) join_idle(b, t);
}

// ---- calls and retries ---------------------------------------------------------------------------------------------

void mb_board_call_begins(mb_board *b) { b->calls++; }
void mb_board_call_ends(mb_board *b) { b->calls--; }
void mb_board_take_retry(mb_board *b) { b->retries++; }
void mb_board_give_retry(mb_board *b) { b->retries--; }
size_t mb_board_calls(const mb_board *b) { return b->calls; }
size_t mb_board_retries(const mb_board *b) { return b->retries; }

bool mb_board_may_retry(const mb_board *b) {
    size_t part = b->calls / MB_BOARD_RETRY_PART;
    return b->retries < (part > MB_BOARD_RETRIES_MIN ? part : MB_BOARD_RETRIES_MIN);
}

// ---- attempts ------------------------------------------------------------------------------------------------------

double mb_facts_tokens(const mb_target_facts *t, int64_t now_ms) {
    return t->tokens * exp(-(double)(now_ms - t->tokens_ms) / 60000.0);
}

void mb_board_enter(mb_board *b, mb_target_facts *t, int key, int64_t tokens, int64_t now_ms, mb_ticket *ret) {
    (void)b;
    mb_endpoint *e = t->endpoint;
    *ret = (mb_ticket){t, key, tokens, now_ms, mb_breaker_begin(&t->breaker, now_ms)};
    mb_gate_enter(&t->gate, tokens, now_ms);
    mb_gate_enter(&e->gate, 0, now_ms);
    mb_gate_enter(&e->keys[key].gate, tokens, now_ms);
    e->next_key = key + 1 < e->key_count ? (unsigned)key + 1 : 0;
    t->refs++;
}

static mb_outcome outcome_of(const mb_attempt_end *end) {
    if (end->code == 0) return MB_OUTCOME_GOOD;
    if (end->code == MEMBRANE_ECANCELLED || end->code == MEMBRANE_EBUDGET || end->is_loading) return MB_OUTCOME_NOTHING;
    if (mb_status_trips_breaker(end->code)) return MB_OUTCOME_BAD;
    return end->code <= MEMBRANE_EAUTH ? MB_OUTCOME_ALIVE : MB_OUTCOME_NOTHING; // the others are ours
}

// A key that is refused is left alone for a while, whatever the model; one that has asked too much of this model, as
// long as the provider says: providers count most limits by model. An answer to what began before ends neither.
static void note_key(mb_target_facts *t, const mb_ticket *ticket, const mb_attempt_end *end, int64_t now_ms) {
    mb_key_facts *k = &t->endpoint->keys[ticket->key];
    int64_t *free_at = &t->key_free_at_ms[ticket->key];
    int64_t wait = end->retry_after_ms < MB_TIME_RETRY_AFTER_MAX ? end->retry_after_ms : MB_TIME_RETRY_AFTER_MAX;
    if (end->code == MEMBRANE_ECANCELLED) return;
    k->last_code = end->code;
    k->last_ms = now_ms;
    if (end->code == MEMBRANE_EAUTH || end->code == MEMBRANE_EFUNDS) {
        k->free_at_ms = now_ms + MB_BOARD_FAULT_MS;
        k->code = end->code;
    } else if (end->code == MEMBRANE_ERATE && wait > 0 && *free_at < now_ms + wait) {
        *free_at = now_ms + wait;
    } else if (end->code == 0 && ticket->start_ms > k->free_at_ms - MB_BOARD_FAULT_MS) {
        k->free_at_ms = 0;
    }
}

void mb_board_leave(mb_board *b, mb_ticket *ticket, const mb_attempt_end *end, int64_t now_ms) {
    mb_target_facts *t = ticket->facts;
    if (!t) return;
    ticket->facts = NULL;
    mb_endpoint *e = t->endpoint;
    mb_key_facts *key = &e->keys[ticket->key];
    mb_gate_leave(&t->gate);
    mb_gate_leave(&e->gate);
    mb_gate_leave(&key->gate);
    mb_gate_settle(&t->gate, ticket->tokens, end->tokens, ticket->start_ms, now_ms);
    mb_gate_settle(&key->gate, ticket->tokens, end->tokens, ticket->start_ms, now_ms);
    mb_breaker_end(&t->breaker, now_ms, outcome_of(end), ticket->role);
    note_key(t, ticket, end, now_ms);
    if (end->code == 0) {
        e->health = MB_HEALTH_UP;
        e->health_ms = now_ms;
        if (end->first_ms >= 0 && end->stream) mb_pace_note(&t->first, end->first_ms, now_ms);
        if (!end->stream) mb_pace_note(&t->whole, now_ms - ticket->start_ms, now_ms);
    }
    if (end->tokens > 0) {
        t->tokens = mb_facts_tokens(t, now_ms) + (double)end->tokens;
        t->tokens_ms = now_ms;
    }
    if (end->code != MEMBRANE_ECANCELLED) {
        t->last_code = end->code;
        t->last_ms = now_ms;
    }
    mb_board_give(b, t);
}

// ---- who waits -----------------------------------------------------------------------------------------------------

static void join_busy(mb_board *b, mb_gate *g) {
    if (g->is_busy) return;
    g->is_busy = true;
    g->busy_prev = NULL;
    g->busy_next = b->busy;
    if (b->busy) b->busy->busy_prev = g;
    b->busy = g;
}

static void leave_busy(mb_board *b, mb_gate *g) {
    if (!g->is_busy) return;
    g->is_busy = false;
    *(g->busy_prev ? &g->busy_prev->busy_next : &b->busy) = g->busy_next;
    if (g->busy_next) g->busy_next->busy_prev = g->busy_prev;
}

bool mb_board_wait(mb_board *b, mb_gate *gate, mb_waiter *waiter, const char *session, bool in_front) {
    if (!mb_fair_add(&gate->waiting, waiter, session, in_front)) return false;
    join_busy(b, gate);
    b->waiting++;
    return true;
}

void mb_board_wait_ends(mb_board *b, mb_waiter *waiter) {
    if (!waiter->fair) return;
    mb_gate *gate = (mb_gate *)((char *)waiter->fair - offsetof(mb_gate, waiting));
    mb_fair_remove(waiter);
    b->waiting--;
    if (gate->waiting.count == 0) leave_busy(b, gate);
}

mb_waiter *mb_board_next(mb_board *b, int64_t now_ms, mb_gate **ret_gate, int64_t *ret_next_ms) {
    int64_t next = MB_GATE_NEVER;
    for (mb_gate *g = b->busy; g; g = g->busy_next) {
        mb_waiter *waiter = mb_fair_first(&g->waiting);
        int64_t at = mb_gate_opens_at(g, waiter->cost, now_ms);
        if (at <= now_ms) {
            *ret_gate = g;
            return waiter;
        }
        if (at < next) next = at;
    }
    *ret_next_ms = next;
    return NULL;
}

size_t mb_board_waiting(const mb_board *b) { return b->waiting; }

// ---- sessions ------------------------------------------------------------------------------------------------------

static void unlink_sticky(mb_board *b, sticky *s) {
    *(s->older ? &s->older->newer : &b->oldest) = s->newer;
    *(s->newer ? &s->newer->older : &b->newest) = s->older;
}

static void link_newest(mb_board *b, sticky *s) {
    s->newer = NULL;
    s->older = b->newest;
    *(b->newest ? &b->newest->newer : &b->oldest) = s;
    b->newest = s;
}

bool mb_board_stuck(mb_board *b, const char *session, int64_t now_ms, mb_stick *ret) {
    const sticky *s = mb_map_get(&b->sessions, session);
    if (!s || now_ms >= s->until_ms) return false;
    *ret = s->stick;
    return true;
}

void mb_board_stick(mb_board *b, const char *session, mb_stick stick, int64_t until_ms) {
    sticky *s = mb_map_get(&b->sessions, session);
    if (s) {
        unlink_sticky(b, s);
    } else {
        s = mb_calloc(1, sizeof *s + strlen(session) + 1);
        if (!s) return; // the session is not kept: no harm beyond a colder cache
        strcpy(s->session, session);
        if (!mb_map_put(&b->sessions, s->session, s)) {
            mb_free(s);
            return;
        }
    }
    s->stick = stick;
    s->until_ms = until_ms;
    link_newest(b, s);
    if (mb_map_count(&b->sessions) <= MB_BOARD_SESSIONS) return;
    sticky *oldest = b->oldest;
    unlink_sticky(b, oldest);
    mb_map_remove(&b->sessions, oldest->session);
    mb_free(oldest);
}

// ---- news ----------------------------------------------------------------------------------------------------------

static bool found_nobody(const mb_target_facts *t) {
    return t->last_code == MEMBRANE_ECONNECT || t->last_code == MEMBRANE_EDNS;
}

// Who was seen to be away has been started anew: what its targets did before says little. Who was never asked may have
// been away when calls found nobody there.
void mb_board_note_health(mb_endpoint *e, mb_health health, int64_t now_ms) {
    const bool was_away = e->health == MB_HEALTH_DOWN || e->health == MB_HEALTH_LOADING;
    const bool was_unknown = e->health == MB_HEALTH_UNKNOWN;
    size_t at = 0;
    e->health = health;
    e->health_ms = now_ms;
    for (mb_target_facts *t; health == MB_HEALTH_UP && (t = mb_endpoint_each(e, &at));)
        if (was_away || (was_unknown && found_nobody(t))) mb_breaker_half_open(&t->breaker, now_ms);
}

void mb_board_forget_news(mb_endpoint *e) {
    size_t at = 0;
    e->health = MB_HEALTH_UNKNOWN;
    e->health_ms = 0;
    e->busy_elsewhere = 0;
    for (mb_target_facts *t; (t = mb_endpoint_each(e, &at));) t->model_state = MB_MODEL_UNKNOWN;
}

static void forget_keys_of(mb_endpoint *e) {
    size_t at = 0;
    for (int i = 0; i < e->key_count; i++) e->keys[i].free_at_ms = 0;
    for (mb_target_facts *t; (t = mb_endpoint_each(e, &at));)
        memset(t->key_free_at_ms, 0, (size_t)e->key_count * sizeof *t->key_free_at_ms);
}

void mb_board_forget_keys(mb_board *b) {
    size_t at = 0;
    for (mb_endpoint *e; (e = mb_board_each_endpoint(b, &at));) forget_keys_of(e);
}
