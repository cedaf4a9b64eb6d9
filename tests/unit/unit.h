// SPDX-License-Identifier: MIT
// What every unit test shares: one suite a file, TAP on stdout.
//     static void tests(TCase *tc) { tcase_add_test(tc, cut_stream_is_an_error); }
//     UNIT_MAIN("sse", tests)
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>

int unit_run(const char *name, void (*add)(TCase *tc));

#define UNIT_MAIN(name, add)                                                                                           \
    int main(void) { return unit_run(name, add); }

// Runs body(user) with the first, second, … allocation of ours failing until one run passes without a failure.
// body returns 0 when it succeeded; a failed run must leave nothing behind.
void unit_every_allocation_fails(int (*body)(void *user), void *user);

#endif
