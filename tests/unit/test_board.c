// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "membrane/error.h"
#include "route/board.h"

static const mb_limits NO_LIMITS = {0};

static mb_board *board;
static mb_endpoint *endpoint;
static mb_target_facts *target;
static int64_t now_ms;

static void set_up_with(int keys, mb_limits of_provider, mb_limits of_target) {
    board = mb_board_new();
    endpoint = mb_board_endpoint(board, "p", "https://p.example/v1", keys, &of_provider);
    target = mb_board_take(board, endpoint, "m", &of_target, true);
    now_ms = 1000000;
}

static void set_up(void) { set_up_with(2, NO_LIMITS, NO_LIMITS); }

static void tear_down(void) {
    mb_board_give(board, target);
    mb_board_free(board);
}

static mb_ticket enters(int key, int64_t tokens) {
    mb_ticket ticket;
    mb_board_enter(board, target, key, tokens, now_ms, &ticket);
    return ticket;
}

static mb_attempt_end ended(int code) {
    return (mb_attempt_end){.code = code, .retry_after_ms = -1, .tokens = -1, .first_ms = -1};
}

static void leaves(mb_ticket *ticket, int code) {
    mb_attempt_end end = ended(code);
    mb_board_leave(board, ticket, &end, now_ms);
}

static void attempt(int key, int code, int64_t retry_after_ms) {
    mb_ticket ticket = enters(key, 0);
    mb_attempt_end end = ended(code);
    end.retry_after_ms = retry_after_ms;
    mb_board_leave(board, &ticket, &end, now_ms);
}

static int64_t free_at(int key) {
    int64_t refused = endpoint->keys[key].free_at_ms, asked = target->key_free_at_ms[key];
    return refused > asked ? refused : asked;
}

// ---- endpoints and targets -----------------------------------------------------------------------------------------

START_TEST(a_provider_at_its_address_has_its_facts_once) {
    set_up();
    ck_assert_ptr_eq(mb_board_endpoint(board, "p", "https://p.example/v1", 2, &NO_LIMITS), endpoint);
    ck_assert_ptr_ne(mb_board_endpoint(board, "p", "https://q.example/v1", 2, &NO_LIMITS), endpoint);
    ck_assert_ptr_ne(mb_board_endpoint(board, "q", "https://p.example/v1", 2, &NO_LIMITS), endpoint);
    ck_assert_ptr_ne(mb_board_endpoint(board, "p", "https://p.example/v1", 3, &NO_LIMITS), endpoint);
    size_t at = 0, count = 0;
    for (; mb_board_each_endpoint(board, &at);) count++;
    ck_assert_uint_eq(count, 4);
    tear_down();
}
END_TEST

// However long its address is: who asks for five keys must find five.
START_TEST(an_endpoint_always_has_as_many_keys_as_were_asked_for) {
    static char address[8192];
    memset(address, 'a', sizeof address - 1);
    set_up();
    ck_assert_int_eq(mb_board_endpoint(board, "p", address, 1, &NO_LIMITS)->key_count, 1);
    ck_assert_int_eq(mb_board_endpoint(board, "p", address, 5, &NO_LIMITS)->key_count, 5);
    tear_down();
}
END_TEST

START_TEST(limits_stand_at_the_place_that_they_are_of) {
    set_up_with(2, (mb_limits){10, 20, 3}, (mb_limits){1, 2, 4});
    ck_assert_int_eq(endpoint->gate.limits.parallel, 3);
    ck_assert_int_eq(endpoint->gate.limits.rpm, 0);
    ck_assert_int_eq(endpoint->keys[1].gate.limits.rpm, 10);
    ck_assert_int_eq(endpoint->keys[1].gate.limits.tpm, 20);
    ck_assert_int_eq(endpoint->keys[1].gate.limits.parallel, 0);
    ck_assert_int_eq(target->gate.limits.rpm, 1);
    ck_assert_int_eq(target->gate.limits.parallel, 4);
    tear_down();
}
END_TEST

