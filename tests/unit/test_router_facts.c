// SPDX-License-Identifier: MIT
// The router with facts: targets that rest, limits, budgets of attempts, hedges.
#include "router_call.h"

// ---- targets that rest ---------------------------------------------------------------------------------------------

START_TEST(a_target_that_keeps_failing_is_passed_over) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    trip(0);
    ask();
    TRIES(1, "the first that is free");
    failed(MEMBRANE_EMODEL);
    TRIES(0, "the least bad one"); // there is no other
    ck_assert_int_le(d.at_ms, now_ms);
    tear_down();
}
END_TEST

START_TEST(a_target_whose_provider_does_not_answer_probes_is_passed_over) {
    set_up(MB_POLICY_ORDERED, 1, 3);
    mb_board_note_health(endpoints[0], MB_HEALTH_DOWN, now_ms);
    targets[1].facts->model_state = MB_MODEL_ABSENT;
    ask();
    TRIES(2, "the first that is free");
    mb_board_note_health(endpoints[0], MB_HEALTH_UP, now_ms);
    begin(&call, MB_POLICY_ORDERED, 3);
    ask();
    TRIES(0, "first target");
    tear_down();
}
END_TEST

START_TEST(when_every_target_is_open_the_least_bad_one_is_tried_at_once) {
    set_up(MB_POLICY_ORDERED, 1, 3);
    mb_board_note_health(endpoints[0], MB_HEALTH_DOWN, now_ms);
    trip(1);
    now_ms = targets[1].facts->breaker.until_ms;
    trip(1); // for longer now
    trip(2);
    ask();
    TRIES(2, "the least bad one");
    ck_assert_int_le(d.at_ms, now_ms);
    failed(MEMBRANE_ESERVER); // not again while there are others
    TRIES(1, "the least bad one");
    failed(MEMBRANE_EMODEL);
    TRIES(0, "the least bad one");
    tear_down();
}
END_TEST

START_TEST(half_open_lets_one_probe_in) {
    one_call other;
    set_up(MB_POLICY_ORDERED, 1, 2);
    trip(0);
    now_ms = targets[0].facts->breaker.until_ms;
    ask();
    TRIES(0, "first target");
    mb_ticket probe = enters(0, 0);
    begin(&other, MB_POLICY_ORDERED, 2);
    mb_route_decision second = mb_route_next(&other.route, NULL, now_ms, 0.5);
    ck_assert_uint_eq(second.target, 1);
    leaves(&probe, 0, -1);
    begin(&other, MB_POLICY_ORDERED, 2);
    ck_assert_uint_eq(mb_route_next(&other.route, NULL, now_ms, 0.5).target, 0);
    tear_down();
}
END_TEST

START_TEST(a_target_that_keeps_failing_is_not_retried_while_there_are_others) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    ask();
    trip(0); // by others, meanwhile
    failed(MEMBRANE_ESERVER);
    TRIES(1, "next target");
    tear_down();
}
END_TEST

START_TEST(a_target_that_keeps_failing_is_retried_where_no_other_may_be_asked) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    targets[1].passed_over = "not local";
    trip(0);
    ask();
    TRIES(0, "the least bad one");
    failed(MEMBRANE_ESERVER);
    TRIES(0, "retry");
    tear_down();
}
END_TEST

// ---- limits of ours ------------------------------------------------------------------------------------------------

START_TEST(a_limited_target_is_passed_over_where_the_call_may_not_wait) {
    for (int policy = 0; policy < MB_POLICY_COUNT; policy++) {
        set_up((mb_policy)policy, 1, 2);
        limit_parallel(0);
        ask();
        ck_assert_int_eq(d.what, MB_ROUTE_TRY);
        ck_assert_uint_eq(d.target, 1);
        tear_down();
    }
}
END_TEST

