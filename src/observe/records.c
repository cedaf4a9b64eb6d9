// SPDX-License-Identifier: MIT
#include "observe/records.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

typedef struct line {
    struct line *next;
    size_t len;
    char text[];
} line;

struct mb_records {
    atomic_int wanted; // the lowest level that is kept; above MB_LEVEL_ERROR: none
    pthread_mutex_t lock;
    pthread_cond_t came;
    line *first, *last;
    size_t count;
    uint64_t dropped;
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

mb_records *mb_records_new(void) {
    mb_records *r = mb_calloc(1, sizeof *r);
    pthread_condattr_t attr;
    if (!r) return NULL;
    atomic_store(&r->wanted, MB_LEVEL_ERROR + 1);
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->came, &attr);
    pthread_condattr_destroy(&attr);
    return r;
}

void mb_records_abandon(mb_records *r) {
    if (!r) return;
    for (line *l = r->first, *next; l; l = next) {
        next = l->next;
        mb_free(l);
    }
    mb_free(r);
}

void mb_records_free(mb_records *r) {
    if (!r) return;
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->came);
    mb_records_abandon(r);
}

int mb_level_from_name(const char *name) {
    for (int i = 0; i < (int)MB_COUNT(level_names); i++)
        if (strcmp(name, level_names[i]) == 0) return i;
    return -1;
}

bool mb_records_wants(const mb_records *r, mb_level level) {
    return (int)level >= atomic_load_explicit(&r->wanted, memory_order_relaxed);
}

// RFC 3339 in UTC, with milliseconds.
static void put_time(mb_buf *out, int64_t wall_ms) {
    struct tm tm;
    char text[40];
    time_t seconds = (time_t)(wall_ms / 1000);
    gmtime_r(&seconds, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    mb_buf_put(out, text, n);
    mb_buf_putf(out, ".%03dZ", (int)(wall_ms % 1000));
}

static void write_record(mb_buf *out, const mb_record *record) {
    mb_buf time_text = MB_BUF(64);
    mb_jw w = mb_jw_to(out);
    put_time(&time_text, mb_wall_ms());
    mb_jw_object(&w);
    mb_jw_kstr(&w, "ts", mb_buf_text(&time_text));
    mb_jw_kstr(&w, "level", level_names[record->level]);
    mb_jw_kstr(&w, "msg", record->msg);
    mb_jw_kstr_if(&w, "request_id", record->request_id);
    mb_jw_kstr_if(&w, "session_id", record->session);
    mb_jw_kstr_if(&w, "provider", record->provider);
    mb_jw_kstr_if(&w, "model", record->model);
    if (record->tokens >= 0) mb_jw_kint(&w, "tokens", record->tokens);
    if (record->latency_ms >= 0) mb_jw_kint(&w, "latency_ms", record->latency_ms);
    mb_jw_kstr_if(&w, "outcome", record->outcome);
    mb_jw_end_object(&w);
    mb_buf_putc(out, '\n');
    mb_buf_free(&time_text);
}

void mb_records_add(mb_records *r, const mb_record *record) {
    if (!mb_records_wants(r, record->level)) return;
    mb_buf text = MB_BUF(65536);
    write_record(&text, record);
    line *l = mb_buf_ok(&text) ? mb_malloc(sizeof *l + text.len) : NULL;
    pthread_mutex_lock(&r->lock);
    if (!l || r->count == MB_LIMIT_LOG_RECORDS) {
        r->dropped++;
        mb_free(l);
    } else {
        l->next = NULL;
        l->len = text.len;
        memcpy(l->text, text.data, text.len);
        if (r->last)
            r->last->next = l;
        else
            r->first = l;
        r->last = l;
        r->count++;
        pthread_cond_signal(&r->came);
    }
    pthread_mutex_unlock(&r->lock);
    mb_buf_free(&text);
}

static size_t take_lines(mb_records *r, char *buf, size_t cap) {
    size_t used = 0;
    while (r->first && r->first->len <= cap - used) {
        line *l = r->first;
        memcpy(buf + used, l->text, l->len);
        used += l->len;
        r->first = l->next;
        if (!r->first) r->last = NULL;
        r->count--;
        mb_free(l);
    }
    return used;
}

int mb_records_read(mb_records *r, mb_level level, char *buf, size_t cap, size_t *ret_len, uint64_t *ret_dropped,
                    int64_t timeout_ms) {
    int code = 0, waited = 0;
    struct timespec until = mb_after_ms(timeout_ms < 0 ? 0 : timeout_ms);
    atomic_store(&r->wanted, (int)level);
    pthread_mutex_lock(&r->lock);
    while (!r->first && timeout_ms != 0 && waited != ETIMEDOUT)
        waited =
            timeout_ms < 0 ? pthread_cond_wait(&r->came, &r->lock) : pthread_cond_timedwait(&r->came, &r->lock, &until);
    if (!r->first) {
        code = MEMBRANE_EAGAIN;
    } else if (r->first->len > cap) {
        *ret_len = r->first->len;
        code = MEMBRANE_EINVAL;
    } else {
        *ret_len = take_lines(r, buf, cap);
        if (ret_dropped) *ret_dropped = r->dropped;
        r->dropped = 0;
    }
    pthread_mutex_unlock(&r->lock);
    return code;
}
