// SPDX-License-Identifier: MIT
// Where a request that was read and written again may differ from the recorded one: the only differences allowed. Each
// row says for which api (a glob), which provider (a glob), at which place (a glob over "messages.2.content"; numbers
// of lists are numbers), and why. kind says how: LOST (recorded, not written), ADDED (written, not recorded), CHANGED.
#ifndef TESTS_WIRES_DIFFERENCES_H
#define TESTS_WIRES_DIFFERENCES_H

typedef enum { LOST = 1, ADDED = 2, CHANGED = 4 } difference_kind;

typedef struct allowed_difference {
    int kinds; // difference_kind, or-ed
    const char *api, *provider, *place, *reason;
} allowed_difference;

static const allowed_difference ALLOWED[] = {
    {ADDED, "chat.completions", "*", "stream_options", "usage is always asked for in streams"},
};

#endif
