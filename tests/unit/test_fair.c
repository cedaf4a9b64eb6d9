// SPDX-License-Identifier: MIT
// Who waits is named by a letter, its session, and a digit; the order in which they are served is a text.
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "route/fair.h"

enum { WAITERS = 64 };

static mb_fair fair;
static mb_waiter waiters[WAITERS];
static char names[WAITERS][4];
static int count;

static mb_waiter *add_in(const char *name, bool in_front) {
    char session[2] = {name[0], 0};
    mb_waiter *w = &waiters[count];
    strcpy(names[count], name);
    *w = (mb_waiter){.user = names[count++]};
    ck_assert(mb_fair_add(&fair, w, session, in_front));
    return w;
}

static void set_up(const char *text) { // names, separated by spaces
    mb_fair_free(&fair);
    count = 0;
    for (const char *at = text; *at; at += 2 + (at[2] == ' ')) add_in((char[]){at[0], at[1], 0}, false);
}

static const char *serve(int most) {
    static char order[WAITERS * 3 + 1];
    char *at = order;
    *at = 0;
    for (mb_waiter *w; most-- > 0 && (w = mb_fair_first(&fair));) {
        at += sprintf(at, "%s%s", at == order ? "" : " ", (char *)w->user);
        mb_fair_remove(w);
    }
    return order;
}

static void tear_down(void) { mb_fair_free(&fair); }

START_TEST(sessions_take_turns_and_within_one_the_first_goes_first) {
    set_up("a1 a2 a3 b1 c1 c2");
    ck_assert_uint_eq(fair.count, 6);
    ck_assert_str_eq(serve(WAITERS), "a1 b1 c1 a2 c2 a3");
    ck_assert_uint_eq(fair.count, 0);
    ck_assert_ptr_null(mb_fair_first(&fair));
    tear_down();
}
END_TEST

START_TEST(a_session_that_queues_a_thousand_delays_another_ones_by_one) {
    set_up("a1 a2 a3 a4 a5 a6 a7 a8 a9");
    ck_assert_str_eq(serve(2), "a1 a2");
    add_in("b1", false);
    ck_assert_str_eq(serve(3), "a3 b1 a4");
    tear_down();
}
END_TEST

START_TEST(calls_without_a_session_are_one_session) {
    mb_fair_free(&fair);
    mb_waiter a = {0}, b = {0};
    ck_assert(mb_fair_add(&fair, &a, NULL, false));
    ck_assert(mb_fair_add(&fair, &b, NULL, false));
    ck_assert_ptr_eq(a.session, b.session);
    ck_assert_ptr_eq(mb_fair_first(&fair), &a);
    mb_fair_remove(&a);
    ck_assert_ptr_eq(mb_fair_first(&fair), &b);
    mb_fair_remove(&b);
    tear_down();
}
END_TEST

START_TEST(who_had_its_turn_elsewhere_comes_first_in_the_order_of_coming) {
    set_up("a1 b1 c1");
    add_in("c8", true);
    add_in("b9", true);
    ck_assert_str_eq(serve(WAITERS), "c8 b9 a1 b1 c1");
    tear_down();
}
END_TEST

START_TEST(who_stands_in_front_takes_no_turn_from_another_session) {
    set_up("a1 a2 b1 b2 c1 c2");
    add_in("b8", true);
    ck_assert_str_eq(serve(2), "b8 a1");
    add_in("b9", true);
    ck_assert_str_eq(serve(WAITERS), "b9 b1 c1 a2 b2 c2");
    tear_down();
}
END_TEST

START_TEST(who_gives_up_leaves_the_others_as_they_stand) {
    set_up("a1 a2 b1 c1 c2");
    mb_fair_remove(&waiters[2]); // b1, whose turn it was not
    mb_fair_remove(&waiters[2]); // harmless
    mb_fair_remove(&waiters[4]); // c2, not the first of its session
    ck_assert_str_eq(serve(WAITERS), "a1 c1 a2");
    set_up("a1 a2 b1");
    mb_fair_remove(&waiters[0]); // whose turn it was
    ck_assert_str_eq(serve(WAITERS), "b1 a2");
    set_up("a1 b1");
    mb_waiter *front = add_in("a9", true);
    mb_fair_remove(front);
    ck_assert_str_eq(serve(WAITERS), "a1 b1");
    tear_down();
}
END_TEST

START_TEST(a_queue_that_is_freed_lets_everybody_go) {
    set_up("a1 a2 b1");
    add_in("c9", true);
    tear_down();
    for (int i = 0; i < count; i++) {
        ck_assert_ptr_null(waiters[i].fair);
        mb_fair_remove(&waiters[i]); // harmless
    }
    ck_assert_uint_eq(fair.count, 0);
}
END_TEST

// Between two turns of a session each other one that waits is served at most once.
START_TEST(nobody_is_served_twice_while_another_session_waits) {
    mb_rng rng;
    mb_rng_seed_with(&rng, 1);
    for (int round = 0; round < 500; round++) {
        int since[8] = {0}, stands[8] = {0};
        set_up("");
        while (count < WAITERS || fair.count) {
            if (count < WAITERS && mb_rng_below(&rng, 2)) {
                int session = (int)mb_rng_below(&rng, 8);
                add_in((char[]){(char)('a' + session), 'x', 0}, false);
                if (stands[session]++ == 0) since[session] = 0;
                continue;
            }
            mb_waiter *w = mb_fair_first(&fair);
            if (!w) continue;
            int session = ((char *)w->user)[0] - 'a';
            mb_fair_remove(w);
            stands[session]--;
            since[session] = 0;
            for (int i = 0; i < 8; i++)
                if (i != session && stands[i]) ck_assert_int_le(++since[i], 8);
        }
        tear_down();
    }
}
END_TEST

static int wait_and_go(void *user) {
    mb_fair f = {0};
    mb_waiter w[6] = {0};
    int status = 0;
    (void)user;
    for (int i = 0; i < 6; i++)
        if (!mb_fair_add(&f, &w[i], i % 2 ? "one" : "two", i == 5)) status = -1;
    for (int i = 0; i < 6; i++) mb_fair_remove(&w[i]);
    if (mb_fair_first(&f)) status = -1;
    mb_fair_free(&f);
    return status;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(wait_and_go, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, sessions_take_turns_and_within_one_the_first_goes_first);
    tcase_add_test(tc, a_session_that_queues_a_thousand_delays_another_ones_by_one);
    tcase_add_test(tc, calls_without_a_session_are_one_session);
    tcase_add_test(tc, who_had_its_turn_elsewhere_comes_first_in_the_order_of_coming);
    tcase_add_test(tc, who_stands_in_front_takes_no_turn_from_another_session);
    tcase_add_test(tc, who_gives_up_leaves_the_others_as_they_stand);
    tcase_add_test(tc, a_queue_that_is_freed_lets_everybody_go);
    tcase_add_test(tc, nobody_is_served_twice_while_another_session_waits);
    tcase_add_test(tc, every_allocation_may_fail);
}
UNIT_MAIN("fair", tests)
