// SPDX-License-Identifier: MIT
// Any bytes as a configuration, or as two levels of one with a 0x01 between them. What must hold: what is refused is
// refused with words that hold no secret; what is taken is whole, and the same when it is written as JSON.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "runtime/config.h"

#define SECRET "sk-0123456789abcdef"

static const char *get(void *user, const char *name) {
    (void)user;
    if (strcmp(name, "OLLAMA_HOST") == 0) return "http://user:" SECRET "@127.0.0.1:99";
    if (strstr(name, "proxy") || strstr(name, "PROXY")) return "http://user:" SECRET "@127.0.0.1:98";
    return strcmp(name, "MEMBRANE_MODEL") == 0 ? "a/b" : strstr(name, "KEY") ? SECRET : NULL;
}
static const mb_environment environment = {get, NULL};

static void check_error(int code, const membrane_error *err) {
    const char *message = membrane_error_message(err);
    assert(code == membrane_error_code(err));
    assert(code == MEMBRANE_ECONFIG || code == MEMBRANE_ENEWER || code == MEMBRANE_ENOMEM);
    assert(message[0] && mb_utf8_valid(message, strlen(message)) && !strstr(message, SECRET));
}

static bool is_clean(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return false;
    return true;
}

static void check_limits(const mb_limits *limits) {
    assert(limits->rpm >= 0 && limits->tpm >= 0 && limits->parallel >= 0);
}

static void check_provider(const mb_provider *p) {
    mb_url url;
    if (!p->adapter) return; // built in
    assert(mb_url_parse(p->base_url, &url, NULL) == 0 && !url.user && !url.password);
    assert(p->base_url[strlen(p->base_url) - 1] != '/' && strstr(p->root_url, url.host));
    mb_url_free(&url);
    for (int k = 0; k < p->key_count; k++) assert(p->keys[k] && p->key_refs[k] && is_clean(p->keys[k]));
    for (int k = 0; k < (p->key_count ? p->key_count : 1); k++) assert(p->headers[k]);
    check_limits(&p->limits);
    assert(p->connect_ms >= 0 && p->first_token_ms >= 0 && p->idle_ms >= 0 && p->total_ms >= 0);
}

// What the router relies on.
static void check_way(const mb_way *way) {
    assert(way->policy >= 0 && way->policy < MB_POLICY_COUNT && way->retries >= 0);
    assert(way->max_wait_ms >= 0 && way->sticky_ms >= 0 && way->hedge.delay_ms >= 0);
    assert(way->min_tokens_per_s >= 0 && way->min_tokens_per_s < 1e12); // no NaN either
}

static void check_target(const mb_target *t) {
    assert(t->provider && t->model[0]);
    assert(t->weight >= 0 && t->weight <= 1e6);
    check_limits(&t->limits);
}

static void check_config(const mb_config *config) {
    for (size_t i = 0; i < config->provider_count; i++) {
        const mb_provider *p = &config->providers[i];
        check_provider(p);
        assert(mb_config_provider(config, p->name, strlen(p->name)) == p); // no name stands twice
    }
    for (size_t i = 0; i < config->model_count; i++) {
        const mb_model *m = &config->models[i];
        assert(m->target_count > 0 && m->targets[0].group == MB_GROUP_MAIN);
        assert(mb_config_model(config, m->name) == m); // no name stands twice
        check_way(&m->way);
        for (size_t t = 0; t < m->target_count; t++) check_target(&m->targets[t]);
    }
}

static size_t nodes_of(const mb_json *v) {
    size_t nodes = 1;
    for (uint32_t i = 0; (v->type == MB_JSON_ARRAY || v->type == MB_JSON_OBJECT) && i < v->count; i++)
        nodes += nodes_of(&v->children[i]);
    return nodes;
}

// The same tree, whichever way it is written.
static void check_json(mb_arena *arena, const mb_json *tree) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    const mb_json *again;
    mb_jw_value(&w, tree);
    assert(mb_buf_ok(&out));
    assert(mb_config_parse(arena, "json", mb_buf_text(&out), out.len, 1, &again, NULL) == 0);
    assert(mb_json_equal(tree, again));
    mb_buf_free(&out);
}

static int read_level(mb_config *config, const uint8_t *bytes, size_t len, membrane_error **err) {
    const mb_json *parsed;
    config->files[config->file_count++] = (mb_config_file){"option", "fuzz", "read"};
    int code =
        mb_config_parse(&config->arena, "fuzz", (const char *)bytes, len, (uint32_t)config->file_count, &parsed, err);
    if (code) return code;
    if (nodes_of(parsed) < 1000) check_json(&config->arena, parsed);
    config->tree = mb_config_merge(&config->arena, config->tree, parsed);
    if (config->tree && nodes_of(parsed) < 1000)
        assert(mb_json_equal(config->tree, mb_config_merge(&config->arena, config->tree, parsed)));
    return config->tree ? 0 : mb_error_no_memory(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    membrane_error *err = NULL;
    if (memmem(bytes, len, "file:", 5)) return 0; // reads what the fuzzer's machine happens to have
    if (memmem(bytes, len, "sealed:", 7)) return 0;
    if (memmem(bytes, len, SECRET, strlen(SECRET))) return 0;
    mb_config *config = mb_calloc(1, sizeof *config);
    assert(config);
    config->refs = 1;
    config->warnings = MB_BUF(65536);
    const uint8_t *cut = memchr(bytes, 1, len);
    size_t first = cut ? (size_t)(cut - bytes) : len;
    int code = read_level(config, bytes, first, &err);
    if (code == 0 && cut) code = read_level(config, cut + 1, len - first - 1, &err);
    if (code == 0) code = mb_config_compile(config, &environment, &err);
    if (code)
        check_error(code, err);
    else
        check_config(config);
    membrane_error_free(err);
    mb_config_unref(config);
    return 0;
}
