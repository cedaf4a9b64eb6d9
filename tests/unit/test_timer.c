// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "net/timer.h"

typedef struct counted {
    mb_timer timer;
    mb_timers *timers;
    int fired;
    int64_t again_ms; // set anew when it fires, 0: not
    mb_timer *victim; // cleared when it fires
} counted;

static int order[64], order_len;
static counted *first_of_all;

static void fire(mb_timer *timer) {
    counted *c = (counted *)(void *)timer;
    ck_assert(!timer->is_set);
    c->fired++;
    if (order_len < 64) order[order_len++] = (int)(c - first_of_all);
    if (c->victim) mb_timers_clear(c->timers, c->victim);
    if (c->again_ms) mb_timers_set(c->timers, timer, c->again_ms);
    c->again_ms = 0;
}

static void make(mb_timers *timers, counted *all, size_t count) {
    memset(timers, 0, sizeof *timers);
    memset(all, 0, count * sizeof *all);
    for (size_t i = 0; i < count; i++) all[i].timer.fire = fire, all[i].timers = timers;
    order_len = 0;
    first_of_all = all;
}

START_TEST(without_timers_there_is_no_next_one) {
    mb_timers timers = {0};
    ck_assert_int_eq(mb_timers_next(&timers), -1);
    mb_timers_run(&timers, INT64_MAX);
}
END_TEST

START_TEST(timers_fire_in_the_order_of_their_times_and_not_before) {
    mb_timers timers;
    counted all[5];
    static const int64_t due[5] = {40, 10, 50, 20, 30};
    make(&timers, all, 5);
    for (int i = 0; i < 5; i++) mb_timers_set(&timers, &all[i].timer, due[i]);
    ck_assert_int_eq(mb_timers_next(&timers), 10);
    mb_timers_run(&timers, 9);
    ck_assert_int_eq(order_len, 0);
    mb_timers_run(&timers, 30);
    ck_assert_int_eq(order_len, 3);
    ck_assert_int_eq(mb_timers_next(&timers), 40);
    mb_timers_run(&timers, 1000);
    static const int want[5] = {1, 3, 4, 0, 2};
    ck_assert_mem_eq(order, want, sizeof want);
    ck_assert_int_eq(mb_timers_next(&timers), -1);
}
END_TEST

START_TEST(setting_a_set_timer_moves_it_both_ways) {
    mb_timers timers;
    counted all[2];
    make(&timers, all, 2);
    mb_timers_set(&timers, &all[0].timer, 10);
    mb_timers_set(&timers, &all[1].timer, 20);
    mb_timers_set(&timers, &all[0].timer, 30);
    ck_assert_int_eq(mb_timers_next(&timers), 20);
    mb_timers_set(&timers, &all[0].timer, 5);
    ck_assert_int_eq(mb_timers_next(&timers), 5);
    mb_timers_run(&timers, 100);
    ck_assert_int_eq(all[0].fired, 1);
    ck_assert_int_eq(all[1].fired, 1);
}
END_TEST

START_TEST(clearing_is_harmless_whether_set_or_not) {
    mb_timers timers;
    counted all[3];
    make(&timers, all, 3);
    mb_timers_clear(&timers, &all[0].timer);
    for (int i = 0; i < 3; i++) mb_timers_set(&timers, &all[i].timer, 10 + i);
    mb_timers_clear(&timers, &all[0].timer); // the root
    mb_timers_clear(&timers, &all[0].timer);
    mb_timers_clear(&timers, &all[2].timer); // a leaf
    mb_timers_run(&timers, 100);
    ck_assert_int_eq(order_len, 1);
    ck_assert_int_eq(order[0], 1);
}
END_TEST

START_TEST(a_timer_may_set_itself_and_clear_others_while_it_fires) {
    mb_timers timers;
    counted all[3];
    make(&timers, all, 3);
    for (int i = 0; i < 3; i++) mb_timers_set(&timers, &all[i].timer, 10);
    all[0].victim = &all[1].timer;
    all[1].victim = &all[0].timer;
    all[2].again_ms = 50;
    mb_timers_run(&timers, 10);
    ck_assert_int_eq(all[0].fired + all[1].fired, 1); // the first one cleared the other
    ck_assert_int_eq(all[2].fired, 1);
    ck_assert_int_eq(mb_timers_next(&timers), 50);
    mb_timers_run(&timers, 50);
    ck_assert_int_eq(all[2].fired, 2);
}
END_TEST

// Against the plainest way: a list that is searched.
START_TEST(whatever_is_set_and_cleared_the_next_one_is_the_least) {
    enum { COUNT = 200 };
    static counted all[COUNT];
    static int64_t due[COUNT]; // -1: not set
    mb_timers timers;
    uint64_t seed = 7;
    make(&timers, all, COUNT);
    memset(due, 0xff, sizeof due);
    for (int step = 0; step < 20000; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned i = (unsigned)(seed >> 33) % COUNT, what = (unsigned)(seed >> 20) % 8;
        if (what < 5)
            mb_timers_set(&timers, &all[i].timer, due[i] = (int64_t)((seed >> 40) % 1000) + step);
        else if (what < 7)
            mb_timers_clear(&timers, &all[i].timer), due[i] = -1;
        else
            mb_timers_run(&timers, step);
        int64_t least = -1;
        bool good = true; // no assertion where all is well: each one is kept until the test's end
        for (int k = 0; k < COUNT; k++) {
            if (what == 7 && due[k] >= 0 && due[k] <= step) due[k] = -1, all[k].fired--;
            good &= all[k].fired == 0 && all[k].timer.is_set == (due[k] >= 0);
            if (due[k] >= 0 && (least < 0 || due[k] < least)) least = due[k];
        }
        if (!good || mb_timers_next(&timers) != least) ck_abort_msg("step %d", step);
    }
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, without_timers_there_is_no_next_one);
    tcase_add_test(tc, timers_fire_in_the_order_of_their_times_and_not_before);
    tcase_add_test(tc, setting_a_set_timer_moves_it_both_ways);
    tcase_add_test(tc, clearing_is_harmless_whether_set_or_not);
    tcase_add_test(tc, a_timer_may_set_itself_and_clear_others_while_it_fires);
    tcase_add_test(tc, whatever_is_set_and_cleared_the_next_one_is_the_least);
}
UNIT_MAIN("timer", tests)
