// SPDX-License-Identifier: MIT
#include "store/leases.h"

#include <string.h>

#include "base/alloc.h"
#include "store/sqlite.h"

struct mb_leases {
    mb_db *db;
    char holder[];
};

// A row of an amount after its change, while the transaction lasts.
typedef struct amount_row {
    int64_t id, settled, unknown, alerted, reserved;
} amount_row;

// ---- opening -------------------------------------------------------------------------------------------------------

int mb_leases_open(const char *path, const char *holder, mb_leases **ret, membrane_error **err) {
    mb_leases *l = mb_calloc(1, sizeof *l + strlen(holder) + 1);
    if (!l) return mb_error_no_memory(err);
    strcpy(l->holder, holder);
    int status = mb_db_open(path, &l->db, err);
    if (!status) status = mb_db_exec(l->db, "PRAGMA synchronous=FULL", err);
    if (status)
        mb_leases_close(l);
    else
        *ret = l;
    return status;
}

void mb_leases_close(mb_leases *l) {
    if (!l) return;
    mb_db_close(l->db);
    mb_free(l);
}

// IMMEDIATE: nobody else writes between what is read here and what is written.
static int begin(mb_leases *l, membrane_error **err) { return mb_db_exec(l->db, "BEGIN IMMEDIATE", err); }

static int end(mb_leases *l, int status, membrane_error **err) {
    if (!status) status = mb_db_exec(l->db, "COMMIT", err);
    if (status) mb_db_exec(l->db, "ROLLBACK", NULL);
    return status;
}

// A statement that gives no row, or whose row nobody needs.
static int run(mb_stmt *s, membrane_error **err) {
    int status = mb_stmt_step(s, err);
    mb_stmt_reset(s);
    return status < 0 ? status : 0;
}

// ---- one change ----------------------------------------------------------------------------------------------------

static int spend(mb_leases *l, const mb_lease_change *c, amount_row *row, membrane_error **err) {
    static const char SQL[] =
        "INSERT INTO amounts (scope,match,period,owner,start_ms,settled,unknown) VALUES (?,?,?,?,?,?,?)"
        " ON CONFLICT DO UPDATE SET settled=settled+excluded.settled, unknown=unknown+excluded.unknown"
        " RETURNING id, settled, unknown, alerted";
    mb_stmt *s;
    int status = mb_db_stmt(l->db, SQL, &s, err);
    if (status) return status;
    const char *texts[] = {c->amount.scope, c->amount.match, c->amount.period, c->amount.owner};
    for (int i = 0; i < (int)MB_COUNT(texts); i++) mb_stmt_text(s, 1 + i, texts[i]);
    mb_stmt_int(s, 5, c->amount.start_ms);
    mb_stmt_int(s, 6, c->settled);
    mb_stmt_int(s, 7, c->unknown);
    status = mb_stmt_step(s, err);
    if (status == 1)
        *row = (amount_row){.id = mb_stmt_col_int(s, 0),
                            .settled = mb_stmt_col_int(s, 1),
                            .unknown = mb_stmt_col_int(s, 2),
                            .alerted = mb_stmt_col_int(s, 3)};
    mb_stmt_reset(s);
    return status < 0 ? status : 0;
}

static int read_reserved(mb_leases *l, amount_row *row, membrane_error **err) {
    mb_stmt *s;
    int status =
        mb_db_stmt(l->db, "SELECT coalesce(sum(max(granted-settled-unknown,0)),0) FROM leases WHERE amount=?", &s, err);
    if (status) return status;
    mb_stmt_int(s, 1, row->id);
    status = mb_stmt_step(s, err);
    if (status == 1) row->reserved = mb_stmt_col_int(s, 0);
    mb_stmt_reset(s);
    return status < 0 ? status : 0;
}

static int update_lease(mb_leases *l, const mb_lease_change *c, membrane_error **err) {
    mb_stmt *s;
    int status = mb_db_stmt(
        l->db, "UPDATE leases SET granted=granted+?, settled=settled+?, unknown=unknown+? WHERE id=?", &s, err);
    if (status) return status;
    mb_stmt_int(s, 1, c->granted);
    mb_stmt_int(s, 2, c->settled);
    mb_stmt_int(s, 3, c->unknown);
    mb_stmt_int(s, 4, c->lease);
    return run(s, err);
}