START_TEST(ordered_waits_for_an_earlier_target_and_the_others_take_any_free_one) {
    for (int policy = 0; policy < MB_POLICY_COUNT; policy++) {
        set_up((mb_policy)policy, 1, 2);
        limit_parallel(0);
        route->wait_until_ms = now_ms + 5000;
        ask();
        if (policy == MB_POLICY_ORDERED)
            QUEUES_UNTIL(now_ms + 5000);
        else
            ck_assert_uint_eq(d.target, 1);
        tear_down();
    }
}
END_TEST

START_TEST(ordered_does_not_wait_for_a_later_target_than_one_that_is_free) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    limit_parallel(1);
    route->wait_until_ms = now_ms + 5000;
    ask();
    TRIES(0, "first target");
    tear_down();
}
END_TEST

START_TEST(a_call_that_waits_asks_again_when_somebody_else_may_be_asked) {
    set_up(MB_POLICY_WEIGHTED, 1, 2);
    route->wait_until_ms = now_ms + 50000;
    limit_parallel(0);
    others(1, 0, MEMBRANE_ERATE, 3000);
    ask();
    QUEUES_UNTIL(now_ms + 3000);
    now_ms += 3000;
    ask();
    TRIES(1, "by weight");
    tear_down();
}
END_TEST

START_TEST(when_the_time_for_waiting_is_over_the_next_target_is_taken) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    limit_parallel(0);
    route->wait_until_ms = now_ms + 5000;
    ask();
    now_ms = d.at_ms;
    ask();
    TRIES(1, "the first that is free");
    tear_down();
}
END_TEST

START_TEST(a_call_that_may_wait_does_so_before_it_takes_a_fallback) {
    set_up(MB_POLICY_WEIGHTED, 1, 2);
    targets[1].group = MB_GROUP_ERROR;
    limit_parallel(0);
    route->wait_until_ms = now_ms + 5000;
    ask();
    QUEUES_UNTIL(now_ms + 5000);
    route->wait_until_ms = 0;
    ask();
    TRIES(1, "fallback");
    tear_down();
}
END_TEST

START_TEST(where_every_target_is_limited_the_call_fails_with_the_time_at_which_one_is_free) {
    set_up(MB_POLICY_ORDERED, 1, 3);
    limit_parallel(0);
    for (size_t i = 1; i < 3; i++) {
        targets[i].facts->gate.limits.rpm = i == 1 ? 2 : 60;
        for (int n = 0; n < targets[i].facts->gate.limits.rpm; n++) others(i, 0, 0, -1);
    }
    ask();
    FAILS(MEMBRANE_ERATE, "a limit of ours is reached");
    ck_assert_uint_eq(d.target, 2);
    ck_assert_int_eq(d.at_ms, now_ms + 1000);
    ck_assert_int_eq(route->attempts, 0);
    tear_down();
}
END_TEST

START_TEST(every_kind_of_limit_holds) {
    const mb_limits parallel = {.parallel = 1}, rpm = {.rpm = 1}, tpm = {.tpm = 100};
    for (int i = 0; i < 6; i++) {
        set_up(MB_POLICY_ORDERED, 1, 1);
        route->tokens = 80;
        mb_gate *gates[] = {&endpoints[0]->gate,     &endpoints[0]->keys[0].gate, &endpoints[0]->keys[0].gate,
                            &targets[0].facts->gate, &targets[0].facts->gate,     &targets[0].facts->gate};
        gates[i]->limits = i == 0 || i == 3 ? parallel : i == 1 || i == 4 ? rpm : tpm;
        ask();
        TRIES(0, "first target");
        enters(0, 0);
        begin(&call, MB_POLICY_ORDERED, 1);
        route->tokens = 80;
        ask();
        FAILS(MEMBRANE_ERATE, "a limit of ours is reached");
        route->wait_until_ms = now_ms + 1; // requests come back in a minute: in vain; tokens may be given back any time
        const bool is_rpm = i == 1 || i == 4;
        ck_assert_int_eq(mb_route_judge(route, 0, now_ms).standing, is_rpm ? MB_LIMITED : MB_QUEUED);
        route->wait_until_ms = now_ms + 60000;
        mb_verdict v = mb_route_judge(route, 0, now_ms);
        ck_assert_int_eq(v.standing, MB_QUEUED);
        ck_assert_ptr_eq(v.gate, gates[i]);
        tear_down();
    }
}
END_TEST

