// SPDX-License-Identifier: MIT
// What runners have poured into a call's queue becomes visible, and its caller is woken.
#include <stddef.h>

#include "runtime/call.h"
#include "runtime/ready.h"

// What a round of the loop has brought is made visible for all calls first, and only then is anybody woken: a caller
// who was woken would else run into the next call that is not visible yet, and sleep again.
static void publish_all(mb_task *task) {
    mb_engine_room *room = (mb_engine_room *)((char *)task - offsetof(mb_engine_room, publish_task));
    membrane_call *first = room->dirty;
    room->dirty = NULL;
    for (membrane_call *call = first; call; call = call->dirty_next) mb_queue_link(&call->queue);
    for (membrane_call *call = first, *next; call; call = next) {
        next = call->dirty_next;
        call->is_dirty = false;
        if (mb_queue_link(&call->queue)) {
            mb_queue_wake(&call->queue);
            mb_ready_mark(call);
        }
        mb_call_unref(call);
    }
}

void mb_call_flush(membrane_call *call) {
    mb_engine_room *room = &call->m->room;
    if (call->is_dirty) return;
    call->is_dirty = true;
    if (!room->dirty) {
        room->publish_task.run = publish_all;
        mb_io_defer(room->io, &room->publish_task);
    }
    call->dirty_next = room->dirty;
    room->dirty = mb_call_ref(call);
}

bool mb_call_is_full(void *user) {
    membrane_call *call = user;
    if (!mb_queue_is_full(&call->queue)) return false;
    atomic_store(&call->paused, true);
    if (mb_queue_is_full(&call->queue)) return true;
    atomic_store(&call->paused, false); // the caller took something meanwhile and may not have seen the pause
    return false;
}

void mb_run_resume(mb_task *task) {
    membrane_call *call = (membrane_call *)((char *)task - offsetof(membrane_call, resume_task));
    atomic_store(&call->resume_posted, false);
    atomic_store(&call->paused, false);
    if (!call->is_over) mb_exchange_resume(&call->runner->exchange);
    if (!call->is_over && call->hedge) mb_exchange_resume(&call->hedge->exchange);
    mb_call_unref(call);
}
