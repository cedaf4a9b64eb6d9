// SPDX-License-Identifier: MIT
// Which budgets hold, and the accounts of a subject. What was found for a subject is remembered until the budgets
// change or a window is over, so that a call compares names and builds none.
#include <string.h>

#include "base/alloc.h"
#include "runtime/money_parts.h"

enum { RULES_FIRST = 8, ACCOUNT_NAME_MAX = 1 << 20 };

// ---- sets of rules -------------------------------------------------------------------------------------------------

// The room doubles whenever the count is a power of two; what it outgrew is freed with the arena.
bool mb_rules_add(mb_rules *set, const mb_budget_rule *rule) {
    bool is_full = set->count == 0 || (set->count >= RULES_FIRST && (set->count & (set->count - 1)) == 0);
    if (is_full) {
        size_t cap = set->count ? set->count * 2 : RULES_FIRST;
        mb_budget_rule *more = mb_arena_alloc(&set->arena, cap * sizeof *more);
        if (!more) return false;
        if (set->count) memcpy(more, set->at, set->count * sizeof *more);
        set->at = more;
    }
    mb_budget_rule copy = *rule;
    copy.match = mb_arena_strdup(&set->arena, rule->match);
    if (rule->match && !copy.match) return false;
    set->at[set->count++] = copy;
    return true;
}

void mb_rules_free(mb_rules *set) {
    mb_arena_free(&set->arena);
    *set = (mb_rules){0};
}

bool mb_rules_equal(const mb_rules *a, const mb_rules *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!mb_budget_is_same(&a->at[i], &b->at[i]) || a->at[i].usd_micros != b->at[i].usd_micros) return false;
    return true;
}

static mb_budget_rule *same_in(const mb_rules *set, const mb_budget_rule *rule) {
    for (size_t i = 0; i < set->count; i++)
        if (mb_budget_is_same(&set->at[i], rule)) return &set->at[i];
    return NULL;
}

bool mb_rules_merge(const mb_rules *a, const mb_rules *b, mb_rules *ret) {
    const mb_rules *both[] = {a, b};
    for (size_t set = 0; set < MB_COUNT(both); set++)
        for (size_t i = 0; i < both[set]->count; i++) {
            const mb_budget_rule *rule = &both[set]->at[i];
            mb_budget_rule *twin = same_in(ret, rule);
            if (!twin) {
                if (!mb_rules_add(ret, rule)) return false;
            } else if (rule->usd_micros < twin->usd_micros) { // the alerts stay those of the configuration
                twin->usd_micros = rule->usd_micros;
                twin->is_stored = rule->is_stored;
            }
        }
    return true;
}

bool mb_money_replace(mb_money *m, mb_rules *which, mb_rules *by) {
    mb_rules merged = {0};
    bool is_stored = which == &m->stored;
    if (!mb_rules_merge(is_stored ? &m->configured : by, is_stored ? by : &m->stored, &merged)) {
        mb_rules_free(&merged);
        return false;
    }
    mb_money_forget_entries(m);
    mb_rules_free(which);
    mb_rules_free(&m->rules);
    *which = *by;
    m->rules = merged;
    m->by_session = false;
    for (size_t i = 0; i < merged.count; i++)
        if (merged.at[i].scope == MB_BUDGET_SESSION) m->by_session = true;
    atomic_store(&m->has_rules, !m->is_loaded || merged.count > 0);
    return true;
}

// ---- accounts ------------------------------------------------------------------------------------------------------

static void put_name(const mb_budget_rule *rule, const mb_budget_subject *subject, int64_t start_ms, mb_buf *out) {
    mb_buf_putf(out, "%d %d %lld %zu %s ", (int)rule->scope, (int)rule->period, (long long)start_ms,
                rule->match ? strlen(rule->match) : 0, rule->match ? rule->match : "");
    mb_budget_put_owner(rule, subject, out);
}

static mb_account *new_account(mb_money *m, const mb_budget_rule *rule, const mb_buf *name, const mb_buf *owner) {
    size_t match_size = rule->match ? strlen(rule->match) + 1 : 0, name_size = name->len + 1;
    mb_account *a = mb_calloc(1, sizeof *a + match_size + name_size + owner->len + 1);
    if (!a) return NULL;
    char *text = (char *)(a + 1);
    a->rule.scope = rule->scope;
    a->rule.period = rule->period;
    a->rule.match = match_size ? memcpy(text, rule->match, match_size) : NULL;
    a->name = memcpy(text + match_size, mb_buf_text(name), name_size);
    a->owner = memcpy(text + match_size + name_size, mb_buf_text(owner), owner->len + 1);
    if (!mb_map_put(&m->by_name, a->name, a)) {
        mb_free(a);
        return NULL;
    }
    a->next = m->accounts;
    m->accounts = a;
    return a;
}

void mb_money_free_account(mb_money *m, mb_account *a) {
    mb_map_remove(&m->by_name, a->name);
    mb_free(a);
}

// What may have changed of a budget. Whose it is stays as it is: the worker reads that without the lock.
static void renew(mb_account *a, const mb_budget_rule *rule) {
    if (a->rule.usd_micros != rule->usd_micros) a->no_until_ms = 0;
    a->rule.usd_micros = rule->usd_micros;
    memcpy(a->rule.alerts, rule->alerts, sizeof a->rule.alerts);
    a->rule.alert_count = rule->alert_count;
    a->rule.is_stored = rule->is_stored;
}

