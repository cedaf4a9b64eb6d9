// SPDX-License-Identifier: MIT
// The root handle: opening, closing, references, fork.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "runtime/call.h"
#include "runtime/discover.h"
#include "runtime/fork.h"
#include "runtime/probe.h"
#include "seal/keyring.h"

void membrane_options_init(membrane_options *options, size_t size) { mb_options_init(options, size, sizeof *options); }

void membrane_string_free(char *text) { mb_free(text); }

// ---- the pieces
// --------------------------------------------------------------------------------------------------------

static void free_hosts(mb_host_provider *host) {
    for (mb_host_provider *next; host; host = next) {
        next = host->next;
        mb_free(host->name);
        mb_free(host);
    }
}

static void free_options(membrane_options *o) {
    mb_free((char *)(uintptr_t)o->config_path);
    mb_free((char *)(uintptr_t)o->config_text);
    mb_free((char *)(uintptr_t)o->project_dir);
    mb_free((char *)(uintptr_t)o->log_path);
    if (o->passphrase) mb_forget_kept((char *)(uintptr_t)o->passphrase, strlen(o->passphrase));
    mb_free((char *)(uintptr_t)o->passphrase);
}

static bool copy_options(membrane_options *to, const membrane_options *from) {
    *to = *from;
    to->config_path = mb_strdup(from->config_path);
    to->config_text = from->config_text ? mb_strndup(from->config_text,
                                                     from->config_len ? from->config_len : strlen(from->config_text))
                                        : NULL;
    to->project_dir = mb_strdup(from->project_dir);
    to->log_path = mb_strdup(from->log_path);
    to->passphrase = mb_strdup(from->passphrase); // a reload needs it again
    if (to->passphrase) mb_keep_in_memory((char *)(uintptr_t)to->passphrase, strlen(to->passphrase));
    return !((from->config_path && !to->config_path) || (from->config_text && !to->config_text) ||
             (from->project_dir && !to->project_dir) || (from->log_path && !to->log_path) ||
             (from->passphrase && !to->passphrase));
}

static void free_room(mb_engine_room *room) {
    for (int i = 0; i < room->idle_count; i++) mb_sse_free(room->idle_frames[i]);
    for (int i = 0; i < room->idle_buf_count; i++) mb_buf_free(&room->idle_bufs[i]);
    mb_block_pool_free(&room->blocks);
    mb_json_parser_free(room->parser);
}

// Everything but the thread, which has ended or (in a forked child) never was there.
static void release(membrane_t *m, bool forked) {
    if (forked) {
        mb_http_abandon(m->room.http);
        mb_calls_abandon(m->calls);
        mb_money_abandon(m->money);
        mb_records_abandon(m->records);
        mb_metrics_abandon(m->metrics);
        mb_io_abandon(m->io);
    } else {
        mb_http_free(m->room.http);
        mb_money_close(m->money, m->log_wait_ms);
        mb_calls_close(m->calls, m->log_wait_ms);
        mb_records_free(m->records);
        mb_metrics_free(m->metrics);
        mb_io_free(m->io);
    }
    mb_call_free_idle(m);
    mb_json_parser_free(atomic_load(&m->idle_parser));
    free_room(&m->room);
    mb_discovery_forget(m);
    mb_probe_forget(m);
    mb_board_free(m->board);
    mb_config_unref(m->config);
    free_hosts(m->hosts);
    free_options(&m->options);
    if (m->ready_fd >= 0) close(m->ready_fd);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->board_lock);
    mb_free(m);
}

bool mb_handle_is_forked(const membrane_t *m) {
    long generation = atomic_load_explicit(&m->generation, memory_order_relaxed);
    return generation != 0 && generation != mb_fork_generation();
}

// ---- open
// --------------------------------------------------------------------------------------------------------------

static void on_money_warning(void *user, const char *text) {
    mb_records_add(user, &(mb_record){.level = MB_LEVEL_WARN, .msg = text, .tokens = -1, .latency_ms = -1});
}

static int make_money(membrane_t *m, membrane_error **err) {
    int code = mb_money_new(m->config->log_path, &m->money, err);
    if (code) return code;
    mb_money_on_warning(m->money, on_money_warning, m->records);
    return mb_money_set_rules(m->money, m->config->budgets, m->config->budget_count, err);
}

static int build(membrane_t *m, const membrane_options *o, membrane_error **err) {
    int code = mb_config_load(o, &m->config, err);
    if (code) return code;
    if (!copy_options(&m->options, o) || !(m->records = mb_records_new()) || !(m->metrics = mb_metrics_of(m)) ||
        !(m->room.parser = mb_json_parser_new()) || !(m->board = mb_board_new()))
        return mb_error_no_memory(err);
    code = mb_calls_new(m->config->log_path, m->config->log_keep_days, &m->calls, err);
    if (code == 0) code = make_money(m, err);
    if (code == 0 && m->config->log_path && o->log_path) code = mb_calls_open(m->calls, err);
    return code;
}

