// SPDX-License-Identifier: MIT
// A gate beside the plainest bucket that there is: a minute's worth, filled evenly, exact in whole numbers.
#include "unit.h"

#include <string.h>

#include "base/rng.h"
#include "route/gate.h"

enum { MINUTE = 60000 };

static mb_gate gate;
static mb_rng rng;

static void set_up(int64_t rpm, int64_t tpm, int parallel) {
    memset(&gate, 0, sizeof gate);
    gate.limits = (mb_limits){rpm, tpm, parallel};
}

static int64_t die(int64_t sides) { return (int64_t)mb_rng_below(&rng, (uint64_t)sides); }

static bool may_enter(int64_t tokens, int64_t now_ms) { return mb_gate_opens_at(&gate, tokens, now_ms) <= now_ms; }

// What a provider counts: level in units times MINUTE, so that a millisecond drains per_minute of it.
typedef struct bucket {
    int64_t per_minute, level, at_ms;
} bucket;

static bool bucket_takes(bucket *b, int64_t units, int64_t now_ms) {
    int64_t drained = (now_ms - b->at_ms) * b->per_minute;
    b->level = b->level > drained ? b->level - drained : 0;
    b->at_ms = now_ms;
    if (b->level + units * MINUTE > b->per_minute * MINUTE) return false;
    b->level += units * MINUTE;
    return true;
}

START_TEST(without_limits_everybody_goes_in_and_is_counted) {
    set_up(0, 0, 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_le(mb_gate_opens_at(&gate, 1000000, 5), 5);
        mb_gate_enter(&gate, 1000000, 5);
    }
    ck_assert_int_eq(gate.in_flight, 1000);
    ck_assert_ptr_null(mb_gate_limit_name(&gate, 1, 5));
    ck_assert_double_eq(mb_gate_used(&gate, 5), -1);
}
END_TEST

START_TEST(a_minutes_requests_go_in_at_once_and_then_one_a_share_of_the_minute) {
    set_up(10, 0, 0);
    for (int i = 0; i < 10; i++) {
        ck_assert(may_enter(0, 1000));
        mb_gate_enter(&gate, 0, 1000);
    }
    ck_assert_int_eq(mb_gate_opens_at(&gate, 0, 1000), 7000);
    ck_assert_str_eq(mb_gate_limit_name(&gate, 0, 1000), "rpm");
    ck_assert_double_eq_tol(mb_gate_used(&gate, 1000), 1, 1e-9);
    ck_assert(!may_enter(0, 6999));
    ck_assert(may_enter(0, 7000));
    ck_assert_double_eq_tol(mb_gate_used(&gate, 31000), 0.5, 1e-9);
}
END_TEST

START_TEST(as_many_attempts_as_allowed_run_at_a_time) {
    set_up(0, 0, 2);
    mb_gate_enter(&gate, 0, 1);
    mb_gate_enter(&gate, 0, 1);
    ck_assert_int_eq(mb_gate_opens_at(&gate, 0, 1), MB_GATE_NEVER);
    ck_assert_str_eq(mb_gate_limit_name(&gate, 0, 1), "parallel");
    mb_gate_leave(&gate);
    ck_assert(may_enter(0, 1));
}
END_TEST

START_TEST(tokens_wait_until_there_are_so_many) {
    set_up(0, 6000, 0); // 100 a second
    mb_gate_enter(&gate, 5000, 1000);
    ck_assert(may_enter(1000, 1000));
    ck_assert_int_eq(mb_gate_opens_at(&gate, 1500, 1000), 6000);
    ck_assert_str_eq(mb_gate_limit_name(&gate, 1500, 1000), "tpm");
    ck_assert(may_enter(0, 1000));
}
END_TEST

START_TEST(what_was_reserved_too_high_is_given_back) {
    set_up(0, 6000, 0);
    mb_gate_enter(&gate, 6000, 1000);
    ck_assert(!may_enter(5000, 1000));
    mb_gate_leave(&gate);
    mb_gate_settle(&gate, 6000, 1000, 1000, 1000);
    ck_assert(may_enter(5000, 1000));
    ck_assert(!may_enter(5001, 1000));
    ck_assert_int_eq(gate.reserved, 0);
}
END_TEST

START_TEST(what_was_used_beyond_the_estimate_is_counted) {
    set_up(0, 6000, 0);
    mb_gate_enter(&gate, 100, 1000);
    mb_gate_settle(&gate, 100, 6000, 1000, 1000);
    ck_assert_int_eq(mb_gate_opens_at(&gate, 1000, 1000), 11000);
}
END_TEST

