// SPDX-License-Identifier: MIT
#include "route/budget.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/pattern.h"

enum { DAY_MS = 86400000, NAME_MAX_BYTES = 4 * MB_LIMIT_NAME };

static const char *const SCOPES[] = {"key", "model", "session", "all"};
static const char *const PERIODS[] = {"day", "month", "total"};

// ---- names ---------------------------------------------------------------------------------------------------------

static int find(const char *const *names, size_t count, const char *name) {
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(names[i], name) == 0) return (int)i;
    return -1;
}

const char *mb_budget_scope_name(mb_budget_scope scope) { return SCOPES[scope]; }
const char *mb_budget_period_name(mb_budget_period period) { return PERIODS[period]; }
int mb_budget_scope_from(const char *name) { return find(SCOPES, MB_COUNT(SCOPES), name); }
int mb_budget_period_from(const char *name) { return find(PERIODS, MB_COUNT(PERIODS), name); }

void mb_budget_usual_alerts(mb_budget_rule *rule) {
    rule->alerts[0] = MB_BUDGET_WHOLE / 10 * 8;
    rule->alerts[1] = MB_BUDGET_WHOLE;
    rule->alert_count = 2;
}

bool mb_budget_is_same(const mb_budget_rule *a, const mb_budget_rule *b) {
    if (a->scope != b->scope || a->period != b->period || !a->match != !b->match) return false;
    return !a->match || strcmp(a->match, b->match) == 0;
}

// ---- who is meant --------------------------------------------------------------------------------------------------

// first, a mark and second as one text, without memory; a name that is longer than any that is allowed matches by its
// beginning.
static bool matches(const char *glob, const char *first, char mark, const char *second) {
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s%c%s", first, mark, second);
    return mb_pattern_glob(glob, name);
}

static bool key_matches(const char *glob, const mb_budget_subject *s) {
    char number[16];
    if (!strchr(glob, '#')) return mb_pattern_glob(glob, s->provider);
    snprintf(number, sizeof number, "%d", s->key + 1);
    return matches(glob, s->provider, '#', number);
}

bool mb_budget_applies(const mb_budget_rule *rule, const mb_budget_subject *s) {
    const char *glob = rule->match;
    switch (rule->scope) {
    case MB_BUDGET_KEY: return s->provider && (!glob || key_matches(glob, s));
    case MB_BUDGET_MODEL:
        if (!s->provider || !s->model) return false;
        return !glob || matches(glob, s->provider, '/', s->model) || (s->logical && mb_pattern_glob(glob, s->logical));
    case MB_BUDGET_SESSION: return s->session && s->session[0] && (!glob || mb_pattern_glob(glob, s->session));
    case MB_BUDGET_ALL: return true;
    }
    return false;
}

void mb_budget_put_owner(const mb_budget_rule *rule, const mb_budget_subject *s, mb_buf *out) {
    if (rule->match) return;
    switch (rule->scope) {
    case MB_BUDGET_KEY: mb_buf_putf(out, "%s#%d", s->provider, s->key + 1); break;
    case MB_BUDGET_MODEL: mb_buf_putf(out, "%s/%s", s->provider, s->model); break;
    case MB_BUDGET_SESSION: mb_buf_puts(out, s->session); break;
    case MB_BUDGET_ALL: break;
    }
}

// ---- when ----------------------------------------------------------------------------------------------------------

// Days since 1970 of the first of a month; months count from January of the year 0. The usual arithmetic with years
// that begin in March, so that the leap day comes last.
static int64_t first_of_month(int64_t months) {
    int64_t year = months / 12, month = months % 12; // 0: January
    if (month < 2) year--;
    int64_t shifted = (month + 10) % 12, century = year / 100;
    return year * 365 + year / 4 - century + century / 4 + (153 * shifted + 2) / 5 - 719468;
}

