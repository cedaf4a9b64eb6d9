// SPDX-License-Identifier: MIT
// What models cost and hold: rows of models.json (built in, dated), and of a file of the same form that the
// configuration names, which come first. An unknown model has an unknown price, never none. Pure.
#ifndef MB_ROUTE_PRICES_H
#define MB_ROUTE_PRICES_H

#include "base/arena.h"
#include "base/json.h"
#include "route/turn.h"

// Prices are dollars for a million tokens, so micro-dollars a token.
typedef struct mb_price {
    const char *model;          // a glob over the provider's name of the model
    const char *date;           // when it was looked up
    int64_t window, max_output; // tokens; 0: not known
    double input, cached, cache_write, output;
    int64_t over; // from more input tokens than this on, other prices hold for the whole call; 0: never
    double over_input, over_output;
    const mb_json *capabilities; // a list of names, or NULL
    bool has_price;
} mb_price;

typedef struct mb_prices mb_prices;

// Reads a table (NULL: none) before the built-in one; with "replace": true it stands alone. Everything is copied into
// the arena. MEMBRANE_ECONFIG with the place, MEMBRANE_ENOMEM.
int mb_prices_load(mb_arena *arena, const mb_json *table, const mb_prices **ret, membrane_error **err);
// The first row that fits; NULL without one. kind: of the provider's row; local: it runs on the user's own machine.
const mb_price *mb_prices_find(const mb_prices *prices, const char *kind, bool local, const char *model);
// Micro-dollars, rounded to the nearest; -1: not known (no price, or the provider did not count what has one).
int64_t mb_price_cost(const mb_price *price, const mb_usage *usage);

#endif
