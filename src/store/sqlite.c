// SPDX-License-Identifier: MIT
// A connection and its prepared statements. Opening goes: make the file (0600), look whether it is ours and not newer,
// switch to WAL, migrate. A file that is not ours is refused before anything in it is changed.
#include "store/sqlite.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "store/migrations.h"

enum { BUSY_MS = 10000, WAL_TRIES = 200, WAL_PAUSE_MS = 20 };

struct mb_stmt {
    sqlite3_stmt *stmt;
    mb_db *db;
    mb_stmt *next;
    int failed; // of a bind; told by the next step
    char sql[];
};

struct mb_db {
    sqlite3 *db;
    mb_stmt *stmts;
    char name[]; // as shown in errors
};

static int fail(mb_db *db, int rc, membrane_error **err) {
    if (rc == SQLITE_NOMEM) return mb_error_no_memory(err);
    mb_error_set(err, MEMBRANE_EIO, "%s: %s", db->name, db->db ? sqlite3_errmsg(db->db) : sqlite3_errstr(rc));
    if ((rc & 0xff) == SQLITE_BUSY && err) mb_error_hint(*err, "another program holds the file; is one of them stuck?");
    if ((rc & 0xff) == SQLITE_NOTADB && err) mb_error_hint(*err, "the file is no database; name another one");
    return MEMBRANE_EIO;
}

// ---- statements ----------------------------------------------------------------------------------------------------

int mb_db_exec(mb_db *db, const char *sql, membrane_error **err) {
    int rc = sqlite3_exec(db->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail(db, rc, err);
}

int mb_db_stmt(mb_db *db, const char *sql, mb_stmt **ret, membrane_error **err) {
    for (mb_stmt *s = db->stmts; s; s = s->next) {
        if (strcmp(s->sql, sql) != 0) continue;
        mb_stmt_reset(s);
        sqlite3_clear_bindings(s->stmt);
        *ret = s;
        return 0;
    }
    size_t len = strlen(sql);
    mb_stmt *s = mb_calloc(1, sizeof *s + len + 1);
    if (!s) return mb_error_no_memory(err);
    memcpy(s->sql, sql, len);
    int rc = sqlite3_prepare_v3(db->db, sql, (int)len, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
    if (rc != SQLITE_OK) {
        mb_free(s);
        return fail(db, rc, err);
    }
    s->db = db;
    s->next = db->stmts;
    db->stmts = s;
    *ret = s;
    return 0;
}

static void bound(mb_stmt *s, int rc) {
    if (rc != SQLITE_OK && !s->failed) s->failed = rc;
}

void mb_stmt_int(mb_stmt *s, int at, int64_t value) { bound(s, sqlite3_bind_int64(s->stmt, at, value)); }

void mb_stmt_text(mb_stmt *s, int at, const char *text) {
    bound(s, text ? sqlite3_bind_text(s->stmt, at, text, -1, SQLITE_STATIC) : sqlite3_bind_null(s->stmt, at));
}

void mb_stmt_null(mb_stmt *s, int at) { bound(s, sqlite3_bind_null(s->stmt, at)); }

int mb_stmt_step(mb_stmt *s, membrane_error **err) {
    int rc = s->failed ? s->failed : sqlite3_step(s->stmt);
    if (rc == SQLITE_ROW) return 1;
    int status = rc == SQLITE_DONE ? 0 : fail(s->db, rc, err);
    mb_stmt_reset(s); // a statement that is not reset keeps its lock
    return status;
}

int64_t mb_stmt_col_int(mb_stmt *s, int col) { return sqlite3_column_int64(s->stmt, col); }
const char *mb_stmt_col_text(mb_stmt *s, int col) { return (const char *)sqlite3_column_text(s->stmt, col); }
bool mb_stmt_col_is_null(mb_stmt *s, int col) { return sqlite3_column_type(s->stmt, col) == SQLITE_NULL; }

void mb_stmt_reset(mb_stmt *s) {
    sqlite3_reset(s->stmt); // its answer is that of the last step, told already
    s->failed = 0;
}

// ---- opening -------------------------------------------------------------------------------------------------------

// path is changed while it works and whole again afterwards.
static int make_folders(char *path, membrane_error **err) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0700) != 0 && errno != EEXIST ? errno : 0;
        if (failed) mb_error_set(err, MEMBRANE_EIO, "cannot make the folder %s: %s", path, strerror(failed));
        *slash = '/';
        if (failed) return MEMBRANE_EIO;
    }
    return 0;
}

