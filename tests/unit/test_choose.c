// SPDX-License-Identifier: MIT
// One provider a target, so that each has its own facts; all of them are free unless a test says which are.
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "membrane/error.h"
#include "route/choose.h"

enum { TARGETS = 6 };

static mb_board *board;
static mb_route_target targets[TARGETS];
static mb_route route;
static uint32_t all[TARGETS] = {0, 1, 2, 3, 4, 5};
static int64_t now_ms;

static void set_up(mb_policy policy, mb_limits limits) {
    board = mb_board_new();
    now_ms = 1000000;
    route = (mb_route){.targets = targets, .count = TARGETS, .policy = policy, .stuck_key = -1};
    for (int i = 0; i < TARGETS; i++) {
        char name[8] = {'p', (char)('0' + i), 0};
        mb_endpoint *e = mb_board_endpoint(board, name, NULL, 1, &limits);
        targets[i] = (mb_route_target){.key_count = 1, .weight = 1, .cost_usd_micros = -1};
        targets[i].facts = mb_board_take(board, e, "m", &(mb_limits){0}, true);
    }
}

static void tear_down(void) { mb_board_free(board); }

static mb_choice choose(double unit) { return mb_choose(&route, all, TARGETS, now_ms, unit); }

static mb_ticket enters(int i, int64_t tokens) {
    mb_ticket ticket;
    mb_board_enter(board, targets[i].facts, 0, tokens, now_ms, &ticket);
    return ticket;
}

static void attempt(int i, int code, int64_t tokens, int64_t first_ms) {
    mb_ticket ticket = enters(i, tokens);
    mb_attempt_end end = {code, -1, tokens, first_ms, true, false};
    mb_board_leave(board, &ticket, &end, now_ms);
}

static void trip(int i) {
    for (int n = 0; n < 5; n++) attempt(i, MEMBRANE_ESERVER, 0, -1);
}

static mb_rng rng;

static void count_choices(int ret[TARGETS], int draws) {
    memset(ret, 0, TARGETS * sizeof *ret);
    mb_rng_seed_with(&rng, 1);
    for (int i = 0; i < draws; i++) ret[choose(mb_rng_unit(&rng)).target]++;
}

START_TEST(ordered_takes_the_first) {
    set_up(MB_POLICY_ORDERED, (mb_limits){0});
    ck_assert_uint_eq(choose(0.99).target, 0);
    static const uint32_t some[] = {3, 5};
    ck_assert_uint_eq(mb_choose(&route, some, 2, now_ms, 0.99).target, 3);
    tear_down();
}
END_TEST

START_TEST(weighted_draws_in_proportion_to_the_weights) {
    static const double weights[TARGETS] = {1, 2, 0, 4, 0.5, 2.5};
    int seen[TARGETS];
    set_up(MB_POLICY_WEIGHTED, (mb_limits){0});
    for (int i = 0; i < TARGETS; i++) targets[i].weight = weights[i];
    count_choices(seen, 100000);
    for (int i = 0; i < TARGETS; i++) ck_assert_double_eq_tol(seen[i] / 100000.0, weights[i] / 10, 0.01);
    ck_assert_int_eq(seen[2], 0);
    ck_assert_uint_eq(choose(1 - 1.0 / (INT64_C(1) << 53)).target, 5);
    tear_down();
}
END_TEST

START_TEST(without_any_weight_all_are_as_likely) {
    int seen[TARGETS];
    set_up(MB_POLICY_WEIGHTED, (mb_limits){0});
    for (int i = 0; i < TARGETS; i++) targets[i].weight = 0;
    count_choices(seen, 60000);
    for (int i = 0; i < TARGETS; i++) ck_assert_int_gt(seen[i], 9000);
    tear_down();
}
END_TEST

START_TEST(least_busy_takes_the_fewest_in_flight_for_its_weight) {
    set_up(MB_POLICY_LEAST_BUSY, (mb_limits){0});
    for (int i = 0; i < TARGETS; i++) enters(i, 0);
    enters(0, 0);
    ck_assert_uint_eq(choose(0).target, 1);
    targets[4].weight = 2;
    ck_assert_uint_eq(choose(0).target, 4);
    enters(4, 0), enters(4, 0);
    ck_assert_uint_eq(choose(0).target, 1);
    targets[1].weight = 0; // is drained
    ck_assert_uint_eq(choose(0).target, 2);
    mb_endpoint other = *targets[2].facts->endpoint, *own = targets[2].facts->endpoint;
    other.busy_elsewhere = 1; // somebody else keeps its slots busy
    targets[2].facts->endpoint = &other;
    ck_assert_uint_eq(choose(0).target, 3);
    targets[2].facts->endpoint = own;
    tear_down();
}
END_TEST