START_TEST(nobody_waits_beyond_the_deadline) {
    set_up(MB_POLICY_ORDERED, 1, 1);
    limit_parallel(0);
    route->wait_until_ms = now_ms + 5000;
    route->deadline_ms = now_ms + 3000;
    ask();
    QUEUES_UNTIL(now_ms + 3000);
    now_ms += 3000;
    ask();
    FAILS(MEMBRANE_ETIMEOUT, "the deadline has passed");
    tear_down();
}
END_TEST

START_TEST(nobody_overtakes_those_who_wait) {
    mb_waiter first = {0};
    set_up(MB_POLICY_ORDERED, 1, 1);
    targets[0].facts->gate.limits.parallel = 1;
    mb_ticket ticket = enters(0, 0);
    ck_assert(mb_board_wait(board, &targets[0].facts->gate, &first, "other", false));
    leaves(&ticket, 0, -1);
    ask(); // a place is free, but somebody else's turn
    FAILS(MEMBRANE_ERATE, "a limit of ours is reached");
    route->wait_until_ms = now_ms + 5000;
    ask();
    QUEUES_UNTIL(now_ms + 5000);
    route->had_its_turn = true;
    ask();
    TRIES(0, "first target");
    mb_board_wait_ends(board, &first);
    tear_down();
}
END_TEST

START_TEST(the_limits_of_a_target_that_rests_hold_too) {
    set_up(MB_POLICY_ORDERED, 1, 1);
    trip(0);
    limit_parallel(0);
    ask();
    FAILS(MEMBRANE_ERATE, "a limit of ours is reached");
    route->wait_until_ms = now_ms + 5000;
    ask();
    QUEUES_UNTIL(now_ms + 5000);
    ck_assert_int_eq(mb_route_judge(route, 0, now_ms).standing, MB_QUEUED);
    tear_down();
}
END_TEST

START_TEST(a_target_that_rests_and_is_limited_comes_after_everybody_else) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    route->wait_until_ms = now_ms + 5000;
    trip(0);
    limit_parallel(0);
    ask();
    TRIES(1, "the first that is free");
    failed_asking(MEMBRANE_ERATE, 30000);
    TRIES(1, "after the wait that was asked for");
    ck_assert_int_eq(d.at_ms, now_ms + 30000);
    begin(&call, MB_POLICY_ORDERED, 2);
    route->wait_until_ms = now_ms + 5000;
    targets[1].group = MB_GROUP_ERROR;
    ask();
    TRIES(1, "fallback");
    tear_down();
}
END_TEST

// ---- a time that has come ------------------------------------------------------------------------------------------

START_TEST(a_retry_goes_when_its_time_has_come) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    ask();
    failed(MEMBRANE_ESERVER);
    TRIES(0, "retry");
    ck_assert(d.is_retry);
    ck_assert_int_eq(d.at_ms, now_ms + 500);
    come();
    TRIES(0, "retry");
    ck_assert_int_eq(call.memory[0].attempts, 2);
    ck_assert_int_eq(call.memory[0].retries, 1);
    ck_assert_int_eq(route->attempts, 2);
    tear_down();
}
END_TEST

START_TEST(a_retry_whose_target_has_reached_its_limit_meanwhile_goes_elsewhere) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    ask();
    failed(MEMBRANE_ESERVER);
    limit_parallel(0);
    come();
    TRIES(1, "the first that is free");
    ck_assert(!d.is_retry);
    ck_assert_int_eq(call.memory[0].attempts, 1);
    ck_assert_int_eq(route->attempts, 2);
    tear_down();
}
END_TEST

