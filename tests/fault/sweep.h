// SPDX-License-Identifier: MIT
// One allocation after another fails, each in a child process of its own, so that a crash or a hang ends one try and
// not the test. The scenarios are the public functions; who counts and fails the allocations is the program's business.
#ifndef TESTS_FAULT_SWEEP_H
#define TESTS_FAULT_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

typedef struct scenario {
    const char *name;
    int (*run)(void); // opens, works, closes; 0 or the first code that was no success
} scenario;
extern const scenario SCENARIOS[];
extern const size_t SCENARIO_COUNT;
void scenarios_prepare(void); // once, before the first one

// How allocations are made to fail.
typedef struct saboteur {
    void (*arm)(long n);  // the n-th from now on fails, once
    bool (*disarm)(void); // was it reached?
    long (*left)(void);   // blocks that are still held, 0 if nobody counts
    bool others_fail;     // libraries that say "no connection" when they mean "no memory"
    // Words for a crash at these addresses where it is not ours ("in libcurl.so.4"), or NULL. Called in a signal
    // handler.
    const char *(*whose)(void *const *trace, int depth);
} saboteur;

void sweep(const scenario *s, const saboteur *by); // reports through fault.h's CHECK

#endif
