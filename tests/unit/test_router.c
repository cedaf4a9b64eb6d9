// SPDX-License-Identifier: MIT
// A route is written as its targets in order: a letter for the list (m main, e error, c context_overflow, p
// content_policy), the number of keys, and an x where it is passed over. The clock moves to the time of each decision.
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "membrane/error.h"
#include "route/router.h"

enum { TARGETS = 8, KEYS = 4, DEADLINE = 600000, LOADING = 120000 };

static mb_route_target targets[TARGETS];
static mb_route_memory memory[TARGETS];
static int64_t key_times[TARGETS * KEYS];
static uint32_t room[TARGETS];
static mb_route route;
static mb_route_decision d;
static int64_t now_ms;

static void set_up(const char *text) {
    memset(memory, 0, sizeof memory);
    memset(key_times, 0, sizeof key_times);
    route = (mb_route){.targets = targets,
                       .memory = memory,
                       .free = room,
                       .retries = 2,
                       .deadline_ms = DEADLINE,
                       .loading_until_ms = LOADING,
                       .may_retry = true};
    now_ms = 1000;
    for (const char *at = text; *at; at += *at == ' ') {
        size_t i = route.count++;
        ck_assert(i < TARGETS && at[1] >= '1' && at[1] <= '0' + KEYS);
        targets[i] =
            (mb_route_target){.group = (mb_group)(strchr("mecp", *at) - "mecp"), .key_count = at[1] - '0', .weight = 1};
        memory[i].key_at_ms = &key_times[i * KEYS];
        at += 2;
        if (*at == 'x') targets[i].passed_over = "not local", at++;
    }
}

static void decide(const mb_route_failure *failure) {
    d = mb_route_next(&route, failure, now_ms, 0.5);
    if (d.what == MB_ROUTE_TRY && d.at_ms > now_ms) now_ms = d.at_ms;
}

static void first(void) { decide(NULL); }
static void failed_asking(int code, int64_t retry_after_ms) {
    decide(&(mb_route_failure){d.target, code, retry_after_ms, false, false});
}
static void failed(int code) { failed_asking(code, -1); }
static void is_loading(void) { decide(&(mb_route_failure){d.target, MEMBRANE_EOVERLOADED, -1, true, false}); }

#define TRIES(target_, key_, reason_)                                                                                  \
    do {                                                                                                               \
        ck_assert_msg(d.what == MB_ROUTE_TRY, "gave up: %s", d.reason);                                                \
        ck_assert_str_eq(d.reason, reason_);                                                                           \
        ck_assert_uint_eq(d.target, target_);                                                                          \
        ck_assert_int_eq(d.key, key_);                                                                                 \
    } while (0)
#define FAILS(reason_)                                                                                                 \
    do {                                                                                                               \
        ck_assert_int_eq(d.what, MB_ROUTE_FAIL);                                                                       \
        ck_assert_str_eq(d.reason, reason_);                                                                           \
    } while (0)

START_TEST(the_first_target_is_tried_first_and_at_once) {
    set_up("m1 m1");
    first();
    TRIES(0, 0, "first target");
    ck_assert_int_eq(d.at_ms, 1000);
}
END_TEST

START_TEST(a_refused_key_gives_way_to_the_next_without_a_wait_and_then_to_the_next_target) {
    static const int codes[] = {MEMBRANE_EAUTH, MEMBRANE_EPERMISSION, MEMBRANE_EFUNDS};
    for (int i = 0; i < 3; i++) {
        set_up("m3 m1");
        first();
        failed(codes[i]);
        TRIES(0, 1, "next key");
        failed(codes[i]);
        TRIES(0, 2, "next key");
        failed(codes[i]);
        TRIES(1, 0, "next target");
        failed(codes[i]);
        FAILS("every target failed");
        ck_assert_int_eq(now_ms, 1000);
    }
}
END_TEST

START_TEST(an_unknown_model_goes_to_the_next_target_at_once) {
    static const int codes[] = {MEMBRANE_EMODEL, MEMBRANE_ETLS, MEMBRANE_ENOTFOUND};
    for (int i = 0; i < 3; i++) {
        set_up("m3 m1");
        first();
        failed(codes[i]);
        TRIES(1, 0, "next target");
        ck_assert_int_eq(now_ms, 1000);
    }
}
END_TEST

