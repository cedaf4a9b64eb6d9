// SPDX-License-Identifier: MIT
// The public functions about models and providers: questions to servers, answers joined into one list.
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/ask.h"
#include "runtime/call.h"
#include "runtime/load.h"
#include "runtime/result.h"

enum { DEFAULT_MS = 10000, DEFAULT_PROBE_MS = 5000 };

// ---- list
// --------------------------------------------------------------------------------------------------------------

static void put_logical(mb_jw *w, const mb_config *config) {
    const char *name;
    void *value;
    for (size_t at = 0; mb_map_each(&config->names, &at, &name, &value);) {
        const mb_model *model = value;
        bool is_alias = strcmp(name, model->name) != 0;
        mb_jw_object(w);
        mb_jw_kstr(w, "name", name);
        mb_jw_kstr(w, "kind", is_alias ? "alias" : "logical");
        if (is_alias) mb_jw_kstr(w, "of", model->name);
        mb_jw_key(w, "targets");
        mb_jw_array(w);
        for (size_t t = 0; t < model->target_count; t++) {
            char target[2 * MB_LIMIT_NAME + 2];
            snprintf(target, sizeof target, "%s/%s", model->targets[t].provider->name, model->targets[t].model);
            mb_jw_str(w, target);
        }
        mb_jw_end_array(w);
        mb_jw_end_object(w);
    }
}

static bool is_loaded(const mb_json *loaded, const char *model) {
    for (uint32_t i = 0; loaded && loaded->type == MB_JSON_ARRAY && i < loaded->count; i++)
        if (mb_json_str_is(mb_json_get(&loaded->children[i], "model"), model)) return true;
    return false;
}

// What the table knows and the server did not say.
static void put_limits(mb_jw *w, const mb_price *known, const mb_json *said) {
    if (!known) return;
    if (known->window && !mb_json_get(said, "context_window")) mb_jw_kint(w, "context_window", known->window);
    if (known->max_output && !mb_json_get(said, "max_output")) mb_jw_kint(w, "max_output", known->max_output);
    if (!mb_json_get(said, "capabilities")) mb_jw_kvalue_if(w, "capabilities", known->capabilities);
}

static const mb_price *known_of(mb_config *config, const mb_provider *p, const char *model) {
    return mb_prices_find(mb_config_prices(config), p->quirks->kind, p->local, model);
}

static void put_models(mb_jw *w, mb_config *config, const mb_question *q, const mb_json *list, const mb_json *loaded) {
    for (uint32_t i = 0; list && list->type == MB_JSON_ARRAY && i < list->count; i++) {
        const mb_json *item = &list->children[i];
        const char *model = mb_json_get_str(item, "model");
        char name[4 * MB_LIMIT_NAME];
        if (!model) continue;
        snprintf(name, sizeof name, "%s/%s", q->provider->name, model);
        mb_jw_object(w);
        mb_jw_kstr(w, "name", name);
        mb_jw_kstr(w, "provider", q->provider->name);
        for (uint32_t k = 0; k < item->count; k++) {
            if (loaded && strcmp(item->children[k].key, "loaded") == 0) continue;
            mb_jw_key(w, item->children[k].key);
            mb_jw_value(w, &item->children[k]);
        }
        if (loaded) mb_jw_kbool(w, "loaded", is_loaded(loaded, model));
        put_limits(w, known_of(config, q->provider, model), item);
        mb_jw_end_object(w);
    }
}

static void put_failure(mb_jw *w, const mb_question *q) {
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", q->provider->name);
    mb_jw_kstr(w, "kind", membrane_status_kind(q->code));
    mb_jw_kstr(w, "message", membrane_error_message(q->error));
    mb_jw_end_object(w);
}

// Which providers are asked: the one that was named; else the configured ones, those with a key and the local ones. An
// engine that nobody configured and that does not answer is not worth a word.
static bool is_asked(const mb_config *config, const mb_provider *p) {
    if (!p->adapter) return false;
    if (!p->implicit || p->key_count > 0) return true;
    if (!p->local) return false;
    // Several kinds have the same usual port: the first one speaks for it.
    for (const mb_provider *other = config->providers; other != p; other++)
        if (other->root_url && strcmp(other->root_url, p->root_url) == 0) return false;
    return true;
}

typedef struct asked {
    mb_config *config;
    mb_question *questions;
    size_t count;
} asked;

static void asked_free(asked *a) {
    for (size_t i = 0; i < a->count; i++) mb_question_free(&a->questions[i]);
    mb_free(a->questions);
    mb_config_unref(a->config);
}