START_TEST(a_retry_that_had_to_queue_is_still_a_retry) {
    set_up(MB_POLICY_ORDERED, 1, 1);
    route->wait_until_ms = now_ms + 5000;
    ask();
    for (int i = 0; i < 2; i++) {
        failed(MEMBRANE_ESERVER);
        TRIES(0, "retry");
        targets[0].facts->gate.limits.parallel = 1;
        mb_ticket ticket = enters(0, 0);
        come();
        ck_assert_int_eq(d.what, MB_ROUTE_QUEUE);
        ck_assert_int_eq(call.memory[0].retries, i);
        leaves(&ticket, 0, -1);
        ask();
        ck_assert_int_eq(d.what, MB_ROUTE_TRY);
        ck_assert(d.is_retry);
        ck_assert_int_eq(call.memory[0].retries, i + 1);
    }
    failed(MEMBRANE_ESERVER);
    FAILS(MEMBRANE_ENOTARGET, "every target failed");
    tear_down();
}
END_TEST

START_TEST(a_retry_whose_target_began_to_rest_meanwhile_goes_elsewhere) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    ask();
    failed(MEMBRANE_ESERVER);
    trip(0);
    come();
    TRIES(1, "the first that is free");
    tear_down();
}
END_TEST

START_TEST(a_retry_whose_key_was_told_to_wait_meanwhile_takes_another) {
    set_up(MB_POLICY_ORDERED, 2, 2);
    ask();
    failed(MEMBRANE_ESERVER);
    TRIES(0, "retry");
    others(0, d.key, MEMBRANE_ERATE, 60000);
    come();
    TRIES(0, "retry");
    ck_assert_int_eq(d.key, 1);
    ck_assert(d.is_retry);
    tear_down();
}
END_TEST

// Two answers that were under way together: the key is refused, and it has asked too much.
START_TEST(a_refused_key_of_the_only_target_still_waits_as_long_as_it_was_told) {
    set_up(MB_POLICY_ORDERED, 1, 1);
    others(0, 0, MEMBRANE_ERATE, 60000);
    others(0, 0, MEMBRANE_EAUTH, -1);
    ask();
    TRIES(0, "after the wait that was asked for");
    ck_assert_int_eq(d.at_ms, now_ms + 60000); // else it would be asked now, not let in, asked now, …
    now_ms = d.at_ms;
    ck_assert(mb_route_is_open(route, d.target, d.key, now_ms));
    tear_down();
}
END_TEST

START_TEST(the_least_bad_one_goes_though_it_rests) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    trip(0);
    trip(1);
    ask();
    TRIES(0, "the least bad one");
    ck_assert(mb_route_is_open(route, d.target, d.key, now_ms));
    limit_parallel(0);
    ck_assert(!mb_route_is_open(route, d.target, d.key, now_ms));
    tear_down();
}
END_TEST

START_TEST(a_first_attempt_that_waited_for_a_key_and_meets_a_limit_is_told_so) {
    set_up(MB_POLICY_ORDERED, 1, 1);
    others(0, 0, MEMBRANE_ERATE, 2000);
    ask();
    TRIES(0, "after the wait that was asked for");
    limit_parallel(0);
    come();
    FAILS(MEMBRANE_ERATE, "a limit of ours is reached");
    ck_assert_int_eq(route->attempts, 0);
    tear_down();
}
END_TEST

// ---- many targets --------------------------------------------------------------------------------------------------

// The choice is made before the targets are looked at: those that are not free must not change the shares of the rest.
START_TEST(weights_hold_among_those_that_are_free) {
    int seen[4] = {0};
    set_up(MB_POLICY_WEIGHTED, 1, 4);
    static const double weights[] = {5, 1, 2, 3};
    for (int i = 0; i < 4; i++) targets[i].weight = weights[i];
    limit_parallel(0);
    trip(2);
    mb_rng rng;
    mb_rng_seed_with(&rng, 1);
    for (int i = 0; i < 40000; i++) {
        begin(&call, MB_POLICY_WEIGHTED, 4);
        seen[mb_route_next(route, NULL, now_ms, mb_rng_unit(&rng)).target]++;
    }
    ck_assert_int_eq(seen[0] + seen[2], 0);
    ck_assert_double_eq_tol(seen[1] / 40000.0, 0.25, 0.01);
    tear_down();
}
END_TEST

