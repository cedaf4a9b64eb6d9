// SPDX-License-Identifier: MIT
#include "runtime/queue.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"

enum {
    BLOCK_ROOM = 3968,
    RESERVE_ROOM = sizeof(membrane_event) + sizeof(mb_event_extra) + 64,
    ALIGN = 16,
    POOL_MAX = 64,
#ifdef MB_ARENA_MALLOC // so that a use after the end is seen
    RETURNED_MAX = 0
#else
    RETURNED_MAX = POOL_MAX
#endif
};

struct mb_block {
    mb_block *next;
    size_t room, used, at;
    size_t events, bytes; // in it
    bool has_content;
    _Alignas(ALIGN) char data[];
};

int mb_queue_init(mb_queue *q) {
    pthread_condattr_t attr;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->came, &attr);
    pthread_condattr_destroy(&attr);
    q->json = MB_BUF(2 * MB_LIMIT_RESPONSE);
    q->reserve = mb_malloc(sizeof *q->reserve + RESERVE_ROOM);
    return q->reserve ? 0 : MEMBRANE_ENOMEM;
}

static void free_blocks(mb_block *block) {
    for (mb_block *next; block; block = next) {
        next = block->next;
        mb_free(block);
    }
}

// By a caller, who may be any thread.
static void return_block(mb_queue *q, mb_block *block) {
    if (block->room != BLOCK_ROOM || atomic_load(&q->pool->returned_count) >= RETURNED_MAX) {
        mb_free(block);
        return;
    }
    atomic_fetch_add(&q->pool->returned_count, 1);
    block->next = atomic_load(&q->pool->returned);
    while (!atomic_compare_exchange_weak(&q->pool->returned, &block->next, block)) {}
}

// All that came back, taken at once: so no block is in the list twice while somebody looks at it.
static void take_returned(mb_block_pool *pool) {
    pool->first = atomic_exchange(&pool->returned, NULL);
    atomic_store(&pool->returned_count, 0);
    for (mb_block *b = pool->first; b; b = b->next) pool->count++;
}

void mb_queue_abandon(mb_queue *q) {
    free_blocks(q->first);
    free_blocks(q->spare);
    free_blocks(q->open);
    mb_free(q->reserve);
    free_blocks(q->taken);
    mb_buf_free(&q->json);
}

void mb_queue_free(mb_queue *q) {
    if (q->taken) return_block(q, q->taken);
    if (q->spare) return_block(q, q->spare);
    q->taken = q->spare = NULL;
    mb_queue_abandon(q);
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->came);
}

static mb_block *new_block(mb_queue *q, size_t need) {
    if (!q->pool->first && atomic_load_explicit(&q->pool->returned, memory_order_relaxed)) take_returned(q->pool);
    mb_block *block = need <= BLOCK_ROOM ? q->pool->first : NULL;
    if (block) {
        q->pool->first = block->next;
        q->pool->count--;
    } else {
        size_t room = need > BLOCK_ROOM ? need : BLOCK_ROOM;
        block = mb_malloc(sizeof *block + room);
        if (!block) return NULL;
        block->room = room;
    }
    block->next = NULL;
    block->used = block->at = block->events = block->bytes = 0;
    block->has_content = false;
    return block;
}

static void give_block(mb_queue *q, mb_block *block) {
    if (block->room != BLOCK_ROOM || q->pool->count >= POOL_MAX) {
        mb_free(block);
        return;
    }
    block->next = q->pool->first;
    q->pool->first = block;
    q->pool->count++;
}

void mb_block_pool_free(mb_block_pool *pool) {
    free_blocks(pool->first);
    free_blocks(atomic_load(&pool->returned));
    *pool = (mb_block_pool){0};
}

static bool is_content(int type) {
    return type == MEMBRANE_EVENT_TEXT || type == MEMBRANE_EVENT_THINKING || type == MEMBRANE_EVENT_TOOL_CALL;
}

// A caller who is slow to read must not cost a block an event: what fits into the last one is moved there.
static bool move_into_last(mb_queue *q, const mb_block *open) {
    mb_block *last = q->last;
    if (!last || last->room - last->used < open->used || last->has_content != open->has_content) return false;
    memcpy(last->data + last->used, open->data, open->used);
    last->used += open->used;
    last->events += open->events;
    last->bytes += open->bytes;
    return true;
}

static void link_open(mb_queue *q) {
    mb_block *block = q->open;
    q->open = NULL;
    pthread_mutex_lock(&q->lock);
    bool moved = move_into_last(q, block);
    if (!moved) {
        if (q->last)
            q->last->next = block;
        else
            q->first = block;
        q->last = block;
    }
    mb_block *spare = q->spare;
    q->spare = NULL;
    pthread_mutex_unlock(&q->lock);
    q->is_silent = true;
    if (moved) give_block(q, block);
    if (spare) give_block(q, spare);
}

bool mb_queue_link(mb_queue *q) {
    if (q->open && q->open->events) link_open(q);
    return q->is_silent;
}

void mb_queue_wake(mb_queue *q) {
    pthread_mutex_lock(&q->lock);
    bool wakes = q->sleeps;
    q->sleeps = false;
    pthread_mutex_unlock(&q->lock);
    q->is_silent = false;
    if (wakes) pthread_cond_signal(&q->came);
}

bool mb_queue_publish(mb_queue *q) {
    if (!mb_queue_link(q)) return false;
    mb_queue_wake(q);
    return true;
}