START_TEST(a_wrong_request_is_final) {
    static const int codes[] = {MEMBRANE_EBADREQUEST, MEMBRANE_EUNSUPPORTED, MEMBRANE_EINVAL, MEMBRANE_ESCHEMA,
                                MEMBRANE_ETOOLUSE,    MEMBRANE_ECANCELLED,   MEMBRANE_ENOMEM, MEMBRANE_EDENIED,
                                MEMBRANE_ECONFIG,     MEMBRANE_EINTERNAL};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        set_up("m3 m1 e1");
        first();
        failed(codes[i]);
        FAILS("trying again cannot help");
    }
}
END_TEST

START_TEST(a_rate_limit_takes_the_next_key_and_then_the_next_target_at_once) {
    set_up("m2 m1");
    first();
    failed_asking(MEMBRANE_ERATE, 30000);
    TRIES(0, 1, "next key");
    failed_asking(MEMBRANE_ERATE, 30000);
    TRIES(1, 0, "next target");
    ck_assert_int_eq(now_ms, 1000);
}
END_TEST

START_TEST(with_no_target_left_a_rate_limit_is_waited_for_as_long_as_it_asks) {
    set_up("m2 m1");
    first();
    failed_asking(MEMBRANE_ERATE, 30000);
    failed_asking(MEMBRANE_ERATE, 20000);
    failed_asking(MEMBRANE_ERATE, 40000);
    TRIES(0, 1, "after the wait that was asked for");
    ck_assert_int_eq(d.at_ms, 21000);
}
END_TEST

START_TEST(a_rate_limit_without_a_time_is_waited_for_by_backoff) {
    set_up("m1");
    first();
    failed(MEMBRANE_ERATE);
    TRIES(0, 0, "after the wait that was asked for");
    ck_assert_int_eq(d.at_ms, 1500);
    failed(MEMBRANE_ERATE);
    ck_assert_int_eq(d.at_ms, 2500);
}
END_TEST

START_TEST(a_rate_limit_that_asks_for_no_wait_is_not_asked_for_ever) {
    set_up("m1");
    first();
    for (int i = 0; i < 2; i++) {
        failed_asking(MEMBRANE_ERATE, 0);
        TRIES(0, 0, "after the wait that was asked for");
    }
    failed_asking(MEMBRANE_ERATE, 0);
    FAILS("every target failed");
}
END_TEST

START_TEST(a_wait_beyond_the_deadline_is_not_begun) {
    set_up("m1");
    route.deadline_ms = 30000;
    first();
    failed_asking(MEMBRANE_ERATE, 29000);
    FAILS("every target failed");
    set_up("m1");
    first();
    failed_asking(MEMBRANE_ERATE, INT64_MAX);
    FAILS("every target failed");
    set_up("m1 m1");
    first();
    failed_asking(MEMBRANE_ESERVER, INT64_MAX);
    TRIES(1, 0, "next target");
}
END_TEST

START_TEST(a_key_that_was_refused_is_not_used_again_and_one_that_waits_is_left_alone) {
    set_up("m3");
    first();
    failed_asking(MEMBRANE_ERATE, 10000); // 0 waits
    TRIES(0, 1, "next key");
    failed(MEMBRANE_EAUTH); // 1 is gone
    TRIES(0, 2, "next key");
    failed(MEMBRANE_EAUTH); // 2 is gone
    TRIES(0, 0, "after the wait that was asked for");
    ck_assert_int_eq(d.at_ms, 11000);
    failed(MEMBRANE_EAUTH);
    FAILS("every target failed");
}
END_TEST

START_TEST(a_server_error_does_not_use_up_keys) {
    set_up("m2 m1");
    first();
    failed(MEMBRANE_ESERVER);
    TRIES(0, 0, "retry");
    failed(MEMBRANE_ESERVER);
    TRIES(0, 0, "retry");
    failed_asking(MEMBRANE_ERATE, 5000);
    TRIES(0, 1, "next key");
}
END_TEST

START_TEST(server_and_network_errors_are_tried_again_and_then_go_to_the_next_target) {
    static const int codes[] = {MEMBRANE_EOVERLOADED, MEMBRANE_ESERVER,  MEMBRANE_EGATEWAY,   MEMBRANE_ECONNECT,
                                MEMBRANE_EDNS,        MEMBRANE_ETIMEOUT, MEMBRANE_ETRUNCATED, MEMBRANE_EMALFORMED,
                                MEMBRANE_ESTREAM,     MEMBRANE_ESLOW,    MEMBRANE_ERESPONSE};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        set_up("m1 m1");
        first();
        failed(codes[i]);
        TRIES(0, 0, "retry");
        ck_assert_int_eq(d.at_ms, 1500);
        failed(codes[i]);
        TRIES(0, 0, "retry");
        ck_assert_int_eq(d.at_ms, 2500);
        failed(codes[i]);
        TRIES(1, 0, "next target");
        ck_assert_int_eq(d.at_ms, 2500);
    }
}
END_TEST