START_TEST(targets_are_found_by_model_and_numbered_once) {
    set_up();
    mb_target_facts *other = mb_board_take(board, endpoint, "n", &NO_LIMITS, false);
    ck_assert_ptr_eq(mb_board_take(board, endpoint, "m", &NO_LIMITS, false), target);
    ck_assert_ptr_eq(mb_endpoint_target(endpoint, "n"), other);
    ck_assert_ptr_null(mb_endpoint_target(endpoint, "unheard of"));
    ck_assert_uint_ne(other->number, target->number);
    ck_assert_str_eq(other->model, "n");
    mb_board_give(board, target);
    mb_board_give(board, other);
    mb_board_give(board, NULL);
    tear_down();
}
END_TEST

static void ask_for(const char *model, bool is_pinned) {
    mb_board_give(board, mb_board_take(board, endpoint, model, &NO_LIMITS, is_pinned));
}

START_TEST(of_the_targets_that_nobody_configured_the_longest_idle_is_forgotten) {
    char name[32];
    set_up();
    ask_for("pinned", true);
    mb_target_facts *busy = mb_board_take(board, endpoint, "busy", &NO_LIMITS, false);
    for (int i = 0; i < MB_BOARD_IDLE_TARGETS; i++) {
        snprintf(name, sizeof name, "n%d", i);
        ask_for(name, false);
    }
    ask_for("n0", false); // no longer the oldest
    ck_assert_ptr_nonnull(mb_endpoint_target(endpoint, "n1"));
    ask_for("one more", false);
    ck_assert_ptr_nonnull(mb_endpoint_target(endpoint, "n0"));
    ck_assert_ptr_null(mb_endpoint_target(endpoint, "n1"));
    ck_assert_ptr_nonnull(mb_endpoint_target(endpoint, "n2"));
    ck_assert_ptr_nonnull(mb_endpoint_target(endpoint, "pinned"));
    ck_assert_ptr_eq(mb_endpoint_target(endpoint, "busy"), busy);
    mb_board_give(board, busy);
    tear_down();
}
END_TEST

START_TEST(a_target_that_a_configuration_names_later_is_kept_from_then_on) {
    char name[32];
    set_up();
    ask_for("late", false);
    ask_for("late", true);
    for (int i = 0; i <= MB_BOARD_IDLE_TARGETS; i++) {
        snprintf(name, sizeof name, "n%d", i);
        ask_for(name, false);
    }
    ck_assert_ptr_nonnull(mb_endpoint_target(endpoint, "late"));
    tear_down();
}
END_TEST

START_TEST(a_target_with_an_attempt_under_way_is_not_forgotten) {
    char name[32];
    mb_ticket ticket;
    set_up();
    mb_target_facts *t = mb_board_take(board, endpoint, "running", &NO_LIMITS, false);
    mb_board_enter(board, t, 0, 0, now_ms, &ticket);
    mb_board_give(board, t); // the call has ended, its loser runs on
    for (int i = 0; i <= MB_BOARD_IDLE_TARGETS; i++) {
        snprintf(name, sizeof name, "n%d", i);
        ask_for(name, false);
    }
    ck_assert_ptr_eq(mb_endpoint_target(endpoint, "running"), t);
    leaves(&ticket, 0);
    tear_down();
}
END_TEST

// ---- calls and retries ---------------------------------------------------------------------------------------------

START_TEST(a_fifth_of_the_calls_may_be_on_a_retry_and_three_always) {
    set_up();
    for (int i = 0; i < 3; i++) {
        ck_assert(mb_board_may_retry(board));
        mb_board_take_retry(board);
    }
    ck_assert(!mb_board_may_retry(board));
    for (int i = 0; i < 19; i++) mb_board_call_begins(board);
    ck_assert(!mb_board_may_retry(board));
    mb_board_call_begins(board);
    ck_assert(mb_board_may_retry(board)); // 20: 4
    mb_board_take_retry(board);
    ck_assert(!mb_board_may_retry(board));
    mb_board_give_retry(board);
    ck_assert(mb_board_may_retry(board));
    ck_assert_uint_eq(mb_board_retries(board), 3);
    ck_assert_uint_eq(mb_board_calls(board), 20);
    mb_board_call_ends(board);
    ck_assert(!mb_board_may_retry(board));
    tear_down();
}
END_TEST