static void add(asked *a, const mb_provider *p) {
    a->questions[a->count++] = (mb_question){.provider = p, .kind = MB_ASK_MODELS};
    if (strcmp(p->quirks->wire, "ollama") == 0)
        a->questions[a->count++] = (mb_question){.provider = p, .kind = MB_ASK_LOADED};
}

static int choose_asked(asked *a, membrane_t *m, const char *provider, membrane_error **err) {
    a->config = mb_handle_config(m);
    a->questions = mb_calloc(2 * a->config->provider_count + 2, sizeof *a->questions);
    if (!a->questions) return mb_error_no_memory(err);
    for (size_t i = 0; i < a->config->provider_count; i++) {
        const mb_provider *p = &a->config->providers[i];
        if (provider ? strcmp(p->name, provider) == 0 && p->adapter : is_asked(a->config, p)) add(a, p);
    }
    if (provider && a->count == 0) {
        const mb_provider *ignored;
        mb_arena arena = {0};
        int code = mb_resolve_provider(m, a->config, &arena, provider, strlen(provider), &ignored, err);
        mb_arena_free(&arena);
        return code ? code : mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s has no list of models", provider);
    }
    return 0;
}

static int put_list(asked *a, bool only_one, mb_buf *out, membrane_error **err) {
    mb_arena arena = {0};
    mb_jw w = mb_jw_to(out);
    mb_question *first_failure = NULL;
    size_t answered = 0;
    mb_jw_object(&w);
    mb_jw_key(&w, "items");
    mb_jw_array(&w);
    if (!only_one) put_logical(&w, a->config);
    for (size_t i = 0; i < a->count; i++) {
        mb_question *q = &a->questions[i];
        if (q->kind != MB_ASK_MODELS) continue;
        bool has_loaded = i + 1 < a->count && a->questions[i + 1].kind == MB_ASK_LOADED;
        if (q->code == 0)
            answered++;
        else if (!first_failure)
            first_failure = q;
        put_models(&w, a->config, q, mb_question_json(q, &arena),
                   has_loaded ? mb_question_json(&a->questions[i + 1], &arena) : NULL);
    }
    mb_jw_end_array(&w);
    mb_jw_key(&w, "errors");
    mb_jw_array(&w);
    for (size_t i = 0; i < a->count; i++)
        if (a->questions[i].code && a->questions[i].kind == MB_ASK_MODELS &&
            !(a->questions[i].provider->implicit && !only_one && a->questions[i].code == MEMBRANE_ECONNECT))
            put_failure(&w, &a->questions[i]);
    mb_jw_end_array(&w);
    mb_jw_end_object(&w);
    mb_arena_free(&arena);
    if (only_one && answered == 0 && first_failure) {
        int code = first_failure->code;
        if (err) *err = first_failure->error, first_failure->error = NULL;
        return code;
    }
    return 0;
}

