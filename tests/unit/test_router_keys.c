// SPDX-License-Identifier: MIT
// Which key of a provider a call takes: by what it was told, what others were, and where its session is.
#include "router_call.h"

START_TEST(keys_take_turns_over_all_calls) {
    int seen[3] = {0};
    set_up(MB_POLICY_ORDERED, 3, 1);
    for (int i = 0; i < 9; i++) {
        begin(&call, MB_POLICY_ORDERED, 1);
        ask();
        seen[d.key]++;
        others(0, d.key, 0, -1);
    }
    for (int i = 0; i < 3; i++) ck_assert_int_eq(seen[i], 3);
    tear_down();
}
END_TEST

START_TEST(calls_do_not_share_a_key_while_another_one_is_idle) {
    mb_ticket tickets[4];
    set_up(MB_POLICY_ORDERED, 4, 1);
    for (int i = 0; i < 4; i++) {
        begin(&call, MB_POLICY_ORDERED, 1);
        ask();
        tickets[i] = enters(0, d.key);
    }
    for (int i = 0; i < 4; i++) ck_assert_int_eq(endpoints[0]->keys[i].gate.in_flight, 1);
    leaves(&tickets[2], 0, -1);
    begin(&call, MB_POLICY_ORDERED, 1);
    ask();
    ck_assert_int_eq(d.key, 2);
    tear_down();
}
END_TEST

START_TEST(a_key_that_cools_is_left_alone_and_takes_turns_again_afterwards) {
    int seen[2] = {0};
    set_up(MB_POLICY_ORDERED, 2, 1);
    others(0, 0, MEMBRANE_ERATE, 10000);
    for (int i = 0; i < 4; i++) {
        begin(&call, MB_POLICY_ORDERED, 1);
        ask();
        ck_assert_int_eq(d.key, 1);
        others(0, 1, 0, -1);
    }
    now_ms += 10000;
    for (int i = 0; i < 4; i++) {
        begin(&call, MB_POLICY_ORDERED, 1);
        ask();
        seen[d.key]++;
        others(0, d.key, 0, -1);
    }
    ck_assert_int_eq(seen[0], 2);
    ck_assert_int_eq(seen[1], 2);
    tear_down();
}
END_TEST

START_TEST(a_refused_key_does_not_poison_its_provider) {
    set_up(MB_POLICY_ORDERED, 2, 2);
    others(0, 0, MEMBRANE_EAUTH, -1);
    for (int i = 0; i < 20; i++) {
        begin(&call, MB_POLICY_ORDERED, 2);
        ask();
        TRIES(0, "first target");
        ck_assert_int_eq(d.key, 1);
        others(0, 1, 0, -1);
    }
    tear_down();
}
END_TEST

START_TEST(where_all_keys_were_refused_a_moment_ago_no_target_may_be_tried) {
    static const int faults[] = {MEMBRANE_EAUTH, MEMBRANE_EFUNDS};
    set_up(MB_POLICY_ORDERED, 2, 2);
    for (size_t i = 0; i < 2; i++)
        for (int key = 0; key < 2; key++) others(i, key, faults[key], -1);
    ask();
    FAILS(MEMBRANE_ENOTARGET, "no target may be tried");
    now_ms += MB_BOARD_FAULT_MS;
    ask();
    TRIES(0, "first target");
    tear_down();
}
END_TEST

// Where there is nothing else to ask, a fresh answer is worth more than a remembered one.
START_TEST(the_only_target_is_asked_although_its_keys_were_refused) {
    set_up(MB_POLICY_ORDERED, 2, 1);
    for (int key = 0; key < 2; key++) others(0, key, MEMBRANE_EAUTH, -1);
    ask();
    TRIES(0, "first target");
    failed(MEMBRANE_EAUTH);
    TRIES(0, "next key");
    failed(MEMBRANE_EAUTH);
    FAILS(MEMBRANE_ENOTARGET, "every target failed");
    tear_down();
}
END_TEST

START_TEST(a_key_that_only_cools_is_waited_for_although_another_one_was_refused) {
    set_up(MB_POLICY_ORDERED, 2, 1);
    others(0, 0, MEMBRANE_EAUTH, -1);
    others(0, 1, MEMBRANE_ERATE, 60000);
    ask();
    TRIES(0, "after the wait that was asked for");
    ck_assert_int_eq(d.key, 1);
    ck_assert_int_eq(d.at_ms, now_ms + 60000);
    ck_assert(!d.is_retry);
    tear_down();
}
END_TEST

