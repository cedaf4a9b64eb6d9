// SPDX-License-Identifier: MIT
// What people ask of budgets: which there are and how it stands with each, setting and removing. On the caller's
// thread, waiting for the disk.
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "runtime/money_parts.h"

// ---- the list ------------------------------------------------------------------------------------------------------

typedef struct listing {
    mb_jw w;
    const mb_budget_rule *rule;
    mb_budget_window window;
    size_t count; // of this rule's amounts
} listing;

static void put_alerts(mb_jw *w, const mb_budget_rule *rule) {
    mb_jw_key(w, "alerts");
    mb_jw_array(w);
    for (int i = 0; i < rule->alert_count; i++) mb_jw_double(w, (double)rule->alerts[i] / MB_BUDGET_WHOLE);
    mb_jw_end_array(w);
}

static int put_amount(void *user, const mb_amount_sums *sums) {
    listing *l = user;
    const mb_budget_rule *rule = l->rule;
    int64_t left = rule->usd_micros - sums->settled - sums->unknown - sums->reserved;
    mb_jw_object(&l->w);
    mb_jw_kstr(&l->w, "scope", mb_budget_scope_name(rule->scope));
    mb_jw_kstr(&l->w, "match", rule->match);
    mb_jw_kstr(&l->w, "period", mb_budget_period_name(rule->period));
    mb_jw_kstr(&l->w, "owner", sums->owner[0] ? sums->owner : NULL);
    mb_jw_kint(&l->w, "usd_micros", rule->usd_micros);
    mb_jw_kint(&l->w, "settled", sums->settled);
    mb_jw_kint(&l->w, "unknown", sums->unknown);
    mb_jw_kint(&l->w, "reserved", sums->reserved);
    mb_jw_kint(&l->w, "left", left > 0 ? left : 0);
    mb_jw_kint(&l->w, "start_ms", l->window.start_ms);
    mb_jw_key(&l->w, "end_ms");
    if (l->window.end_ms == INT64_MAX)
        mb_jw_null(&l->w);
    else
        mb_jw_int(&l->w, l->window.end_ms);
    mb_jw_kstr(&l->w, "source", rule->is_stored ? "stored" : "config");
    put_alerts(&l->w, rule);
    mb_jw_end_object(&l->w);
    l->count++;
    return 0;
}

static int put_rule(mb_money *m, listing *l, const mb_budget_rule *rule, int64_t wall_ms, membrane_error **err) {
    static const mb_amount_sums NOTHING = {.owner = ""};
    l->rule = rule;
    l->window = mb_budget_window_of(rule->period, wall_ms);
    l->count = 0;
    mb_amount which = {.scope = mb_budget_scope_name(rule->scope),
                       .match = rule->match ? rule->match : "",
                       .period = mb_budget_period_name(rule->period),
                       .start_ms = l->window.start_ms};
    int code = mb_leases_sums(m->leases, &which, put_amount, l, err);
    if (code == 0 && l->count == 0) put_amount(l, &NOTHING);
    return code;
}

// With the database taken.
static int put_rules(mb_money *m, const mb_rules *rules, int64_t wall_ms, mb_buf *out, membrane_error **err) {
    listing l = {.w = mb_jw_to(out)};
    int code = 0;
    mb_jw_object(&l.w);
    mb_jw_key(&l.w, "items");
    mb_jw_array(&l.w);
    for (size_t i = 0; i < rules->count && code == 0; i++) code = put_rule(m, &l, &rules->at[i], wall_ms, err);
    mb_jw_end_array(&l.w);
    mb_jw_end_object(&l.w);
    if (code) return code;
    code = mb_buf_status(out, MEMBRANE_EINVAL);
    return code == MEMBRANE_ENOMEM ? mb_error_no_memory(err)
           : code                  ? mb_error_set(err, code, "the list of budgets is too long")
                                   : 0;
}

static bool copy_configured(mb_money *m, mb_rules *ret) {
    pthread_mutex_lock(&m->lock);
    bool is_whole = mb_rules_merge(&m->configured, &(mb_rules){0}, ret);
    pthread_mutex_unlock(&m->lock);
    return is_whole;
}

int mb_money_list(mb_money *m, int64_t wall_ms, mb_buf *out, membrane_error **err) {
    mb_rules configured = {0}, stored = {0}, all = {0};
    int code = mb_money_flush(m, -1, err);
    if (code == 0) code = mb_money_take_db(m, err);
    if (code) return code;
    code = mb_money_read_stored(m, &stored, err);
    if (code == 0 && (!copy_configured(m, &configured) || !mb_rules_merge(&configured, &stored, &all)))
        code = mb_error_no_memory(err);
    if (code == 0) code = put_rules(m, &all, wall_ms, out, err);
    mb_money_give_db(m);
    mb_rules_free(&configured);
    mb_rules_free(&stored);
    mb_rules_free(&all);
    return code;
}

// ---- setting and removing ------------------------------------------------------------------------------------------

static int check(const char *scope, const char *match, const char *period, membrane_error **err) {
    if (mb_budget_scope_from(scope) < 0)
        return mb_error_set(err, MEMBRANE_EINVAL, "scope: \"key\", \"model\", \"session\" or \"all\" is expected");
    if (mb_budget_period_from(period) < 0)
        return mb_error_set(err, MEMBRANE_EINVAL, "period: \"day\", \"month\" or \"total\" is expected");
    if (match && mb_budget_scope_from(scope) == MB_BUDGET_ALL)
        return mb_error_set(err, MEMBRANE_EINVAL, "match: a budget of the scope \"all\" has none");
    if (match && (!match[0] || strlen(match) > 2 * MB_LIMIT_NAME))
        return mb_error_set(err, MEMBRANE_EINVAL, "match: 1 to %d bytes, or none", 2 * MB_LIMIT_NAME);
    return 0;
}

// The next call looks before it spends.
static void was_edited(mb_money *m) {
    pthread_mutex_lock(&m->lock);
    m->edits++;
    m->is_loaded = false;
    atomic_store(&m->has_rules, true);
    pthread_mutex_unlock(&m->lock);
}

int mb_money_set(mb_money *m, const char *scope, const char *match, const char *period, int64_t usd_micros,
                 membrane_error **err) {
    int code = check(scope, match, period, err);
    if (code) return code;
    if (usd_micros < 0 || usd_micros > MB_BUDGET_USD_MICROS_MAX)
        return mb_error_set(err, MEMBRANE_EINVAL, "usd_micros: 0 to %lld is expected",
                            (long long)MB_BUDGET_USD_MICROS_MAX);
    code = mb_money_take_db(m, err);
    if (code) return code;
    code = mb_leases_set_rule(m->leases, scope, match ? match : "", period, usd_micros, err);
    mb_money_give_db(m);
    if (code == 0) was_edited(m);
    return code;
}

int mb_money_remove(mb_money *m, const char *scope, const char *match, const char *period, membrane_error **err) {
    int code = check(scope, match, period, err);
    if (code == 0) code = mb_money_take_db(m, err);
    if (code) return code;
    code = mb_leases_remove_rule(m->leases, scope, match ? match : "", period, err);
    mb_money_give_db(m);
    if (code == 0) was_edited(m);
    return code;
}
