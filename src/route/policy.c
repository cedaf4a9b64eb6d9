// SPDX-License-Identifier: MIT
#include "route/policy.h"

#include <string.h>

static const char *const NAMES[MB_POLICY_COUNT] = {"ordered", "weighted", "least_busy", "latency", "cheapest", "usage"};

const char *mb_policy_name(mb_policy policy) { return NAMES[policy]; }

int mb_policy_from_name(const char *name) {
    for (int i = 0; i < MB_POLICY_COUNT; i++)
        if (strcmp(NAMES[i], name) == 0) return i;
    return -1;
}
