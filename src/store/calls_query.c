// SPDX-License-Identifier: MIT
// Questions to the call log. A query is answered in two passes: the ids that fit (the newest ones, or the first ones
// after a given id), then their rows, oldest first. Patterns are ours, so that SQL needs none.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/pattern.h"
#include "store/calls_db.h"

enum { DEFAULT_ROWS = 20, MOST_ROWS = 100000 };

typedef struct question {
    int64_t limit, after_id, since_ms; // -1: not asked
    const char *texts[6];              // as TEXT_KEYS; NULL: not asked
    bool decision;                     // decisions are given too: they are longer than all the rest of a row
    mb_pattern *match;
} question;

// A prefix is one of the request id.
static const char *const TEXT_KEYS[] = {"session", "request_id", "provider", "model", "outcome", "prefix"};
enum { REQUEST_ID = 1, PREFIX = 5 };

typedef struct ids {
    int64_t *at;
    size_t count, cap;
} ids;

// ---- reading the question ------------------------------------------------------------------------------------------

static int read_number(const mb_json *v, int64_t most, int64_t *ret, membrane_error **err) {
    if (!mb_json_is(v, MB_JSON_INT) || v->integer < 0 || v->integer > most)
        return mb_error_set(err, MEMBRANE_EINVAL, "%s: a number from 0 to %" PRId64 " is expected", v->key, most);
    *ret = v->integer;
    return 0;
}

static int read_member(question *q, const mb_json *v, membrane_error **err) {
    if (v->type == MB_JSON_NULL) return 0;
    if (strcmp(v->key, "limit") == 0) return read_number(v, MOST_ROWS, &q->limit, err);
    if (strcmp(v->key, "after_id") == 0) return read_number(v, INT64_MAX, &q->after_id, err);
    if (strcmp(v->key, "since_ms") == 0) return read_number(v, INT64_MAX, &q->since_ms, err);
    if (strcmp(v->key, "decision") == 0) {
        if (v->type != MB_JSON_BOOL) return mb_error_set(err, MEMBRANE_EINVAL, "decision: true or false is expected");
        q->decision = v->boolean;
        return 0;
    }
    const char *text = mb_json_str(v);
    bool is_match = strcmp(v->key, "match") == 0;
    for (size_t i = 0; !is_match; i++) {
        if (i == MB_COUNT(TEXT_KEYS))
            return mb_error_set(
                err, MEMBRANE_EINVAL,
                "%s: no such key; there are limit, after_id, since_ms, session, request_id, prefix, provider, model, "
                "outcome, match and decision",
                v->key);
        if (strcmp(v->key, TEXT_KEYS[i]) != 0) continue;
        q->texts[i] = text;
        break;
    }
    if (!text) return mb_error_set(err, MEMBRANE_EINVAL, "%s: a text is expected", v->key);
    if (strcmp(v->key, "outcome") == 0 && strcmp(text, "ok") != 0 && strcmp(text, "error") != 0 &&
        strcmp(text, "cancelled") != 0)
        return mb_error_set(err, MEMBRANE_EINVAL, "outcome: \"ok\", \"error\" or \"cancelled\" is expected");
    if (!is_match) return 0;
    mb_pattern_free(q->match);
    q->match = NULL;
    return mb_pattern_new(text, false, &q->match, err);
}

static int read_question(question *q, const mb_json *query, membrane_error **err) {
    *q = (question){.limit = DEFAULT_ROWS, .after_id = -1, .since_ms = -1};
    if (!query || query->type == MB_JSON_NULL) return 0;
    if (query->type != MB_JSON_OBJECT) return mb_error_set(err, MEMBRANE_EINVAL, "the query must be an object");
    int status = 0;
    for (uint32_t i = 0; i < query->count && !status; i++) status = read_member(q, &query->children[i], err);
    return status;
}

// ---- first pass: which rows ----------------------------------------------------------------------------------------

static bool push(ids *list, int64_t id) {
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        int64_t *at = mb_realloc(list->at, cap * sizeof *at);
        if (!at) return false;
        list->at = at;
        list->cap = cap;
    }
    list->at[list->count++] = id;
    return true;
}

