// SPDX-License-Identifier: MIT
// The rules of budgets: whom they concern, when they begin anew, what an attempt costs at most, how a slice is spent.
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "route/budget.h"
#include "unit.h"

static const mb_budget_subject SUBJECT = {
    .provider = "cloud", .key = 1, .model = "gpt-5/mini", .logical = "smart", .session = "s1"};

static bool applies(mb_budget_scope scope, const char *match) {
    mb_budget_rule rule = {.scope = scope, .match = match};
    return mb_budget_applies(&rule, &SUBJECT);
}

static const char *owner(mb_budget_scope scope, const char *match) {
    static mb_buf out;
    mb_budget_rule rule = {.scope = scope, .match = match};
    mb_buf_free(&out);
    out = MB_BUF(1000);
    mb_budget_put_owner(&rule, &SUBJECT, &out);
    return mb_buf_text(&out);
}

START_TEST(a_key_is_named_by_its_provider_and_number) {
    ck_assert(applies(MB_BUDGET_KEY, NULL));
    ck_assert(applies(MB_BUDGET_KEY, "cloud"));
    ck_assert(applies(MB_BUDGET_KEY, "cl*"));
    ck_assert(applies(MB_BUDGET_KEY, "cloud#2"));
    ck_assert(applies(MB_BUDGET_KEY, "*#2"));
    ck_assert(!applies(MB_BUDGET_KEY, "cloud#1"));
    ck_assert(!applies(MB_BUDGET_KEY, "cloud#"));
    ck_assert(!applies(MB_BUDGET_KEY, "other"));
}
END_TEST

START_TEST(a_model_is_meant_by_its_target_or_its_logical_name) {
    ck_assert(applies(MB_BUDGET_MODEL, NULL));
    ck_assert(applies(MB_BUDGET_MODEL, "cloud/gpt-5/mini"));
    ck_assert(applies(MB_BUDGET_MODEL, "cloud/*"));
    ck_assert(applies(MB_BUDGET_MODEL, "smart"));
    ck_assert(!applies(MB_BUDGET_MODEL, "gpt-5/mini"));
    ck_assert(!applies(MB_BUDGET_MODEL, "dumb"));
}
END_TEST

START_TEST(a_call_without_a_session_is_in_no_budget_of_sessions) {
    mb_budget_subject nobody = SUBJECT;
    mb_budget_rule rule = {.scope = MB_BUDGET_SESSION};
    ck_assert(applies(MB_BUDGET_SESSION, NULL));
    ck_assert(applies(MB_BUDGET_SESSION, "s?"));
    ck_assert(!applies(MB_BUDGET_SESSION, "t?"));
    nobody.session = NULL;
    ck_assert(!mb_budget_applies(&rule, &nobody));
    nobody.session = "";
    ck_assert(!mb_budget_applies(&rule, &nobody));
    ck_assert(applies(MB_BUDGET_ALL, NULL));
}
END_TEST

START_TEST(without_a_match_each_has_an_amount_and_with_one_they_share_it) {
    ck_assert_str_eq(owner(MB_BUDGET_KEY, NULL), "cloud#2");
    ck_assert_str_eq(owner(MB_BUDGET_MODEL, NULL), "cloud/gpt-5/mini");
    ck_assert_str_eq(owner(MB_BUDGET_SESSION, NULL), "s1");
    ck_assert_str_eq(owner(MB_BUDGET_ALL, NULL), "");
    ck_assert_str_eq(owner(MB_BUDGET_KEY, "cloud"), "");
    ck_assert_str_eq(owner(MB_BUDGET_MODEL, "*"), "");
}
END_TEST

START_TEST(a_very_long_name_is_no_danger) {
    static char name[70000];
    memset(name, 'x', sizeof name - 1);
    mb_budget_subject s = {.provider = "p", .model = name, .session = name};
    mb_budget_rule rule = {.scope = MB_BUDGET_MODEL, .match = "p/x*"};
    mb_buf out = MB_BUF(1 << 20);
    ck_assert(mb_budget_applies(&rule, &s));
    rule.match = NULL;
    mb_budget_put_owner(&rule, &s, &out);
    ck_assert_uint_eq(out.len, sizeof name - 1 + 2);
    mb_buf_free(&out);
}
END_TEST

START_TEST(windows_are_days_and_months_of_utc) {
    // 2024-02-29T23:59:59.999Z, the last moment of a leap month
    int64_t wall = INT64_C(1709251199999), day = 86400000;
    mb_budget_window w = mb_budget_window_of(MB_BUDGET_DAY, wall);
    ck_assert_int_eq(w.start_ms, wall + 1 - day);
    ck_assert_int_eq(w.end_ms, wall + 1);
    w = mb_budget_window_of(MB_BUDGET_MONTH, wall);
    ck_assert_int_eq(w.start_ms, wall + 1 - 29 * day);
    ck_assert_int_eq(w.end_ms, wall + 1);
    w = mb_budget_window_of(MB_BUDGET_MONTH, wall + 1);
    ck_assert_int_eq(w.start_ms, wall + 1);
    ck_assert_int_eq(w.end_ms, wall + 1 + 31 * day);
    w = mb_budget_window_of(MB_BUDGET_TOTAL, wall);
    ck_assert_int_eq(w.start_ms, 0);
    ck_assert_int_eq(w.end_ms, INT64_MAX);
}
END_TEST