static int end_lease(mb_leases *l, mb_lease_change *c, membrane_error **err) {
    mb_stmt *s;
    int status = mb_db_stmt(l->db, "DELETE FROM leases WHERE id=?", &s, err);
    if (status) return status;
    mb_stmt_int(s, 1, c->lease);
    c->ret_lease = 0;
    return run(s, err);
}

static int new_lease(mb_leases *l, mb_lease_change *c, const amount_row *row, int64_t granted, membrane_error **err) {
    mb_stmt *s;
    int status = mb_db_stmt(
        l->db, "INSERT INTO leases (amount,holder,granted,settled,unknown) VALUES (?,?,?,0,0) RETURNING id", &s, err);
    if (status) return status;
    mb_stmt_int(s, 1, row->id);
    mb_stmt_text(s, 2, l->holder);
    mb_stmt_int(s, 3, granted);
    status = mb_stmt_step(s, err);
    if (status == 1) c->ret_lease = mb_stmt_col_int(s, 0);
    mb_stmt_reset(s);
    return status < 0 ? status : 0;
}

static int grant(mb_leases *l, mb_lease_change *c, amount_row *row, membrane_error **err) {
    int64_t left = c->limit - row->settled - row->unknown - row->reserved,
            size = c->size(left, c->need, c->least, c->last);
    if (size <= 0) return 0;
    c->ret_granted = size;
    row->reserved += size;
    if (!c->lease) return new_lease(l, c, row, size, err);
    mb_lease_change more = {.lease = c->lease, .granted = size};
    return update_lease(l, &more, err);
}

static int mark_alerts(mb_leases *l, mb_lease_change *c, const amount_row *row, membrane_error **err) {
    int64_t spent = row->settled + row->unknown, highest = 0;
    mb_stmt *s;
    for (int i = 0; i < c->alert_count && spent > 0; i++) {
        if (c->alerts[i] <= row->alerted || (double)spent * 1e6 < (double)c->limit * c->alerts[i]) continue;
        highest = c->alerts[i];
        c->ret_alerts |= 1u << i;
    }
    if (!highest) return 0;
    int status = mb_db_stmt(l->db, "UPDATE amounts SET alerted=? WHERE id=?", &s, err);
    if (status) return status;
    mb_stmt_int(s, 1, highest);
    mb_stmt_int(s, 2, row->id);
    return run(s, err);
}

static int change(mb_leases *l, mb_lease_change *c, membrane_error **err) {
    amount_row row = {0};
    c->ret_lease = c->lease;
    c->ret_granted = 0;
    c->ret_alerts = 0;
    int status = spend(l, c, &row, err);
    if (!status && c->lease) status = c->ends ? end_lease(l, c, err) : update_lease(l, c, err);
    if (!status && c->asks) status = read_reserved(l, &row, err);
    if (!status && c->asks) status = grant(l, c, &row, err);
    if (!status) status = mark_alerts(l, c, &row, err);
    c->ret_spent = row.settled + row.unknown;
    c->ret_reserved = row.reserved;
    return status;
}

int mb_leases_change(mb_leases *l, mb_lease_change *changes, size_t count, membrane_error **err) {
    int status = begin(l, err);
    if (status) return status;
    for (size_t i = 0; i < count && !status; i++) status = change(l, &changes[i], err);
    return end(l, status, err);
}

// ---- what is there -------------------------------------------------------------------------------------------------

// A lease may still be settled by a call that began before midnight: it is kept two days longer, amounts a year.
int mb_leases_purge(mb_leases *l, int64_t wall_ms, membrane_error **err) {
    static const char *const SQL[] = {
        "DELETE FROM leases WHERE amount IN (SELECT id FROM amounts WHERE"
        " start_ms < ? - 86400000*CASE period WHEN 'day' THEN 3 ELSE 33 END AND period != 'total')",
        "DELETE FROM amounts WHERE start_ms < ? - 86400000*400 AND period != 'total'"};
    int status = begin(l, err);
    if (status) return status;
    for (size_t i = 0; i < MB_COUNT(SQL) && !status; i++) {
        mb_stmt *s;
        status = mb_db_stmt(l->db, SQL[i], &s, err);
        if (status) break;
        mb_stmt_int(s, 1, wall_ms);
        status = run(s, err);
    }
    return end(l, status, err);
}