START_TEST(the_best_that_is_free_is_taken_where_the_best_of_all_is_not) {
    set_up(MB_POLICY_CHEAPEST, 1, 4);
    static const int64_t costs[] = {10, 1, 5, 7};
    for (int i = 0; i < 4; i++) targets[i].cost_usd_micros = costs[i];
    limit_parallel(1);
    ask();
    TRIES(2, "the cheapest");
    tear_down();
}
END_TEST

// ---- budgets of attempts -------------------------------------------------------------------------------------------

START_TEST(without_room_in_the_retry_budget_the_next_target_is_taken) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    route->may_retry = false;
    ask();
    failed(MEMBRANE_ESERVER);
    TRIES(1, "next target");
    failed_asking(MEMBRANE_ERATE, 1000);
    FAILS(MEMBRANE_ENOTARGET, "every target failed");
    tear_down();
}
END_TEST

START_TEST(no_more_attempts_are_made_than_allowed) {
    set_up(MB_POLICY_ORDERED, 3, 3);
    route->max_attempts = 3;
    ask();
    failed(MEMBRANE_EAUTH);
    failed(MEMBRANE_ESERVER);
    TRIES(0, "retry");
    failed(MEMBRANE_EAUTH);
    FAILS(MEMBRANE_ENOTARGET, "no attempts are left");
    ck_assert_str_eq(mb_route_hedge(route, now_ms, 0).reason, "no attempts are left");
    tear_down();
}
END_TEST

// ---- a prompt that is too long -------------------------------------------------------------------------------------

START_TEST(a_prompt_that_is_too_long_goes_to_a_window_that_is_known_to_be_larger) {
    set_up(MB_POLICY_ORDERED, 1, 4);
    static const int64_t windows[] = {8000, 0, 8000, 32000};
    for (int i = 0; i < 4; i++) targets[i].window = windows[i];
    ask();
    failed(MEMBRANE_ECONTEXT);
    TRIES(3, "fallback");
    failed(MEMBRANE_ECONTEXT);
    FAILS(MEMBRANE_ENOTARGET, "every target failed");
    tear_down();
}
END_TEST

START_TEST(a_list_of_its_own_comes_before_a_larger_window) {
    set_up(MB_POLICY_ORDERED, 1, 3);
    targets[0].window = 8000;
    targets[1].window = 32000;
    targets[2].group = MB_GROUP_CONTEXT;
    ask();
    failed(MEMBRANE_ECONTEXT);
    TRIES(2, "fallback");
    failed(MEMBRANE_EMODEL);
    TRIES(1, "fallback");
    tear_down();
}
END_TEST

// ---- a second request beside the first -----------------------------------------------------------------------------

static void runs(void) { // what was decided runs
    enters(d.target, d.key);
    call.memory[d.target].is_running = true;
}

START_TEST(a_hedge_goes_to_another_target_that_is_free) {
    set_up(MB_POLICY_ORDERED, 1, 3);
    ask();
    runs();
    limit_parallel(1);
    d = mb_route_hedge(route, now_ms, 0.5);
    TRIES(2, "hedge");
    ck_assert(d.is_retry); // it takes its part of the budget
    ck_assert_int_le(d.at_ms, now_ms);
    runs();
    ck_assert_int_eq(mb_route_hedge(route, now_ms, 0.5).what, MB_ROUTE_FAIL);
    tear_down();
}
END_TEST

START_TEST(a_hedge_may_be_an_error_fallback_but_no_target_that_rests_waits_or_failed) {
    set_up(MB_POLICY_ORDERED, 1, 4);
    ask();
    failed(MEMBRANE_ERATE); // the first asks for a wait
    TRIES(1, "next target");
    runs();
    trip(2);
    targets[3].group = MB_GROUP_ERROR;
    now_ms += 1000; // the first would be free again
    d = mb_route_hedge(route, now_ms, 0.5);
    TRIES(3, "hedge");
    tear_down();
}
END_TEST