// mknod makes the file without opening it: closing a descriptor of our own would drop the locks that another
// connection of this process holds on it.
static int make_file(mb_db *db, membrane_error **err) {
    int status = make_folders(db->name, err);
    if (status) return status;
    if (mknod(db->name, S_IFREG | 0600, 0) != 0 && errno != EEXIST)
        return mb_error_set(err, MEMBRANE_EIO, "cannot make %s: %s", db->name, strerror(errno));
    return 0;
}

static int read_number(mb_db *db, const char *sql, int64_t *ret, membrane_error **err) {
    mb_stmt *s = NULL;
    int status = mb_db_stmt(db, sql, &s, err);
    if (status) return status;
    status = mb_stmt_step(s, err);
    if (status == 1) *ret = mb_stmt_col_int(s, 0);
    mb_stmt_reset(s);
    return status < 0 ? status : 0;
}

static int look_at(mb_db *db, membrane_error **err) {
    int64_t application = 0, version = 0, things = 0;
    int status = read_number(db, "PRAGMA application_id", &application, err);
    if (!status) status = read_number(db, "PRAGMA user_version", &version, err);
    if (!status) status = read_number(db, "SELECT count(*) FROM sqlite_schema", &things, err);
    if (status) return status;
    if (application != MB_APPLICATION_ID && (application != 0 || things > 0)) {
        mb_error_set(err, MEMBRANE_EIO, "%s is a database of another program", db->name);
        if (err) mb_error_hint(*err, "name another file for the call log (log: path: … in the configuration)");
        return MEMBRANE_EIO;
    }
    return mb_migrations_refuse(db->name, version, err);
}

// One transaction, so that the three numbers belong together while another process migrates.
static int check_ours(mb_db *db, membrane_error **err) {
    int status = mb_db_exec(db, "BEGIN", err);
    if (status) return status;
    status = look_at(db, err);
    int ended = mb_db_exec(db, "COMMIT", status ? NULL : err);
    return status ? status : ended;
}

// While another process makes the same switch SQLite answers "busy" without asking its busy handler.
static int use_wal(mb_db *db, membrane_error **err) {
    for (int tries = 1;; tries++) {
        int rc = sqlite3_exec(db->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if (rc == SQLITE_OK) return 0;
        if ((rc & 0xff) != SQLITE_BUSY || tries == WAL_TRIES) return fail(db, rc, err);
        nanosleep(&(struct timespec){.tv_nsec = WAL_PAUSE_MS * 1000000L}, NULL);
    }
}

static int set_up(mb_db *db, bool in_file, membrane_error **err) {
    sqlite3_extended_result_codes(db->db, 1);
    sqlite3_busy_timeout(db->db, BUSY_MS);
    int status = in_file ? check_ours(db, err) : 0;
    if (!status && in_file) status = use_wal(db, err);
    // What retention deletes is overwritten too: prompts may have stood there.
    if (!status) status = mb_db_exec(db, "PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON", err);
    return status ? status : mb_migrate(db, err);
}

int mb_db_open(const char *path, mb_db **ret, membrane_error **err) {
    const char *name = path ? path : ":memory:";
    // A relative name begins with ./ so that SQLite reads neither ":memory:" nor "file:" into it.
    const char *before = path && path[0] != '/' ? "./" : "";
    mb_db *db = mb_calloc(1, sizeof *db + strlen(before) + strlen(name) + 1);
    if (!db) return mb_error_no_memory(err);
    strcpy(db->name, before);
    strcat(db->name, name);
    int status = path ? make_file(db, err) : 0;
    if (!status) {
        int rc = sqlite3_open_v2(db->name, &db->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        status = rc == SQLITE_OK ? set_up(db, path != NULL, err) : fail(db, rc, err);
    }
    if (status) {
        mb_db_close(db);
        return status;
    }
    *ret = db;
    return 0;
}

void mb_db_close(mb_db *db) {
    if (!db) return;
    for (mb_stmt *s = db->stmts, *next; s; s = next) {
        next = s->next;
        sqlite3_finalize(s->stmt);
        mb_free(s);
    }
    sqlite3_close(db->db);
    mb_free(db);
}