START_TEST(backoff_doubles_to_five_seconds_and_jitter_stays_within_a_fifth) {
    static const int64_t base[] = {500, 1000, 2000, 4000, 5000, 5000, 5000};
    static const double units[] = {0, 0.25, 0.5, 0.75, 0.999999};
    for (int u = 0; u < 5; u++) {
        set_up("m1");
        route.retries = 7;
        first();
        for (int i = 0; i < 7; i++) {
            mb_route_failure f = {0, MEMBRANE_ESERVER, -1, false, false};
            d = mb_route_next(&route, &f, 0, units[u]);
            ck_assert_int_ge(d.at_ms, base[i] * 8 / 10);
            ck_assert_int_le(d.at_ms, base[i] * 12 / 10);
            if (u == 2) ck_assert_int_eq(d.at_ms, base[i]);
        }
    }
}
END_TEST

START_TEST(a_server_that_says_when_is_asked_then) {
    set_up("m1");
    first();
    failed_asking(MEMBRANE_EOVERLOADED, 7000);
    TRIES(0, 0, "retry");
    ck_assert_int_eq(d.at_ms, 8000);
    failed_asking(MEMBRANE_EOVERLOADED, 0); // sooner than backoff would have it
    ck_assert_int_eq(d.at_ms, 9000);
}
END_TEST

START_TEST(retries_are_as_many_as_configured) {
    for (int retries = 0; retries < 5; retries++) {
        set_up("m1");
        route.retries = retries;
        first();
        for (int i = 0; i < retries; i++) {
            failed(MEMBRANE_ECONNECT);
            TRIES(0, 0, "retry");
        }
        failed(MEMBRANE_ECONNECT);
        FAILS("every target failed");
        ck_assert_int_eq(memory[0].attempts, retries + 1);
    }
}
END_TEST

START_TEST(a_prompt_that_is_too_long_goes_to_its_own_list_only) {
    set_up("m1 m1 e1 c1 c1 p1");
    first();
    failed(MEMBRANE_ECONTEXT);
    TRIES(3, 0, "fallback");
    failed(MEMBRANE_EMODEL);
    TRIES(4, 0, "fallback");
    failed(MEMBRANE_EMODEL);
    FAILS("every target failed");
}
END_TEST

START_TEST(a_content_policy_goes_to_its_own_list_only) {
    set_up("m1 m1 e1 c1 p1");
    first();
    failed(MEMBRANE_ECONTENT);
    TRIES(4, 0, "fallback");
    failed(MEMBRANE_ECONTENT);
    FAILS("every target failed");
}
END_TEST

START_TEST(without_a_list_of_its_own_the_call_fails) {
    set_up("m1 m1 e1");
    first();
    failed(MEMBRANE_ECONTEXT);
    FAILS("every target failed");
}
END_TEST

START_TEST(error_fallbacks_come_after_all_of_the_main_list) {
    set_up("e1 m1 m2 e1");
    first();
    TRIES(1, 0, "first target");
    failed(MEMBRANE_EMODEL);
    TRIES(2, 0, "next target");
    failed(MEMBRANE_EAUTH);
    TRIES(2, 1, "next key");
    failed(MEMBRANE_EAUTH);
    TRIES(0, 0, "fallback");
    failed(MEMBRANE_ESERVER);
    TRIES(0, 0, "retry");
    failed(MEMBRANE_EMODEL);
    TRIES(3, 0, "fallback");
    failed(MEMBRANE_EMODEL);
    FAILS("every target failed");
}
END_TEST

START_TEST(a_fallback_that_is_free_comes_before_a_main_target_that_waits) {
    set_up("m1 e1");
    first();
    failed_asking(MEMBRANE_ERATE, 30000);
    TRIES(1, 0, "fallback");
    ck_assert_int_eq(now_ms, 1000);
    failed(MEMBRANE_EMODEL);
    TRIES(0, 0, "after the wait that was asked for");
    ck_assert_int_eq(now_ms, 31000);
}
END_TEST

