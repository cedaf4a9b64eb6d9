// SPDX-License-Identifier: MIT
#include "route/prices.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pattern.h"

extern const char mb_models_json[]; // models.json, made a C file by the build (embed_json.sed)

typedef struct list list;
struct list {
    list *next;
    const char *const *providers; // NULL-terminated
    mb_price *rows;
    size_t count;
};

struct mb_prices {
    list *first, **end;
    const char *const *free; // kinds that send no bill where they run on the user's own machine
};

#define COST_MAX 1e15 // a thousand million dollars: what costs more was counted wrong, and sums must not overflow

static const mb_price FREE = {.model = "*", .has_price = true};

// ---- reading -------------------------------------------------------------------------------------------------------

static int wrong(membrane_error **err, const mb_json *at, const char *what) {
    return mb_error_set(err, MEMBRANE_ECONFIG, "prices: %s%s%s", at && at->key ? at->key : "",
                        at && at->key ? ": " : "", what);
}

static int read_names(mb_arena *arena, const mb_json *v, const char *const **ret, membrane_error **err) {
    const char **names = mb_json_is(v, MB_JSON_ARRAY) ? mb_arena_zalloc(arena, (v->count + 1) * sizeof *names) : NULL;
    if (!mb_json_is(v, MB_JSON_ARRAY)) return wrong(err, v, "must be a list of names");
    if (!names) return mb_error_no_memory(err);
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->children[i].type != MB_JSON_STRING) return wrong(err, v, "must be a list of names");
        names[i] = mb_arena_strdup(arena, v->children[i].str);
        if (!names[i]) return mb_error_no_memory(err);
    }
    *ret = names;
    return 0;
}

static int read_number(const mb_json *row, const char *key, double *to, membrane_error **err) {
    const mb_json *v = mb_json_get(row, key);
    if (!v) return 0;
    *to = mb_json_double(v, NAN);
    return isfinite(*to) && *to >= 0 && *to <= 1e6 ? 0 : wrong(err, v, "must be a number from 0 to 1,000,000");
}

static int read_count(const mb_json *row, const char *key, int64_t *to, membrane_error **err) {
    const mb_json *v = mb_json_get(row, key);
    if (!v) return 0;
    *to = mb_json_int(v, -1);
    return *to > 0 && *to < INT32_MAX ? 0 : wrong(err, v, "must be a number of tokens");
}

static int check_keys(const mb_json *row, const char *const *known, membrane_error **err) {
    for (uint32_t i = 0; i < row->count; i++) {
        const char *const *k = known;
        while (*k && strcmp(*k, row->children[i].key) != 0) k++;
        if (!*k) return wrong(err, &row->children[i], "unknown key");
    }
    return 0;
}

static int read_row(mb_arena *arena, const mb_json *row, const char *date, mb_price *p, membrane_error **err) {
    static const char *const KNOWN[] = {"model",       "kind",         "window", "max_output", "input",
                                        "cached",      "cache_write",  "output", "over",       "over_input",
                                        "over_output", "capabilities", NULL};
    const char *model = mb_json_get_str(row, "model");
    if (!model) return wrong(err, row, "a row without \"model\"");
    int code = check_keys(row, KNOWN, err);
    *p = (mb_price){.model = mb_arena_strdup(arena, model), .date = date, .cached = -1, .cache_write = -1};
    p->has_price = mb_json_get(row, "input") != NULL;
    if (code == 0) code = read_number(row, "input", &p->input, err);
    if (code == 0) code = read_number(row, "cached", &p->cached, err);
    if (code == 0) code = read_number(row, "cache_write", &p->cache_write, err);
    if (code == 0) code = read_number(row, "output", &p->output, err);
    if (code == 0) code = read_number(row, "over_input", &p->over_input, err);
    if (code == 0) code = read_number(row, "over_output", &p->over_output, err);
    if (code == 0) code = read_count(row, "window", &p->window, err);
    if (code == 0) code = read_count(row, "max_output", &p->max_output, err);
    if (code == 0) code = read_count(row, "over", &p->over, err);
    const mb_json *capabilities = mb_json_get(row, "capabilities");
    p->capabilities = capabilities ? mb_json_copy(arena, capabilities) : NULL;
    bool is_whole = p->model && (p->capabilities || !capabilities);
    return code ? code : is_whole ? 0 : mb_error_no_memory(err);
}