START_TEST(months_follow_one_another_for_two_centuries) {
    static const int LENGTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = 86400000, at = 0;
    for (int year = 1970; year < 2170; year++)
        for (int month = 0; month < 12; month++) {
            bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            int64_t next = at + (LENGTHS[month] + (month == 1 && is_leap)) * day;
            for (int side = 0; side < 2; side++) {
                mb_budget_window w = mb_budget_window_of(MB_BUDGET_MONTH, side ? next - 1 : at);
                ck_assert_int_eq(w.start_ms, at);
                ck_assert_int_eq(w.end_ms, next);
            }
            at = next;
        }
}
END_TEST

static const mb_price PLAIN = {.has_price = true,
                               .input = 3,
                               .cached = 0.3,
                               .cache_write = 3.75,
                               .output = 15,
                               .max_output = 1000,
                               .window = 200000};

START_TEST(the_bound_takes_the_dearest_input_and_the_most_output) {
    ck_assert_int_eq(mb_budget_bound(&PLAIN, 100, 10), 375 + 150);
    ck_assert_int_eq(mb_budget_bound(&PLAIN, 100, 0), 375 + 15000);       // what the model writes at most
    ck_assert_int_eq(mb_budget_bound(&PLAIN, 1000000, 10), 750000 + 150); // no more than the window fits in
    ck_assert_int_eq(mb_budget_bound(&PLAIN, -1, 10), 750000 + 150);
    mb_price p = PLAIN;
    p.cache_write = -1;
    ck_assert_int_eq(mb_budget_bound(&p, 100, 10), 300 + 150);
    p.input = 0.1;
    p.cached = -1;
    ck_assert_int_eq(mb_budget_bound(&p, 1, 1), 16); // rounded up
}
END_TEST

START_TEST(prices_from_some_length_on_are_reckoned_with_where_they_may_hold) {
    mb_price p = PLAIN;
    p.over = 128000;
    p.over_input = 6;
    p.over_output = 22.5;
    ck_assert_int_eq(mb_budget_bound(&p, 128000, 1000), 480000 + 15000);
    ck_assert_int_eq(mb_budget_bound(&p, 128001, 1000), 960008 + 22500); // 3.75 rises as 3 to 6
}
END_TEST

START_TEST(what_nobody_knows_is_unbounded_and_what_is_free_costs_nothing) {
    mb_price p = PLAIN, free = {.has_price = true};
    ck_assert_int_eq(mb_budget_bound(NULL, 1, 1), -1);
    p.has_price = false;
    ck_assert_int_eq(mb_budget_bound(&p, 1, 1), -1);
    p = PLAIN;
    p.max_output = 0;
    ck_assert_int_eq(mb_budget_bound(&p, 1, 0), -1);
    ck_assert_int_ge(mb_budget_bound(&p, 1, 1), 0);
    p.window = 0;
    ck_assert_int_eq(mb_budget_bound(&p, -1, 1), -1);
    ck_assert_int_eq(mb_budget_bound(&p, INT64_MAX, INT64_MAX), -1);
    ck_assert_int_eq(mb_budget_bound(&free, -1, 0), 0);
    ck_assert_int_eq(mb_budget_bound(&free, INT64_MAX, INT64_MAX), 0);
}
END_TEST

START_TEST(the_bound_is_never_below_the_cost) {
    mb_rng rng;
    mb_rng_seed_with(&rng, 5);
    for (int i = 0; i < 200000; i++) {
        mb_price p = {
            .has_price = true, .input = (double)mb_rng_below(&rng, 1000) / 100, .cached = -1, .cache_write = -1};
        p.output = (double)mb_rng_below(&rng, 1000) / 100;
        if (mb_rng_below(&rng, 2)) p.cached = mb_rng_unit(&rng) * p.input;
        if (mb_rng_below(&rng, 2)) p.cache_write = mb_rng_unit(&rng) * 2 * p.input;
        if (mb_rng_below(&rng, 2)) p.over = 500, p.over_input = p.input * 2, p.over_output = p.output * 1.5;
        int64_t most_in = (int64_t)mb_rng_below(&rng, 1000) + 1, most_out = (int64_t)mb_rng_below(&rng, 1000) + 1;
        mb_usage u = {.input = (int64_t)mb_rng_below(&rng, (uint64_t)most_in + 1),
                      .output = (int64_t)mb_rng_below(&rng, (uint64_t)most_out + 1)};
        u.cached = (int64_t)mb_rng_below(&rng, (uint64_t)u.input + 1);
        u.cache_write = (int64_t)mb_rng_below(&rng, (uint64_t)(u.input - u.cached) + 1);
        ck_assert_int_le(mb_price_cost(&p, &u), mb_budget_bound(&p, most_in, most_out));
    }
}
END_TEST