START_TEST(an_overflow_of_a_fallback_goes_to_the_larger_window) {
    set_up("m1 e1 c1");
    first();
    failed(MEMBRANE_EMODEL);
    TRIES(1, 0, "fallback");
    failed(MEMBRANE_ECONTEXT);
    TRIES(2, 0, "fallback");
}
END_TEST

START_TEST(a_loading_engine_gives_way_to_others_and_is_asked_again_after_them) {
    set_up("m1 m1 e1");
    first();
    is_loading();
    TRIES(1, 0, "next target");
    ck_assert_int_eq(now_ms, 1000);
    failed(MEMBRANE_EMODEL);
    TRIES(2, 0, "fallback");
    failed(MEMBRANE_EMODEL);
    TRIES(0, 0, "still loading");
    ck_assert_int_eq(now_ms, 1250);
}
END_TEST

START_TEST(a_loading_engine_is_polled_outside_the_retry_count_until_its_time_is_over) {
    set_up("m1");
    int polls = 0;
    for (first(); d.what == MB_ROUTE_TRY; polls++) {
        ck_assert_int_lt(d.at_ms, LOADING);
        is_loading();
    }
    FAILS("every target failed");
    ck_assert_int_eq(memory[0].retries, 0);
    ck_assert_int_gt(now_ms, LOADING * 7 / 8); // not given up early
    ck_assert_int_lt(polls, 60);               // the attempts of a call are counted
}
END_TEST

START_TEST(an_engine_that_has_loaded_has_all_its_retries) {
    set_up("m1");
    first();
    for (int i = 0; i < 5; i++) is_loading();
    for (int i = 0; i < 2; i++) {
        failed(MEMBRANE_ESERVER);
        TRIES(0, 0, "retry");
    }
    failed(MEMBRANE_ESERVER);
    FAILS("every target failed");
}
END_TEST

START_TEST(of_two_loading_engines_the_first_one_ready_is_asked) {
    set_up("m1 m1");
    first();
    is_loading();
    TRIES(1, 0, "next target");
    now_ms += 100;
    is_loading();
    TRIES(0, 0, "still loading");
    ck_assert_int_eq(now_ms, 1250);
    is_loading();
    TRIES(1, 0, "still loading");
    ck_assert_int_eq(now_ms, 1350);
}
END_TEST

START_TEST(what_was_handed_out_is_never_replayed) {
    static const int codes[] = {MEMBRANE_ETRUNCATED, MEMBRANE_EAUTH, MEMBRANE_ERATE, MEMBRANE_ECONTEXT,
                                MEMBRANE_EMODEL};
    for (int i = 0; i < 5; i++) {
        set_up("m2 m1 e1 c1");
        first();
        decide(&(mb_route_failure){0, codes[i], 10, i == 0, true});
        FAILS("a part of the answer was handed out");
    }
}
END_TEST

START_TEST(after_the_deadline_nothing_is_tried) {
    set_up("m1 m1");
    now_ms = DEADLINE;
    first();
    FAILS("the deadline has passed");
    now_ms = 1000;
    first();
    now_ms = DEADLINE;
    failed(MEMBRANE_EMODEL);
    FAILS("the deadline has passed");
}
END_TEST

START_TEST(a_target_that_is_passed_over_is_never_tried) {
    set_up("m1x m1 e1x c1x");
    first();
    TRIES(1, 0, "first target");
    failed(MEMBRANE_EMODEL);
    FAILS("every target failed");
    set_up("m1x m1x");
    first();
    FAILS("no target may be tried");
    set_up("m1 c1x");
    first();
    failed(MEMBRANE_ECONTEXT);
    FAILS("every target failed");
}
END_TEST

// ---- what probes have found ----------------------------------------------------------------------------------------

static mb_endpoint endpoints[TARGETS];
static mb_key_facts keys[TARGETS];
static mb_target_facts facts[TARGETS];

// As set_up, with one provider a target: a letter each, u up, l loading, d down, a up without the model.
static void set_up_probed(const char *text, const char *found) {
    memset(endpoints, 0, sizeof endpoints);
    memset(keys, 0, sizeof keys);
    memset(facts, 0, sizeof facts);
    set_up(text);
    for (size_t i = 0; i < route.count; i++) {
        facts[i].endpoint = &endpoints[i];
        facts[i].key_free_at_ms = &key_times[(i + 1) * KEYS - 1]; // no target here has so many keys
        endpoints[i].keys = &keys[i];
        endpoints[i].key_count = 1;
        endpoints[i].health = found[i] == 'l' ? MB_HEALTH_LOADING : found[i] == 'd' ? MB_HEALTH_DOWN : MB_HEALTH_UP;
        facts[i].model_state = found[i] == 'a' ? MB_MODEL_ABSENT : MB_MODEL_THERE;
        targets[i].facts = &facts[i];
    }
}