// ---- attempts ------------------------------------------------------------------------------------------------------

START_TEST(a_ticket_is_given_back_exactly_once) {
    set_up();
    mb_ticket a = enters(0, 10), b = enters(1, 10);
    ck_assert_int_eq(target->gate.in_flight, 2);
    ck_assert_int_eq(endpoint->gate.in_flight, 2);
    ck_assert_int_eq(endpoint->keys[0].gate.in_flight, 1);
    ck_assert_int_eq(endpoint->keys[1].gate.in_flight, 1);
    leaves(&a, 0);
    leaves(&a, 0);
    leaves(&a, MEMBRANE_ESERVER);
    ck_assert_int_eq(target->gate.in_flight, 1);
    leaves(&b, MEMBRANE_ECANCELLED);
    ck_assert_int_eq(target->gate.in_flight, 0);
    ck_assert_int_eq(endpoint->gate.in_flight, 0);
    ck_assert_int_eq(target->gate.reserved, 0);
    ck_assert_int_eq(endpoint->keys[0].gate.reserved, 0);
    mb_ticket none = {0};
    leaves(&none, 0);
    tear_down();
}
END_TEST

START_TEST(failures_open_the_breaker_and_refusals_do_not) {
    static const int refusals[] = {MEMBRANE_EAUTH,       MEMBRANE_EPERMISSION, MEMBRANE_EFUNDS,   MEMBRANE_EMODEL,
                                   MEMBRANE_EBADREQUEST, MEMBRANE_ECONTEXT,    MEMBRANE_ECONTENT, MEMBRANE_ERATE};
    set_up();
    for (int i = 0; i < 100; i++) attempt(0, refusals[i % 8], -1);
    ck_assert_int_eq(mb_breaker_at(&target->breaker, now_ms), MB_BREAKER_CLOSED);
    for (int i = 0; i < 5; i++) attempt(0, MEMBRANE_ESERVER, -1);
    ck_assert_int_eq(mb_breaker_at(&target->breaker, now_ms), MB_BREAKER_OPEN);
    tear_down();
}
END_TEST

START_TEST(an_engine_that_loads_has_not_failed) {
    set_up();
    for (int i = 0; i < 100; i++) {
        mb_ticket ticket = enters(0, 0);
        mb_attempt_end end = ended(MEMBRANE_EOVERLOADED);
        end.is_loading = true;
        mb_board_leave(board, &ticket, &end, now_ms);
    }
    ck_assert_int_eq(mb_breaker_at(&target->breaker, now_ms), MB_BREAKER_CLOSED);
    tear_down();
}
END_TEST

START_TEST(what_never_reached_the_provider_says_nothing_about_it) {
    static const int ours[] = {MEMBRANE_ECANCELLED, MEMBRANE_EBUDGET, MEMBRANE_ENOMEM, MEMBRANE_EINVAL};
    for (int i = 0; i < 4; i++) {
        set_up();
        for (int n = 0; n < 5; n++) attempt(0, MEMBRANE_ESERVER, -1);
        now_ms = target->breaker.until_ms;
        attempt(0, ours[i], -1);
        ck_assert_int_eq(mb_breaker_at(&target->breaker, now_ms), MB_BREAKER_HALF_OPEN);
        ck_assert(!mb_breaker_is_probed(&target->breaker, now_ms));
        tear_down();
    }
}
END_TEST

START_TEST(a_key_that_is_refused_cools_for_half_a_minute) {
    static const int faults[] = {MEMBRANE_EAUTH, MEMBRANE_EFUNDS};
    for (int i = 0; i < 2; i++) {
        set_up();
        attempt(1, faults[i], -1);
        ck_assert_int_eq(free_at(1), now_ms + MB_BOARD_FAULT_MS);
        ck_assert_int_eq(endpoint->keys[1].code, faults[i]);
        ck_assert_int_eq(free_at(0), 0);
        tear_down();
    }
    set_up();
    attempt(1, MEMBRANE_EPERMISSION, -1); // that model only, perhaps
    ck_assert_int_eq(free_at(1), 0);
    tear_down();
}
END_TEST

