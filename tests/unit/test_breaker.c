// SPDX-License-Identifier: MIT
#include "unit.h"

#include <string.h>

#include "route/breaker.h"

static mb_breaker b;
static int64_t now_ms;

static void set_up(void) {
    memset(&b, 0, sizeof b);
    now_ms = 1000000;
}

static void ends(mb_outcome outcome) { mb_breaker_end(&b, now_ms, outcome, mb_breaker_begin(&b, now_ms)); }

static mb_breaker_state state(void) { return mb_breaker_at(&b, now_ms); }

static void fail_times(int times) {
    for (int i = 0; i < times; i++) ends(MB_OUTCOME_BAD);
}

START_TEST(all_zeros_is_a_closed_one) {
    set_up();
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
    ck_assert(!mb_breaker_is_probed(&b, now_ms));
    ck_assert(!mb_breaker_begin(&b, now_ms));
}
END_TEST

START_TEST(five_failures_in_a_row_open_it_for_five_seconds) {
    set_up();
    fail_times(4);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
    fail_times(1);
    ck_assert_int_eq(state(), MB_BREAKER_OPEN);
    ck_assert_int_eq(b.until_ms, now_ms + 5000);
    now_ms += 4999;
    ck_assert_int_eq(state(), MB_BREAKER_OPEN);
    now_ms++;
    ck_assert_int_eq(state(), MB_BREAKER_HALF_OPEN);
}
END_TEST

START_TEST(an_answer_between_them_begins_the_row_anew) {
    set_up();
    for (int i = 0; i < 4; i++) {
        fail_times(4);
        ends(MB_OUTCOME_GOOD);
    }
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
}
END_TEST

START_TEST(what_is_not_its_fault_counts_neither_way_while_it_is_closed) {
    set_up();
    for (int i = 0; i < 100; i++) ends(MB_OUTCOME_ALIVE), ends(MB_OUTCOME_NOTHING);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
    fail_times(4);
    ends(MB_OUTCOME_ALIVE);
    ends(MB_OUTCOME_NOTHING);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
    fail_times(1);
    ck_assert_int_eq(state(), MB_BREAKER_OPEN);
}
END_TEST

START_TEST(half_of_twenty_in_half_a_minute_open_it) {
    set_up();
    for (int i = 0; i < 9; i++) ends(MB_OUTCOME_GOOD), ends(MB_OUTCOME_BAD);
    ends(MB_OUTCOME_GOOD);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED); // 19
    ends(MB_OUTCOME_BAD);
    ck_assert_int_eq(state(), MB_BREAKER_OPEN);
}
END_TEST

START_TEST(fewer_than_half_do_not_open_it) {
    set_up();
    for (int i = 0; i < 500; i++) ends(i % 5 < 2 ? MB_OUTCOME_BAD : MB_OUTCOME_GOOD), now_ms += 50;
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
}
END_TEST

START_TEST(an_answer_does_not_open_it_even_where_half_are_bad) {
    set_up();
    for (int i = 0; i < 3; i++) fail_times(4), ends(MB_OUTCOME_GOOD);
    for (int i = 0; i < 4; i++) ends(MB_OUTCOME_GOOD); // 19: 12 bad
    ends(MB_OUTCOME_GOOD);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
    fail_times(1);
    ck_assert_int_eq(state(), MB_BREAKER_OPEN);
}
END_TEST

START_TEST(what_is_older_than_half_a_minute_is_forgotten) {
    set_up();
    for (int i = 0; i < 9; i++) ends(MB_OUTCOME_GOOD), ends(MB_OUTCOME_BAD);
    now_ms += MB_BREAKER_WINDOW_MS;
    for (int i = 0; i < 4; i++) ends(MB_OUTCOME_GOOD), ends(MB_OUTCOME_BAD);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
    now_ms += 1000 * MB_BREAKER_WINDOW_MS;
    for (int i = 0; i < 9; i++) ends(MB_OUTCOME_GOOD), ends(MB_OUTCOME_BAD);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
    now_ms += MB_BREAKER_WINDOW_MS / 2;
    ends(MB_OUTCOME_GOOD), ends(MB_OUTCOME_BAD);
    ck_assert_int_eq(state(), MB_BREAKER_OPEN);
}
END_TEST

START_TEST(a_failed_probe_doubles_the_time_up_to_five_minutes) {
    static const int64_t times[] = {5000, 10000, 20000, 40000, 80000, 160000, 300000, 300000, 300000};
    set_up();
    fail_times(5);
    for (int i = 0; i < 9; i++) {
        ck_assert_int_eq(b.until_ms - now_ms, times[i]);
        now_ms = b.until_ms;
        ck_assert_int_eq(state(), MB_BREAKER_HALF_OPEN);
        fail_times(1);
        ck_assert_int_eq(state(), MB_BREAKER_OPEN);
    }
    now_ms = b.until_ms;
    ends(MB_OUTCOME_GOOD);
    fail_times(5);
    ck_assert_int_eq(b.until_ms - now_ms, 5000); // it was well: from the beginning
}
END_TEST

START_TEST(a_probe_that_is_answered_closes_it_even_with_a_refusal) {
    static const mb_outcome answers[] = {MB_OUTCOME_GOOD, MB_OUTCOME_ALIVE};
    for (int i = 0; i < 2; i++) {
        set_up();
        fail_times(5);
        now_ms = b.until_ms;
        ends(answers[i]);
        ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
        fail_times(4);
        ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
    }
}
END_TEST

