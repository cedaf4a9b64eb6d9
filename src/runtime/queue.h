// SPDX-License-Identifier: MIT
// The events of one call on their way from the I/O thread to the caller. The I/O thread fills a block of its own and
// publishes it once a received piece is decoded: one lock and at most one wake-up a block. The caller takes a block at
// a time and reads it without a lock.
//
//     I/O thread: open block ──publish──▶ first … last (under the lock) ──take──▶ taken block: the caller
//
// A block either holds no part of the answer or begins with one, so that "was something handed out?" is exact.
#ifndef MB_RUNTIME_QUEUE_H
#define MB_RUNTIME_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "membrane/event.h"
#include "route/turn.h"

typedef struct mb_block mb_block;

// A record can be moved: its text is found by its distance. Only what has more to say than text carries an extra part.
struct membrane_event {
    uint32_t type;
    uint32_t size;    // of the record with all its parts
    uint32_t number;  // ATTEMPT: from 1
    uint32_t text_at; // bytes from the record's start; 0: no text
    size_t len;
    struct mb_queue *queue;
    bool flag; // TOOL_CALL: whole; USAGE: exact
    bool has_extra;
};

typedef struct mb_event_extra {
    const char *name, *id;       // TOOL_CALL; ATTEMPT: provider, model
    const char *engine, *reason; // ATTEMPT
    mb_usage usage;
    const membrane_error *error;
} mb_event_extra;

// Blocks that one I/O thread keeps for its calls. What callers have read comes back through a list without a lock: one
// thread's malloc and another one's free cost more than the event in between.
typedef struct mb_block_pool {
    mb_block *first;
    int count;
    _Atomic(mb_block *) returned;
    atomic_int returned_count; // at most so many are in the list
} mb_block_pool;

static inline mb_event_extra *mb_event_more(const membrane_event *event) {
    return event && event->has_extra ? (mb_event_extra *)(void *)(event + 1) : NULL;
}
static inline const char *mb_event_text(const membrane_event *event) {
    return event->text_at ? (const char *)event + event->text_at : "";
}

typedef struct mb_queue {
    pthread_mutex_t lock;
    pthread_cond_t came;
    mb_block *first, *last, *spare; // under the lock; spare: one that was read, for the I/O thread
    bool sleeps, handed;            // under the lock
    atomic_size_t events, bytes;    // published or open, not yet taken
    mb_block_pool *pool;            // the I/O thread's
    mb_block *open;                 // the I/O thread's
    bool is_silent;                 // the I/O thread's: blocks were linked that nobody was woken for
    mb_block *reserve;              // the I/O thread's, for the terminal event
    mb_block *taken;                // the caller's
    bool ended;                     // the caller's: the terminal event was given
    mb_buf json;                    // the caller's: of the event given last
} mb_queue;

void mb_block_pool_free(mb_block_pool *pool);

int mb_queue_init(mb_queue *q); // 0 or MEMBRANE_ENOMEM; the pool is set before the first push
void mb_queue_free(mb_queue *q);
void mb_queue_abandon(mb_queue *q); // in a forked child: waits for no thread

// I/O thread. A record with room for len bytes of text, which are copied; NULL: out of memory.
membrane_event *mb_queue_push(mb_queue *q, int type, const char *text, size_t len);
// The terminal event, in memory that was taken at the start: it cannot fail.
void mb_queue_push_last(mb_queue *q, int type, const char *finish, const membrane_error *error);
bool mb_queue_link(mb_queue *q);    // makes the open block visible; true: somebody may have to be woken
void mb_queue_wake(mb_queue *q);    // wakes the caller if it sleeps
bool mb_queue_publish(mb_queue *q); // both; false: there was nothing
bool mb_queue_is_full(mb_queue *q);
// Forgets what of the answer nobody has been given; false (and nothing is forgotten) if something was.
bool mb_queue_take_back(mb_queue *q);
bool mb_queue_was_handed(mb_queue *q);

// Caller. The next event, waiting at most timeout_ms; MEMBRANE_EAGAIN, MEMBRANE_EDONE. *ret_drained: a block was taken.
int mb_queue_next(mb_queue *q, int64_t timeout_ms, const membrane_event **ret, bool *ret_drained);
void mb_queue_unread(mb_queue *q, const membrane_event *event); // gives the event just taken once more
bool mb_queue_has_more(mb_queue *q);                            // the caller's thread
bool mb_queue_has_published(mb_queue *q);                       // any thread

#endif