mb_budget_window mb_budget_window_of(mb_budget_period period, int64_t wall_ms) {
    int64_t day = wall_ms > 0 ? wall_ms / DAY_MS : 0;
    if (period == MB_BUDGET_TOTAL) return (mb_budget_window){0, INT64_MAX};
    if (period == MB_BUDGET_DAY) return (mb_budget_window){day * DAY_MS, (day + 1) * DAY_MS};
    int64_t months = 1970 * 12 + day / 31; // never late; then on to the month that holds the day
    while (first_of_month(months + 1) <= day) months++;
    return (mb_budget_window){first_of_month(months) * DAY_MS, first_of_month(months + 1) * DAY_MS};
}

// ---- how much ------------------------------------------------------------------------------------------------------

static double larger(double a, double b) { return a > b ? a : b; }

// The dearest that an input token can be: fresh, written into a cache or read from it.
static double input_rate(const mb_price *p, bool is_over) {
    double dearest = larger(p->input, larger(p->cached, p->cache_write));
    if (!is_over) return dearest;
    return larger(dearest, p->input > 0 ? dearest * (p->over_input / p->input) : larger(dearest, p->over_input));
}

int64_t mb_budget_bound(const mb_price *price, int64_t input_tokens, int64_t max_tokens) {
    if (!price || !price->has_price) return -1;
    int64_t input = input_tokens;
    if (price->window && (input < 0 || input > price->window)) input = price->window;
    int64_t output = max_tokens > 0 ? max_tokens : price->max_output;
    // The bytes are more than the tokens, so that dearer prices from some length on may hold or not: the dearer ones.
    bool is_over = price->over && (input < 0 || input > price->over);
    double in = input_rate(price, is_over), out = is_over ? larger(price->output, price->over_output) : price->output;
    if ((input < 0 && in > 0) || (output <= 0 && out > 0)) return -1;
    double bound = ceil((input > 0 ? (double)input : 0) * in + (output > 0 ? (double)output : 0) * out);
    return bound <= (double)MB_BUDGET_USD_MICROS_MAX ? (int64_t)bound : -1;
}

int64_t mb_slice_size(int64_t left, int64_t need, int64_t least, int64_t last) {
    int64_t some = left / MB_BUDGET_SHARE;
    if (some > MB_BUDGET_SLICE_MAX) some = MB_BUDGET_SLICE_MAX;
    if (some > last * 2) some = last * 2;
    if (left <= 0) return 0;
    if (need <= left) return need > some ? need : some;
    return least <= left ? least : 0;
}

void mb_slice_settle(mb_slice *s, int64_t amount, int64_t usd_micros) {
    s->held -= amount;
    s->settled += usd_micros;
    int64_t lacks = -mb_slice_free(s);
    if (lacks > 0) s->granted += lacks;
}

// ---- words ---------------------------------------------------------------------------------------------------------

const char *mb_budget_usd(char buf[MB_BUDGET_TEXT], int64_t usd_micros) {
    uint64_t n = usd_micros < 0 ? -(uint64_t)usd_micros : (uint64_t)usd_micros;
    int len =
        snprintf(buf, MB_BUDGET_TEXT, "%s$%" PRIu64 ".%06" PRIu64, usd_micros < 0 ? "-" : "", n / 1000000, n % 1000000);
    for (int cut = 0; cut < 4 && buf[len - 1] == '0'; cut++) buf[--len] = '\0';
    return buf;
}

void mb_budget_put_words(const mb_budget_rule *rule, const char *owner, mb_buf *out) {
    static const char *const TIMES[] = {"a day", "a month", "in all"};
    const char *scope = SCOPES[rule->scope], *time = TIMES[rule->period];
    if (rule->scope == MB_BUDGET_ALL)
        mb_buf_putf(out, "%s for everything", time);
    else if (rule->match)
        mb_buf_putf(out, "%s for the %ss %s together", time, scope, rule->match);
    else if (owner && owner[0])
        mb_buf_putf(out, "%s for the %s %s", time, scope, owner);
    else
        mb_buf_putf(out, "%s for each %s", time, scope);
}
