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
#include "base/error.h"
#include "base/limits.h"
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

enum {
    ATTEMPT = MEMBRANE_EVENT_ATTEMPT,
    TEXT = MEMBRANE_EVENT_TEXT,
    TOOL = MEMBRANE_EVENT_TOOL_CALL,
    DONE = MEMBRANE_EVENT_DONE
};

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
    const membrane_event *tool = next(&b);
    ck_assert_str_eq(mb_event_text(tool), "{}");
    ck_assert_str_eq(mb_event_more(tool)->name, "weather");
    GIVES_NOTHING(&b);
    close_queue(&b);
}
END_TEST

START_TEST(nothing_is_given_before_it_is_published) {
    both b;
    open_queue(&b);
    ck_assert(!mb_queue_publish(&b.q));
    push(&b, TEXT, "a");
    ck_assert(!mb_queue_has_published(&b.q));
    GIVES_NOTHING(&b);
    ck_assert(mb_queue_publish(&b.q));
    ck_assert(mb_queue_has_published(&b.q));
    ck_assert(!mb_queue_publish(&b.q));
    GIVES(&b, TEXT, "a");
    ck_assert(!mb_queue_has_published(&b.q));
    close_queue(&b);
}
END_TEST

START_TEST(after_the_terminal_event_there_is_nothing) {
    both b;
    const membrane_event *event;
    bool drained;
    open_queue(&b);
    mb_queue_push_last(&b.q, DONE, "stop", NULL);
    ck_assert(mb_queue_publish(&b.q));
    ck_assert(mb_queue_has_more(&b.q));
    GIVES(&b, DONE, "stop");
    ck_assert(!mb_queue_has_more(&b.q));
    ck_assert_int_eq(mb_queue_next(&b.q, 0, &event, &drained), MEMBRANE_EDONE);
    ck_assert_int_eq(mb_queue_next(&b.q, -1, &event, &drained), MEMBRANE_EDONE);
    close_queue(&b);
}
END_TEST

START_TEST(an_event_that_is_given_back_comes_once_more) {
    both b;
    open_queue(&b);
    publish(&b, TEXT, "a");
    mb_queue_push_last(&b.q, DONE, "stop", NULL);
    mb_queue_publish(&b.q);
    mb_queue_unread(&b.q, next(&b));
    ck_assert(mb_queue_has_more(&b.q));
    GIVES(&b, TEXT, "a");
    mb_queue_unread(&b.q, next(&b)); // DONE
    ck_assert(mb_queue_has_more(&b.q));
    GIVES(&b, DONE, "stop");
    close_queue(&b);
}
END_TEST

// ---- was a part of the answer handed out? --------------------------------------------------------------------------

START_TEST(an_attempt_that_was_given_is_no_part_of_the_answer) {
    both b;
    open_queue(&b);
    publish(&b, ATTEMPT, "");
    publish(&b, TEXT, "a");
    GIVES(&b, ATTEMPT, "");
    ck_assert(!mb_queue_was_handed(&b.q));
    ck_assert(mb_queue_take_back(&b.q));
    GIVES_NOTHING(&b);
    close_queue(&b);
}
END_TEST

START_TEST(an_attempt_and_a_text_of_one_piece_are_told_apart) {
    both b;
    open_queue(&b);
    push(&b, ATTEMPT, "");
    publish(&b, TEXT, "a");
    GIVES(&b, ATTEMPT, "");
    ck_assert(!mb_queue_was_handed(&b.q));
    ck_assert(mb_queue_take_back(&b.q));
    publish(&b, TEXT, "b");
    GIVES(&b, TEXT, "b");
    ck_assert(mb_queue_was_handed(&b.q));
    close_queue(&b);
}
END_TEST

START_TEST(each_kind_of_content_counts_once_it_was_given) {
    static const int kinds[] = {TEXT, MEMBRANE_EVENT_THINKING, TOOL};
    for (int i = 0; i < 3; i++) {
        both b;
        open_queue(&b);
        publish(&b, kinds[i], "a");
        push(&b, TEXT, "b"); // not even published
        ck_assert(!mb_queue_was_handed(&b.q));
        GIVES(&b, (uint32_t)kinds[i], "a");
        ck_assert(mb_queue_was_handed(&b.q));
        ck_assert(!mb_queue_take_back(&b.q));
        mb_queue_publish(&b.q);
        GIVES(&b, TEXT, "b");
        close_queue(&b);
    }
}
END_TEST

