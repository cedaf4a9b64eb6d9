// SPDX-License-Identifier: MIT
#include "route/breaker.h"

#include <string.h>

enum { SLOT_MS = MB_BREAKER_WINDOW_MS / MB_BREAKER_SLOTS, PROBE_MS = 60000 };

mb_breaker_state mb_breaker_at(const mb_breaker *b, int64_t now_ms) {
    if (!b->until_ms) return MB_BREAKER_CLOSED;
    return now_ms < b->until_ms ? MB_BREAKER_OPEN : MB_BREAKER_HALF_OPEN;
}

bool mb_breaker_is_probed(const mb_breaker *b, int64_t now_ms) { return now_ms < b->probe_end_ms; }

void mb_breaker_half_open(mb_breaker *b, int64_t now_ms) {
    if (now_ms < b->until_ms) b->until_ms = now_ms;
}

const char *mb_breaker_state_name(mb_breaker_state state) {
    return state == MB_BREAKER_CLOSED ? "closed" : state == MB_BREAKER_OPEN ? "open" : "half-open";
}

// Forgets the slots that the time has passed.
static void turn_window(mb_breaker *b, int64_t now_ms) {
    int64_t slot = now_ms / SLOT_MS, gone = slot - b->slot;
    if (gone > MB_BREAKER_SLOTS || gone < 0) gone = MB_BREAKER_SLOTS;
    for (int64_t i = 0; i < gone; i++) {
        int64_t at = (slot - i) % MB_BREAKER_SLOTS;
        b->good[at] = b->bad[at] = 0;
    }
    b->slot = slot;
}

static void count(uint16_t *slot) {
    if (*slot < UINT16_MAX) ++*slot;
}

static bool is_half_bad(const mb_breaker *b) {
    unsigned good = 0, bad = 0;
    for (int i = 0; i < MB_BREAKER_SLOTS; i++) {
        good += b->good[i];
        bad += b->bad[i];
    }
    return good + bad >= MB_BREAKER_ENOUGH && bad >= good;
}

static void open(mb_breaker *b, int64_t now_ms) {
    int64_t time = b->trips < 6 ? (int64_t)MB_BREAKER_BASE_MS << b->trips : MB_BREAKER_MAX_MS;
    if (time > MB_BREAKER_MAX_MS) time = MB_BREAKER_MAX_MS;
    if (b->trips < 6) b->trips++;
    b->until_ms = now_ms + time;
    b->probe_end_ms = 0;
}

// It is well again: what was counted before says nothing any more.
static void close(mb_breaker *b) { *b = (mb_breaker){.slot = b->slot}; }

mb_breaker_role mb_breaker_begin(mb_breaker *b, int64_t now_ms) {
    if (!b->until_ms) return MB_ROLE_NONE;
    if (mb_breaker_at(b, now_ms) != MB_BREAKER_HALF_OPEN || mb_breaker_is_probed(b, now_ms)) return MB_ROLE_FORCED;
    b->probe_end_ms = now_ms + PROBE_MS;
    return MB_ROLE_PROBE;
}

// While it is not closed only those who went there knowingly decide; what began before is late news.
static void end_probe(mb_breaker *b, int64_t now_ms, mb_outcome outcome, mb_breaker_role role) {
    if (outcome == MB_OUTCOME_GOOD || outcome == MB_OUTCOME_ALIVE)
        close(b);
    else if (outcome == MB_OUTCOME_BAD && now_ms >= b->until_ms)
        open(b, now_ms);
    else if (outcome == MB_OUTCOME_NOTHING && role == MB_ROLE_PROBE)
        b->probe_end_ms = 0;
}

void mb_breaker_end(mb_breaker *b, int64_t now_ms, mb_outcome outcome, mb_breaker_role role) {
    if (b->until_ms) {
        if (role) end_probe(b, now_ms, outcome, role);
        return;
    }
    if (outcome == MB_OUTCOME_NOTHING || outcome == MB_OUTCOME_ALIVE) return;
    turn_window(b, now_ms);
    int at = (int)(b->slot % MB_BREAKER_SLOTS);
    count(outcome == MB_OUTCOME_GOOD ? &b->good[at] : &b->bad[at]);
    b->in_a_row = outcome == MB_OUTCOME_GOOD ? 0 : b->in_a_row + 1;
    if (outcome == MB_OUTCOME_BAD && (b->in_a_row >= MB_BREAKER_IN_A_ROW || is_half_bad(b))) open(b, now_ms);
}