// 1 fits, 0 does not, negative: the pattern passed its limits.
static int fits(const mb_pattern *match, mb_stmt *s, membrane_error **err) {
    char target[2 * MB_LIMIT_NAME + 2];
    const char *provider = mb_stmt_col_text(s, 3), *model = mb_stmt_col_text(s, 4);
    snprintf(target, sizeof target, "%s/%s", provider ? provider : "", model ? model : "");
    const char *texts[] = {mb_stmt_col_text(s, 1), mb_stmt_col_text(s, 2), target, mb_stmt_col_text(s, 5),
                           mb_stmt_col_text(s, 6)};
    for (size_t i = 0; i < MB_COUNT(texts); i++) {
        int found = texts[i] ? mb_pattern_match(match, texts[i], strlen(texts[i])) : 0;
        if (found > 0) return 1;
        if (found < 0) return mb_error_set(err, found, "match: the pattern takes too long on a row of the log");
    }
    return 0;
}

static int prepare_ids(mb_db *db, const question *q, mb_stmt **ret, membrane_error **err) {
    mb_buf sql = MB_BUF(4096);
    mb_buf_puts(&sql, "SELECT id,request_id,session,provider,model,kind,message FROM calls WHERE 1");
    if (q->after_id >= 0) mb_buf_puts(&sql, " AND id>?1");
    if (q->since_ms >= 0) mb_buf_puts(&sql, " AND ts_ms>=?2");
    for (size_t i = 0; i < MB_COUNT(TEXT_KEYS); i++) {
        int at = (int)i + 3;
        if (q->texts[i] && i == PREFIX)
            mb_buf_putf(&sql, " AND substr(request_id,1,length(?%d))=?%d", at, at);
        else if (q->texts[i])
            mb_buf_putf(&sql, " AND %s=?%d", TEXT_KEYS[i], at);
    }
    mb_buf_puts(&sql, q->after_id >= 0 ? " ORDER BY id" : " ORDER BY id DESC");
    int status = mb_buf_ok(&sql) ? mb_db_stmt(db, mb_buf_text(&sql), ret, err) : mb_error_no_memory(err);
    mb_buf_free(&sql);
    if (status) return status;
    if (q->after_id >= 0) mb_stmt_int(*ret, 1, q->after_id);
    if (q->since_ms >= 0) mb_stmt_int(*ret, 2, q->since_ms);
    for (size_t i = 0; i < MB_COUNT(TEXT_KEYS); i++)
        if (q->texts[i]) mb_stmt_text(*ret, (int)i + 3, q->texts[i]);
    return 0;
}

static int find_ids(mb_db *db, const question *q, ids *list, membrane_error **err) {
    mb_stmt *s;
    int status = prepare_ids(db, q, &s, err);
    if (status) return status;
    while ((int64_t)list->count < q->limit && (status = mb_stmt_step(s, err)) == 1) {
        int fit = q->match ? fits(q->match, s, err) : 1;
        if (fit > 0 && !push(list, mb_stmt_col_int(s, 0))) fit = mb_error_no_memory(err);
        if (fit >= 0) continue;
        status = fit;
        break;
    }
    mb_stmt_reset(s);
    if (q->after_id < 0) // newest first as found
        for (size_t i = 0, j = list->count; i + 1 < j; i++) {
            int64_t id = list->at[i];
            list->at[i] = list->at[--j];
            list->at[j] = id;
        }
    return status < 0 ? status : 0;
}

// ---- second pass: the rows -----------------------------------------------------------------------------------------

static void put_int(mb_jw *w, const char *key, mb_stmt *s, int col) {
    mb_jw_key(w, key);
    if (mb_stmt_col_is_null(s, col))
        mb_jw_null(w);
    else
        mb_jw_int(w, mb_stmt_col_int(s, col));
}

