// SPDX-License-Identifier: MIT
#include "runtime/ready.h"

#include <sys/eventfd.h>
#include <unistd.h>

static void raise_fd(membrane_t *m) {
    uint64_t one = 1;
    ssize_t n = write(m->ready_fd, &one, sizeof one);
    (void)n;
}

static void lower_fd(membrane_t *m) {
    uint64_t count;
    ssize_t n = read(m->ready_fd, &count, sizeof count);
    (void)n;
}

static void append(membrane_t *m, membrane_call *call) {
    call->is_ready = true;
    call->ready_next = NULL;
    call->ready_prev = m->ready_last;
    if (m->ready_last)
        m->ready_last->ready_next = call;
    else
        m->ready_first = call;
    m->ready_last = call;
}

static void take_out(membrane_t *m, membrane_call *call) {
    if (call->ready_prev)
        call->ready_prev->ready_next = call->ready_next;
    else
        m->ready_first = call->ready_next;
    if (call->ready_next)
        call->ready_next->ready_prev = call->ready_prev;
    else
        m->ready_last = call->ready_prev;
    call->ready_next = call->ready_prev = NULL;
    call->is_ready = false;
}

static void mark_locked(membrane_t *m, membrane_call *call) {
    if (call->is_ready || call->is_dropped) return;
    bool was_empty = !m->ready_first;
    append(m, call);
    if (was_empty) raise_fd(m);
}

void mb_ready_mark(membrane_call *call) {
    membrane_t *m = call->m;
    if (!atomic_load_explicit(&m->has_ready_fd, memory_order_relaxed)) return;
    pthread_mutex_lock(&m->lock);
    mark_locked(m, call);
    pthread_mutex_unlock(&m->lock);
}

void mb_ready_settle(membrane_call *call) {
    membrane_t *m = call->m;
    if (!atomic_load_explicit(&m->has_ready_fd, memory_order_relaxed)) return;
    // Under the lock, so that a block that is published now is marked after this and not lost.
    pthread_mutex_lock(&m->lock);
    if (call->is_ready && !mb_queue_has_more(&call->queue)) {
        take_out(m, call);
        if (!m->ready_first) lower_fd(m);
    }
    pthread_mutex_unlock(&m->lock);
}

void mb_ready_admit(membrane_call *call) {
    membrane_t *m = call->m;
    pthread_mutex_lock(&m->lock);
    call->live_next = m->live;
    if (m->live) m->live->live_prev = call;
    m->live = call;
    pthread_mutex_unlock(&m->lock);
}

void mb_ready_forget(membrane_call *call) {
    membrane_t *m = call->m;
    // In a child the lock may be held by a thread that is not there, and the descriptor is the parent's too.
    if (mb_handle_is_forked(m)) return;
    pthread_mutex_lock(&m->lock);
    call->is_dropped = true;
    if (call->live_prev)
        call->live_prev->live_next = call->live_next;
    else if (m->live == call)
        m->live = call->live_next;
    if (call->live_next) call->live_next->live_prev = call->live_prev;
    if (call->is_ready) {
        take_out(m, call);
        if (!m->ready_first) lower_fd(m);
    }
    pthread_mutex_unlock(&m->lock);
}

int membrane_fd(membrane_t *m) {
    if (!m) return MEMBRANE_EINVAL;
    if (mb_handle_is_forked(m)) return MEMBRANE_EFORKED;
    pthread_mutex_lock(&m->lock);
    if (m->ready_fd < 0 && (m->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0) {
        // From here on each published block marks its call; what was published before is looked up now.
        atomic_store(&m->has_ready_fd, true);
        for (membrane_call *call = m->live; call; call = call->live_next)
            if (mb_queue_has_published(&call->queue)) mark_locked(m, call);
    }
    int fd = m->ready_fd;
    pthread_mutex_unlock(&m->lock);
    return fd < 0 ? MEMBRANE_EIO : fd;
}

int membrane_ready(membrane_t *m, membrane_call **ret_call) {
    if (!m || !ret_call) return MEMBRANE_EINVAL;
    if (mb_handle_is_forked(m)) return MEMBRANE_EFORKED;
    pthread_mutex_lock(&m->lock);
    membrane_call *call = m->ready_first;
    if (call && m->ready_last != call) {
        take_out(m, call);
        append(m, call); // the next question is about another one
    }
    pthread_mutex_unlock(&m->lock);
    if (!call) return MEMBRANE_EAGAIN;
    *ret_call = call;
    return 0;
}
