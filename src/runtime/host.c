// SPDX-License-Identifier: MIT
// Providers that the program supplies. What they push may come from any thread: it is put down as a list of words and
// carried over to the I/O thread, where it becomes a turn as any other provider's answer.
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/options.h"
#include "base/utf8.h"
#include "runtime/call.h"

typedef enum { WORD_TEXT, WORD_THINKING, WORD_TOOL_CALL, WORD_USAGE, WORD_DONE, WORD_ERROR } word_kind;

typedef struct word {
    struct word *next;
    word_kind kind;
    int status;
    mb_usage usage;
    char *id, *name;
    size_t len;
    char text[];
} word;

// Counted by the run (the call's) and by each carrying task under way.
struct membrane_push {
    atomic_int refs;
    pthread_mutex_t lock;
    word *first, *last;
    bool posted, is_ended, is_unwanted; // under the lock
    mb_task carry_task;
    mb_runner *runner; // its call is counted while posted
    membrane_t *m;
};

struct mb_host_run {
    membrane_push *push;
    const membrane_provider_table *table;
    void *user, *state;
};

static void free_word(word *w) {
    mb_free(w->id);
    mb_free(w->name);
    mb_free(w);
}

static void unref_push(membrane_push *push) {
    if (atomic_fetch_sub(&push->refs, 1) != 1) return;
    for (word *w = push->first, *next; w; w = next) {
        next = w->next;
        free_word(w);
    }
    pthread_mutex_destroy(&push->lock);
    mb_free(push);
}

// ---- on the I/O thread
// -------------------------------------------------------------------------------------------------

static mb_finish finish_of(const char *name) {
    for (int f = MB_FINISH_STOP; f <= MB_FINISH_CONTENT_FILTER; f++)
        if (strcmp(mb_finish_name((mb_finish)f), name) == 0) return (mb_finish)f;
    return MB_FINISH_STOP;
}

// 0 to go on, 1 at the end (*ret_code says which), negative: the turn failed.
static int take_word(mb_runner *r, const word *w, membrane_error **error, int *ret_code) {
    mb_turn *turn = &r->turn;
    switch (w->kind) {
    case WORD_TEXT: return mb_turn_text(turn, w->text, w->len);
    case WORD_THINKING: return mb_turn_thinking(turn, w->text, w->len);
    case WORD_TOOL_CALL: return mb_turn_tool_delta(turn, (int64_t)turn->call_count, w->id, w->name, w->text, w->len);
    case WORD_USAGE: turn->usage = w->usage; return 0;
    case WORD_DONE:
        mb_turn_finish(turn, finish_of(w->text), NULL);
        *ret_code = mb_turn_end(turn);
        return 1;
    case WORD_ERROR: *ret_code = mb_error_set(error, w->status, "%s", w->text); return 1;
    }
    return MEMBRANE_EINTERNAL;
}

static void take_words(mb_runner *r, word *w) {
    membrane_error *error = NULL;
    int code = 0, step = 0;
    for (word *next; w; w = next) {
        next = w->next;
        if (step == 0) step = take_word(r, w, &error, &code);
        free_word(w);
    }
    mb_call_flush(r->call);
    if (step == 0) return;
    mb_host_cancel(r);
    mb_runner_done(r, step < 0 ? step : code, error);
}

static void carry(mb_task *task) {
    membrane_push *push = (membrane_push *)((char *)task - offsetof(membrane_push, carry_task));
    membrane_call *call = push->runner->call;
    pthread_mutex_lock(&push->lock);
    word *words = push->first;
    push->first = push->last = NULL;
    push->posted = false;
    bool wanted = !push->is_unwanted;
    pthread_mutex_unlock(&push->lock);
    if (wanted)
        take_words(push->runner, words);
    else
        for (word *next; words; words = next) {
            next = words->next;
            free_word(words);
        }
    unref_push(push);
    mb_call_unref(call);
}

int mb_host_start(mb_runner *r, const mb_provider *provider, membrane_error **err) {
    const membrane_call *call = r->call;
    mb_host_run *run = mb_calloc(1, sizeof *run);
    membrane_push *push = mb_calloc(1, sizeof *push);
    if (!run || !push) {
        mb_free(run);
        mb_free(push);
        return mb_error_no_memory(err);
    }
    pthread_mutex_init(&push->lock, NULL);
    push->refs = 1;
    push->runner = r;
    push->m = call->m;
    push->carry_task.run = carry;
    *run = (mb_host_run){push, provider->host, provider->host_user, NULL};
    int code = run->table->start(run->user, call->request_text, call->request_len, push, &run->state);
    if (code == 0) {
        r->host_run = run;
        return 0;
    }
    pthread_mutex_lock(&push->lock);
    push->is_unwanted = true;
    pthread_mutex_unlock(&push->lock);
    unref_push(push);
    mb_free(run);
    return mb_error_set(err, code < 0 ? code : MEMBRANE_ESERVER, "%s: the host's provider did not start",
                        provider->name);
}

void mb_host_cancel(mb_runner *r) {
    mb_host_run *run = r->host_run;
    if (!run) return;
    r->host_run = NULL;
    pthread_mutex_lock(&run->push->lock);
    bool early = !run->push->is_ended;
    run->push->is_unwanted = true;
    pthread_mutex_unlock(&run->push->lock);
    if (early && run->table->cancel) run->table->cancel(run->user, run->state);
    if (run->table->free) run->table->free(run->user, run->state);
    unref_push(run->push);
    mb_free(run);
}

// ---- any thread
// --------------------------------------------------------------------------------------------------------