START_TEST(a_key_that_has_asked_too_much_cools_as_long_as_it_is_told) {
    set_up();
    attempt(0, MEMBRANE_ERATE, -1);
    ck_assert_int_eq(free_at(0), 0);
    attempt(0, MEMBRANE_ERATE, 30000);
    ck_assert_int_eq(free_at(0), now_ms + 30000);
    attempt(0, MEMBRANE_ERATE, 10000); // sooner: the longer wait holds
    ck_assert_int_eq(free_at(0), now_ms + 30000);
    attempt(0, MEMBRANE_ERATE, INT64_MAX);
    ck_assert_int_eq(free_at(0), now_ms + MB_TIME_RETRY_AFTER_MAX);
    tear_down();
}
END_TEST

START_TEST(an_answer_to_an_earlier_attempt_does_not_end_the_wait) {
    set_up();
    mb_ticket early = enters(0, 0);
    attempt(0, MEMBRANE_ERATE, 30000);
    leaves(&early, 0);
    ck_assert_int_eq(free_at(0), now_ms + 30000);
    tear_down();
}
END_TEST

START_TEST(keys_that_may_have_been_changed_cool_no_more) {
    set_up();
    attempt(0, MEMBRANE_EAUTH, -1);
    attempt(1, MEMBRANE_ERATE, 1000);
    mb_board_forget_keys(board);
    ck_assert_int_eq(free_at(0), 0);
    ck_assert_int_eq(free_at(1), 0);
    tear_down();
}
END_TEST

START_TEST(keys_take_turns) {
    set_up();
    attempt(0, 0, -1);
    ck_assert_uint_eq(endpoint->next_key % 2, 1);
    attempt(1, 0, -1);
    ck_assert_uint_eq(endpoint->next_key % 2, 0);
    tear_down();
}
END_TEST

START_TEST(streams_are_judged_by_their_first_token_and_others_by_their_end) {
    set_up();
    mb_ticket a = enters(0, 0), b = enters(0, 0), c = enters(0, 0);
    mb_attempt_end stream = {.first_ms = 300, .stream = true, .retry_after_ms = -1, .tokens = -1};
    now_ms += 2000;
    mb_board_leave(board, &a, &stream, now_ms);
    ck_assert_double_eq(mb_pace_at(&target->first, now_ms), 300);
    ck_assert_double_eq(mb_pace_at(&target->whole, now_ms), -1);
    leaves(&b, 0);
    ck_assert_double_eq(mb_pace_at(&target->whole, now_ms), 2000);
    stream.code = MEMBRANE_ETRUNCATED;
    stream.first_ms = 9000;
    mb_board_leave(board, &c, &stream, now_ms);
    ck_assert_double_eq(mb_pace_at(&target->first, now_ms), 300); // a failure has no pace
    tear_down();
}
END_TEST

START_TEST(tokens_are_settled_and_remembered_for_a_minute) {
    set_up_with(1, (mb_limits){.tpm = 6000}, (mb_limits){.tpm = 3000});
    mb_ticket ticket = enters(0, 3000);
    ck_assert_int_gt(mb_gate_opens_at(&target->gate, 2000, now_ms), now_ms);
    mb_attempt_end end = ended(0);
    end.tokens = 1000;
    mb_board_leave(board, &ticket, &end, now_ms);
    ck_assert_int_le(mb_gate_opens_at(&target->gate, 2000, now_ms), now_ms);
    ck_assert_int_le(mb_gate_opens_at(&endpoint->keys[0].gate, 5000, now_ms), now_ms);
    ck_assert_int_gt(mb_gate_opens_at(&endpoint->keys[0].gate, 5001, now_ms), now_ms);
    ck_assert_double_eq_tol(mb_facts_tokens(target, now_ms), 1000, 1e-6);
    ck_assert_double_lt(mb_facts_tokens(target, now_ms + 600000), 1);
    tear_down();
}
END_TEST

