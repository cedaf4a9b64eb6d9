// SPDX-License-Identifier: MIT
// The test's own thread plays both sides, but where two threads are the point.
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "membrane/error.h"
#include "runtime/queue.h"

typedef struct both {
    mb_queue q;
    mb_block_pool pool;
} both;

static void open_queue(both *b) {
    memset(b, 0, sizeof *b);
    ck_assert_int_eq(mb_queue_init(&b->q), 0);
    b->q.pool = &b->pool;
}

static void close_queue(both *b) {
    mb_queue_free(&b->q);
    mb_block_pool_free(&b->pool);
}

static membrane_event *push(both *b, int type, const char *text) {
    membrane_event *event = mb_queue_push(&b->q, type, text, strlen(text));
    ck_assert_ptr_nonnull(event);
    return event;
}

static void publish(both *b, int type, const char *text) {
    push(b, type, text);
    ck_assert(mb_queue_publish(&b->q));
}

static const membrane_event *next(both *b) {
    const membrane_event *event = NULL;
    bool drained;
    int code = mb_queue_next(&b->q, 0, &event, &drained);
    ck_assert(code == 0 || (code == MEMBRANE_EAGAIN && !event));
    return event;
}

#define GIVES(b, type_, text_)                                                                                         \
    do {                                                                                                               \
        const membrane_event *given = next(b);                                                                         \
        ck_assert_ptr_nonnull(given);                                                                                  \
        ck_assert_uint_eq(given->type, type_);                                                                         \
        ck_assert_str_eq(mb_event_text(given), text_);                                                                 \
        ck_assert_uint_eq(given->len, strlen(text_));                                                                  \
    } while (0)
#define GIVES_NOTHING(b) ck_assert_ptr_null(next(b))

enum { ATTEMPT = MEMBRANE_EVENT_ATTEMPT, TEXT = MEMBRANE_EVENT_TEXT, TOOL = MEMBRANE_EVENT_TOOL_CALL, DONE = MEMBRANE_EVENT_DONE };

START_TEST(events_come_in_their_order_with_their_text) {
    both b;
    open_queue(&b);
    push(&b, ATTEMPT, "");
    push(&b, TEXT, "Hello ");
    push(&b, TEXT, "");
    mb_event_more(push(&b, TOOL, "{}"))->name = "weather";
    ck_assert(mb_queue_publish(&b.q));
    GIVES(&b, ATTEMPT, "");
    GIVES(&b, TEXT, "Hello ");
    GIVES(&b, TEXT, "");
    GIVES(&b, TOOL, "{}");
    ck_assert_str_eq(mb_event_more((const membrane_event *)(b.q.taken->data_at))->name, "weather");
    GIVES_NOTHING(&b);
    close_queue(&b);
}
END_TEST
