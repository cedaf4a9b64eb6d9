// SPDX-License-Identifier: MIT
// PRAGMA user_version counts the steps that a database has taken.
#include "store/migrations.h"

#include <stdio.h>

#include "base/alloc.h"

static const char *const STEPS[] = {
    // 1: the call log. AUTOINCREMENT: a reader that follows by id must never see an id again.
    "CREATE TABLE calls ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, ts_ms INTEGER NOT NULL, request_id TEXT NOT NULL, session TEXT,"
    " provider TEXT, model TEXT, outcome TEXT NOT NULL, kind TEXT, message TEXT, attempts TEXT,"
    " input INTEGER, cached INTEGER, output INTEGER, reasoning INTEGER, exact INTEGER NOT NULL,"
    " cost_usd_micros INTEGER, latency_ms INTEGER, first_token_ms INTEGER, prompt TEXT, answer TEXT);"
    "CREATE INDEX calls_by_time ON calls(ts_ms);"
    "CREATE INDEX calls_by_session ON calls(session) WHERE session IS NOT NULL;",
    // 2: budgets. What the user has set; what was spent of each amount of money; what processes have taken of it into
    // their hands. Texts that are not there are '', so that UNIQUE sees them as equal. AUTOINCREMENT: the lease of a
    // dead
    // process must never be taken for another's.
    "CREATE TABLE budgets ("
    " scope TEXT NOT NULL, match TEXT NOT NULL, period TEXT NOT NULL, usd_micros INTEGER NOT NULL,"
    " PRIMARY KEY (scope, match, period)) WITHOUT ROWID;"
    "CREATE TABLE amounts ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, match TEXT NOT NULL, period TEXT NOT NULL,"
    " owner TEXT NOT NULL, start_ms INTEGER NOT NULL, settled INTEGER NOT NULL, unknown INTEGER NOT NULL,"
    " alerted INTEGER NOT NULL DEFAULT 0, UNIQUE (scope, match, period, start_ms, owner));"
    "CREATE TABLE leases ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, amount INTEGER NOT NULL, holder TEXT NOT NULL,"
    " granted INTEGER NOT NULL, settled INTEGER NOT NULL, unknown INTEGER NOT NULL);"
    "CREATE INDEX leases_by_amount ON leases(amount);",
    // 3: why a call went where it went.
    "ALTER TABLE calls ADD COLUMN decision TEXT;",
    // 4: attempts beside the one that answered, which may have cost something, nobody knows how much.
    "ALTER TABLE calls ADD COLUMN cost_unknown_attempts INTEGER NOT NULL DEFAULT 0;",
};

static int read_version(mb_db *db, int64_t *ret, membrane_error **err) {
    mb_stmt *s;
    int status = mb_db_stmt(db, "PRAGMA user_version", &s, err);
    if (status) return status;
    status = mb_stmt_step(s, err);
    if (status == 1) *ret = mb_stmt_col_int(s, 0);
    mb_stmt_reset(s);
    return status < 0 ? status : 0;
}

int mb_migrations_refuse(const char *name, int64_t version, membrane_error **err) {
    if (version <= (int64_t)MB_COUNT(STEPS)) return 0;
    mb_error_set(err, MEMBRANE_ENEWER,
                 "%s was written by a newer version of membrane (its layout is %lld, this one knows %d)", name,
                 (long long)version, (int)MB_COUNT(STEPS));
    if (err) mb_error_hint(*err, "update membrane, or name another file");
    return MEMBRANE_ENEWER;
}

static int take_steps(mb_db *db, membrane_error **err) {
    char mark[96];
    int64_t version = 0;
    int status = read_version(db, &version, err); // again: another process may have been faster
    if (!status) status = mb_migrations_refuse("the database", version, err);
    for (size_t i = (size_t)version; !status && i < MB_COUNT(STEPS); i++) status = mb_db_exec(db, STEPS[i], err);
    if (status) return status;
    snprintf(mark, sizeof mark, "PRAGMA application_id=%d; PRAGMA user_version=%d", MB_APPLICATION_ID,
             (int)MB_COUNT(STEPS));
    return mb_db_exec(db, mark, err);
}

int mb_migrate(mb_db *db, membrane_error **err) {
    int64_t version = 0;
    int status = read_version(db, &version, err);
    if (status || version == (int64_t)MB_COUNT(STEPS)) return status;
    status = mb_db_exec(db, "BEGIN IMMEDIATE", err);
    if (status) return status;
    status = take_steps(db, err);
    if (!status) status = mb_db_exec(db, "COMMIT", err);
    if (status) mb_db_exec(db, "ROLLBACK", NULL);
    return status;
}