int membrane_model_list(membrane_t *m, const char *provider, int64_t timeout_ms, membrane_result **ret_result,
                        membrane_error **err) {
    asked a = {0};
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    if (!m || !ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_model_list: an argument is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    int code = choose_asked(&a, m, provider, err);
    mb_round round = {
        .m = m, .questions = a.questions, .count = a.count, .timeout_ms = timeout_ms > 0 ? timeout_ms : DEFAULT_MS};
    if (code == 0) code = mb_round_wait(&round, err);
    if (code == 0) code = put_list(&a, provider != NULL, &out, err);
    asked_free(&a);
    if (code == 0) return mb_result_from(&out, ret_result, err);
    mb_buf_free(&out);
    return code;
}

// ---- one model
// ---------------------------------------------------------------------------------------------------------

enum { MORE_MAX = 3 };

typedef struct one {
    mb_config *config;
    mb_arena arena;
    mb_question question;
    mb_question more[MORE_MAX]; // what else the server can tell; a failure there is no failure
    const char *more_names[MORE_MAX];
    size_t more_count;
} one;

static void one_free(one *o) {
    for (size_t i = 0; i < o->more_count; i++) mb_question_free(&o->more[i]);
    mb_question_free(&o->question);
    mb_arena_free(&o->arena);
    mb_config_unref(o->config);
}

// "provider/model", or a logical name, which stands for its first target.
static int find_one(one *o, membrane_t *m, const char *name, membrane_error **err) {
    o->config = mb_handle_config(m);
    const mb_model *model = mb_config_model(o->config, name);
    if (model) {
        o->question.provider = model->targets[0].provider;
        o->question.model = model->targets[0].model;
        return 0;
    }
    const char *slash = strchr(name, '/');
    if (!slash || !slash[1])
        return mb_error_set(err, MEMBRANE_ENOTFOUND, "there is no model \"%s\": write provider/model", name);
    o->question.model = slash + 1;
    return mb_resolve_provider(m, o->config, &o->arena, name, (size_t)(slash - name), &o->question.provider, err);
}

static int ask_one(membrane_t *m, const char *name, mb_ask_kind kind, int64_t keep_alive_ms, int64_t timeout_ms, one *o,
                   membrane_error **err) {
    if (!m || !name) return mb_error_set(err, MEMBRANE_EINVAL, "an argument is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    int code = find_one(o, m, name, err);
    if (code) return code;
    o->question.kind = kind;
    o->question.keep_alive_ms = keep_alive_ms;
    mb_round round = {
        .m = m, .questions = &o->question, .count = 1, .timeout_ms = timeout_ms > 0 ? timeout_ms : DEFAULT_MS};
    code = mb_round_wait(&round, err);
    if (code == 0 && o->question.code) {
        code = o->question.code;
        if (err) *err = o->question.error, o->question.error = NULL;
    }
    return code;
}

static void put_more(mb_jw *w, one *o) {
    for (size_t i = 0; i < o->more_count; i++)
        mb_jw_kvalue_if(w, o->more_names[i], mb_question_json(&o->more[i], &o->arena));
}

static void put_price(mb_jw *w, const mb_price *known) {
    if (!known || !known->has_price) return;
    const struct {
        const char *name;
        double price;
    } PRICES[] = {{"input", known->input},
                  {"cached", known->cached},
                  {"cache_write", known->cache_write},
                  {"output", known->output}};
    mb_jw_key(w, "usd_per_million_tokens");
    mb_jw_object(w);
    for (size_t i = 0; i < MB_COUNT(PRICES); i++) {
        if (PRICES[i].price < 0) continue;
        mb_jw_key(w, PRICES[i].name);
        mb_jw_double(w, PRICES[i].price);
    }
    if (known->date) mb_jw_kstr(w, "date", known->date);
    mb_jw_end_object(w);
}

// What llama.cpp's server has beside: its health, its slots, its metrics page.
static void ask_more(one *o, membrane_t *m, int64_t timeout_ms) {
    const mb_quirks *q = o->question.provider->quirks;
    const struct {
        const char *name, *path;
        mb_ask_kind kind;
    } rows[MORE_MAX] = {{"health", q->health_path, MB_ASK_HEALTH},
                        {"slots", q->slots_path, MB_ASK_SLOTS},
                        {"metrics", q->metrics_path, MB_ASK_METRICS}};
    for (size_t i = 0; i < MORE_MAX; i++) {
        if (!rows[i].path) continue;
        o->more_names[o->more_count] = rows[i].name;
        o->more[o->more_count++] =
            (mb_question){.provider = o->question.provider, .kind = rows[i].kind, .model = o->question.model};
    }
    mb_round round = {
        .m = m, .questions = o->more, .count = o->more_count, .timeout_ms = timeout_ms > 0 ? timeout_ms : DEFAULT_MS};
    if (o->more_count && mb_round_wait(&round, NULL) != 0) o->more_count = 0;
}

static int finish_one(one *o, const char *extra, int code, membrane_result **ret_result, membrane_error **err) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    const mb_json *answer = code == 0 ? mb_question_json(&o->question, &o->arena) : NULL;
    if (code == 0) {
        char name[4 * MB_LIMIT_NAME];
        snprintf(name, sizeof name, "%s/%s", o->question.provider->name, o->question.model);
        mb_jw_object(&w);
        mb_jw_kstr(&w, "name", name);
        mb_jw_kstr(&w, "provider", o->question.provider->name);
        mb_jw_kstr(&w, "engine", o->question.provider->quirks->kind);
        if (!mb_json_get(answer, "model")) mb_jw_kstr(&w, "model", o->question.model);
        for (uint32_t i = 0; answer && answer->type == MB_JSON_OBJECT && i < answer->count; i++) {
            mb_jw_key(&w, answer->children[i].key);
            mb_jw_value(&w, &answer->children[i]);
        }
        const mb_price *known = known_of(o->config, o->question.provider, o->question.model);
        put_limits(&w, known, answer);
        put_price(&w, known);
        put_more(&w, o);
        if (extra) mb_jw_kstr(&w, "state", extra);
        mb_jw_kint(&w, "latency_ms", o->question.latency_ms);
        mb_jw_end_object(&w);
        code = mb_result_from(&out, ret_result, err);
    }
    mb_buf_free(&out);
    one_free(o);
    return code;
}

int membrane_model_show(membrane_t *m, const char *name, int64_t timeout_ms, membrane_result **ret_result,
                        membrane_error **err) {
    one o = {0};
    if (!ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_model_show: ret_result is NULL");
    int code = ask_one(m, name, MB_ASK_SHOW, 0, timeout_ms, &o, err);
    if (code == 0) ask_more(&o, m, timeout_ms);
    return finish_one(&o, NULL, code, ret_result, err);
}

// Of a logical model all local targets are meant; NULL: it is none.
static const mb_model *logical(membrane_t *m, const char *name, mb_config **ret_config) {
    if (!m || !name || mb_handle_is_forked(m)) return NULL; // which ask_one tells
    mb_config *config = mb_handle_config(m);
    const mb_model *model = mb_config_model(config, name);
    *ret_config = config;
    if (!model) mb_config_unref(config);
    return model;
}

int membrane_model_load(membrane_t *m, const char *name, int64_t keep_alive_ms, int64_t timeout_ms,
                        membrane_result **ret_result, membrane_error **err) {
    one o = {0};
    if (!ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_model_load: ret_result is NULL");
    if (timeout_ms <= 0) timeout_ms = MB_TIME_FIRST_TOKEN_LOCAL; // reading a model from disk takes its time
    mb_config *config;
    const mb_model *model = logical(m, name, &config);
    if (model) return mb_load_model(m, config, model, MB_ASK_LOAD, keep_alive_ms, timeout_ms, ret_result, err);
    return finish_one(&o, "loaded", ask_one(m, name, MB_ASK_LOAD, keep_alive_ms, timeout_ms, &o, err), ret_result, err);
}

int membrane_model_unload(membrane_t *m, const char *name, int64_t timeout_ms, membrane_result **ret_result,
                          membrane_error **err) {
    one o = {0};
    mb_config *config;
    if (!ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_model_unload: ret_result is NULL");
    if (timeout_ms <= 0) timeout_ms = DEFAULT_MS;
    const mb_model *model = logical(m, name, &config);
    if (model) return mb_load_model(m, config, model, MB_ASK_UNLOAD, 0, timeout_ms, ret_result, err);
    return finish_one(&o, "unloaded", ask_one(m, name, MB_ASK_UNLOAD, 0, timeout_ms, &o, err), ret_result, err);
}

int membrane_model_warm(membrane_t *m, const char *name, int64_t timeout_ms, membrane_result **ret_result,
                        membrane_error **err) {
    membrane_call_options options;
    membrane_call *call;
    const membrane_event *event;
    static const char hello[] = "[{\"role\":\"user\",\"content\":\"Hi\"}]";
    mb_buf request = MB_BUF(65536), out = MB_BUF(65536);
    if (!m || !name || !ret_result)
        return mb_error_set(err, MEMBRANE_EINVAL, "membrane_model_warm: an argument is NULL");
    mb_jw w = mb_jw_to(&request);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "model", name);
    mb_jw_key(&w, "messages");
    mb_jw_raw(&w, hello, sizeof hello - 1);
    mb_jw_kint(&w, "max_tokens", 1);
    mb_jw_end_object(&w);
    membrane_call_options_init(&options, sizeof options);
    options.deadline_ms = timeout_ms > 0 ? timeout_ms : MB_TIME_FIRST_TOKEN_LOCAL;
    int code = mb_buf_ok(&request) ? membrane_call_start(m, request.data, request.len, &options, &call, err)
                                   : mb_error_no_memory(err);
    mb_buf_free(&request);
    if (code) return code;
    while ((code = membrane_call_next(call, MEMBRANE_FOREVER, &event, err)) == 0) {}
    if (call->error) {
        code = membrane_error_code(call->error);
        if (err) *err = mb_error_copy(call->error);
    } else {
        w = mb_jw_to(&out);
        mb_jw_object(&w);
        mb_jw_kstr(&w, "name", name);
        mb_jw_kstr(&w, "state", "warm");
        mb_jw_kint(&w, "latency_ms", call->end_ms - call->start_ms);
        mb_jw_end_object(&w);
        code = mb_result_from(&out, ret_result, err);
    }
    membrane_call_free(call);
    return code;
}

// ---- providers
// ---------------------------------------------------------------------------------------------------------

static void put_probe(mb_jw *w, const mb_question *q, mb_arena *arena) {
    const mb_json *models = mb_question_json(q, arena), *version = mb_question_json(q + 1, arena);
    bool loading = q->code == MEMBRANE_EOVERLOADED;
    mb_jw_key(w, "probe");
    mb_jw_object(w);
    mb_jw_kstr(w, "state", q->code == 0 ? "ok" : loading ? "loading" : "fail");
    mb_jw_kint(w, "latency_ms", q->latency_ms);
    mb_jw_kstr_if(w, "version", mb_json_get_str(version, "version"));
    if (mb_json_is(models, MB_JSON_ARRAY)) mb_jw_kint(w, "models", models->count);
    if (q->code) {
        mb_jw_kstr(w, "kind", membrane_status_kind(q->code));
        mb_jw_kstr(w, "message", membrane_error_message(q->error));
        mb_jw_kstr_if(w, "hint", membrane_error_hint(q->error));
    }
    mb_jw_end_object(w);
}

static void put_provider(mb_jw *w, const mb_provider *p, const mb_question *probe, const mb_json *last,
                         mb_arena *arena) {
    mb_jw_object(w);
    mb_jw_kstr(w, "name", p->name);
    mb_jw_kstr(w, "kind", p->quirks->kind);
    mb_jw_kstr(w, "wire", p->quirks->wire);
    mb_jw_kstr_if(w, "base_url", p->base_url);
    mb_jw_kbool(w, "local", p->local);
    mb_jw_kbool(w, "configured", !p->implicit);
    mb_jw_kstr(w, "key", p->key_count ? "set" : p->key_missing ? "missing" : "none");
    if (p->key_count > 1) mb_jw_kint(w, "keys", p->key_count);
    if (probe) put_probe(w, probe, arena);
    mb_jw_kvalue_if(w, "last", mb_json_get(last, p->name));
    mb_jw_end_object(w);
}

static bool is_listed(const mb_config *config, const mb_provider *p) { return !p->adapter || is_asked(config, p); }

static int probe_all(membrane_t *m, mb_config *config, int64_t timeout_ms, asked *a, membrane_error **err) {
    a->config = mb_config_ref(config);
    a->questions = mb_calloc(2 * config->provider_count + 2, sizeof *a->questions);
    if (!a->questions) return mb_error_no_memory(err);
    for (size_t i = 0; i < config->provider_count; i++) {
        const mb_provider *p = &config->providers[i];
        if (!p->adapter || !is_listed(config, p)) continue;
        a->questions[a->count++] = (mb_question){.provider = p, .kind = MB_ASK_MODELS};
        a->questions[a->count++] = (mb_question){.provider = p, .kind = MB_ASK_VERSION};
    }
    mb_round round = {.m = m,
                      .questions = a->questions,
                      .count = a->count,
                      .timeout_ms = timeout_ms > 0 ? timeout_ms : DEFAULT_PROBE_MS};
    return mb_round_wait(&round, err);
}

int membrane_provider_list(membrane_t *m, int probe, int64_t timeout_ms, membrane_result **ret_result,
                           membrane_error **err) {
    asked a = {0};
    mb_arena arena = {0};
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE), last_text = MB_BUF(MB_LIMIT_RESPONSE);
    const mb_json *last = NULL;
    if (!m || !ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_provider_list: an argument is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    mb_config *config = mb_handle_config(m);
    int code = probe ? probe_all(m, config, timeout_ms, &a, err) : 0;
    if (code == 0) code = mb_calls_last(m->calls, &last_text, err);
    if (code == 0 && last_text.len) mb_json_parse(&arena, last_text.data, last_text.len, &last, NULL);
    mb_jw w = mb_jw_to(&out);
    mb_jw_object(&w);
    mb_jw_key(&w, "items");
    mb_jw_array(&w);
    for (size_t i = 0, q = 0; i < config->provider_count; i++) {
        const mb_provider *p = &config->providers[i];
        if (!is_listed(config, p)) continue;
        const mb_question *asked_of = probe && p->adapter && q + 1 < a.count ? &a.questions[q] : NULL;
        if (probe && p->adapter) q += 2;
        put_provider(&w, p, asked_of, last, &arena);
    }
    mb_jw_end_array(&w);
    mb_jw_end_object(&w);
    mb_arena_free(&arena);
    mb_buf_free(&last_text);
    asked_free(&a);
    mb_config_unref(config);
    if (code == 0) return mb_result_from(&out, ret_result, err);
    mb_buf_free(&out);
    return code;
}
