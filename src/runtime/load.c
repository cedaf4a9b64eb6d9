// SPDX-License-Identifier: MIT
// A job is the loads of one model; the loads of all jobs stand in one list, and each begins when its engine is free:
//
//     waiting ──engine free──▶ LOAD ──▶ loaded
//                                │ it cannot, or does not know the model
//                                └▶ MODELS ──▶ there: it holds the model anyway; or failed
#include "runtime/load.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "route/presence.h"
#include "runtime/ask.h"
#include "runtime/result.h"

typedef struct job job;

struct mb_load {
    mb_load *next; // m->loads
    job *job;
    const mb_target *target;
    mb_round round;
    mb_question load, list;
    const char *state; // "loaded", "unloaded", "there", "failed"; NULL: not yet
    bool is_running;
};

struct job {
    membrane_t *m;
    mb_config *config; // counted
    mb_ask_kind kind;
    int64_t keep_alive_ms, timeout_ms;
    size_t count, open;
    void (*done)(job *job);
    void *user;
    mb_task task;
    mb_load loads[];
};

// ---- one load ------------------------------------------------------------------------------------------------------

static mb_provider *engine_of(const mb_load *load) { return (mb_provider *)(uintptr_t)load->target->provider; }

static void begin_waiting(membrane_t *m);

static void end_load(mb_load *load, const char *state) {
    job *j = load->job;
    membrane_t *m = j->m;
    mb_load **at = &m->loads;
    while (*at != load) at = &(*at)->next;
    *at = load->next;
    if (load->is_running) engine_of(load)->is_loading = false;
    load->is_running = false;
    load->state = state;
    if (--j->open == 0) j->done(j);
    begin_waiting(m);
}

// Better than that the engine cannot load: that it has no such model, or does not answer.
static void say_why(mb_load *load) {
    mb_question *q = &load->load;
    membrane_error_free(q->error);
    q->error = load->list.error;
    q->code = load->list.code;
    load->list.error = NULL;
    if (q->code == 0)
        q->code = mb_error_set(&q->error, MEMBRANE_EMODEL, "%s has no model \"%s\"", load->target->provider->name,
                               load->target->model);
}

// The one model of an engine that loads nothing on demand, or one that it loads by itself.
static void listed(void *user) {
    mb_load *load = user;
    mb_arena arena = {0};
    const mb_quirks *q = load->target->provider->quirks;
    const mb_json *models = mb_question_json(&load->list, &arena);
    const bool is_there = models && mb_presence_model(q, models, NULL, load->target->model) != MB_MODEL_ABSENT;
    mb_arena_free(&arena);
    if (!is_there && load->load.code == MEMBRANE_EUNSUPPORTED) say_why(load);
    end_load(load, is_there ? "there" : "failed");
}

static void ask(mb_load *load, mb_question *question, void (*done)(void *user)) {
    load->round = (mb_round){.m = load->job->m,
                             .questions = question,
                             .count = 1,
                             .timeout_ms = load->job->timeout_ms,
                             .done = done,
                             .user = load};
    mb_round_begin(&load->round);
}

static void loaded(void *user) {
    mb_load *load = user;
    const int code = load->load.code;
    if (code == MEMBRANE_EUNSUPPORTED || code == MEMBRANE_EMODEL || code == MEMBRANE_ENOTFOUND)
        ask(load, &load->list, listed);
    else if (code)
        end_load(load, "failed");
    else
        end_load(load, load->job->kind == MB_ASK_LOAD ? "loaded" : "unloaded");
}

static void begin_waiting(membrane_t *m) {
    for (mb_load *load = m->loads; load; load = load->next) {
        if (load->is_running || engine_of(load)->is_loading) continue;
        load->is_running = engine_of(load)->is_loading = true;
        ask(load, &load->load, loaded);
        begin_waiting(m); // the list may be another one by now
        return;
    }
}

// ---- jobs ----------------------------------------------------------------------------------------------------------

static bool is_loadable(const mb_target *t) {
    return t->group == MB_GROUP_MAIN && t->provider->local && t->provider->adapter;
}

static void free_job(job *j) {
    if (!j) return;
    for (size_t i = 0; i < j->count; i++) {
        mb_question_free(&j->loads[i].load);
        mb_question_free(&j->loads[i].list);
    }
    mb_config_unref(j->config);
    mb_free(j);
}

// Of all loadable targets but one (NULL: of all). Takes the configuration; NULL: out of memory.
static job *new_job(membrane_t *m, mb_config *config, const mb_target *targets, size_t count, const mb_target *but) {
    job *j = mb_calloc(1, sizeof *j + count * sizeof *j->loads);
    if (!j) {
        mb_config_unref(config);
        return NULL;
    }
    j->m = m;
    j->config = config;
    j->kind = MB_ASK_LOAD;
    j->timeout_ms = MB_TIME_TOTAL;
    for (size_t i = 0; i < count; i++)
        if (&targets[i] != but && is_loadable(&targets[i])) j->loads[j->count++].target = &targets[i];
    return j;
}

static void begin_job(job *j) {
    mb_load **end = &j->m->loads;
    while (*end) end = &(*end)->next;
    j->open = j->count;
    for (size_t i = 0; i < j->count; i++) {
        mb_load *load = &j->loads[i];
        const mb_target *t = load->target;
        load->job = j;
        load->load = (mb_question){
            .provider = t->provider, .kind = j->kind, .model = t->model, .keep_alive_ms = j->keep_alive_ms};
        load->list = (mb_question){.provider = t->provider, .kind = MB_ASK_MODELS};
        *end = load;
        end = &load->next;
    }
    begin_waiting(j->m);
}