START_TEST(who_does_not_answer_probes_is_passed_over) {
    static const char *const FOUND[] = {"duu", "luu", "auu"};
    for (int i = 0; i < 3; i++) {
        set_up_probed("m1 m1 e1", FOUND[i]);
        first();
        TRIES(1, 0, "the first that is free");
        set_up_probed("m1 m1 e1", FOUND[i]);
        endpoints[1].health = MB_HEALTH_DOWN;
        first();
        TRIES(2, 0, "fallback");
    }
}
END_TEST

START_TEST(where_all_are_away_the_least_bad_one_is_asked_all_the_same) {
    static const struct {
        const char *found;
        size_t target;
    } ROWS[] = {{"ddd", 0}, {"dld", 1}, {"ada", 1}, {"dal", 2}, {"aaa", 0}};
    for (int i = 0; i < 5; i++) {
        set_up_probed("m1 m1 e1", ROWS[i].found);
        first();
        TRIES(ROWS[i].target, 0, "the least bad one");
        ck_assert_int_eq(d.at_ms, 1000);
    }
}
END_TEST

START_TEST(who_loads_comes_before_an_open_breaker_and_is_polled) {
    set_up_probed("m1 m1", "ul");
    for (int n = 0; n < MB_BREAKER_IN_A_ROW; n++) mb_breaker_end(&facts[0].breaker, now_ms, MB_OUTCOME_BAD, false);
    first();
    TRIES(1, 0, "the least bad one");
    is_loading();
    TRIES(1, 0, "still loading");
    ck_assert_int_gt(now_ms, 1000);
}
END_TEST

START_TEST(probes_say_nothing_against_the_only_target) {
    set_up_probed("m1", "d");
    first();
    TRIES(0, 0, "the least bad one");
    ck_assert_str_eq(mb_route_judge(&route, 0, now_ms).why, "it does not answer probes");
}
END_TEST

// ---- whatever happens ----------------------------------------------------------------------------------------------

static uint64_t seed;

static unsigned die(unsigned sides) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

static void random_route(void) {
    char text[TARGETS * 4 + 1] = "";
    unsigned count = 1 + die(TARGETS);
    for (unsigned i = 0; i < count; i++) {
        const char group = die(2) ? 'm' : "mecp"[die(4)];
        sprintf(text + strlen(text), "%s%c%u%s", i ? " " : "", group, 1 + die(KEYS), die(6) ? "" : "x");
    }
    set_up(text);
    route.retries = (int)die(4);
    route.deadline_ms = now_ms + 1 + (int64_t)die(300000);
    route.loading_until_ms = now_ms + (int64_t)die(150000);
}

static mb_route_failure random_failure(void) {
    static const int codes[] = {MEMBRANE_EAUTH,      MEMBRANE_EPERMISSION, MEMBRANE_EFUNDS,   MEMBRANE_ERATE,
                                MEMBRANE_ERATE,      MEMBRANE_EOVERLOADED, MEMBRANE_ESERVER,  MEMBRANE_EGATEWAY,
                                MEMBRANE_ECONNECT,   MEMBRANE_EDNS,        MEMBRANE_ETIMEOUT, MEMBRANE_EMODEL,
                                MEMBRANE_ETRUNCATED, MEMBRANE_ETLS,        MEMBRANE_ECONTEXT, MEMBRANE_ECONTENT};
    int code = codes[die(16)];
    int64_t after = die(2) ? -1 : die(5) ? (int64_t)die(20000) : 0;
    bool loading = code == MEMBRANE_EOVERLOADED && die(2);
    return (mb_route_failure){d.target, code, after, loading, false};
}

// At most its keys, its retries and the polls while it loads, which grow with the logarithm of the time.
static int most_attempts(void) {
    int most = 0;
    for (size_t i = 0; i < route.count; i++) most += targets[i].key_count + route.retries + 60;
    return most;
}