START_TEST(an_answer_shows_that_the_provider_is_up) {
    set_up();
    mb_board_note_health(endpoint, MB_HEALTH_DOWN, now_ms);
    attempt(0, MEMBRANE_ECONNECT, -1);
    ck_assert_int_eq(endpoint->health, MB_HEALTH_DOWN);
    attempt(0, 0, -1);
    ck_assert_int_eq(endpoint->health, MB_HEALTH_UP);
    ck_assert_int_eq(endpoint->health_ms, now_ms);
    tear_down();
}
END_TEST

static mb_breaker_state breaker(void) { return mb_breaker_at(&target->breaker, now_ms); }

static void trips_by(int code) {
    for (int i = 0; i < MB_BREAKER_IN_A_ROW; i++) attempt(0, code, -1);
    ck_assert_int_eq(breaker(), MB_BREAKER_OPEN);
}

START_TEST(who_comes_back_is_let_in_at_once) {
    static const mb_health AWAY[] = {MB_HEALTH_DOWN, MB_HEALTH_LOADING};
    for (int i = 0; i < 2; i++) {
        set_up();
        trips_by(MEMBRANE_ESERVER);
        mb_board_note_health(endpoint, AWAY[i], now_ms);
        ck_assert_int_eq(breaker(), MB_BREAKER_OPEN);
        mb_board_note_health(endpoint, MB_HEALTH_UP, now_ms);
        ck_assert_int_eq(breaker(), MB_BREAKER_HALF_OPEN);
        tear_down();
    }
}
END_TEST

START_TEST(who_was_there_all_the_time_is_not) {
    set_up();
    mb_board_note_health(endpoint, MB_HEALTH_UP, now_ms);
    trips_by(MEMBRANE_ECONNECT);
    mb_board_note_health(endpoint, MB_HEALTH_UP, now_ms);
    ck_assert_int_eq(breaker(), MB_BREAKER_OPEN);
    tear_down();
}
END_TEST

START_TEST(who_is_asked_for_the_first_time_is_where_calls_had_found_nobody) {
    static const int CODES[] = {MEMBRANE_ECONNECT, MEMBRANE_EDNS, MEMBRANE_ESERVER};
    for (int i = 0; i < 3; i++) {
        set_up();
        trips_by(CODES[i]);
        mb_board_note_health(endpoint, MB_HEALTH_UP, now_ms);
        ck_assert_int_eq(breaker(), i < 2 ? MB_BREAKER_HALF_OPEN : MB_BREAKER_OPEN);
        tear_down();
    }
}
END_TEST

START_TEST(news_that_nobody_renews_are_forgotten) {
    set_up();
    mb_board_note_health(endpoint, MB_HEALTH_DOWN, now_ms);
    target->model_state = MB_MODEL_ABSENT;
    mb_board_forget_news(endpoint);
    ck_assert_int_eq(endpoint->health, MB_HEALTH_UNKNOWN);
    ck_assert_int_eq(target->model_state, MB_MODEL_UNKNOWN);
    tear_down();
}
END_TEST

START_TEST(the_last_outcome_is_remembered_but_not_that_somebody_cancelled) {
    set_up();
    attempt(0, MEMBRANE_ESERVER, -1);
    now_ms += 5;
    attempt(0, MEMBRANE_ECANCELLED, -1);
    ck_assert_int_eq(target->last_code, MEMBRANE_ESERVER);
    ck_assert_int_eq(target->last_ms, now_ms - 5);
    ck_assert_int_eq(endpoint->keys[0].last_code, MEMBRANE_ESERVER);
    tear_down();
}
END_TEST

// ---- who waits -----------------------------------------------------------------------------------------------------