static int read_list(mb_arena *arena, const mb_json *v, mb_prices *all, membrane_error **err) {
    static const char *const KNOWN[] = {"providers", "date", "models", NULL};
    const mb_json *models = mb_json_get(v, "models");
    const char *date = mb_json_get_str(v, "date");
    list *l = mb_arena_zalloc(arena, sizeof *l);
    if (!l) return mb_error_no_memory(err);
    if (!mb_json_is(v, MB_JSON_OBJECT) || !mb_json_is(models, MB_JSON_ARRAY))
        return wrong(err, v, "each list must be an object with \"providers\" and \"models\"");
    int code = check_keys(v, KNOWN, err);
    if (code == 0) code = read_names(arena, mb_json_get(v, "providers"), &l->providers, err);
    l->rows = mb_arena_alloc(arena, (models->count + 1) * sizeof *l->rows);
    const char *kept = mb_arena_strdup(arena, date);
    if (code == 0 && (!l->rows || (date && !kept))) return mb_error_no_memory(err);
    for (uint32_t i = 0; i < models->count && code == 0; i++)
        code = read_row(arena, &models->children[i], kept, &l->rows[l->count++], err);
    *all->end = l;
    all->end = &l->next;
    return code;
}

static int read_table(mb_arena *arena, const mb_json *table, mb_prices *all, membrane_error **err) {
    static const char *const KNOWN[] = {"about", "free", "lists", "replace", NULL};
    const mb_json *lists = mb_json_get(table, "lists"), *free = mb_json_get(table, "free");
    if (!mb_json_is(table, MB_JSON_OBJECT) || (lists && lists->type != MB_JSON_ARRAY))
        return wrong(err, table, "must be an object with \"lists\"");
    int code = check_keys(table, KNOWN, err);
    for (uint32_t i = 0; lists && i < lists->count && code == 0; i++)
        code = read_list(arena, &lists->children[i], all, err);
    if (code == 0 && free && !all->free) code = read_names(arena, free, &all->free, err);
    return code;
}

int mb_prices_load(mb_arena *arena, const mb_json *table, const mb_prices **ret, membrane_error **err) {
    mb_prices *all = mb_arena_zalloc(arena, sizeof *all);
    mb_arena tree = {0};
    const mb_json *built_in;
    if (!all) return mb_error_no_memory(err);
    all->end = &all->first;
    int code = table ? read_table(arena, table, all, err) : 0;
    if (code == 0 && !mb_json_bool(mb_json_get(table, "replace"), false)) {
        code = mb_json_parse(&tree, mb_models_json, strlen(mb_models_json), &built_in, err);
        if (code == 0) code = read_table(arena, built_in, all, err);
    }
    mb_arena_free(&tree);
    if (code == 0) *ret = all;
    return code;
}

// ---- looking up ----------------------------------------------------------------------------------------------------

static bool is_in(const char *const *names, const char *name) {
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0) return true;
    return false;
}

const mb_price *mb_prices_find(const mb_prices *prices, const char *kind, bool local, const char *model) {
    for (const list *l = prices ? prices->first : NULL; l && model; l = l->next) {
        if (!is_in(l->providers, kind)) continue;
        for (size_t i = 0; i < l->count; i++)
            if (mb_pattern_glob(l->rows[i].model, model)) return &l->rows[i];
    }
    return prices && local && is_in(prices->free, kind) ? &FREE : NULL;
}

int64_t mb_price_cost(const mb_price *price, const mb_usage *u) {
    if (!price || !price->has_price) return -1;
    bool is_over = price->over && u->input > price->over;
    double input = is_over ? price->over_input : price->input, output = is_over ? price->over_output : price->output;
    double step = price->input > 0 ? input / price->input : 1; // the cache's prices rise alike
    if ((u->input < 0 && input > 0) || (u->output < 0 && output > 0)) return -1;
    double cached = u->cached > 0 ? (double)u->cached : 0, written = u->cache_write > 0 ? (double)u->cache_write : 0;
    double plain = (double)(u->input > 0 ? u->input : 0) - cached - written;
    if (plain < 0) plain = 0; // a provider that counts them beside its input
    double cost = plain * input + cached * (price->cached >= 0 ? price->cached * step : input) +
                  written * (price->cache_write >= 0 ? price->cache_write * step : input) +
                  (double)(u->output > 0 ? u->output : 0) * output;
    return cost <= COST_MAX ? (int64_t)llround(cost) : -1;
}