// A file may have been edited by others: attempts that are no JSON are none.
static const char ROW[] = "SELECT ts_ms,request_id,session,provider,model,outcome,kind,message,"
                          "CASE WHEN json_valid(attempts) THEN attempts ELSE '[]' END,"
                          "input,cached,output,reasoning,exact,cost_usd_micros,latency_ms,first_token_ms,prompt,answer,"
                          "CASE WHEN ?2 AND json_valid(decision) THEN decision END FROM calls WHERE id=?1";

static void put_row(mb_jw *w, int64_t id, mb_stmt *s) {
    mb_jw_object(w);
    mb_jw_kint(w, "id", id);
    mb_jw_kint(w, "ts_ms", mb_stmt_col_int(s, 0));
    mb_jw_kstr(w, "request_id", mb_stmt_col_text(s, 1));
    mb_jw_kstr_if(w, "session", mb_stmt_col_text(s, 2));
    mb_jw_kstr(w, "provider", mb_stmt_col_text(s, 3));
    mb_jw_kstr(w, "model", mb_stmt_col_text(s, 4));
    mb_jw_kstr(w, "outcome", mb_stmt_col_text(s, 5));
    mb_jw_kstr_if(w, "kind", mb_stmt_col_text(s, 6));
    mb_jw_kstr_if(w, "message", mb_stmt_col_text(s, 7));
    const char *attempts = mb_stmt_col_text(s, 8);
    mb_jw_key(w, "attempts");
    mb_jw_raw(w, attempts ? attempts : "[]", attempts ? strlen(attempts) : 2);
    mb_jw_key(w, "usage");
    mb_jw_object(w);
    put_int(w, "input", s, 9);
    put_int(w, "cached", s, 10);
    put_int(w, "output", s, 11);
    put_int(w, "reasoning", s, 12);
    mb_jw_kbool(w, "exact", mb_stmt_col_int(s, 13) != 0);
    mb_jw_end_object(w);
    put_int(w, "cost_usd_micros", s, 14);
    put_int(w, "latency_ms", s, 15);
    put_int(w, "first_token_ms", s, 16);
    mb_jw_kstr_if(w, "prompt", mb_stmt_col_text(s, 17));
    mb_jw_kstr_if(w, "answer", mb_stmt_col_text(s, 18));
    const char *decision = mb_stmt_col_text(s, 19);
    if (decision) mb_jw_key(w, "decision"), mb_jw_raw(w, decision, strlen(decision));
    mb_jw_end_object(w);
}

static int out_status(const mb_buf *out, membrane_error **err) {
    if (out->failed == MEMBRANE_ENOMEM) return mb_error_no_memory(err);
    if (out->failed)
        return mb_error_set(err, MEMBRANE_EINVAL, "the rows are too large to be given at once: ask for fewer");
    return 0;
}

static int put_rows(mb_db *db, const question *q, const ids *list, mb_buf *out, membrane_error **err) {
    mb_jw w = mb_jw_to(out);
    mb_jw_object(&w);
    mb_jw_key(&w, "items");
    mb_jw_array(&w);
    for (size_t i = 0; i < list->count && mb_buf_ok(out); i++) {
        mb_stmt *s;
        int status = mb_db_stmt(db, ROW, &s, err);
        if (status) return status;
        mb_stmt_int(s, 1, list->at[i]);
        mb_stmt_int(s, 2, q->decision || q->texts[REQUEST_ID]);
        status = mb_stmt_step(s, err);
        if (status == 1) put_row(&w, list->at[i], s); // 0: another process has just deleted it
        mb_stmt_reset(s);
        if (status < 0) return status;
    }
    mb_jw_end_array(&w);
    mb_jw_end_object(&w);
    return out_status(out, err);
}

int mb_calls_query(mb_calls *calls, const mb_json *query, mb_buf *out, membrane_error **err) {
    question q;
    ids list = {0};
    mb_db *db;
    int status = read_question(&q, query, err);
    if (!status) status = mb_calls_take_db(calls, &db, err);
    if (!status) {
        status = find_ids(db, &q, &list, err);
        if (!status) status = put_rows(db, &q, &list, out, err);
        mb_calls_give_db(calls);
    }
    mb_free(list.at);
    mb_pattern_free(q.match);
    return status;
}