static void check_try(const bool *was_out, const int64_t before_ms) {
    ck_assert_uint_lt(d.target, route.count);
    ck_assert(d.key >= 0 && d.key < targets[d.target].key_count);
    ck_assert_ptr_null(targets[d.target].passed_over);
    ck_assert(!was_out[d.target]);
    ck_assert_int_ne(memory[d.target].key_at_ms[d.key], MB_ROUTE_NEVER);
    ck_assert_int_ge(d.at_ms, before_ms);
    ck_assert_int_ge(d.at_ms, memory[d.target].key_at_ms[d.key]);
    ck_assert_int_lt(d.at_ms, route.deadline_ms);
    ck_assert_int_le(memory[d.target].retries, route.retries);
    ck_assert_ptr_nonnull(d.reason);
}

START_TEST(whatever_happens_a_call_ends_within_its_bounds) {
    for (seed = 1; seed < 20000; seed += 2) {
        uint64_t kept = seed;
        bool was_out[TARGETS] = {false};
        random_route();
        int tries = 0, most = most_attempts();
        for (first(); d.what == MB_ROUTE_TRY; tries++) {
            ck_assert_int_lt(tries, most);
            for (size_t i = 0; i < route.count; i++) was_out[i] = memory[i].is_out;
            now_ms += die(2000);
            mb_route_failure f = random_failure();
            int64_t before_ms = now_ms;
            d = mb_route_next(&route, &f, now_ms, die(1000) / 1000.0);
            if (d.what != MB_ROUTE_TRY) break;
            check_try(was_out, before_ms);
            if (d.at_ms > now_ms) now_ms = d.at_ms;
        }
        seed = kept;
    }
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, who_does_not_answer_probes_is_passed_over);
    tcase_add_test(tc, where_all_are_away_the_least_bad_one_is_asked_all_the_same);
    tcase_add_test(tc, who_loads_comes_before_an_open_breaker_and_is_polled);
    tcase_add_test(tc, probes_say_nothing_against_the_only_target);
    tcase_add_test(tc, the_first_target_is_tried_first_and_at_once);
    tcase_add_test(tc, a_refused_key_gives_way_to_the_next_without_a_wait_and_then_to_the_next_target);
    tcase_add_test(tc, an_unknown_model_goes_to_the_next_target_at_once);
    tcase_add_test(tc, a_wrong_request_is_final);
    tcase_add_test(tc, a_rate_limit_takes_the_next_key_and_then_the_next_target_at_once);
    tcase_add_test(tc, with_no_target_left_a_rate_limit_is_waited_for_as_long_as_it_asks);
    tcase_add_test(tc, a_rate_limit_without_a_time_is_waited_for_by_backoff);
    tcase_add_test(tc, a_rate_limit_that_asks_for_no_wait_is_not_asked_for_ever);
    tcase_add_test(tc, a_wait_beyond_the_deadline_is_not_begun);
    tcase_add_test(tc, a_key_that_was_refused_is_not_used_again_and_one_that_waits_is_left_alone);
    tcase_add_test(tc, a_server_error_does_not_use_up_keys);
    tcase_add_test(tc, server_and_network_errors_are_tried_again_and_then_go_to_the_next_target);
    tcase_add_test(tc, backoff_doubles_to_five_seconds_and_jitter_stays_within_a_fifth);
    tcase_add_test(tc, a_server_that_says_when_is_asked_then);
    tcase_add_test(tc, retries_are_as_many_as_configured);
    tcase_add_test(tc, a_prompt_that_is_too_long_goes_to_its_own_list_only);
    tcase_add_test(tc, a_content_policy_goes_to_its_own_list_only);
    tcase_add_test(tc, without_a_list_of_its_own_the_call_fails);
    tcase_add_test(tc, error_fallbacks_come_after_all_of_the_main_list);
    tcase_add_test(tc, a_fallback_that_is_free_comes_before_a_main_target_that_waits);
    tcase_add_test(tc, an_overflow_of_a_fallback_goes_to_the_larger_window);
    tcase_add_test(tc, a_loading_engine_gives_way_to_others_and_is_asked_again_after_them);
    tcase_add_test(tc, a_loading_engine_is_polled_outside_the_retry_count_until_its_time_is_over);
    tcase_add_test(tc, an_engine_that_has_loaded_has_all_its_retries);
    tcase_add_test(tc, of_two_loading_engines_the_first_one_ready_is_asked);
    tcase_add_test(tc, what_was_handed_out_is_never_replayed);
    tcase_add_test(tc, after_the_deadline_nothing_is_tried);
    tcase_add_test(tc, a_target_that_is_passed_over_is_never_tried);
    tcase_add_test(tc, whatever_happens_a_call_ends_within_its_bounds);
}
UNIT_MAIN("router", tests)