START_TEST(what_nobody_knows_counts_as_reserved) {
    set_up(0, 6000, 0);
    mb_gate_enter(&gate, 6000, 1000);
    mb_gate_settle(&gate, 6000, -1, 1000, 1000);
    ck_assert_int_eq(mb_gate_opens_at(&gate, 1000, 1000), 11000);
    ck_assert_int_eq(gate.reserved, 0);
}
END_TEST

START_TEST(a_long_stream_does_not_hold_what_it_reserved_in_an_earlier_minute) {
    set_up(0, 6000, 0);
    mb_gate_enter(&gate, 6000, 1000);
    ck_assert(may_enter(3000, 31000));
    ck_assert(may_enter(6000, 61000));
}
END_TEST

START_TEST(more_than_a_minutes_tokens_go_in_when_the_bucket_is_full_and_are_owed_then) {
    set_up(0, 6000, 0);
    ck_assert(may_enter(12000, 1000));
    mb_gate_enter(&gate, 12000, 1000);
    mb_gate_settle(&gate, 12000, 12000, 1000, 1000);
    ck_assert_int_eq(mb_gate_opens_at(&gate, 6000, 1000), 121000);
    ck_assert_int_eq(mb_gate_opens_at(&gate, 100000, 1000), 121000);
    ck_assert_int_eq(mb_gate_opens_at(&gate, 100, 1000), 62000);
}
END_TEST

// Where a minute cannot be divided evenly, the parts that are rounded up are together more than a minute.
START_TEST(an_empty_bucket_takes_whatever_comes_however_the_limit_divides) {
    static const int64_t limits[] = {7, 700000, 900001, 59999999, INT64_C(40000000000), INT64_C(90000000000)};
    for (int i = 0; i < 6; i++) {
        set_up(0, limits[i], 0);
        ck_assert(may_enter(limits[i] - 1, 1000));
        ck_assert(may_enter(limits[i], 1000));
        mb_gate_enter(&gate, limits[i] - 1, 1000);
        mb_gate_settle(&gate, limits[i] - 1, 0, 1000, 1000);
        ck_assert(may_enter(limits[i] - 1, 1000));
    }
}
END_TEST

START_TEST(absurd_numbers_overflow_nothing) {
    set_up(1, 1, 0);
    for (int i = 0; i < 100; i++) mb_gate_enter(&gate, INT64_C(1) << 50, 1000);
    ck_assert_int_gt(mb_gate_opens_at(&gate, INT64_C(1) << 50, 1000), 1000);
    for (int i = 0; i < 100; i++) mb_gate_settle(&gate, INT64_C(1) << 50, i % 2 ? 0 : INT64_C(1) << 60, 1000, 2000);
    ck_assert_int_eq(gate.reserved, 0);
    ck_assert_int_gt(mb_gate_opens_at(&gate, 1, 2000), 2000);
}
END_TEST

START_TEST(exactly_as_many_requests_go_in_as_into_a_plain_bucket) {
    static const int64_t limits[] = {1, 10, 60, 500, 6000, 60000}; // that divide a minute in whole nanoseconds
    mb_rng_seed_with(&rng, 1);
    for (int round = 0; round < 300; round++) {
        const int64_t rpm = limits[die(6)], gap = 1 + 2 * MINUTE / rpm;
        bucket reference = {.per_minute = rpm};
        int64_t now = 1000;
        set_up(rpm, 0, 0);
        for (int i = 0; i < 500; i++) {
            now += die(10) ? die(gap) : die(MINUTE);
            bool ours = may_enter(0, now);
            ck_assert_int_eq(ours, bucket_takes(&reference, 1, now));
            if (ours) mb_gate_enter(&gate, 0, now);
        }
    }
}
END_TEST

START_TEST(the_time_it_gives_is_the_first_at_which_it_opens) {
    mb_rng_seed_with(&rng, 2);
    for (int round = 0; round < 2000; round++) {
        const int64_t tpm = 1 + die(1000000), ask = 1 + die(tpm + tpm / 4);
        set_up(1 + die(1000), tpm, 0);
        int64_t now = 1 + die(100000);
        for (int i = 0; i < 20; i++, now += die(3000)) {
            int64_t tokens = die(tpm);
            mb_gate_enter(&gate, tokens, now);
            if (die(2)) mb_gate_settle(&gate, tokens, die(tokens + 1), now, now);
        }
        int64_t at = mb_gate_opens_at(&gate, ask, now);
        ck_assert_int_ne(at, MB_GATE_NEVER);
        ck_assert(at <= now || !may_enter(ask, at - 1));
        ck_assert(may_enter(ask, at > now ? at : now));
        ck_assert(mb_gate_limit_name(&gate, ask, now) ? at > now : at <= now);
    }
}
END_TEST