START_TEST(who_waits_is_served_when_somebody_leaves) {
    mb_gate *gate = NULL;
    int64_t next = 0;
    mb_waiter w = {0};
    set_up_with(1, NO_LIMITS, (mb_limits){.parallel = 1});
    mb_ticket ticket = enters(0, 0);
    ck_assert(mb_board_wait(board, &target->gate, &w, "s", false));
    ck_assert_uint_eq(mb_board_waiting(board), 1);
    ck_assert_ptr_null(mb_board_next(board, now_ms, &gate, &next));
    ck_assert_int_eq(next, MB_GATE_NEVER);
    leaves(&ticket, 0);
    ck_assert_ptr_eq(mb_board_next(board, now_ms, &gate, &next), &w);
    ck_assert_ptr_eq(gate, &target->gate);
    mb_board_wait_ends(board, &w);
    mb_board_wait_ends(board, &w); // harmless
    ck_assert_uint_eq(mb_board_waiting(board), 0);
    ck_assert_ptr_null(mb_board_next(board, now_ms, &gate, &next));
    tear_down();
}
END_TEST

START_TEST(the_next_time_is_the_soonest_of_all_gates) {
    mb_gate *gate = NULL;
    int64_t next = 0;
    mb_waiter a = {0}, b = {.cost = 600}, c = {0};
    set_up_with(1, (mb_limits){.tpm = 6000, .parallel = 1}, (mb_limits){.rpm = 60});
    for (int i = 0; i < 60; i++) {
        mb_ticket ticket = enters(0, 100);
        leaves(&ticket, 0);
    }
    mb_ticket stays = enters(0, 0);
    ck_assert(mb_board_wait(board, &target->gate, &a, NULL, false));           // in 2 s
    ck_assert(mb_board_wait(board, &endpoint->keys[0].gate, &b, NULL, false)); // in 6 s
    ck_assert(mb_board_wait(board, &endpoint->gate, &c, NULL, false));         // when the one leaves
    ck_assert_ptr_null(mb_board_next(board, now_ms, &gate, &next));
    ck_assert_int_eq(next, now_ms + 2000);
    mb_board_wait_ends(board, &a);
    ck_assert_ptr_null(mb_board_next(board, now_ms, &gate, &next));
    ck_assert_int_eq(next, now_ms + 6000);
    ck_assert_ptr_eq(mb_board_next(board, now_ms + 6000, &gate, &next), &b);
    mb_board_wait_ends(board, &b);
    mb_board_wait_ends(board, &c);
    leaves(&stays, 0);
    tear_down();
}
END_TEST

START_TEST(a_board_that_is_freed_lets_everybody_go) {
    mb_waiter w = {0};
    set_up();
    ck_assert(mb_board_wait(board, &endpoint->gate, &w, "s", false));
    tear_down();
    ck_assert_ptr_null(w.fair);
}
END_TEST

// ---- sessions ------------------------------------------------------------------------------------------------------

START_TEST(a_session_sticks_until_its_time_is_over) {
    mb_stick stick = {0};
    set_up();
    ck_assert(!mb_board_stuck(board, "s", now_ms, &stick));
    mb_board_stick(board, "s", (mb_stick){7, 1}, now_ms + 1000);
    ck_assert(mb_board_stuck(board, "s", now_ms + 999, &stick));
    ck_assert_uint_eq(stick.target, 7);
    ck_assert_int_eq(stick.key, 1);
    ck_assert(!mb_board_stuck(board, "s", now_ms + 1000, &stick));
    mb_board_stick(board, "s", (mb_stick){8, 0}, now_ms + 3000);
    ck_assert(mb_board_stuck(board, "s", now_ms + 2000, &stick));
    ck_assert_uint_eq(stick.target, 8);
    tear_down();
}
END_TEST

START_TEST(of_too_many_sessions_the_one_that_was_quiet_the_longest_is_forgotten) {
    char name[32];
    mb_stick stick;
    set_up();
    for (int i = 0; i < MB_BOARD_SESSIONS; i++) {
        snprintf(name, sizeof name, "s%d", i);
        mb_board_stick(board, name, (mb_stick){1, 0}, now_ms + 1000);
    }
    mb_board_stick(board, "s0", (mb_stick){2, 0}, now_ms + 1000);
    mb_board_stick(board, "one more", (mb_stick){3, 0}, now_ms + 1000);
    ck_assert(mb_board_stuck(board, "s0", now_ms, &stick));
    ck_assert(!mb_board_stuck(board, "s1", now_ms, &stick));
    ck_assert(mb_board_stuck(board, "s2", now_ms, &stick));
    ck_assert(mb_board_stuck(board, "one more", now_ms, &stick));
    tear_down();
}
END_TEST

