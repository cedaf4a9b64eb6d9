// SPDX-License-Identifier: MIT
// One SQLite database file with its migrations: sqlite.c is the only file that knows SQLite. WAL, one writer at a time,
// kill-safe (synchronous NORMAL) by default. A file of a newer version is refused with a sentence (MEMBRANE_ENEWER).
#ifndef MB_STORE_SQLITE_H
#define MB_STORE_SQLITE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"

typedef struct mb_db mb_db;
typedef struct mb_stmt mb_stmt;

// path NULL: in memory. Parent folders are made (0700); the file is 0600. Runs the migrations in one transaction.
int mb_db_open(const char *path, mb_db **ret, membrane_error **err);
void mb_db_close(mb_db *db);
int mb_db_exec(mb_db *db, const char *sql, membrane_error **err);
// Prepared once, kept by the database, reset on each get. Parameters are numbered from 1, columns from 0.
int mb_db_stmt(mb_db *db, const char *sql, mb_stmt **ret, membrane_error **err);
void mb_stmt_int(mb_stmt *s, int at, int64_t value);
void mb_stmt_text(mb_stmt *s, int at, const char *text); // NULL binds null; text must live until the step
void mb_stmt_null(mb_stmt *s, int at);
int mb_stmt_step(mb_stmt *s, membrane_error **err); // 1 a row, 0 done, negative
int64_t mb_stmt_col_int(mb_stmt *s, int col);
const char *mb_stmt_col_text(mb_stmt *s, int col); // NULL for null; until the next step
bool mb_stmt_col_is_null(mb_stmt *s, int col);
void mb_stmt_reset(mb_stmt *s);

#endif