START_TEST(latency_takes_the_quicker_of_two_and_asks_who_was_never_asked) {
    int seen[TARGETS];
    set_up(MB_POLICY_LATENCY, (mb_limits){0});
    route.stream = true;
    for (int i = 0; i < TARGETS; i++) attempt(i, 0, 0, 100 * (i + 1));
    count_choices(seen, 60000);
    for (int i = 1; i < TARGETS; i++) ck_assert_int_lt(seen[i], seen[i - 1]); // 10, 8, 6, 4, 2, 0 of 30
    ck_assert_int_eq(seen[TARGETS - 1], 0);
    ck_assert_double_eq_tol(seen[0] / 60000.0, 10 / 30.0, 0.01);
    targets[5].facts->first = (mb_pace){0}; // as though nobody had asked it
    count_choices(seen, 60000);
    ck_assert_double_eq_tol(seen[5] / 60000.0, 10 / 30.0, 0.01);
    enters(5, 0);
    count_choices(seen, 60000);
    ck_assert_int_eq(seen[5], 0); // somebody asks it now
    tear_down();
}
END_TEST

START_TEST(latency_counts_those_in_flight_too) {
    int seen[TARGETS];
    set_up(MB_POLICY_LATENCY, (mb_limits){0});
    route.stream = true;
    for (int i = 0; i < TARGETS; i++) attempt(i, 0, 0, i ? 200 : 100);
    for (int i = 0; i < 5; i++) enters(0, 0);
    count_choices(seen, 10000);
    ck_assert_int_eq(seen[0], 0);
    tear_down();
}
END_TEST

START_TEST(two_choices_are_two_targets_whatever_the_number) {
    static const double units[] = {0, 1 - 1.0 / (INT64_C(1) << 53), 0.5, 1.0 / 3, 2.0 / 3};
    set_up(MB_POLICY_LATENCY, (mb_limits){0});
    for (size_t count = 1; count <= TARGETS; count++)
        for (int i = 0; i < 5; i++) ck_assert_uint_lt(mb_choose(&route, all, count, now_ms, units[i]).target, count);
    tear_down();
}
END_TEST

START_TEST(cheapest_takes_the_least_cost_and_an_unknown_one_last) {
    static const int64_t costs[TARGETS] = {-1, 900, 200, 500, 200, 0};
    set_up(MB_POLICY_CHEAPEST, (mb_limits){0});
    for (int i = 0; i < TARGETS; i++) targets[i].cost_usd_micros = costs[i];
    ck_assert_uint_eq(choose(0).target, 5);
    static const uint32_t some[] = {0, 1, 2, 4}, unknown[] = {0};
    ck_assert_uint_eq(mb_choose(&route, some, 4, now_ms, 0).target, 2);
    ck_assert_uint_eq(mb_choose(&route, some, 2, now_ms, 0).target, 1);
    ck_assert_uint_eq(mb_choose(&route, unknown, 1, now_ms, 0).target, 0);
    tear_down();
}
END_TEST

START_TEST(usage_takes_the_one_that_has_used_the_least_of_its_limits) {
    set_up(MB_POLICY_USAGE, (mb_limits){.tpm = 1000});
    for (int i = 0; i < TARGETS; i++) attempt(i, 0, 900 - 100 * i, 1);
    ck_assert_uint_eq(choose(0).target, 5);
    attempt(5, 0, 500, 1);
    ck_assert_uint_eq(choose(0).target, 4);
    tear_down();
}
END_TEST

START_TEST(usage_counts_all_keys_of_a_provider) {
    set_up(MB_POLICY_USAGE, (mb_limits){0});
    static const uint32_t some[] = {0, 1};
    mb_endpoint *two = mb_board_endpoint(board, "two keys", NULL, 2, &(mb_limits){.rpm = 10});
    targets[0].facts = mb_board_take(board, two, "m", &(mb_limits){0}, true);
    targets[1].facts->endpoint->keys[0].gate.limits.rpm = 10;
    for (int i = 0; i < 20; i++) mb_gate_enter(&two->keys[i % 2].gate, 0, now_ms); // all of both
    for (int i = 0; i < 8; i++) mb_gate_enter(&targets[1].facts->endpoint->keys[0].gate, 0, now_ms);
    ck_assert_uint_eq(mb_choose(&route, some, 2, now_ms, 0).target, 1);
    tear_down();
}
END_TEST