static int put_word(membrane_push *push, word *w) {
    int code = 0;
    if (!w) return MEMBRANE_ENOMEM;
    pthread_mutex_lock(&push->lock);
    if (push->is_unwanted)
        code = MEMBRANE_ECANCELLED;
    else if (push->is_ended)
        code = MEMBRANE_EINVAL;
    bool posts = code == 0 && !push->posted;
    if (code == 0) {
        if (push->last)
            push->last->next = w;
        else
            push->first = w;
        push->last = w;
        push->posted = true;
        push->is_ended = w->kind == WORD_DONE || w->kind == WORD_ERROR;
    }
    if (posts) {
        atomic_fetch_add(&push->refs, 1);
        mb_call_ref(push->runner->call);
    }
    pthread_mutex_unlock(&push->lock);
    if (code) free_word(w);
    if (posts && mb_handle_post(push->m, &push->carry_task, NULL) != 0) {
        membrane_call *call = push->runner->call;
        pthread_mutex_lock(&push->lock);
        push->posted = false;
        pthread_mutex_unlock(&push->lock);
        unref_push(push);
        mb_call_unref(call);
        code = MEMBRANE_ECANCELLED;
    }
    return code;
}

static word *new_word(word_kind kind, const char *text, size_t len) {
    word *w = len <= MB_LIMIT_STREAM_EVENT ? mb_malloc(sizeof *w + len + 1) : NULL;
    if (!w) return NULL;
    *w = (word){.kind = kind, .len = len};
    if (len) memcpy(w->text, text, len);
    w->text[len] = '\0';
    return w;
}

static int put_text(membrane_push *push, word_kind kind, const char *text, size_t len) {
    if (!push || (!text && len) || !mb_utf8_valid(text ? text : "", len)) return MEMBRANE_EINVAL;
    return put_word(push, new_word(kind, text, len));
}

int membrane_push_text(membrane_push *push, const char *text, size_t len) {
    return put_text(push, WORD_TEXT, text, len);
}

int membrane_push_thinking(membrane_push *push, const char *text, size_t len) {
    return put_text(push, WORD_THINKING, text, len);
}

int membrane_push_tool_call(membrane_push *push, const char *id, const char *name, const char *arguments, size_t len) {
    if (!push || !name || !name[0] || (!arguments && len) || !mb_utf8_valid(arguments ? arguments : "", len))
        return MEMBRANE_EINVAL;
    word *w = new_word(WORD_TOOL_CALL, arguments, len);
    if (!w) return MEMBRANE_ENOMEM;
    w->id = mb_strdup(id);
    w->name = mb_strdup(name);
    if (w->name && (!id || w->id)) return put_word(push, w);
    free_word(w);
    return MEMBRANE_ENOMEM;
}

int membrane_push_usage(membrane_push *push, int64_t input, int64_t cached, int64_t output, int64_t reasoning) {
    word *w = push ? new_word(WORD_USAGE, NULL, 0) : NULL;
    if (!push) return MEMBRANE_EINVAL;
    if (!w) return MEMBRANE_ENOMEM;
    w->usage = MB_USAGE_NONE;
    if (input >= 0) w->usage.input = input;
    if (cached >= 0) w->usage.cached = cached;
    if (output >= 0) w->usage.output = output;
    if (reasoning >= 0) w->usage.reasoning = reasoning;
    return put_word(push, w);
}

int membrane_push_done(membrane_push *push, const char *finish) {
    if (!finish) finish = "stop";
    return put_text(push, WORD_DONE, finish, strlen(finish));
}

int membrane_push_error(membrane_push *push, int status, const char *message) {
    if (!push || status >= 0 || strcmp(membrane_status_kind(status), "unknown") == 0) return MEMBRANE_EINVAL;
    if (!message) message = membrane_status_text(status);
    word *w = new_word(WORD_ERROR, message, strlen(message));
    if (w) w->status = status;
    return put_word(push, w);
}

int membrane_provider_add(membrane_t *m, const char *name, const membrane_provider_table *table, void *user,
                          membrane_error **err) {
    membrane_provider_table copy;
    if (!m || !name || !table || !mb_options_read(&copy, sizeof copy, table) || !copy.start)
        return mb_error_set(err, MEMBRANE_EINVAL,
                            "membrane_provider_add: an argument is NULL, or the table has no start");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    if (copy.version != MEMBRANE_PROVIDER_VERSION)
        return mb_error_set(err, MEMBRANE_EINVAL,
                            "membrane_provider_add: this library knows version %d of the table, not %u",
                            MEMBRANE_PROVIDER_VERSION, copy.version);
    size_t len = strlen(name);
    if (len == 0 || len > MB_LIMIT_NAME || strchr(name, '/') || !mb_utf8_valid(name, len))
        return mb_error_set(err, MEMBRANE_EINVAL, "\"%s\" is no name for a provider: no slash, 1 to %d bytes", name,
                            MB_LIMIT_NAME);
    mb_config *config = mb_handle_config(m);
    const mb_provider *other = mb_config_provider(config, name, len);
    bool taken = other && (!other->implicit || !other->adapter);
    mb_config_unref(config);
    mb_host_provider *host = mb_calloc(1, sizeof *host);
    if (host) host->name = mb_strdup(name);
    if (!host || !host->name) {
        mb_free(host);
        return mb_error_no_memory(err);
    }
    host->table = copy;
    host->user = user;
    pthread_mutex_lock(&m->lock);
    for (mb_host_provider *h = m->hosts; h && !taken; h = h->next) taken = strcmp(h->name, name) == 0;
    if (!taken) {
        host->next = m->hosts;
        m->hosts = host;
    }
    pthread_mutex_unlock(&m->lock);
    if (!taken) return 0;
    mb_free(host->name);
    mb_free(host);
    return mb_error_set(err, MEMBRANE_ECONFLICT, "there is a provider \"%s\" already", name);
}
