// SPDX-License-Identifier: MIT
// budgets: a list of rules.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/budget.h"
#include "runtime/config_check.h"

enum { BUDGETS_MAX = 256 }; // each is looked at when a subject is new

static int rising(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int read_alerts(const mb_config *config, const mb_json *list, const char *path, mb_budget_rule *rule,
                       membrane_error **err) {
    bool is_list = mb_json_is(list, MB_JSON_ARRAY) && list->count <= MB_BUDGET_ALERTS_MAX;
    for (uint32_t i = 0; is_list && i < list->count; i++) {
        double part = mb_json_double(&list->children[i], NAN);
        is_list = part >= 1.0 / MB_BUDGET_WHOLE && part <= 1;
        if (is_list) rule->alerts[i] = (int32_t)lround(part * MB_BUDGET_WHOLE);
    }
    if (!is_list)
        return mb_config_error(config, err, list, "%s.alerts must be a list of at most %d numbers above 0 and up to 1",
                               path, MB_BUDGET_ALERTS_MAX);
    rule->alert_count = (int)list->count;
    qsort(rule->alerts, list->count, sizeof *rule->alerts, rising);
    return 0;
}

static int read_amount(const mb_config *config, const mb_json *v, const char *path, mb_budget_rule *rule,
                       membrane_error **err) {
    rule->usd_micros = mb_json_is(v, MB_JSON_INT) ? v->integer : -1;
    if (rule->usd_micros >= 0 && rule->usd_micros <= MB_BUDGET_USD_MICROS_MAX) return 0;
    return mb_config_error(config, err, v, "%s.usd_micros must be a whole number from 0 to %lld", path,
                           (long long)MB_BUDGET_USD_MICROS_MAX);
}

static int read_match(const mb_config *config, const mb_json *v, const char *path, mb_budget_rule *rule,
                      membrane_error **err) {
    if (!v) return 0;
    if (rule->scope == MB_BUDGET_ALL)
        return mb_config_error(config, err, v, "%s.match: a budget of the scope \"all\" has none", path);
    if (v->len == 0 || v->len > 2 * MB_LIMIT_NAME)
        return mb_config_error(config, err, v, "%s.match must be 1 to %d bytes, or left out", path, 2 * MB_LIMIT_NAME);
    rule->match = v->str;
    return 0;
}

static int read_choice(const mb_config *config, const mb_json *table, const char *path, const char *key,
                       const char *const *words, size_t count, int *ret, membrane_error **err) {
    char whole[64];
    snprintf(whole, sizeof whole, "%s.%s", path, key);
    return mb_config_choice(config, mb_json_get(table, key), whole, words, count, ret, err);
}

static int read_rule(const mb_config *config, const mb_json *table, const char *path, mb_budget_rule *rule,
                     membrane_error **err) {
    static const char *const scopes[] = {"key", "model", "session", "all"}, *const periods[] = {"day", "month",
                                                                                                "total"};
    const mb_json *alerts = mb_json_get(table, "alerts");
    int scope = 0, period = 0;
    int code = read_choice(config, table, path, "scope", scopes, MB_COUNT(scopes), &scope, err);
    if (code == 0) code = read_choice(config, table, path, "period", periods, MB_COUNT(periods), &period, err);
    if (code) return code;
    *rule = (mb_budget_rule){.scope = (mb_budget_scope)scope, .period = (mb_budget_period)period};
    mb_budget_usual_alerts(rule);
    code = read_match(config, mb_json_get(table, "match"), path, rule, err);
    if (code == 0) code = read_amount(config, mb_json_get(table, "usd_micros"), path, rule, err);
    return code == 0 && alerts ? read_alerts(config, alerts, path, rule, err) : code;
}

int mb_config_budgets(mb_config *config, membrane_error **err) {
    const mb_json *list = mb_json_get(config->tree, "budgets");
    if (!list || list->count == 0) return 0;
    if (list->count > BUDGETS_MAX)
        return mb_config_error(config, err, list, "budgets: %d of them at most", BUDGETS_MAX);
    mb_budget_rule *rules = mb_arena_zalloc(&config->arena, list->count * sizeof *rules);
    if (!rules) return mb_error_no_memory(err);
    config->budgets = rules;
    for (uint32_t i = 0; i < list->count; i++) {
        const mb_json *table = &list->children[i];
        const char *path = mb_arena_printf(&config->arena, "budgets.%u", i);
        if (!path) return mb_error_no_memory(err);
        if (table->type != MB_JSON_OBJECT) return mb_config_error(config, err, table, "%s must be a table", path);
        int code = read_rule(config, table, path, &rules[i], err);
        if (code) return code;
        for (uint32_t before = 0; before < i; before++)
            if (mb_budget_is_same(&rules[before], &rules[i]))
                return mb_config_error(config, err, table, "%s is the same budget as budgets.%u", path, before);
        config->budget_count++;
    }
    return 0;
}