START_TEST(usage_without_limits_takes_the_fewest_tokens_of_the_last_minute) {
    set_up(MB_POLICY_USAGE, (mb_limits){0});
    for (int i = 0; i < TARGETS; i++) attempt(i, 0, 1000 + 10 * ((i + 3) % TARGETS), 1);
    ck_assert_uint_eq(choose(0).target, 3);
    tear_down();
}
END_TEST

START_TEST(a_session_stays_where_it_is_under_every_policy) {
    for (int policy = 0; policy < MB_POLICY_COUNT; policy++) {
        set_up((mb_policy)policy, (mb_limits){0});
        route.stuck_to = targets[4].facts->number;
        ck_assert_uint_eq(choose(0).target, 4);
        ck_assert_str_eq(choose(0).reason, "its session is there");
        static const uint32_t some[] = {1, 2}; // it is not free
        ck_assert_uint_ne(mb_choose(&route, some, 2, now_ms, 0).target, 4);
        tear_down();
    }
}
END_TEST

START_TEST(a_target_that_may_be_well_again_is_probed_under_every_policy_that_would_pass_it_by) {
    for (int policy = MB_POLICY_WEIGHTED; policy < MB_POLICY_COUNT; policy++) {
        set_up((mb_policy)policy, (mb_limits){0});
        trip(3);
        now_ms = targets[3].facts->breaker.until_ms;
        ck_assert_uint_eq(choose(0).target, 3);
        ck_assert_str_eq(choose(0).reason, "probe of a target that failed");
        tear_down();
    }
}
END_TEST

START_TEST(while_a_probe_is_under_way_no_other_one_is_made) {
    set_up(MB_POLICY_WEIGHTED, (mb_limits){0});
    trip(3);
    ck_assert_uint_ne(choose(0).target, 3); // open
    now_ms = targets[3].facts->breaker.until_ms;
    enters(3, 0);
    ck_assert_str_eq(choose(0).reason, "by weight");
    tear_down();
}
END_TEST

START_TEST(a_target_of_no_weight_gets_neither_sessions_nor_probes) {
    set_up(MB_POLICY_WEIGHTED, (mb_limits){0});
    targets[4].weight = 0;
    route.stuck_to = targets[4].facts->number;
    ck_assert_uint_eq(choose(0).target, 0);
    trip(4);
    now_ms = targets[4].facts->breaker.until_ms;
    ck_assert_uint_eq(choose(0).target, 0);
    tear_down();
}
END_TEST

START_TEST(targets_of_which_nothing_is_known_can_be_chosen_too) {
    for (int policy = 0; policy < MB_POLICY_COUNT; policy++) {
        set_up((mb_policy)policy, (mb_limits){0});
        for (int i = 0; i < TARGETS; i++) targets[i].facts = NULL;
        route.stuck_to = 1;
        ck_assert_uint_lt(choose(0.5).target, TARGETS);
        tear_down();
    }
}
END_TEST

START_TEST(policies_have_names) {
    for (int i = 0; i < MB_POLICY_COUNT; i++) ck_assert_int_eq(mb_policy_from_name(mb_policy_name((mb_policy)i)), i);
    ck_assert_int_eq(mb_policy_from_name("no such"), -1);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, ordered_takes_the_first);
    tcase_add_test(tc, weighted_draws_in_proportion_to_the_weights);
    tcase_add_test(tc, without_any_weight_all_are_as_likely);
    tcase_add_test(tc, least_busy_takes_the_fewest_in_flight_for_its_weight);
    tcase_add_test(tc, latency_takes_the_quicker_of_two_and_asks_who_was_never_asked);
    tcase_add_test(tc, latency_counts_those_in_flight_too);
    tcase_add_test(tc, two_choices_are_two_targets_whatever_the_number);
    tcase_add_test(tc, cheapest_takes_the_least_cost_and_an_unknown_one_last);
    tcase_add_test(tc, usage_takes_the_one_that_has_used_the_least_of_its_limits);
    tcase_add_test(tc, usage_counts_all_keys_of_a_provider);
    tcase_add_test(tc, usage_without_limits_takes_the_fewest_tokens_of_the_last_minute);
    tcase_add_test(tc, a_session_stays_where_it_is_under_every_policy);
    tcase_add_test(tc, a_target_that_may_be_well_again_is_probed_under_every_policy_that_would_pass_it_by);
    tcase_add_test(tc, while_a_probe_is_under_way_no_other_one_is_made);
    tcase_add_test(tc, a_target_of_no_weight_gets_neither_sessions_nor_probes);
    tcase_add_test(tc, targets_of_which_nothing_is_known_can_be_chosen_too);
    tcase_add_test(tc, policies_have_names);
}
UNIT_MAIN("choose", tests)
