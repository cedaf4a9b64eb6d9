// SPDX-License-Identifier: MIT
// What has been learnt of providers, keys and targets over all calls of one handle: the facts that the router decides
// by. Who begins an attempt takes a ticket and gives it back with what came of it.
//
//     board ─┬─ endpoint (a provider at its address): parallel, health, keys (cooling, rpm, tpm)
//            └─ target (an endpoint's model): breaker, limits, pace, use ──▶ its endpoint
//
// Pure but for memory: the time is handed in. It has no lock of its own; one thread at a time.
#ifndef MB_ROUTE_BOARD_H
#define MB_ROUTE_BOARD_H

#include "route/breaker.h"
#include "route/gate.h"
#include "route/pace.h"

enum {
    MB_BOARD_SESSIONS = 10000,    // that stick to a target; the one that was quiet the longest is forgotten
    MB_BOARD_IDLE_TARGETS = 1024, // that no configuration names: their names come from requests
    MB_BOARD_FAULT_MS = 30000,    // how long a key that was refused (401, 402) is left alone
    MB_BOARD_RETRIES_MIN = 3,     // of the retry budget: so many always, else a part of the calls in flight
    MB_BOARD_RETRY_PART = 5,
};

typedef enum { MB_HEALTH_UNKNOWN, MB_HEALTH_UP, MB_HEALTH_LOADING, MB_HEALTH_DOWN } mb_health;
typedef enum { MB_MODEL_UNKNOWN, MB_MODEL_ABSENT, MB_MODEL_THERE, MB_MODEL_LOADED } mb_model_state;

typedef struct mb_key_facts {
    mb_gate gate;       // rpm and tpm
    int64_t free_at_ms; // it was refused, and is left alone until then; 0: it was not
    int code;           // how: MEMBRANE_EAUTH, MEMBRANE_EFUNDS
    int last_code;      // of its last attempt
    int64_t last_ms;    // when that was, 0: never
} mb_key_facts;

typedef struct mb_endpoint {
    const char *name; // the provider's
    mb_gate gate;     // parallel
    mb_key_facts *keys;
    int key_count;
    unsigned next_key; // whose turn it is among those that are free
    mb_health health;  // as the last probe found it
    int64_t health_ms;
    int busy_elsewhere; // slots that others than we keep busy, as the last probe saw it
    mb_map targets;     // by model
} mb_endpoint;

typedef struct mb_target_facts mb_target_facts;
struct mb_target_facts {
    mb_endpoint *endpoint;
    const char *model;
    uint64_t number; // never given twice on one board
    mb_breaker breaker;
    mb_gate gate;
    mb_pace first, whole; // of streams until the first token; of other calls until the answer
    double tokens;        // of the last minute, decaying; at tokens_ms
    int64_t tokens_ms;
    mb_model_state model_state;
    int64_t window;  // tokens, as the server says; 0: it has not
    int64_t last_ms; // of the last attempt's end
    int last_code;
    unsigned refs;                          // calls
    bool is_pinned;                         // named by a configuration: never forgotten
    void *series;                           // the runtime's, for its metrics
    int64_t *key_free_at_ms;                // when a key that asked too much of this model is free again, one a key
    mb_target_facts *idle_next, *idle_prev; // of those that may be forgotten
    char model_text[];
};

typedef struct mb_board mb_board;

mb_board *mb_board_new(void); // NULL: out of memory
void mb_board_free(mb_board *board);

// A provider at its address (id: what tells providers of the same name apart). Made at the first question; lives as
// long as the board. key_count: at least 1. NULL: out of memory.
mb_endpoint *mb_board_endpoint(mb_board *board, const char *provider, const char *id, int key_count,
                               const mb_limits *limits);
mb_endpoint *mb_board_each_endpoint(const mb_board *board, size_t *at); // *at starts as 0; NULL at the end
// The facts of one model there, to be given back. is_pinned: a configuration names it, its facts are never forgotten.
mb_target_facts *mb_board_take(mb_board *board, mb_endpoint *endpoint, const char *model, const mb_limits *limits,
                               bool is_pinned);
void mb_board_give(mb_board *board, mb_target_facts *facts); // takes NULL
mb_target_facts *mb_endpoint_each(const mb_endpoint *endpoint, size_t *at);
mb_target_facts *mb_endpoint_target(const mb_endpoint *endpoint, const char *model); // NULL: never asked for

// ---- calls and retries: at most a fifth of the calls in flight may be on a retry
void mb_board_call_begins(mb_board *board);
void mb_board_call_ends(mb_board *board);
bool mb_board_may_retry(const mb_board *board);
void mb_board_take_retry(mb_board *board);
void mb_board_give_retry(mb_board *board);
size_t mb_board_calls(const mb_board *board);
size_t mb_board_retries(const mb_board *board);

// ---- attempts
typedef struct mb_ticket {
    mb_target_facts *facts; // NULL: none is taken
    int key;
    int64_t tokens, start_ms;
    mb_breaker_role role; // to the breaker
} mb_ticket;

typedef struct mb_attempt_end {
    int code;               // 0 or MEMBRANE_E…
    int64_t retry_after_ms; // -1: not said
    int64_t tokens;         // that it used, -1: not known
    int64_t first_ms;       // until the first token, -1: there was none
    bool stream;
    bool is_loading; // an engine that loads its model has not failed
} mb_attempt_end;

void mb_board_enter(mb_board *board, mb_target_facts *facts, int key, int64_t tokens, int64_t now_ms,
                    mb_ticket *ret_ticket);
void mb_board_leave(mb_board *board, mb_ticket *ticket, const mb_attempt_end *end, int64_t now_ms);

// ---- who waits for a limit of ours
// in_front: it had its turn elsewhere already. False: out of memory.
bool mb_board_wait(mb_board *board, mb_gate *gate, mb_waiter *waiter, const char *session, bool in_front);
void mb_board_wait_ends(mb_board *board, mb_waiter *waiter); // harmless if it waits nowhere
// Somebody who may go in now; NULL: nobody, *ret_next_ms is when to ask again (MB_GATE_NEVER: when somebody leaves).
mb_waiter *mb_board_next(mb_board *board, int64_t now_ms, mb_gate **ret_gate, int64_t *ret_next_ms);
size_t mb_board_waiting(const mb_board *board);

// ---- sessions that stay where they are
typedef struct mb_stick {
    uint64_t target; // its number
    int key;
} mb_stick;
bool mb_board_stuck(mb_board *board, const char *session, int64_t now_ms, mb_stick *ret);
void mb_board_stick(mb_board *board, const char *session, mb_stick stick, int64_t until_ms);

// ---- news from outside
// UP after it was away: breakers that its absence has opened let a probe in at once.
void mb_board_note_health(mb_endpoint *endpoint, mb_health health, int64_t now_ms);
void mb_board_forget_news(mb_endpoint *endpoint); // nobody asks any more: neither its health nor its models are known
void mb_board_forget_keys(mb_board *board);       // they may have been changed: none cools any more

double mb_facts_tokens(const mb_target_facts *facts, int64_t now_ms); // of the last minute

#endif
