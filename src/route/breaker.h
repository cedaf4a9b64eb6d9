// SPDX-License-Identifier: MIT
// Whether a target that keeps failing is left alone. Pure: the time is handed in.
//
//               5 failures in a row, or half of 20 in 30 s
//     CLOSED ───────────────────────────────────────────────▶ OPEN ──its time is over──▶ HALF OPEN
//        ▲                                                     ▲                            │ one probe
//        └──────────────── the probe was answered ─────────────┼────────────────────────────┤
//                                                              └── it failed: twice as long ┘
//
// The time doubles from 5 s up to 300 s. All zeros is a closed one.
#ifndef MB_ROUTE_BREAKER_H
#define MB_ROUTE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MB_BREAKER_IN_A_ROW = 5,
    MB_BREAKER_ENOUGH = 20, // outcomes before their share counts
    MB_BREAKER_WINDOW_MS = 30000,
    MB_BREAKER_BASE_MS = 5000,
    MB_BREAKER_MAX_MS = 300000,
    MB_BREAKER_SLOTS = 10, // of the window
};

typedef enum { MB_BREAKER_CLOSED, MB_BREAKER_OPEN, MB_BREAKER_HALF_OPEN } mb_breaker_state;

typedef enum {
    MB_OUTCOME_GOOD,
    MB_OUTCOME_ALIVE,   // it answered, with an error that is not its fault: 4xx, 429
    MB_OUTCOME_BAD,     // an error that trips breakers
    MB_OUTCOME_NOTHING, // cancelled: says nothing
} mb_outcome;

typedef struct mb_breaker {
    int in_a_row;         // failures
    int trips;            // since it last was well
    int64_t until_ms;     // OPEN until then; 0: closed
    int64_t probe_end_ms; // a probe that has not ended by then is forgotten; 0: none is under way
    int64_t slot;         // the number of the newest slot of the window
    uint16_t good[MB_BREAKER_SLOTS], bad[MB_BREAKER_SLOTS];
} mb_breaker;

mb_breaker_state mb_breaker_at(const mb_breaker *b, int64_t now_ms);
// In HALF OPEN: a probe is under way, so that nobody else should go there.
bool mb_breaker_is_probed(const mb_breaker *b, int64_t now_ms);
// What an attempt's end means for a breaker that is not closed.
typedef enum {
    MB_ROLE_NONE,   // nothing: it began while the breaker was closed
    MB_ROLE_PROBE,  // it is the one probe
    MB_ROLE_FORCED, // there was nobody else to ask: its answer counts, its place is no probe's
} mb_breaker_role;

// An attempt begins; what it is to the breaker is handed back to mb_breaker_end.
mb_breaker_role mb_breaker_begin(mb_breaker *b, int64_t now_ms);
void mb_breaker_end(mb_breaker *b, int64_t now_ms, mb_outcome outcome, mb_breaker_role role);
void mb_breaker_half_open(mb_breaker *b, int64_t now_ms);  // it is said to be well again: from OPEN, a probe may go in
const char *mb_breaker_state_name(mb_breaker_state state); // "closed", "open", "half-open"

#endif