START_TEST(a_target_whose_keys_cool_comes_after_one_that_is_free) {
    set_up(MB_POLICY_ORDERED, 2, 2);
    others(0, 0, MEMBRANE_ERATE, 30000);
    others(0, 1, MEMBRANE_ERATE, 20000);
    ask();
    TRIES(1, "the first that is free");
    failed(MEMBRANE_EMODEL);
    TRIES(0, "after the wait that was asked for");
    ck_assert_int_eq(d.key, 1);
    ck_assert_int_eq(d.at_ms, now_ms + 20000);
    tear_down();
}
END_TEST

START_TEST(a_key_at_its_limit_gives_way_to_one_that_is_free) {
    set_up(MB_POLICY_ORDERED, 2, 1);
    for (int i = 0; i < 2; i++) endpoints[0]->keys[i].gate.limits.rpm = 1;
    others(0, 0, 0, -1);
    endpoints[0]->next_key = 0;
    ask();
    TRIES(0, "first target");
    ck_assert_int_eq(d.key, 1);
    tear_down();
}
END_TEST

START_TEST(waits_for_two_keys_by_turns_are_counted_as_retries) {
    int tries = 0;
    set_up(MB_POLICY_ORDERED, 1, 2);
    for (ask(); d.what == MB_ROUTE_TRY; tries++) {
        ck_assert_int_lt(tries, 7);
        if (d.at_ms > now_ms) now_ms = d.at_ms;
        now_ms += 1500; // by then the other one is free again
        failed_asking(MEMBRANE_ERATE, 1000);
    }
    ck_assert_int_eq(tries, 6);
    FAILS(MEMBRANE_ENOTARGET, "every target failed");
    tear_down();
}
END_TEST

START_TEST(a_retry_does_not_use_a_key_that_was_told_to_wait_meanwhile) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    ask();
    others(0, 0, MEMBRANE_ERATE, 60000);
    failed(MEMBRANE_ESERVER);
    TRIES(1, "next target");
    failed(MEMBRANE_EMODEL);
    TRIES(0, "after the wait that was asked for");
    ck_assert_int_eq(d.at_ms, now_ms + 60000);
    tear_down();
}
END_TEST

// ---- sessions ------------------------------------------------------------------------------------------------------

START_TEST(a_session_stays_with_its_target_and_key_while_they_are_free) {
    set_up(MB_POLICY_WEIGHTED, 3, 3);
    route->stuck_to = targets[2].facts->number;
    route->stuck_key = 1;
    ask();
    TRIES(2, "its session is there");
    ck_assert_int_eq(d.key, 1);
    begin(&call, MB_POLICY_WEIGHTED, 3);
    route->stuck_to = targets[2].facts->number;
    route->stuck_key = 1;
    others(2, 1, MEMBRANE_ERATE, 30000);
    ask();
    TRIES(2, "its session is there");
    ck_assert_int_ne(d.key, 1);
    trip(2);
    begin(&call, MB_POLICY_WEIGHTED, 3);
    route->stuck_to = targets[2].facts->number;
    ask();
    ck_assert_uint_ne(d.target, 2);
    tear_down();
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, keys_take_turns_over_all_calls);
    tcase_add_test(tc, calls_do_not_share_a_key_while_another_one_is_idle);
    tcase_add_test(tc, a_key_that_cools_is_left_alone_and_takes_turns_again_afterwards);
    tcase_add_test(tc, a_refused_key_does_not_poison_its_provider);
    tcase_add_test(tc, where_all_keys_were_refused_a_moment_ago_no_target_may_be_tried);
    tcase_add_test(tc, the_only_target_is_asked_although_its_keys_were_refused);
    tcase_add_test(tc, a_key_that_only_cools_is_waited_for_although_another_one_was_refused);
    tcase_add_test(tc, a_target_whose_keys_cool_comes_after_one_that_is_free);
    tcase_add_test(tc, a_key_at_its_limit_gives_way_to_one_that_is_free);
    tcase_add_test(tc, waits_for_two_keys_by_turns_are_counted_as_retries);
    tcase_add_test(tc, a_retry_does_not_use_a_key_that_was_told_to_wait_meanwhile);
    tcase_add_test(tc, a_session_stays_with_its_target_and_key_while_they_are_free);
}
UNIT_MAIN("router_keys", tests)