// ---- memory --------------------------------------------------------------------------------------------------------

static int live(void *user) {
    mb_board *b = mb_board_new();
    mb_waiter w = {0};
    int status = -1;
    (void)user;
    if (!b) return -1;
    mb_endpoint *e = mb_board_endpoint(b, "p", NULL, 3, &NO_LIMITS);
    mb_target_facts *t = e ? mb_board_take(b, e, "m", &NO_LIMITS, false) : NULL;
    if (t && mb_board_wait(b, &t->gate, &w, "s", false)) {
        mb_stick stick;
        mb_board_wait_ends(b, &w);
        mb_board_stick(b, "s", (mb_stick){t->number, 0}, 10);
        if (mb_board_stuck(b, "s", 5, &stick)) status = 0;
    }
    mb_board_give(b, t);
    mb_board_free(b);
    return status;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(live, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, a_provider_at_its_address_has_its_facts_once);
    tcase_add_test(tc, an_endpoint_always_has_as_many_keys_as_were_asked_for);
    tcase_add_test(tc, limits_stand_at_the_place_that_they_are_of);
    tcase_add_test(tc, targets_are_found_by_model_and_numbered_once);
    tcase_add_test(tc, of_the_targets_that_nobody_configured_the_longest_idle_is_forgotten);
    tcase_add_test(tc, a_target_that_a_configuration_names_later_is_kept_from_then_on);
    tcase_add_test(tc, a_target_with_an_attempt_under_way_is_not_forgotten);
    tcase_add_test(tc, a_fifth_of_the_calls_may_be_on_a_retry_and_three_always);
    tcase_add_test(tc, a_ticket_is_given_back_exactly_once);
    tcase_add_test(tc, failures_open_the_breaker_and_refusals_do_not);
    tcase_add_test(tc, an_engine_that_loads_has_not_failed);
    tcase_add_test(tc, what_never_reached_the_provider_says_nothing_about_it);
    tcase_add_test(tc, a_key_that_is_refused_cools_for_half_a_minute);
    tcase_add_test(tc, a_key_that_has_asked_too_much_cools_as_long_as_it_is_told);
    tcase_add_test(tc, an_answer_to_an_earlier_attempt_does_not_end_the_wait);
    tcase_add_test(tc, keys_that_may_have_been_changed_cool_no_more);
    tcase_add_test(tc, keys_take_turns);
    tcase_add_test(tc, streams_are_judged_by_their_first_token_and_others_by_their_end);
    tcase_add_test(tc, tokens_are_settled_and_remembered_for_a_minute);
    tcase_add_test(tc, an_answer_shows_that_the_provider_is_up);
    tcase_add_test(tc, who_comes_back_is_let_in_at_once);
    tcase_add_test(tc, who_was_there_all_the_time_is_not);
    tcase_add_test(tc, who_is_asked_for_the_first_time_is_where_calls_had_found_nobody);
    tcase_add_test(tc, news_that_nobody_renews_are_forgotten);
    tcase_add_test(tc, the_last_outcome_is_remembered_but_not_that_somebody_cancelled);
    tcase_add_test(tc, who_waits_is_served_when_somebody_leaves);
    tcase_add_test(tc, the_next_time_is_the_soonest_of_all_gates);
    tcase_add_test(tc, a_board_that_is_freed_lets_everybody_go);
    tcase_add_test(tc, a_session_sticks_until_its_time_is_over);
    tcase_add_test(tc, of_too_many_sessions_the_one_that_was_quiet_the_longest_is_forgotten);
    tcase_add_test(tc, every_allocation_may_fail);
}
UNIT_MAIN("board", tests)
