// SPDX-License-Identifier: MIT
// Budgets: what may be spent, for whom, in which time, in integer micro-dollars. An amount of money is reserved before
// it is spent, as an upper bound, and settled afterwards. A process takes a slice of what is left into its hand:
//
//     granted ── hold ──▶ held ──┬─ settle ──▶ settled (what it cost; the rest of the hold is free again)
//        ▲                       ├─ release ─▶ free again: nothing was spent
//        └── more, or given back └─ forfeit ─▶ unknown: nobody knows what it cost, so all of it counts
//
// free = granted - held - settled - unknown, never negative. Pure: the time is handed in.
#ifndef MB_ROUTE_BUDGET_H
#define MB_ROUTE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "route/prices.h"

typedef enum { MB_BUDGET_KEY, MB_BUDGET_MODEL, MB_BUDGET_SESSION, MB_BUDGET_ALL } mb_budget_scope;
typedef enum { MB_BUDGET_DAY, MB_BUDGET_MONTH, MB_BUDGET_TOTAL } mb_budget_period;

enum {
    MB_BUDGET_ALERTS_MAX = 8,
    MB_BUDGET_WHOLE = 1000000,     // alerts are in millionths of the amount
    MB_BUDGET_SLICE_MAX = 1000000, // the most that a process takes beyond its need: a dollar
    MB_BUDGET_SHARE = 16,          // and this part of what is left
};
#define MB_BUDGET_USD_MICROS_MAX INT64_C(1000000000000000) // a thousand million dollars: sums stay far from the end

// Two rules of the same scope, match and period are one budget; the smaller amount holds.
typedef struct mb_budget_rule {
    mb_budget_scope scope;
    mb_budget_period period;
    const char *match; // a glob: one amount for all that match together; NULL: an amount for each by itself
    int64_t usd_micros;
    int32_t alerts[MB_BUDGET_ALERTS_MAX]; // rising
    int alert_count;
    bool is_stored; // set by membrane_budget_set, not by the configuration
} mb_budget_rule;

// Whose money one attempt spends. Texts are lent.
typedef struct mb_budget_subject {
    const char *provider;
    int key;             // of the provider, from 0; also 0 where it has none
    const char *model;   // the provider's name of it
    const char *logical; // the configuration's name of the model; NULL without
    const char *session; // NULL without
} mb_budget_subject;

typedef struct mb_budget_window {
    int64_t start_ms, end_ms; // wall clock; a total ends at INT64_MAX
} mb_budget_window;

typedef struct mb_slice {
    int64_t granted, held, settled, unknown;
} mb_slice;

const char *mb_budget_scope_name(mb_budget_scope scope);
const char *mb_budget_period_name(mb_budget_period period);
int mb_budget_scope_from(const char *name);                               // -1: none
int mb_budget_period_from(const char *name);                              // -1: none
void mb_budget_usual_alerts(mb_budget_rule *rule);                        // 0.8 and 1
bool mb_budget_is_same(const mb_budget_rule *a, const mb_budget_rule *b); // scope, match and period

// A key is "provider#N", N from 1, and a match without # means all keys of the provider. A model is "provider/model";
// a logical name matches too. A call without a session is in no budget of sessions.
bool mb_budget_applies(const mb_budget_rule *rule, const mb_budget_subject *subject);
// Whose amount it is among those of the rule: the key, model or session; nothing where there is one amount only.
void mb_budget_put_owner(const mb_budget_rule *rule, const mb_budget_subject *subject, mb_buf *out);
// UTC days and months.
mb_budget_window mb_budget_window_of(mb_budget_period period, int64_t wall_ms);

// What an attempt can cost at most, in micro-dollars; -1: nobody knows. input_tokens: an upper bound (the request's
// bytes until they are counted); -1: not known, then the model's window. max_tokens 0: the most that the model writes.
int64_t mb_budget_bound(const mb_price *price, int64_t input_tokens, int64_t max_tokens);

// How much to take where left is free: what is needed, or some more, so that not every attempt asks; where that is not
// there, what at least one of those who wait needs; else 0. need 0: just some more. last: what was taken the last time:
// it doubles from time to time, so that a process of one call takes no more than that call needs.
int64_t mb_slice_size(int64_t left, int64_t need, int64_t least, int64_t last);
static inline int64_t mb_slice_free(const mb_slice *s) { return s->granted - s->held - s->settled - s->unknown; }
static inline int64_t mb_slice_spent(const mb_slice *s) { return s->settled + s->unknown; }
static inline void mb_slice_hold(mb_slice *s, int64_t amount) { s->held += amount; }
static inline void mb_slice_release(mb_slice *s, int64_t amount) { s->held -= amount; }
static inline void mb_slice_forfeit(mb_slice *s, int64_t amount) { s->held -= amount, s->unknown += amount; }
// Counts what it cost, also where that is more than was held; what the slice lacks then is granted to it.
void mb_slice_settle(mb_slice *s, int64_t amount, int64_t usd_micros);

// "$5.00", "$0.000123": never rounded. Returns buf.
#define MB_BUDGET_TEXT 32
const char *mb_budget_usd(char buf[MB_BUDGET_TEXT], int64_t usd_micros);
// "a day for each key", "in all for the models openai/*"; for messages.
void mb_budget_put_words(const mb_budget_rule *rule, const char *owner, mb_buf *out);

#endif