typedef struct attempt {
    int64_t reserved, used, start_ms, end_ms;
} attempt;

// Whatever is reserved, however late it is settled: what the provider counts when the request comes is never too much.
START_TEST(a_provider_with_the_same_limits_never_refuses) {
    enum { AT_ONCE = 64 };
    mb_rng_seed_with(&rng, 3);
    for (int round = 0; round < 1000; round++) {
        attempt open[AT_ONCE];
        int count = 0;
        const int64_t tpm = 10 + die(100000), rpm = 1 + die(300), longest = 1 + die(3 * MINUTE);
        bucket tokens = {.per_minute = tpm}, requests = {.per_minute = rpm};
        set_up(rpm, tpm, 0);
        int64_t now = 1;
        for (int i = 0; i < 1000; i++) {
            now += die(4) ? die(MINUTE / 60) : die(MINUTE / 2);
            for (int n = 0; n < count; n++) {
                if (open[n].end_ms > now) continue;
                mb_gate_leave(&gate);
                mb_gate_settle(&gate, open[n].reserved, open[n].used, open[n].start_ms, now);
                open[n--] = open[--count];
            }
            int64_t reserved = 1 + die(die(2) ? tpm : tpm / 10);
            if (count == AT_ONCE || !may_enter(reserved, now)) continue;
            open[count] = (attempt){reserved, die(reserved + 1), now, now + die(longest)};
            mb_gate_enter(&gate, reserved, now);
            ck_assert_msg(bucket_takes(&tokens, open[count].used, now), "tokens were refused in round %d", round);
            ck_assert_msg(bucket_takes(&requests, 1, now), "a request was refused in round %d", round);
            count++;
        }
    }
}
END_TEST

// 100 at once reserve ten times of what they use: the minute's tokens are still used, not a tenth of them.
START_TEST(reservations_that_are_too_high_do_not_waste_the_minute) {
    enum { MANY = 8, RESERVED = 5000, USED = 500, TAKES_MS = 4000 };
    attempt open[MANY];
    int count = 0;
    int64_t used = 0;
    set_up(0, 40000, 0);
    for (int64_t now = 1; now < 10 * MINUTE; now += 10) {
        for (int n = 0; n < count; n++) {
            if (open[n].end_ms > now) continue;
            mb_gate_leave(&gate);
            mb_gate_settle(&gate, RESERVED, USED, open[n].start_ms, now);
            open[n--] = open[--count];
        }
        if (count == MANY || !may_enter(RESERVED, now)) continue;
        mb_gate_enter(&gate, RESERVED, now);
        open[count++] = (attempt){RESERVED, USED, now, now + TAKES_MS};
        used += USED;
    }
    ck_assert_int_gt(used, INT64_C(10) * 40000 * 8 / 10);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, without_limits_everybody_goes_in_and_is_counted);
    tcase_add_test(tc, a_minutes_requests_go_in_at_once_and_then_one_a_share_of_the_minute);
    tcase_add_test(tc, as_many_attempts_as_allowed_run_at_a_time);
    tcase_add_test(tc, tokens_wait_until_there_are_so_many);
    tcase_add_test(tc, what_was_reserved_too_high_is_given_back);
    tcase_add_test(tc, what_was_used_beyond_the_estimate_is_counted);
    tcase_add_test(tc, what_nobody_knows_counts_as_reserved);
    tcase_add_test(tc, a_long_stream_does_not_hold_what_it_reserved_in_an_earlier_minute);
    tcase_add_test(tc, more_than_a_minutes_tokens_go_in_when_the_bucket_is_full_and_are_owed_then);
    tcase_add_test(tc, an_empty_bucket_takes_whatever_comes_however_the_limit_divides);
    tcase_add_test(tc, absurd_numbers_overflow_nothing);
    tcase_add_test(tc, exactly_as_many_requests_go_in_as_into_a_plain_bucket);
    tcase_add_test(tc, the_time_it_gives_is_the_first_at_which_it_opens);
    tcase_add_test(tc, a_provider_with_the_same_limits_never_refuses);
    tcase_add_test(tc, reservations_that_are_too_high_do_not_waste_the_minute);
}
UNIT_MAIN("gate", tests)