START_TEST(one_probe_is_let_in_until_it_ends) {
    set_up();
    fail_times(5);
    now_ms = b.until_ms;
    ck_assert(!mb_breaker_is_probed(&b, now_ms));
    mb_breaker_role role = mb_breaker_begin(&b, now_ms);
    ck_assert_int_eq(role, MB_ROLE_PROBE);
    mb_breaker_role forced = mb_breaker_begin(&b, now_ms);
    mb_breaker_end(&b, now_ms + 5, MB_OUTCOME_NOTHING, forced); // nobody else to ask: not the probe
    ck_assert(mb_breaker_is_probed(&b, now_ms + 6));
    ck_assert(mb_breaker_is_probed(&b, now_ms));
    mb_breaker_end(&b, now_ms + 10, MB_OUTCOME_NOTHING, role); // cancelled: another one may try
    ck_assert_int_eq(mb_breaker_at(&b, now_ms + 10), MB_BREAKER_HALF_OPEN);
    ck_assert(!mb_breaker_is_probed(&b, now_ms + 10));
}
END_TEST

START_TEST(a_probe_that_never_ends_is_forgotten_after_a_minute) {
    set_up();
    fail_times(5);
    now_ms = b.until_ms;
    mb_breaker_begin(&b, now_ms);
    ck_assert(mb_breaker_is_probed(&b, now_ms + 59999));
    ck_assert(!mb_breaker_is_probed(&b, now_ms + 60000));
}
END_TEST

START_TEST(what_began_before_it_opened_decides_nothing) {
    set_up();
    bool early = mb_breaker_begin(&b, now_ms);
    fail_times(5);
    int64_t until = b.until_ms;
    mb_breaker_end(&b, now_ms + 1, MB_OUTCOME_GOOD, early);
    ck_assert_int_eq(state(), MB_BREAKER_OPEN);
    now_ms = until;
    mb_breaker_end(&b, now_ms, MB_OUTCOME_BAD, early);
    ck_assert_int_eq(b.until_ms, until);
}
END_TEST

START_TEST(who_goes_there_while_it_is_open_may_close_it_but_not_lengthen_its_rest) {
    set_up();
    fail_times(5);
    int64_t until = b.until_ms;
    now_ms += 100;
    fail_times(20); // the least bad one of many
    ck_assert_int_eq(b.until_ms, until);
    ends(MB_OUTCOME_GOOD);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
}
END_TEST

START_TEST(of_two_probes_that_fail_only_the_first_counts) {
    set_up();
    fail_times(5);
    now_ms = b.until_ms;
    bool one = mb_breaker_begin(&b, now_ms), two = mb_breaker_begin(&b, now_ms);
    mb_breaker_end(&b, now_ms, MB_OUTCOME_BAD, one);
    mb_breaker_end(&b, now_ms, MB_OUTCOME_BAD, two);
    ck_assert_int_eq(b.until_ms - now_ms, 10000);
}
END_TEST

START_TEST(who_is_said_to_be_well_again_is_probed_at_once) {
    set_up();
    fail_times(5);
    mb_breaker_half_open(&b, now_ms + 100);
    ck_assert_int_eq(state(), MB_BREAKER_OPEN);
    now_ms += 100;
    ck_assert_int_eq(state(), MB_BREAKER_HALF_OPEN);
    mb_breaker_half_open(&b, now_ms + 50);
    ck_assert_int_eq(state(), MB_BREAKER_HALF_OPEN);
    ends(MB_OUTCOME_BAD); // it was not: as after any probe that fails
    ck_assert_int_eq(b.until_ms, now_ms + 10000);
    mb_breaker_half_open(&b, now_ms);
    ends(MB_OUTCOME_GOOD);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
    mb_breaker_half_open(&b, now_ms);
    ck_assert_int_eq(state(), MB_BREAKER_CLOSED);
}
END_TEST

START_TEST(states_have_names) {
    ck_assert_str_eq(mb_breaker_state_name(MB_BREAKER_CLOSED), "closed");
    ck_assert_str_eq(mb_breaker_state_name(MB_BREAKER_OPEN), "open");
    ck_assert_str_eq(mb_breaker_state_name(MB_BREAKER_HALF_OPEN), "half-open");
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, all_zeros_is_a_closed_one);
    tcase_add_test(tc, five_failures_in_a_row_open_it_for_five_seconds);
    tcase_add_test(tc, an_answer_between_them_begins_the_row_anew);
    tcase_add_test(tc, what_is_not_its_fault_counts_neither_way_while_it_is_closed);
    tcase_add_test(tc, half_of_twenty_in_half_a_minute_open_it);
    tcase_add_test(tc, fewer_than_half_do_not_open_it);
    tcase_add_test(tc, an_answer_does_not_open_it_even_where_half_are_bad);
    tcase_add_test(tc, what_is_older_than_half_a_minute_is_forgotten);
    tcase_add_test(tc, a_failed_probe_doubles_the_time_up_to_five_minutes);
    tcase_add_test(tc, a_probe_that_is_answered_closes_it_even_with_a_refusal);
    tcase_add_test(tc, one_probe_is_let_in_until_it_ends);
    tcase_add_test(tc, a_probe_that_never_ends_is_forgotten_after_a_minute);
    tcase_add_test(tc, what_began_before_it_opened_decides_nothing);
    tcase_add_test(tc, who_goes_there_while_it_is_open_may_close_it_but_not_lengthen_its_rest);
    tcase_add_test(tc, of_two_probes_that_fail_only_the_first_counts);
    tcase_add_test(tc, who_is_said_to_be_well_again_is_probed_at_once);
    tcase_add_test(tc, states_have_names);
}
UNIT_MAIN("breaker", tests)