START_TEST(slices_grow_with_use_and_shrink_with_what_is_left) {
    const int64_t often = 10000000;
    ck_assert_int_eq(mb_slice_size(100 * INT64_C(1000000), 5, 5, often), 1000000); // a dollar at most
    ck_assert_int_eq(mb_slice_size(100 * INT64_C(1000000), 7000000, 5, often), 7000000);
    ck_assert_int_eq(mb_slice_size(100 * INT64_C(1000000), 5, 5, 0), 5); // the first time
    ck_assert_int_eq(mb_slice_size(100 * INT64_C(1000000), 5, 5, 40), 80);
    ck_assert_int_eq(mb_slice_size(1600, 5, 5, often), 100);
    ck_assert_int_eq(mb_slice_size(16, 5, 5, often), 5);
    ck_assert_int_eq(mb_slice_size(5, 5, 5, often), 5); // the last of it
    ck_assert_int_eq(mb_slice_size(5, 9, 4, often), 4); // not for all who wait, but for one
    ck_assert_int_eq(mb_slice_size(5, 6, 6, often), 0);
    ck_assert_int_eq(mb_slice_size(0, 1, 1, often), 0);
    ck_assert_int_eq(mb_slice_size(-7, 1, 1, often), 0);
    ck_assert_int_eq(mb_slice_size(3200, 0, 0, often), 200); // only some more
}
END_TEST

START_TEST(a_slice_is_spent_as_its_drawing_says) {
    mb_slice s = {.granted = 100};
    mb_slice_hold(&s, 60);
    ck_assert_int_eq(mb_slice_free(&s), 40);
    mb_slice_settle(&s, 60, 25);
    ck_assert_int_eq(mb_slice_free(&s), 75);
    mb_slice_hold(&s, 50);
    mb_slice_release(&s, 50);
    ck_assert_int_eq(mb_slice_free(&s), 75);
    mb_slice_hold(&s, 70);
    mb_slice_forfeit(&s, 70);
    ck_assert_int_eq(mb_slice_free(&s), 5);
    ck_assert_int_eq(mb_slice_spent(&s), 95);
}
END_TEST

START_TEST(a_cost_above_the_hold_is_counted_as_it_is) {
    mb_slice s = {.granted = 100};
    mb_slice_hold(&s, 60);
    mb_slice_settle(&s, 60, 90); // the slice had it
    ck_assert_int_eq(s.granted, 100);
    ck_assert_int_eq(mb_slice_free(&s), 10);
    mb_slice_hold(&s, 10);
    mb_slice_settle(&s, 10, 30); // and here it had not
    ck_assert_int_eq(s.settled, 120);
    ck_assert_int_eq(mb_slice_free(&s), 0);
    ck_assert_int_eq(s.granted, 120);
}
END_TEST

START_TEST(money_is_written_exactly) {
    char buf[MB_BUDGET_TEXT];
    ck_assert_str_eq(mb_budget_usd(buf, 5000000), "$5.00");
    ck_assert_str_eq(mb_budget_usd(buf, 100), "$0.0001");
    ck_assert_str_eq(mb_budget_usd(buf, 123), "$0.000123");
    ck_assert_str_eq(mb_budget_usd(buf, 0), "$0.00");
    ck_assert_str_eq(mb_budget_usd(buf, -1500000), "-$1.50");
    ck_assert_str_eq(mb_budget_usd(buf, INT64_MIN), "-$9223372036854.775808");
}
END_TEST

START_TEST(names_read_back) {
    for (int i = 0; i < 4; i++) ck_assert_int_eq(mb_budget_scope_from(mb_budget_scope_name((mb_budget_scope)i)), i);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(mb_budget_period_from(mb_budget_period_name((mb_budget_period)i)), i);
    ck_assert_int_eq(mb_budget_scope_from("keys"), -1);
    ck_assert_int_eq(mb_budget_period_from(NULL), -1);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, a_key_is_named_by_its_provider_and_number);
    tcase_add_test(tc, a_model_is_meant_by_its_target_or_its_logical_name);
    tcase_add_test(tc, a_call_without_a_session_is_in_no_budget_of_sessions);
    tcase_add_test(tc, without_a_match_each_has_an_amount_and_with_one_they_share_it);
    tcase_add_test(tc, a_very_long_name_is_no_danger);
    tcase_add_test(tc, windows_are_days_and_months_of_utc);
    tcase_add_test(tc, months_follow_one_another_for_two_centuries);
    tcase_add_test(tc, the_bound_takes_the_dearest_input_and_the_most_output);
    tcase_add_test(tc, prices_from_some_length_on_are_reckoned_with_where_they_may_hold);
    tcase_add_test(tc, what_nobody_knows_is_unbounded_and_what_is_free_costs_nothing);
    tcase_add_test(tc, the_bound_is_never_below_the_cost);
    tcase_add_test(tc, slices_grow_with_use_and_shrink_with_what_is_left);
    tcase_add_test(tc, a_slice_is_spent_as_its_drawing_says);
    tcase_add_test(tc, a_cost_above_the_hold_is_counted_as_it_is);
    tcase_add_test(tc, money_is_written_exactly);
    tcase_add_test(tc, names_read_back);
}

UNIT_MAIN("budget", tests)
