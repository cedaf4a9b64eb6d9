// SPDX-License-Identifier: MIT
#include "runtime/discover.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/ask.h"

enum { PROBE_MS = 1500, KEEP_MS = 30000, PROBES_MAX = 16 };

typedef struct search {
    mb_round round;
    mb_question questions[2 * PROBES_MAX]; // MODELS and LOADED of each
    membrane_call *call;
    void (*done)(void *user, int code, membrane_error *error);
    bool only_configured; // or the one that the call names
} search;

static bool can_chat(const mb_json *item) {
    const char *kind = mb_json_get_str(item, "kind");
    const mb_json *can = mb_json_get(item, "capabilities");
    if (kind) return strcmp(kind, "embed") != 0 && strcmp(kind, "rerank") != 0;
    for (uint32_t i = 0; can && i < can->count; i++)
        if (mb_json_str_is(&can->children[i], "embedding") || mb_json_str_is(&can->children[i], "embed")) return false;
    return true;
}

static bool looks_like_embedding(const char *name) {
    return strstr(name, "embed") || strstr(name, "bge-") || strstr(name, "minilm");
}

// The first model of the list that can chat; with only_loaded the first that is in memory too.
static const char *first_chat(const mb_json *list, bool only_loaded) {
    for (uint32_t i = 0; list && list->type == MB_JSON_ARRAY && i < list->count; i++) {
        const mb_json *item = &list->children[i];
        const char *name = mb_json_get_str(item, "model");
        if (!name || !can_chat(item) || looks_like_embedding(name)) continue;
        if (!only_loaded || mb_json_bool(mb_json_get(item, "loaded"), false)) return name;
    }
    return NULL;
}

static bool keep(search *s, const mb_provider *provider, const char *model, const char *before, const char *after) {
    mb_discovery *found = &s->call->m->found;
    if (strlen(model) >= sizeof found->model) return false;
    mb_config_unref(found->config);
    found->config = mb_config_ref(s->call->config);
    found->provider = provider;
    snprintf(found->model, sizeof found->model, "%s", model);
    snprintf(found->reason, sizeof found->reason, "%s%s%s", before, after ? provider->base_url : "",
             after ? after : "");
    found->until_ms = s->call->only_provider ? 0 : mb_now_ms() + KEEP_MS; // another call may ask for another one
    return true;
}

static bool choose_local(search *s) {
    mb_arena arena = {0};
    bool found = false;
    for (int loaded = 1; loaded >= 0 && !found; loaded--) {
        for (size_t i = 0; i < s->round.count && !found; i++) {
            mb_question *q = &s->questions[i];
            bool is_loaded_list = q->kind == MB_ASK_LOADED;
            if (is_loaded_list && !loaded) continue;
            const char *name = first_chat(mb_question_json(q, &arena), loaded && !is_loaded_list);
            if (name)
                found = keep(s, q->provider, name,
                             loaded ? "a chat model that is loaded at " : "a chat model of the engine at ", "");
        }
    }
    mb_arena_free(&arena);
    return found;
}

static bool choose_by_key(search *s) {
    const mb_config *config = s->call->config;
    for (size_t i = 0; i < config->provider_count; i++) {
        const mb_provider *p = &config->providers[i];
        if (p->local || p->key_count == 0 || !p->quirks->default_model) continue;
        return keep(s, p, p->quirks->default_model, "a key is set for ", "");
    }
    return false;
}

static int apply(membrane_call *call, membrane_error **err) {
    mb_discovery *found = &call->m->found;
    mb_target *target = mb_arena_alloc(&call->arena, sizeof *target);
    const char *model = mb_arena_strdup(&call->arena, found->model);
    call->chosen_because = mb_arena_strdup(&call->arena, found->reason);
    if (!target || !model || !call->chosen_because) return mb_error_no_memory(err);
    *target = (mb_target){.provider = found->provider, .model = model, .group = MB_GROUP_MAIN, .weight = 1};
    target->limits = mb_config_target_limits(call->config, found->provider, model);
    return mb_resolve_set(call, target, 1, &MB_WAY_DEFAULT, err);
}

static int nothing_answered(const search *s, membrane_error **err) {
    const membrane_error *first = s->round.count ? s->questions[0].error : NULL;
    int code = mb_error_set(err, MEMBRANE_ENOTARGET, "no model was named, and no configured provider told of one%s%s",
                            first ? ": " : "", first ? membrane_error_message(first) : "");
    mb_error_hint(*err, "name a model with -m provider/model, or models: in the configuration");
    return code;
}

static void on_answers(void *user) {
    search *s = user;
    membrane_call *call = s->call;
    membrane_error *error = NULL;
    int code = 0;
    bool found = choose_local(s) || (!s->only_configured && choose_by_key(s));
    if (!found && s->only_configured)
        code = nothing_answered(s, &error);
    else if (!found)
        keep(s, mb_config_provider(call->config, "builtin", 7), "extractive", "no engine answers and no key is set",
             NULL);
    if (code == 0) code = apply(call, &error);
    for (size_t i = 0; i < s->round.count; i++) mb_question_free(&s->questions[i]);
    void (*done)(void *, int, membrane_error *) = s->done;
    mb_free(s);
    done(call, code, error);
}

static void add_questions(search *s, const mb_provider *p) {
    if (s->round.count + 2 > MB_COUNT(s->questions)) return;
    s->questions[s->round.count++] = (mb_question){.provider = p, .kind = MB_ASK_MODELS};
    if (strcmp(p->quirks->wire, "ollama") == 0)
        s->questions[s->round.count++] = (mb_question){.provider = p, .kind = MB_ASK_LOADED};
}

void mb_discover(membrane_call *call, void (*done)(void *user, int code, membrane_error *error)) {
    static const char *const usual[] = {"ollama", "llamacpp", "vllm", "lmstudio"};
    const mb_config *config = call->config;
    mb_discovery *found = &call->m->found;
    membrane_error *error = NULL;
    if (!call->only_provider && found->config == config && mb_now_ms() < found->until_ms) {
        int code = apply(call, &error);
        done(call, code, error);
        return;
    }
    search *s = mb_calloc(1, sizeof *s);
    if (!s) {
        mb_error_no_memory(&error);
        done(call, MEMBRANE_ENOMEM, error);
        return;
    }
    s->call = call;
    s->done = done;
    s->round =
        (mb_round){.m = call->m, .questions = s->questions, .timeout_ms = PROBE_MS, .done = on_answers, .user = s};
    const mb_provider *asked =
        call->only_provider ? mb_config_provider(config, call->only_provider, strlen(call->only_provider)) : NULL;
    if (asked) add_questions(s, asked);
    for (size_t i = 0; !asked && i < config->provider_count; i++)
        if (!config->providers[i].implicit) add_questions(s, &config->providers[i]);
    s->only_configured = s->round.count > 0;
    for (size_t i = 0; i < MB_COUNT(usual) && !s->only_configured; i++) {
        const mb_provider *p = mb_config_provider(config, usual[i], strlen(usual[i]));
        if (p) add_questions(s, p);
    }
    mb_round_begin(&s->round);
}

void mb_discovery_forget(membrane_t *m) {
    mb_config_unref(m->found.config);
    m->found.config = NULL;
}
