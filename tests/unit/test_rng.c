// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/rng.h"

START_TEST(the_same_seed_gives_the_same_numbers) {
    mb_rng a, b, c;
    mb_rng_seed_with(&a, 1);
    mb_rng_seed_with(&b, 1);
    mb_rng_seed_with(&c, 2);
    uint64_t first = mb_rng_next(&a);
    ck_assert(first == mb_rng_next(&b));
    ck_assert(first != mb_rng_next(&c));
}
END_TEST

START_TEST(the_first_number_is_that_of_the_published_algorithm) {
    mb_rng rng = {{1, 2, 3, 4}};
    ck_assert(mb_rng_next(&rng) == 11520);
    ck_assert(mb_rng_next(&rng) == 0);
    ck_assert(mb_rng_next(&rng) == 1509978240);
}
END_TEST

START_TEST(two_states_from_the_system_differ) {
    mb_rng a, b;
    mb_rng_seed(&a);
    mb_rng_seed(&b);
    ck_assert(mb_rng_next(&a) != mb_rng_next(&b));
}
END_TEST

START_TEST(unit_numbers_lie_from_zero_to_below_one_and_are_spread) {
    mb_rng rng;
    int tenths[10] = {0};
    mb_rng_seed_with(&rng, 7);
    for (int i = 0; i < 100000; i++) {
        double x = mb_rng_unit(&rng);
        ck_assert(x >= 0 && x < 1);
        tenths[(int)(x * 10)]++;
    }
    for (int i = 0; i < 10; i++) ck_assert(tenths[i] > 9000 && tenths[i] < 11000);
}
END_TEST

START_TEST(bounded_numbers_stay_below_the_bound) {
    mb_rng rng;
    int seen[3] = {0};
    mb_rng_seed_with(&rng, 7);
    for (int i = 0; i < 3000; i++) seen[mb_rng_below(&rng, 3)]++;
    for (int i = 0; i < 3; i++) ck_assert(seen[i] > 800);
    ck_assert(mb_rng_below(&rng, 1) == 0);
    ck_assert(mb_rng_below(&rng, 0) == 0);
    ck_assert(mb_rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, the_same_seed_gives_the_same_numbers);
    tcase_add_test(tc, the_first_number_is_that_of_the_published_algorithm);
    tcase_add_test(tc, two_states_from_the_system_differ);
    tcase_add_test(tc, unit_numbers_lie_from_zero_to_below_one_and_are_spread);
    tcase_add_test(tc, bounded_numbers_stay_below_the_bound);
}
UNIT_MAIN("rng", tests)