membrane_event *mb_queue_push(mb_queue *q, int type, const char *text, size_t len) {
    bool has_extra = type != MEMBRANE_EVENT_TEXT && type != MEMBRANE_EVENT_THINKING;
    size_t head = sizeof(membrane_event) + (has_extra ? sizeof(mb_event_extra) : 0);
    size_t size = (head + len + 1 + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    mb_block *open = q->open;
    if (size > UINT32_MAX) return NULL;
    // A block that begins without a part of the answer never gets one.
    if (open && open->events && (open->room - open->used < size || (is_content(type) && !open->has_content))) {
        link_open(q);
        open = NULL;
    }
    if (open && open->room < size) {
        give_block(q, open);
        q->open = open = NULL;
    }
    if (!open && !(q->open = open = new_block(q, size))) return NULL;
    membrane_event *event = (membrane_event *)(void *)(open->data + open->used);
    *event = (membrane_event){
        .type = (uint32_t)type, .size = (uint32_t)size, .len = len, .queue = q, .has_extra = has_extra};
    if (has_extra) memset(event + 1, 0, sizeof(mb_event_extra));
    if (len) {
        char *copy = (char *)event + head;
        memcpy(copy, text, len);
        copy[len] = '\0';
        event->text_at = (uint32_t)head;
    }
    open->used += size;
    open->events++;
    open->bytes += len;
    open->has_content |= is_content(type);
    atomic_fetch_add_explicit(&q->events, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&q->bytes, len, memory_order_relaxed);
    return event;
}

void mb_queue_push_last(mb_queue *q, int type, const char *finish, const membrane_error *error) {
    mb_queue_publish(q);
    if (q->open) give_block(q, q->open);
    q->open = q->reserve;
    q->reserve = NULL;
    *q->open = (mb_block){.room = RESERVE_ROOM};
    mb_event_more(mb_queue_push(q, type, finish, finish ? strlen(finish) : 0))->error = error;
}

bool mb_queue_is_full(mb_queue *q) {
    return atomic_load(&q->events) >= MB_LIMIT_QUEUE_EVENTS || atomic_load(&q->bytes) >= MB_LIMIT_QUEUE_BYTES;
}

static void uncount(mb_queue *q, const mb_block *block) {
    atomic_fetch_sub(&q->events, block->events);
    atomic_fetch_sub(&q->bytes, block->bytes);
}

bool mb_queue_take_back(mb_queue *q) {
    mb_block *gone = NULL, **link;
    pthread_mutex_lock(&q->lock);
    bool handed = q->handed;
    q->last = NULL;
    for (link = &q->first; *link;) {
        mb_block *block = *link;
        if (!handed && block->has_content) {
            *link = block->next;
            block->next = gone;
            gone = block;
            uncount(q, block);
        } else {
            q->last = block;
            link = &block->next;
        }
    }
    pthread_mutex_unlock(&q->lock);
    if (!handed && q->open && q->open->has_content) {
        uncount(q, q->open);
        give_block(q, q->open);
        q->open = NULL;
    }
    free_blocks(gone);
    return !handed;
}

bool mb_queue_was_handed(mb_queue *q) {
    pthread_mutex_lock(&q->lock);
    bool handed = q->handed;
    pthread_mutex_unlock(&q->lock);
    return handed;
}

// ---- the caller's side
// -------------------------------------------------------------------------------------------------

static mb_block *take_block(mb_queue *q, int64_t timeout_ms) {
    struct timespec until;
    int waited = 0;
    mb_block *done = q->taken;
    q->taken = NULL;
    if (timeout_ms > 0) until = mb_after_ms(timeout_ms);
    pthread_mutex_lock(&q->lock);
    if (done && !q->spare) {
        q->spare = done;
        done = NULL;
    }
    while (!q->first && timeout_ms != 0 && waited != ETIMEDOUT) {
        q->sleeps = true;
        waited =
            timeout_ms < 0 ? pthread_cond_wait(&q->came, &q->lock) : pthread_cond_timedwait(&q->came, &q->lock, &until);
    }
    q->sleeps = false;
    mb_block *block = q->first;
    if (block) {
        q->first = block->next;
        if (!q->first) q->last = NULL;
        q->handed |= block->has_content;
        block->next = NULL;
        uncount(q, block);
    }
    pthread_mutex_unlock(&q->lock);
    if (done) return_block(q, done);
    return block;
}

int mb_queue_next(mb_queue *q, int64_t timeout_ms, const membrane_event **ret, bool *ret_drained) {
    if (q->ended) return MEMBRANE_EDONE;
    *ret_drained = false;
    if (!q->taken || q->taken->at == q->taken->used) {
        q->taken = take_block(q, timeout_ms);
        if (!q->taken) return MEMBRANE_EAGAIN;
        *ret_drained = true;
    }
    const membrane_event *event = (const membrane_event *)(const void *)(q->taken->data + q->taken->at);
    q->taken->at += event->size;
    q->ended = event->type == MEMBRANE_EVENT_DONE || event->type == MEMBRANE_EVENT_ERROR;
    *ret = event;
    return 0;
}

void mb_queue_unread(mb_queue *q, const membrane_event *event) {
    q->taken->at -= event->size;
    q->ended = false;
}

bool mb_queue_has_more(mb_queue *q) {
    if (q->ended) return false;
    return (q->taken && q->taken->at < q->taken->used) || mb_queue_has_published(q);
}

bool mb_queue_has_published(mb_queue *q) {
    pthread_mutex_lock(&q->lock);
    bool more = q->first != NULL;
    pthread_mutex_unlock(&q->lock);
    return more;
}
