// SPDX-License-Identifier: MIT
#include "unit.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "route/pace.h"

static mb_pace p;

static void set_up(void) { memset(&p, 0, sizeof p); }

START_TEST(before_anything_is_seen_nothing_is_known) {
    set_up();
    ck_assert_double_eq(mb_pace_at(&p, 1000), -1);
    ck_assert_int_eq(mb_pace_percentile(&p, 95), -1);
}
END_TEST

START_TEST(the_average_rises_at_once) {
    set_up();
    mb_pace_note(&p, 100, 1000);
    ck_assert_double_eq(mb_pace_at(&p, 1000), 100);
    mb_pace_note(&p, 900, 1001);
    ck_assert_double_eq(mb_pace_at(&p, 1001), 900);
}
END_TEST

START_TEST(the_average_falls_slowly) {
    set_up();
    mb_pace_note(&p, 1000, 0);
    mb_pace_note(&p, 0, 1000);
    ck_assert_double_eq_tol(mb_pace_at(&p, 1000), 1000 * exp(-0.1), 1e-6);
    for (int64_t t = 1100; t < 60000; t += 100) mb_pace_note(&p, 200, t);
    ck_assert_double_eq_tol(mb_pace_at(&p, 59900), 200, 5);
}
END_TEST

START_TEST(what_is_long_ago_weighs_less_and_less_so_that_it_is_tried_again) {
    set_up();
    mb_pace_note(&p, 1000, 0);
    ck_assert_double_eq_tol(mb_pace_at(&p, MB_PACE_FORGET_MS), 1000 / exp(1), 1e-6);
    ck_assert_double_lt(mb_pace_at(&p, 100 * MB_PACE_FORGET_MS), 1);
}
END_TEST

START_TEST(percentiles_need_twenty_of_them) {
    set_up();
    for (int i = 0; i < 19; i++) mb_pace_note(&p, 100, i);
    ck_assert_int_eq(mb_pace_percentile(&p, 95), -1);
    mb_pace_note(&p, 100, 19);
    ck_assert_int_ge(mb_pace_percentile(&p, 95), 100);
}
END_TEST

START_TEST(a_percentile_is_an_upper_bound_and_at_most_a_quarter_too_high) {
    for (int64_t ms = 0; ms < 131072; ms += 1 + ms / 50) {
        set_up();
        for (int i = 0; i < 20; i++) mb_pace_note(&p, ms, i);
        int64_t p95 = mb_pace_percentile(&p, 95);
        ck_assert_int_ge(p95, ms);
        ck_assert_int_le(p95, ms + ms / 4);
    }
}
END_TEST

START_TEST(five_of_a_hundred_slow_ones_are_beyond_the_ninety_fifth) {
    set_up();
    for (int i = 0; i < 100; i++) mb_pace_note(&p, i % 20 == 7 ? 60000 : 100, i);
    ck_assert_int_lt(mb_pace_percentile(&p, 95), 130);
    ck_assert_int_ge(mb_pace_percentile(&p, 96), 60000);
}
END_TEST

START_TEST(the_shape_follows_the_target) {
    set_up();
    for (int i = 0; i < 5000; i++) mb_pace_note(&p, 5000, i);
    for (int i = 0; i < 8000; i++) mb_pace_note(&p, 100, 5000 + i);
    ck_assert_int_lt(mb_pace_percentile(&p, 95), 130);
}
END_TEST

START_TEST(strange_times_fit_the_first_or_the_last_bucket) {
    mb_rng rng;
    mb_rng_seed_with(&rng, 1);
    set_up();
    for (int i = 0; i < 5000; i++) {
        int64_t ms = i % 3 ? (int64_t)mb_rng_next(&rng) : -(int64_t)mb_rng_below(&rng, 100);
        mb_pace_note(&p, ms, i);
        uint32_t sum = 0;
        for (int n = 0; n < MB_PACE_BUCKETS; n++) sum += p.buckets[n];
        ck_assert_uint_eq(sum, p.count);
    }
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, before_anything_is_seen_nothing_is_known);
    tcase_add_test(tc, the_average_rises_at_once);
    tcase_add_test(tc, the_average_falls_slowly);
    tcase_add_test(tc, what_is_long_ago_weighs_less_and_less_so_that_it_is_tried_again);
    tcase_add_test(tc, percentiles_need_twenty_of_them);
    tcase_add_test(tc, a_percentile_is_an_upper_bound_and_at_most_a_quarter_too_high);
    tcase_add_test(tc, five_of_a_hundred_slow_ones_are_beyond_the_ninety_fifth);
    tcase_add_test(tc, the_shape_follows_the_target);
    tcase_add_test(tc, strange_times_fit_the_first_or_the_last_bucket);
}
UNIT_MAIN("pace", tests)
