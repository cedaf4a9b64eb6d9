// SPDX-License-Identifier: MIT
// Calls that wait for limits of our own (rpm, tpm, parallel). A call stands at every limit that is in its way; the
// first one that lets it in ends its waiting at all of them. Whose turn it is says route/fair.h.
#include <stddef.h>

#include "runtime/call.h"

static bool join_one(membrane_call *call, size_t i, int64_t now_ms) {
    mb_verdict v = mb_route_judge(&call->route, i, now_ms);
    mb_waiter *waiter = &call->waiters[i];
    if (v.standing != MB_QUEUED) return true;
    waiter->cost = call->route.tokens;
    waiter->user = call;
    return mb_board_wait(call->m->board, v.gate, waiter, call->session, call->route.had_its_turn);
}

int mb_waiting_join(membrane_call *call) {
    membrane_t *m = call->m;
    bool is_whole = true;
    if (!call->waiters) call->waiters = mb_arena_zalloc(&call->arena, call->route.count * sizeof *call->waiters);
    if (!call->waiters) return MEMBRANE_ENOMEM;
    pthread_mutex_lock(&m->board_lock);
    for (size_t i = 0; i < call->route.count; i++) is_whole &= join_one(call, i, mb_io_now(m->io));
    pthread_mutex_unlock(&m->board_lock);
    mb_waiting_serve(m); // sets the timer
    return is_whole ? 0 : MEMBRANE_ENOMEM;
}

static void leave(membrane_call *call) {
    for (size_t i = 0; call->waiters && i < call->route.count; i++)
        mb_board_wait_ends(call->m->board, &call->waiters[i]);
}

// Those behind it may ask for less, and have to wait less long.
void mb_waiting_leave(membrane_call *call) {
    membrane_t *m = call->m;
    if (!call->waiters) return;
    pthread_mutex_lock(&m->board_lock);
    const size_t before = mb_board_waiting(m->board);
    leave(call);
    const size_t left = mb_board_waiting(m->board);
    pthread_mutex_unlock(&m->board_lock);
    if (left && left < before) mb_waiting_serve(m);
}

// One after the other: each takes its place before the next one is asked for.
static void serve(mb_task *task) {
    membrane_t *m = (membrane_t *)((char *)task - offsetof(membrane_t, serve_task));
    m->is_serving = false;
    for (;;) {
        mb_gate *gate;
        int64_t next_ms = MB_GATE_NEVER, now = mb_io_now(m->io);
        pthread_mutex_lock(&m->board_lock);
        mb_waiter *waiter = mb_board_next(m->board, now, &gate, &next_ms);
        membrane_call *call = waiter ? waiter->user : NULL;
        if (call) leave(call);
        pthread_mutex_unlock(&m->board_lock);
        if (!call) {
            if (next_ms != MB_GATE_NEVER) mb_io_timer_set(m->io, &m->serve_timer, next_ms);
            return;
        }
        call->route.had_its_turn = true;
        mb_io_timer_clear(m->io, &call->wait_timer);
        mb_run_step(call, NULL);
    }
}

static void serve_fired(mb_timer *timer) {
    membrane_t *m = (membrane_t *)((char *)timer - offsetof(membrane_t, serve_timer));
    mb_waiting_serve(m);
}

void mb_waiting_serve(membrane_t *m) {
    m->serve_timer.fire = serve_fired;
    if (m->is_serving) return;
    m->is_serving = true;
    m->serve_task.run = serve;
    mb_io_defer(m->io, &m->serve_task);
}
