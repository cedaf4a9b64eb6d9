// SPDX-License-Identifier: MIT
// The table of prices of a configuration: most handles never ask for it, so it is made at the first question.
#include <pthread.h>

#include "base/alloc.h"
#include "runtime/config.h"

struct mb_config_prices {
    mb_arena arena;
    const mb_prices *table;
};

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

const mb_prices *mb_config_prices(mb_config *config) {
    pthread_mutex_lock(&making);
    struct mb_config_prices *p = config->prices;
    if (!p) p = mb_calloc(1, sizeof *p);
    if (p && !config->prices && mb_prices_load(&p->arena, config->price_rows, &p->table, NULL) != 0) {
        mb_arena_free(&p->arena);
        mb_free(p);
        p = NULL;
    }
    config->prices = p;
    pthread_mutex_unlock(&making);
    return p ? p->table : NULL;
}

void mb_config_forget_prices(mb_config *config) {
    if (config->prices) mb_arena_free(&config->prices->arena);
    mb_free(config->prices);
}
