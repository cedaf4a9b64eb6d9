// SPDX-License-Identifier: MIT
#include "unit.h"

#include <time.h>

#include "base/clock.h"

START_TEST(the_monotonic_clock_never_goes_back) {
    int64_t last = mb_now_us();
    for (int i = 0; i < 100000; i++) {
        int64_t now = mb_now_us();
        ck_assert(now >= last);
        last = now;
    }
}
END_TEST

START_TEST(milliseconds_are_microseconds_by_a_thousand) {
    int64_t before = mb_now_us(), ms = mb_now_ms(), after = mb_now_us();
    ck_assert(before / 1000 <= ms && ms <= after / 1000);
}
END_TEST

START_TEST(the_wall_clock_is_the_systems) {
    int64_t before = (int64_t)time(NULL) - 1, now = mb_wall_ms() / 1000;
    ck_assert(before <= now && now <= (int64_t)time(NULL) + 1);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, the_monotonic_clock_never_goes_back);
    tcase_add_test(tc, milliseconds_are_microseconds_by_a_thousand);
    tcase_add_test(tc, the_wall_clock_is_the_systems);
}
UNIT_MAIN("clock", tests)
