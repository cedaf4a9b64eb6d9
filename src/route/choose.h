// SPDX-License-Identifier: MIT
// The policies: which of the targets that are free now. Pure.
#ifndef MB_ROUTE_CHOOSE_H
#define MB_ROUTE_CHOOSE_H

#include "route/router.h"

typedef struct mb_choice {
    size_t target;
    const char *reason; // static text
} mb_choice;

// free: indexes into route->targets, in their order; count of them, at least one. unit: a random number in [0, 1), of
// which the upper half of the bits is used.
mb_choice mb_choose(const mb_route *route, const uint32_t *free, size_t count, int64_t now_ms, double unit);

#endif