START_TEST(taking_back_leaves_the_attempts_and_forgets_all_content) {
    both b;
    open_queue(&b);
    publish(&b, ATTEMPT, "one");
    publish(&b, TEXT, "a");
    push(&b, TEXT, "b"); // open
    ck_assert(mb_queue_take_back(&b.q));
    ck_assert_uint_eq(atomic_load(&b.q.events), 1);
    push(&b, ATTEMPT, "two"); // open, without content
    ck_assert(mb_queue_take_back(&b.q));
    ck_assert_uint_eq(atomic_load(&b.q.events), 2);
    push(&b, TEXT, "c");
    mb_queue_publish(&b.q);
    GIVES(&b, ATTEMPT, "one");
    GIVES(&b, ATTEMPT, "two");
    GIVES(&b, TEXT, "c");
    GIVES_NOTHING(&b);
    ck_assert_uint_eq(atomic_load(&b.q.events), 0);
    ck_assert_uint_eq(atomic_load(&b.q.bytes), 0);
    close_queue(&b);
}
END_TEST

// ---- blocks --------------------------------------------------------------------------------------------------------

static size_t blocks_waiting(const both *b) {
    size_t count = 0;
    const void *const *block = (const void *const *)b->q.first; // a block begins with its link
    for (; block; block = (const void *const *)*block) count++;
    return count;
}

START_TEST(small_pieces_are_moved_into_the_last_block) {
    both b;
    open_queue(&b);
    publish(&b, ATTEMPT, "");
    for (int i = 0; i < 20; i++) publish(&b, TEXT, "piece");
    ck_assert_uint_eq(blocks_waiting(&b), 2);
    GIVES(&b, ATTEMPT, "");
    for (int i = 0; i < 20; i++) GIVES(&b, TEXT, "piece");
    GIVES_NOTHING(&b);
    close_queue(&b);
}
END_TEST

START_TEST(an_event_larger_than_a_block_has_its_own) {
    both b;
    static char big[100001];
    memset(big, 'x', sizeof big - 1);
    open_queue(&b);
    push(&b, TEXT, "a");
    push(&b, TEXT, big);
    push(&b, TEXT, "b");
    mb_queue_publish(&b.q);
    GIVES(&b, TEXT, "a");
    GIVES(&b, TEXT, big);
    GIVES(&b, TEXT, "b");
    close_queue(&b);
}
END_TEST

START_TEST(the_queue_is_full_by_events_or_by_bytes_and_empty_again_when_they_were_taken) {
    both b;
    static char big[MB_LIMIT_QUEUE_BYTES + 1];
    memset(big, 'x', sizeof big - 1);
    open_queue(&b);
    for (int i = 0; i < MB_LIMIT_QUEUE_EVENTS; i++) {
        ck_assert(!mb_queue_is_full(&b.q));
        push(&b, TEXT, "a");
    }
    ck_assert(mb_queue_is_full(&b.q));
    mb_queue_publish(&b.q);
    while (next(&b)) {}
    ck_assert(!mb_queue_is_full(&b.q));
    publish(&b, TEXT, big); // an empty queue takes one of any size
    ck_assert(mb_queue_is_full(&b.q));
    ck_assert_ptr_nonnull(next(&b));
    ck_assert(!mb_queue_is_full(&b.q));
    close_queue(&b);
}
END_TEST

// ---- memory --------------------------------------------------------------------------------------------------------

START_TEST(the_terminal_event_needs_no_memory) {
    both b;
    membrane_error *error = NULL;
    open_queue(&b);
    mb_error_set(&error, MEMBRANE_ENOMEM, "no memory");
    push(&b, TEXT, "a");
    mb_alloc_fail_at(1);
    mb_queue_push_last(&b.q, MEMBRANE_EVENT_ERROR, "error", error);
    ck_assert(mb_queue_publish(&b.q));
    ck_assert(!mb_alloc_fail_hit());
    mb_alloc_fail_at(0);
    GIVES(&b, TEXT, "a");
    const membrane_event *last = next(&b);
    ck_assert_uint_eq(last->type, MEMBRANE_EVENT_ERROR);
    ck_assert_ptr_eq(mb_event_more(last)->error, error);
    membrane_error_free(error);
    close_queue(&b);
}
END_TEST

static int use_all(void *unused) {
    both b = {0};
    static char big[10000];
    int code = mb_queue_init(&b.q);
    if (code) {
        mb_queue_free(&b.q);
        return code;
    }
    b.q.pool = &b.pool;
    for (int i = 0; i < 200 && code == 0; i++) {
        bool is_big = i % 50 == 49;
        code = mb_queue_push(&b.q, TEXT, is_big ? big : "piece", is_big ? sizeof big : 5) ? 0 : MEMBRANE_ENOMEM;
        if (i % 7 == 0) mb_queue_publish(&b.q);
        if (i % 20 == 0) next(&b);
    }
    mb_queue_push_last(&b.q, DONE, "stop", NULL);
    mb_queue_publish(&b.q);
    close_queue(&b);
    return code;
}