static mb_account *account_of(mb_money *m, const mb_budget_rule *rule, const mb_money_subject *subject,
                              int64_t wall_ms) {
    mb_budget_window window = mb_budget_window_of(rule->period, wall_ms);
    mb_buf name = MB_BUF(ACCOUNT_NAME_MAX), owner = MB_BUF(ACCOUNT_NAME_MAX);
    put_name(rule, subject, window.start_ms, &name);
    mb_budget_put_owner(rule, subject, &owner);
    bool is_whole = mb_buf_ok(&name) && mb_buf_ok(&owner);
    mb_account *a = is_whole ? mb_map_get(&m->by_name, mb_buf_text(&name)) : NULL;
    if (is_whole && !a) a = new_account(m, rule, &name, &owner);
    if (a) {
        renew(a, rule);
        a->window = window;
        a->used = m->tick;
    }
    mb_buf_free(&name);
    mb_buf_free(&owner);
    return a;
}

// ---- what is remembered --------------------------------------------------------------------------------------------

void mb_money_forget_entries(mb_money *m) {
    for (size_t i = 0; i < MB_MONEY_BUCKETS && m->entry_count; i++) {
        for (mb_entry *e = m->buckets[i], *next; e; e = next) {
            next = e->next;
            mb_free(e);
            m->entry_count--;
        }
        m->buckets[i] = NULL;
    }
}

static const char *text_or_none(const char *text) { return text ? text : ""; }

static uint64_t mix(uint64_t hash, const char *text) { // FNV-1a
    for (; text && *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash * 31 + 7;
}

static uint64_t hash_of(const mb_money *m, const mb_money_subject *s) {
    uint64_t hash = mix(mix(mix(UINT64_C(14695981039346656037), s->provider), s->model), s->logical);
    hash = (hash ^ (unsigned)s->key) * UINT64_C(1099511628211);
    if (m->by_session) hash = mix(hash, s->session);
    return hash ^ (hash >> 29);
}

static bool is_entry_of(const mb_money *m, const mb_entry *e, const mb_money_subject *s) {
    return e->key == s->key && strcmp(e->provider, text_or_none(s->provider)) == 0 &&
           strcmp(e->model, text_or_none(s->model)) == 0 && strcmp(e->logical, text_or_none(s->logical)) == 0 &&
           (!m->by_session || strcmp(e->session, text_or_none(s->session)) == 0);
}

static char *put_text(char *at, const char **to, const char *text) {
    size_t size = strlen(text_or_none(text)) + 1;
    *to = memcpy(at, text_or_none(text), size);
    return at + size;
}

static mb_entry *new_entry(const mb_money *m, const mb_money_subject *s) {
    const char *texts[] = {s->provider, s->model, s->logical, m->by_session ? s->session : NULL};
    size_t count = 0, size = 0;
    for (size_t i = 0; i < m->rules.count; i++) count += mb_budget_applies(&m->rules.at[i], s);
    for (size_t i = 0; i < MB_COUNT(texts); i++) size += strlen(text_or_none(texts[i])) + 1;
    mb_entry *e = mb_calloc(1, sizeof *e + count * sizeof(mb_account *) + size);
    if (!e) return NULL;
    e->count = count;
    e->key = s->key;
    e->until_ms = INT64_MAX;
    const char **to[] = {&e->provider, &e->model, &e->logical, &e->session};
    char *at = (char *)&e->accounts[count];
    for (size_t i = 0; i < MB_COUNT(texts); i++) at = put_text(at, to[i], texts[i]);
    return e;
}

static bool fill_entry(mb_money *m, const mb_money_subject *s, int64_t wall_ms, mb_entry *e) {
    for (size_t i = 0, n = 0; i < m->rules.count; i++) {
        if (!mb_budget_applies(&m->rules.at[i], s)) continue;
        mb_account *a = account_of(m, &m->rules.at[i], s, wall_ms);
        if (!a) return false;
        e->accounts[n++] = a;
        if (a->window.start_ms > e->from_ms) e->from_ms = a->window.start_ms;
        if (a->window.end_ms < e->until_ms) e->until_ms = a->window.end_ms;
    }
    return true;
}

int mb_money_find(mb_money *m, const mb_money_subject *s, int64_t wall_ms, mb_entry **ret) {
    uint64_t hash = hash_of(m, s);
    mb_entry **at = &m->buckets[hash % MB_MONEY_BUCKETS];
    for (; *at; at = &(*at)->next) {
        mb_entry *e = *at;
        if (e->hash != hash || !is_entry_of(m, e, s)) continue;
        if (mb_likely(wall_ms >= e->from_ms && wall_ms < e->until_ms)) {
            *ret = e;
            return 0;
        }
        *at = e->next; // another day
        mb_free(e);
        m->entry_count--;
        break;
    }
    if (m->entry_count >= MB_MONEY_ENTRIES_MAX) mb_money_forget_entries(m);
    mb_entry *e = new_entry(m, s);
    if (!e || !fill_entry(m, s, wall_ms, e)) {
        mb_free(e);
        return MEMBRANE_ENOMEM;
    }
    mb_entry **bucket = &m->buckets[hash % MB_MONEY_BUCKETS];
    e->hash = hash;
    e->next = *bucket;
    *bucket = e;
    m->entry_count++;
    *ret = e;
    return 0;
}