int mb_leases_sums(mb_leases *l, const mb_amount *which, int (*visit)(void *user, const mb_amount_sums *sums),
                   void *user, membrane_error **err) {
    static const char SQL[] = "SELECT owner, settled, unknown, (SELECT coalesce(sum(max(granted-settled-unknown,0)),0)"
                              " FROM leases WHERE amount=amounts.id) FROM amounts"
                              " WHERE scope=? AND match=? AND period=? AND start_ms=? ORDER BY owner";
    mb_stmt *s;
    int status = mb_db_stmt(l->db, SQL, &s, err);
    if (status) return status;
    mb_stmt_text(s, 1, which->scope);
    mb_stmt_text(s, 2, which->match);
    mb_stmt_text(s, 3, which->period);
    mb_stmt_int(s, 4, which->start_ms);
    while ((status = mb_stmt_step(s, err)) == 1) {
        mb_amount_sums sums = {mb_stmt_col_text(s, 0), mb_stmt_col_int(s, 1), mb_stmt_col_int(s, 2),
                               mb_stmt_col_int(s, 3)};
        status = sums.owner ? visit(user, &sums) : mb_error_no_memory(err);
        if (status) break;
    }
    mb_stmt_reset(s);
    return status;
}

int mb_leases_rules(mb_leases *l,
                    int (*visit)(void *user, const char *scope, const char *match, const char *period, int64_t limit),
                    void *user, membrane_error **err) {
    mb_stmt *s;
    int status = mb_db_stmt(l->db, "SELECT scope, match, period, usd_micros FROM budgets ORDER BY scope, match, period",
                            &s, err);
    if (status) return status;
    while ((status = mb_stmt_step(s, err)) == 1) {
        const char *scope = mb_stmt_col_text(s, 0), *match = mb_stmt_col_text(s, 1), *period = mb_stmt_col_text(s, 2);
        bool is_whole = scope && match && period;
        status = is_whole ? visit(user, scope, match, period, mb_stmt_col_int(s, 3)) : mb_error_no_memory(err);
        if (status) break;
    }
    mb_stmt_reset(s);
    return status;
}

static int bind_rule(mb_leases *l, const char *sql, const char *scope, const char *match, const char *period,
                     mb_stmt **ret, membrane_error **err) {
    int status = mb_db_stmt(l->db, sql, ret, err);
    if (status) return status;
    mb_stmt_text(*ret, 1, scope);
    mb_stmt_text(*ret, 2, match);
    mb_stmt_text(*ret, 3, period);
    return 0;
}

int mb_leases_set_rule(mb_leases *l, const char *scope, const char *match, const char *period, int64_t limit,
                       membrane_error **err) {
    mb_stmt *s;
    int status = begin(l, err);
    if (status) return status;
    status = bind_rule(l,
                       "INSERT INTO budgets (scope,match,period,usd_micros) VALUES (?,?,?,?)"
                       " ON CONFLICT DO UPDATE SET usd_micros=excluded.usd_micros",
                       scope, match, period, &s, err);
    if (!status) {
        mb_stmt_int(s, 4, limit);
        status = run(s, err);
    }
    if (!status)
        status = bind_rule(l, "UPDATE amounts SET alerted=0 WHERE scope=? AND match=? AND period=?", scope, match,
                           period, &s, err);
    if (!status) status = run(s, err);
    return end(l, status, err);
}

int mb_leases_remove_rule(mb_leases *l, const char *scope, const char *match, const char *period,
                          membrane_error **err) {
    static const char SQL[] = "DELETE FROM budgets WHERE scope=? AND match=? AND period=? RETURNING 1";
    mb_stmt *s;
    int status = begin(l, err);
    if (status) return status;
    status = bind_rule(l, SQL, scope, match, period, &s, err);
    if (!status) {
        status = mb_stmt_step(s, err);
        mb_stmt_reset(s);
        bool was_there = status == 1;
        if (!status) status = mb_error_set(err, MEMBRANE_ENOTFOUND, "there is no such budget among the stored ones");
        if (status == MEMBRANE_ENOTFOUND && err)
            mb_error_hint(*err, "membrane budgets lists them; what a configuration says is removed there");
        if (was_there) status = 0;
    }
    return end(l, status, err);
}