START_TEST(without_memory_a_push_fails_and_nothing_leaks) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

// ---- two threads ---------------------------------------------------------------------------------------------------

enum { EVENTS = 200000, ROUNDS = 3000 };

static void *write_numbers(void *user) {
    both *b = user;
    char text[32];
    for (int i = 0; i < EVENTS; i++) {
        snprintf(text, sizeof text, "%d", i);
        push(b, TEXT, text);
        if (i % 3 == 0) mb_queue_publish(&b->q);
    }
    mb_queue_push_last(&b->q, DONE, "stop", NULL);
    mb_queue_publish(&b->q);
    return NULL;
}

START_TEST(two_threads_lose_nothing_and_keep_the_order) {
    both b;
    pthread_t writer;
    const membrane_event *event;
    bool drained;
    open_queue(&b);
    pthread_create(&writer, NULL, write_numbers, &b);
    for (int i = 0; i < EVENTS; i++) {
        ck_assert_int_eq(mb_queue_next(&b.q, -1, &event, &drained), 0);
        ck_assert_int_eq(atoi(mb_event_text(event)), i);
    }
    ck_assert_int_eq(mb_queue_next(&b.q, -1, &event, &drained), 0);
    ck_assert_uint_eq(event->type, DONE);
    pthread_join(writer, NULL);
    ck_assert_uint_eq(atomic_load(&b.q.events), 0);
    ck_assert_uint_eq(atomic_load(&b.q.bytes), 0);
    close_queue(&b);
}
END_TEST

typedef struct race {
    both b;
    bool was_taken_back;
} race;

static void *take_back_at_once(void *user) {
    race *r = user;
    publish(&r->b, ATTEMPT, "");
    publish(&r->b, TEXT, "a");
    r->was_taken_back = mb_queue_take_back(&r->b.q);
    mb_queue_push_last(&r->b.q, DONE, "stop", NULL);
    mb_queue_publish(&r->b.q);
    return NULL;
}

START_TEST(what_was_taken_back_nobody_has_seen_and_what_was_seen_is_not_taken_back) {
    for (int i = 0; i < ROUNDS; i++) {
        race r = {0};
        pthread_t writer;
        const membrane_event *event;
        bool drained, saw = false;
        open_queue(&r.b);
        pthread_create(&writer, NULL, take_back_at_once, &r);
        while (mb_queue_next(&r.b.q, -1, &event, &drained) == 0) saw |= event->type == TEXT;
        pthread_join(writer, NULL);
        ck_assert(saw != r.was_taken_back);
        close_queue(&r.b);
    }
}
END_TEST

START_TEST(a_wait_ends_at_its_time) {
    both b;
    const membrane_event *event;
    bool drained;
    open_queue(&b);
    int64_t from = mb_now_ms();
    ck_assert_int_eq(mb_queue_next(&b.q, 20, &event, &drained), MEMBRANE_EAGAIN);
    ck_assert_int_ge(mb_now_ms() - from, 19);
    close_queue(&b);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, events_come_in_their_order_with_their_text);
    tcase_add_test(tc, nothing_is_given_before_it_is_published);
    tcase_add_test(tc, after_the_terminal_event_there_is_nothing);
    tcase_add_test(tc, an_event_that_is_given_back_comes_once_more);
    tcase_add_test(tc, an_attempt_that_was_given_is_no_part_of_the_answer);
    tcase_add_test(tc, an_attempt_and_a_text_of_one_piece_are_told_apart);
    tcase_add_test(tc, each_kind_of_content_counts_once_it_was_given);
    tcase_add_test(tc, taking_back_leaves_the_attempts_and_forgets_all_content);
    tcase_add_test(tc, small_pieces_are_moved_into_the_last_block);
    tcase_add_test(tc, an_event_larger_than_a_block_has_its_own);
    tcase_add_test(tc, the_queue_is_full_by_events_or_by_bytes_and_empty_again_when_they_were_taken);
    tcase_add_test(tc, the_terminal_event_needs_no_memory);
    tcase_add_test(tc, without_memory_a_push_fails_and_nothing_leaks);
    tcase_add_test(tc, two_threads_lose_nothing_and_keep_the_order);
    tcase_add_test(tc, what_was_taken_back_nobody_has_seen_and_what_was_seen_is_not_taken_back);
    tcase_add_test(tc, a_wait_ends_at_its_time);
}
UNIT_MAIN("queue", tests)