// ---- sums ----------------------------------------------------------------------------------------------------------

static const struct {
    const char *by, *sql;
} SUMS[] = {
#define SUM_BY(name, key)                                                                                                                  \
    {                                                                                                                                      \
        name,                                                                                                                              \
            "SELECT " key ",count(*),sum(outcome='error'),sum(input),sum(cached),sum(output),sum(reasoning),"                              \
            "sum(cost_usd_micros),sum(cost_usd_micros IS NULL OR cost_unknown_attempts>0) FROM calls WHERE ts_ms>=? GROUP BY 1 ORDER BY 1" \
    }
    SUM_BY("day", "date(ts_ms/1000,'unixepoch')"),
    SUM_BY("model", "provider||'/'||model"),
    SUM_BY("provider", "provider"),
    SUM_BY("session", "session"),
#undef SUM_BY
};

static void put_sum(mb_jw *w, mb_stmt *s) {
    static const char *const KEYS[] = {"calls",  "errors",    "input",           "cached",
                                       "output", "reasoning", "cost_usd_micros", "cost_unknown"};
    mb_jw_object(w);
    mb_jw_kstr(w, "key", mb_stmt_col_text(s, 0));
    for (int i = 0; i < (int)MB_COUNT(KEYS); i++) mb_jw_kint(w, KEYS[i], mb_stmt_col_int(s, i + 1));
    mb_jw_end_object(w);
}

static int put_sums(mb_db *db, const char *sql, int64_t since_ms, mb_buf *out, membrane_error **err) {
    mb_stmt *s;
    int status = mb_db_stmt(db, sql, &s, err);
    if (status) return status;
    mb_jw w = mb_jw_to(out);
    mb_jw_object(&w);
    mb_jw_key(&w, "items");
    mb_jw_array(&w);
    mb_stmt_int(s, 1, since_ms);
    while ((status = mb_stmt_step(s, err)) == 1) put_sum(&w, s);
    mb_jw_end_array(&w);
    mb_jw_end_object(&w);
    return status ? status : out_status(out, err);
}

int mb_calls_sum(mb_calls *calls, const char *by, int64_t since_ms, mb_buf *out, membrane_error **err) {
    const char *sql = NULL;
    mb_db *db;
    for (size_t i = 0; by && i < MB_COUNT(SUMS); i++)
        if (strcmp(SUMS[i].by, by) == 0) sql = SUMS[i].sql;
    if (!sql)
        return mb_error_set(err, MEMBRANE_EINVAL, "by: \"day\", \"model\", \"provider\" or \"session\" is expected");
    int status = mb_calls_take_db(calls, &db, err);
    if (status) return status;
    status = put_sums(db, sql, since_ms, out, err);
    mb_calls_give_db(calls);
    return status;
}

// ---- last outcomes -------------------------------------------------------------------------------------------------

// Attempts count, not only calls: a provider whose failures a fallback hides is seen too. Only the last 5,000 calls are
// looked at, so that a large log costs no more. With max(), SQLite takes the other columns from the same row. A row is
// a provider's key; an attempt of a provider that has no keys to choose from says none.
static const char LAST[] =
    "WITH recent AS (SELECT id,ts_ms,provider,outcome,kind,"
    "  CASE WHEN json_valid(attempts) THEN attempts ELSE '[]' END AS attempts FROM calls ORDER BY id DESC LIMIT 5000),"
    " tried AS (SELECT recent.id*100+a.key AS n, ts_ms, json_extract(a.value,'$.provider') AS name,"
    "  json_extract(a.value,'$.kind') AS kind, json_extract(a.value,'$.key') AS used"
    "  FROM recent, json_each(attempts) AS a"
    "  UNION ALL SELECT id*100, ts_ms, provider, kind, NULL FROM recent WHERE attempts='[]')"
    " SELECT name, kind, ts_ms, max(n), used FROM tried WHERE name IS NOT NULL GROUP BY name, used"
    " ORDER BY name, used";

