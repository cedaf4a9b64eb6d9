// SPDX-License-Identifier: MIT
// What a configuration says of budgets, and what is wrong with it.
#include "config_text.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "membrane/options.h"
#include "route/budget.h"
#include "runtime/config.h"

START_TEST(budgets_are_read_with_their_alerts) {
    good("budgets:\n"
         "  - {scope: key, match: 'cloud#1', period: day, usd_micros: 5000000}\n"
         "  - {scope: session, period: total, usd_micros: 0, alerts: [1, 0.25, 0.5]}\n"
         "  - {scope: all, period: month, usd_micros: 1000000000000000, alerts: []}\n");
    ck_assert_uint_eq(config->budget_count, 3);
    const mb_budget_rule *b = config->budgets;
    ck_assert_int_eq(b[0].scope, MB_BUDGET_KEY);
    ck_assert_int_eq(b[0].period, MB_BUDGET_DAY);
    ck_assert_str_eq(b[0].match, "cloud#1");
    ck_assert_int_eq(b[0].usd_micros, 5000000);
    ck_assert_int_eq(b[0].alert_count, 2);
    ck_assert_int_eq(b[0].alerts[0], 800000);
    ck_assert_ptr_null(b[1].match);
    ck_assert_int_eq(b[1].alert_count, 3);
    ck_assert_int_eq(b[1].alerts[0], 250000);
    ck_assert_int_eq(b[1].alerts[2], MB_BUDGET_WHOLE);
    ck_assert_int_eq(b[2].usd_micros, MB_BUDGET_USD_MICROS_MAX);
    ck_assert_int_eq(b[2].alert_count, 0);
    good("budgets: []\n");
    ck_assert_uint_eq(config->budget_count, 0);
    done();
}
END_TEST

START_TEST(a_wrong_budget_is_an_error_with_its_place) {
    bad("budgets: 1\n", "a.yaml:1: budgets must be a list of tables, not a number");
    bad("budgets: [x]\n", "a.yaml:1: budgets.0 must be a table");
    bad("budgets:\n  - {scope: key, period: day}\n", "a.yaml:2: budgets.0: \"usd_micros\" is missing");
    bad("budgets:\n  - {scope: keys, period: day, usd_micros: 1}\n",
        "a.yaml:2: budgets.0.scope: \"keys\" is none of key, model, session, all (did you mean \"key\"?)");
    bad("budgets:\n  - {scope: key, period: week, usd_micros: 1}\n",
        "a.yaml:2: budgets.0.period: \"week\" is none of day, month, total");
    bad("budgets:\n  - {scope: key, period: day, usd_micros: 1.5}\n",
        "a.yaml:2: budgets.0.usd_micros must be a whole number from 0 to 1000000000000000");
    bad("budgets:\n  - {scope: key, period: day, usd_micros: -1}\n",
        "a.yaml:2: budgets.0.usd_micros must be a whole number from 0 to 1000000000000000");
    bad("budgets:\n  - {scope: key, period: day, usd_micro: 1}\n",
        "a.yaml:2: unknown key \"usd_micro\" in budgets.0 (did you mean \"usd_micros\"?)");
    bad("budgets:\n  - {scope: all, match: x, period: day, usd_micros: 1}\n",
        "a.yaml:2: budgets.0.match: a budget of the scope \"all\" has none");
    bad("budgets:\n  - {scope: key, match: '', period: day, usd_micros: 1}\n",
        "a.yaml:2: budgets.0.match must be 1 to 512 bytes, or left out");
    bad("budgets:\n  - {scope: all, period: day, usd_micros: 1, alerts: [0.5, 80]}\n",
        "a.yaml:2: budgets.0.alerts must be a list of at most 8 numbers above 0 and up to 1");
    bad("budgets:\n  - {scope: all, period: day, usd_micros: 1}\n  - {scope: all, period: day, usd_micros: 2}\n",
        "a.yaml:3: budgets.1 is the same budget as budgets.0");
}
END_TEST

static int compile_it(void *text) {
    int code = compile_text(text);
    done();
    return code;
}

START_TEST(every_allocation_may_fail) {
    static char text[] = "budgets: [{scope: all, period: day, usd_micros: 1, alerts: [1]}]\n";
    unit_every_allocation_fails(compile_it, text);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, budgets_are_read_with_their_alerts);
    tcase_add_test(tc, a_wrong_budget_is_an_error_with_its_place);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("config_budgets", tests)