// ---- in the background ---------------------------------------------------------------------------------------------

static void record(const mb_load *load) {
    const mb_target *t = load->target;
    const bool has_failed = strcmp(load->state, "failed") == 0;
    const mb_level level = has_failed ? MB_LEVEL_WARN : MB_LEVEL_INFO;
    char text[1024];
    if (load->load.code == MEMBRANE_ECANCELLED || !mb_records_wants(load->job->m->records, level)) return;
    if (has_failed)
        snprintf(text, sizeof text, "%s/%s could not be loaded: %s", t->provider->name, t->model,
                 membrane_error_message(load->load.error));
    else
        snprintf(text, sizeof text, "%s/%s %s", t->provider->name, t->model,
                 load->load.code ? "is there: its engine loads nothing on demand" : "was loaded");
    mb_records_add(load->job->m->records, &(mb_record){.level = level,
                                                       .msg = text,
                                                       .provider = t->provider->name,
                                                       .model = t->model,
                                                       .tokens = -1,
                                                       .latency_ms = load->load.latency_ms});
}

static void is_warm(job *j) {
    for (size_t i = 0; i < j->count; i++) record(&j->loads[i]);
    free_job(j);
}

void mb_load_warm(membrane_call *call) {
    mb_model *model = (mb_model *)(uintptr_t)call->model; // of the configuration
    if (!model || !model->warm || model->was_warmed) return;
    model->was_warmed = true;
    job *j = new_job(call->m, mb_config_ref(call->config), model->targets, model->target_count,
                     &model->targets[call->taken]);
    if (j && j->count) {
        j->done = is_warm;
        begin_job(j);
    } else {
        free_job(j);
    }
}

// ---- because somebody asks -----------------------------------------------------------------------------------------

typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool is_done;
} waiter;

static void wake(job *j) {
    waiter *w = j->user;
    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->came);
    pthread_mutex_unlock(&w->lock);
}

static void begin_task(mb_task *task) { begin_job((job *)((char *)task - offsetof(job, task))); }

// Every question has a total time, so this ends.
static int wait_for(job *j, membrane_error **err) {
    waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    j->done = wake;
    j->user = &w; // cppcheck-suppress autoVariables ; it is waited for
    j->task.run = begin_task;
    int code = mb_handle_post(j->m, &j->task, err);
    if (code) return code;
    pthread_mutex_lock(&w.lock);
    while (!w.is_done) pthread_cond_wait(&w.came, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return 0;
}

static void put_load(mb_jw *w, const mb_load *load) {
    const mb_target *t = load->target;
    char name[4 * MB_LIMIT_NAME];
    snprintf(name, sizeof name, "%s/%s", t->provider->name, t->model);
    mb_jw_object(w);
    mb_jw_kstr(w, "name", name);
    mb_jw_kstr(w, "provider", t->provider->name);
    mb_jw_kstr(w, "engine", t->provider->quirks->kind);
    mb_jw_kstr(w, "model", t->model);
    mb_jw_kstr(w, "state", load->state);
    mb_jw_kint(w, "latency_ms", load->load.latency_ms);
    if (strcmp(load->state, "there") == 0) mb_jw_kstr(w, "note", "its engine loads nothing on demand");
    if (strcmp(load->state, "failed") == 0) {
        mb_jw_key(w, "error");
        mb_jw_object(w);
        mb_jw_kstr(w, "kind", membrane_status_kind(load->load.code));
        mb_jw_kstr(w, "message", membrane_error_message(load->load.error));
        mb_jw_end_object(w);
    }
    mb_jw_end_object(w);
}

static int put_job(job *j, const char *name, membrane_result **ret, membrane_error **err) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    size_t failures = 0;
    mb_jw_object(&w);
    mb_jw_kstr(&w, "name", name);
    mb_jw_kstr(&w, "kind", "logical");
    mb_jw_key(&w, "targets");
    mb_jw_array(&w);
    for (size_t i = 0; i < j->count; i++) {
        failures += strcmp(j->loads[i].state, "failed") == 0;
        put_load(&w, &j->loads[i]);
    }
    mb_jw_end_array(&w);
    mb_jw_end_object(&w);
    if (failures < j->count) return mb_result_from(&out, ret, err);
    mb_buf_free(&out);
    if (err) *err = j->loads[0].load.error, j->loads[0].load.error = NULL;
    return j->loads[0].load.code;
}

int mb_load_model(membrane_t *m, mb_config *config, const mb_model *model, mb_ask_kind kind, int64_t keep_alive_ms,
                  int64_t timeout_ms, membrane_result **ret, membrane_error **err) {
    job *j = new_job(m, config, model->targets, model->target_count, NULL);
    if (!j) return mb_error_no_memory(err);
    j->kind = kind;
    j->keep_alive_ms = keep_alive_ms;
    j->timeout_ms = timeout_ms;
    int code = j->count ? wait_for(j, err)
                        : mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s has no target on a local engine", model->name);
    if (code == 0) code = put_job(j, model->name, ret, err);
    free_job(j);
    return code;
}