// One provider while its rows come.
typedef struct last_of {
    mb_buf name, kind, keys; // keys: what stands between the brackets
    mb_jw keys_writer;
    int64_t ts_ms, n;
    bool is_there, has_kind;
} last_of;

static void put_ending(mb_jw *w, const char *kind, int64_t ts_ms) {
    bool cancelled = kind && strcmp(kind, "cancelled") == 0;
    mb_jw_kstr(w, "outcome", !kind ? "ok" : cancelled ? "cancelled" : "error");
    mb_jw_kstr_if(w, "kind", cancelled ? NULL : kind);
    mb_jw_kint(w, "ts_ms", ts_ms);
}

static void put_last(mb_jw *w, const last_of *last) {
    if (!last->is_there) return;
    mb_jw_key(w, mb_buf_text(&last->name));
    mb_jw_object(w);
    put_ending(w, last->has_kind ? mb_buf_text(&last->kind) : NULL, last->ts_ms);
    if (last->keys.len) {
        mb_jw_key(w, "keys");
        mb_jw_array(w);
        mb_jw_raw(w, last->keys.data, last->keys.len);
        mb_jw_end_array(w);
    }
    mb_jw_end_object(w);
}

static void put_key(last_of *last, int64_t key, const char *kind, int64_t ts_ms) {
    mb_jw *w = &last->keys_writer;
    mb_jw_object(w);
    mb_jw_kint(w, "key", key);
    put_ending(w, kind, ts_ms);
    mb_jw_end_object(w);
}

// The newest of a provider's rows is how the provider's last attempt ended.
static void take_row(mb_jw *w, last_of *last, mb_stmt *s) {
    const char *name = mb_stmt_col_text(s, 0), *kind = mb_stmt_col_text(s, 1);
    int64_t ts_ms = mb_stmt_col_int(s, 2), n = mb_stmt_col_int(s, 3);
    if (!last->is_there || strcmp(mb_buf_text(&last->name), name) != 0) {
        put_last(w, last);
        mb_buf_reset(&last->name);
        mb_buf_puts(&last->name, name);
        mb_buf_reset(&last->keys);
        last->keys_writer = mb_jw_to(&last->keys);
        last->is_there = true;
        last->n = -1;
    }
    if (!mb_stmt_col_is_null(s, 4)) put_key(last, mb_stmt_col_int(s, 4), kind, ts_ms);
    if (n < last->n) return;
    last->n = n;
    last->ts_ms = ts_ms;
    last->has_kind = kind != NULL;
    mb_buf_reset(&last->kind);
    mb_buf_puts(&last->kind, kind ? kind : "");
}

static int put_all_last(mb_db *db, mb_buf *out, membrane_error **err) {
    mb_stmt *s;
    int status = mb_db_stmt(db, LAST, &s, err);
    if (status) return status;
    last_of last = {
        .name = MB_BUF(MB_LIMIT_RESPONSE), .kind = MB_BUF(MB_LIMIT_RESPONSE), .keys = MB_BUF(MB_LIMIT_RESPONSE)};
    mb_jw w = mb_jw_to(out);
    mb_jw_object(&w);
    while ((status = mb_stmt_step(s, err)) == 1) take_row(&w, &last, s);
    put_last(&w, &last);
    mb_jw_end_object(&w);
    if (!mb_buf_ok(&last.name) || !mb_buf_ok(&last.kind) || !mb_buf_ok(&last.keys)) out->failed = MEMBRANE_ENOMEM;
    mb_buf_free(&last.name);
    mb_buf_free(&last.kind);
    mb_buf_free(&last.keys);
    return status ? status : out_status(out, err);
}

int mb_calls_last(mb_calls *calls, mb_buf *out, membrane_error **err) {
    mb_db *db;
    int status = mb_calls_take_db(calls, &db, err);
    if (status) return status;
    status = put_all_last(db, out, err);
    mb_calls_give_db(calls);
    return status;
}