int membrane_open(const membrane_options *options, membrane_t **ret_m, membrane_error **err) {
    membrane_options o;
    if (!ret_m) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_open: ret_m is NULL");
    if (!mb_options_read(&o, sizeof o, options))
        return mb_error_set(err, MEMBRANE_EINVAL,
                            "membrane_open: the options were not filled by membrane_options_init");
    membrane_t *m = mb_calloc(1, sizeof *m);
    if (!m) return mb_error_no_memory(err);
    m->refs = 1;
    m->ready_fd = -1;
    m->log_wait_ms = 5000;
    m->is_open = true;
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->board_lock, NULL);
    mb_rng_seed(&m->rng);
    int code = build(m, &o, err);
    if (code)
        release(m, false);
    else
        *ret_m = m;
    return code;
}

// Under the lock.
static int start_thread(membrane_t *m, membrane_error **err) {
    int code = m->io ? 0 : mb_io_new(&m->io, err);
    if (code == 0 && !m->room.http) code = mb_http_new(m->io, &m->room.http, err);
    m->room.io = m->io;
    if (code == 0) mb_money_attach(m->money, m->io);
    if (code == 0) code = mb_io_start(m->io, err);
    if (code) return code;
    atomic_store(&m->generation, mb_fork_generation());
    m->is_started = true;
    return 0;
}

int mb_handle_post(membrane_t *m, mb_task *task, membrane_error **err) {
    if (mb_handle_is_forked(m))
        return mb_error_set(err, MEMBRANE_EFORKED, "this handle was in use before fork: open another one in the child");
    pthread_mutex_lock(&m->lock);
    int code = m->is_open ? 0 : mb_error_set(err, MEMBRANE_ECANCELLED, "the handle is closed");
    if (code == 0 && !m->is_started) code = start_thread(m, err);
    if (code == 0) mb_io_post(m->io, task);
    pthread_mutex_unlock(&m->lock);
    return code;
}

mb_config *mb_handle_config(membrane_t *m) {
    pthread_mutex_lock(&m->lock);
    mb_config *config = mb_config_ref(m->config);
    pthread_mutex_unlock(&m->lock);
    return config;
}

const mb_host_provider *mb_handle_host(membrane_t *m, const char *name, size_t len) {
    const mb_host_provider *host;
    pthread_mutex_lock(&m->lock);
    for (host = m->hosts; host; host = host->next)
        if (strlen(host->name) == len && memcmp(host->name, name, len) == 0) break;
    pthread_mutex_unlock(&m->lock);
    return host; // hosts are never taken away
}

// ---- close
// -------------------------------------------------------------------------------------------------------------

static void cancel_all(mb_task *task) {
    membrane_t *m = (membrane_t *)((char *)task - offsetof(membrane_t, close_task));
    mb_run_cancel_all(m, MEMBRANE_ECANCELLED);
}

// Joins a thread that could not be waited for, then frees.
static void *reap(void *user) {
    membrane_t *m = user;
    mb_io_join(m->io, -1);
    release(m, false);
    return NULL;
}

static void begin_close(membrane_t *m) {
    pthread_mutex_lock(&m->lock);
    if (m->is_open && m->is_started) {
        m->close_task.run = cancel_all;
        mb_io_post(m->io, &m->close_task);
        mb_io_stop(m->io);
    }
    m->is_open = false;
    pthread_mutex_unlock(&m->lock);
}

membrane_t *membrane_ref(membrane_t *m) {
    if (m) atomic_fetch_add(&m->refs, 1);
    return m;
}

static void last_reference(membrane_t *m) {
    pthread_t thread;
    if (mb_handle_is_forked(m)) {
        release(m, true);
        return;
    }
    begin_close(m);
    // The I/O thread itself may have dropped it, or be busy in a host's callback: somebody else must wait for it then.
    if (!m->is_started || (!mb_io_is_me(m->io) && mb_io_join(m->io, 0)))
        release(m, false);
    else if (pthread_create(&thread, NULL, reap, m) == 0)
        pthread_detach(thread);
}

void membrane_unref(membrane_t *m) {
    if (m && atomic_fetch_sub(&m->refs, 1) == 1) last_reference(m);
}

int membrane_close(membrane_t *m, int64_t deadline_ms) {
    int code = 0;
    int64_t began = mb_now_ms();
    if (!m) return 0;
    if (!mb_handle_is_forked(m)) {
        begin_close(m);
        if (m->is_started && !mb_io_is_me(m->io) && !mb_io_join(m->io, deadline_ms)) code = MEMBRANE_ETIMEOUT;
        int64_t left = deadline_ms < 0 ? -1 : deadline_ms - (mb_now_ms() - began);
        m->log_wait_ms = deadline_ms < 0 ? -1 : left > 0 ? left : 0;
        if (code == 0 && mb_calls_flush(m->calls, m->log_wait_ms, NULL) == MEMBRANE_ETIMEOUT) code = MEMBRANE_ETIMEOUT;
        if (code == 0 && mb_money_flush(m->money, m->log_wait_ms, NULL) == MEMBRANE_ETIMEOUT) code = MEMBRANE_ETIMEOUT;
    }
    membrane_unref(m);
    return code;
}