START_TEST(without_room_in_the_retry_budget_nothing_is_hedged) {
    set_up(MB_POLICY_ORDERED, 1, 2);
    ask();
    runs();
    route->may_retry = false;
    d = mb_route_hedge(route, now_ms, 0.5);
    FAILS(0, "the retry budget is used up");
    ck_assert_int_eq(route->attempts, 1);
    tear_down();
}
END_TEST

static void resting_tests(TCase *tc) {
    tcase_add_test(tc, a_target_that_keeps_failing_is_passed_over);
    tcase_add_test(tc, a_target_whose_provider_does_not_answer_probes_is_passed_over);
    tcase_add_test(tc, when_every_target_is_open_the_least_bad_one_is_tried_at_once);
    tcase_add_test(tc, half_open_lets_one_probe_in);
    tcase_add_test(tc, a_target_that_keeps_failing_is_not_retried_while_there_are_others);
    tcase_add_test(tc, a_target_that_keeps_failing_is_retried_where_no_other_may_be_asked);
}

static void limit_tests(TCase *tc) {
    tcase_add_test(tc, a_limited_target_is_passed_over_where_the_call_may_not_wait);
    tcase_add_test(tc, ordered_waits_for_an_earlier_target_and_the_others_take_any_free_one);
    tcase_add_test(tc, ordered_does_not_wait_for_a_later_target_than_one_that_is_free);
    tcase_add_test(tc, a_call_that_waits_asks_again_when_somebody_else_may_be_asked);
    tcase_add_test(tc, when_the_time_for_waiting_is_over_the_next_target_is_taken);
    tcase_add_test(tc, a_call_that_may_wait_does_so_before_it_takes_a_fallback);
    tcase_add_test(tc, where_every_target_is_limited_the_call_fails_with_the_time_at_which_one_is_free);
    tcase_add_test(tc, every_kind_of_limit_holds);
    tcase_add_test(tc, nobody_waits_beyond_the_deadline);
    tcase_add_test(tc, nobody_overtakes_those_who_wait);
    tcase_add_test(tc, the_limits_of_a_target_that_rests_hold_too);
    tcase_add_test(tc, a_target_that_rests_and_is_limited_comes_after_everybody_else);
    tcase_add_test(tc, a_retry_goes_when_its_time_has_come);
    tcase_add_test(tc, a_retry_whose_target_has_reached_its_limit_meanwhile_goes_elsewhere);
    tcase_add_test(tc, a_retry_that_had_to_queue_is_still_a_retry);
    tcase_add_test(tc, a_retry_whose_target_began_to_rest_meanwhile_goes_elsewhere);
    tcase_add_test(tc, a_retry_whose_key_was_told_to_wait_meanwhile_takes_another);
    tcase_add_test(tc, a_refused_key_of_the_only_target_still_waits_as_long_as_it_was_told);
    tcase_add_test(tc, the_least_bad_one_goes_though_it_rests);
    tcase_add_test(tc, a_first_attempt_that_waited_for_a_key_and_meets_a_limit_is_told_so);
}

static void tests(TCase *tc) {
    resting_tests(tc);
    limit_tests(tc);
    tcase_add_test(tc, weights_hold_among_those_that_are_free);
    tcase_add_test(tc, the_best_that_is_free_is_taken_where_the_best_of_all_is_not);
    tcase_add_test(tc, without_room_in_the_retry_budget_the_next_target_is_taken);
    tcase_add_test(tc, no_more_attempts_are_made_than_allowed);
    tcase_add_test(tc, a_prompt_that_is_too_long_goes_to_a_window_that_is_known_to_be_larger);
    tcase_add_test(tc, a_list_of_its_own_comes_before_a_larger_window);
    tcase_add_test(tc, a_hedge_goes_to_another_target_that_is_free);
    tcase_add_test(tc, a_hedge_may_be_an_error_fallback_but_no_target_that_rests_waits_or_failed);
    tcase_add_test(tc, without_room_in_the_retry_budget_nothing_is_hedged);
}
UNIT_MAIN("router_facts", tests)
