// SPDX-License-Identifier: MIT
// Every way in which a server is made to misbehave, and what a caller sees then: one row a way and a set of wires. What
// the server does stands in ways.py and says.py under the same name; docs/internals/faults.md is made of this table
// (fault_faults --table). A wire is one row of FAULT_WIRES (fault.c) and one class of wires.py.
#ifndef TESTS_FAULT_WAYS_H
#define TESTS_FAULT_WAYS_H

#include "fault.h"

enum { WAY_OR_FINE = 1 }; // in or_code: an answer will do, too, whatever its text

// What is expected of one way to ask: a code (or one of two), the phase of a timeout, the text that had come.
typedef struct expected {
    int code, or_code;        // -1 in code: not asked this way
    const char *phase, *text; // of an error: the text that it keeps
    const char *holds;        // stands in the result's JSON; NULL: not looked at
} expected;

typedef struct way {
    const char *name; // the server's, with its argument
    unsigned wires;
    expected stream, whole;
    const char *why;
} way;

extern const way WAYS[];
extern const size_t WAY_COUNT;

// Ways that are looked at for their memory, one at a time: the peak may grow by so many MiB.
typedef struct bound {
    const char *name;
    unsigned wires;
    int stream_code, stream_or, whole_code, whole_or; // -1: not asked this way
    long mib;
    const char *why;
} bound;

extern const bound BOUNDS[];
extern const size_t BOUND_COUNT;

#endif
