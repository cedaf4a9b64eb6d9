// SPDX-License-Identifier: MIT
#include "runtime/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/yaml.h"
#include "runtime/config_check.h"

static const char *get_process(void *user, const char *name) {
    (void)user;
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

static const char *get_none(void *user, const char *name) {
    (void)user, (void)name;
    return NULL;
}

const mb_environment mb_environment_process = {get_process, NULL};
const mb_environment mb_environment_none = {get_none, NULL};

// ---- text into a tree
// ------------------------------------------------------------------------------------------------

static void stamp(const mb_json *node, uint32_t file) {
    // The tree was made a moment ago and is ours alone.
    ((mb_json *)(uintptr_t)node)->line = file << 24 | (node->line & 0xffffffu);
    if (node->type != MB_JSON_ARRAY && node->type != MB_JSON_OBJECT) return;
    for (uint32_t i = 0; i < node->count; i++) stamp(&node->children[i], file);
}

int mb_config_parse(mb_arena *arena, const char *name, const char *text, size_t len, uint32_t file, const mb_json **ret,
                    membrane_error **err) {
    size_t start = 0;
    const mb_json *root;
    while (start < len && strchr(" \t\r\n", text[start])) start++;
    bool is_json = start < len && text[start] == '{';
    int code = is_json ? mb_json_parse(arena, text, len, &root, NULL) : 1;
    if (code == 0)
        mb_json_number_lines(root, text, len);
    else if (code != MEMBRANE_ENOMEM)
        code = mb_yaml_parse(arena, name, text, len, &root, err); // knows the line
    if (code) return code == MEMBRANE_ENOMEM ? mb_error_no_memory(err) : code;
    if (root->type == MB_JSON_NULL) {
        mb_json *empty = mb_arena_zalloc(arena, sizeof *empty);
        if (!empty) return mb_error_no_memory(err);
        empty->type = MB_JSON_OBJECT;
        root = empty;
    }
    if (root->type != MB_JSON_OBJECT)
        return mb_error_set(err, MEMBRANE_ECONFIG, "%s:1: a configuration is a table of keys, not %s", name,
                            mb_config_found(root));
    int64_t version = mb_json_int(mb_json_get(root, "version"), 1);
    if (version > 1)
        return mb_error_set(err, MEMBRANE_ENEWER,
                            "%s: version %lld of the configuration is newer than this library, which reads version 1",
                            name, (long long)version);
    stamp(root, file);
    *ret = root;
    return 0;
}

const mb_json *mb_config_merge(mb_arena *arena, const mb_json *below, const mb_json *above) {
    if (!below) return above;
    if (!mb_json_is(below, MB_JSON_OBJECT) || !mb_json_is(above, MB_JSON_OBJECT)) return above;
    mb_json *members = mb_arena_alloc(arena, (below->count + above->count + 1) * sizeof *members);
    mb_json *merged = mb_arena_alloc(arena, sizeof *merged);
    if (!members || !merged) return NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < below->count; i++) {
        const mb_json *mine = &below->children[i], *theirs = mb_json_get(above, mine->key);
        const mb_json *one = theirs ? mb_config_merge(arena, mine, theirs) : mine;
        if (!one) return NULL;
        members[count] = *one;
        members[count].key = mine->key;
        members[count++].key_len = mine->key_len;
    }
    for (uint32_t i = 0; i < above->count; i++)
        if (!mb_json_get(below, above->children[i].key)) members[count++] = above->children[i];
    *merged = *above;
    merged->children = members;
    merged->count = count;
    return merged;
}

// ---- errors
// ----------------------------------------------------------------------------------------------------------

int mb_config_error(const mb_config *config, membrane_error **err, const mb_json *where, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    uint32_t file = where ? MB_CONFIG_FILE_OF(where->line) : 0;
    if (file == 0 || file > config->file_count) return mb_error_set(err, MEMBRANE_ECONFIG, "%s", text);
    return mb_error_set(err, MEMBRANE_ECONFIG, "%s:%u: %s", config->files[file - 1].path,
                        MB_CONFIG_LINE_OF(where->line), text);
}

// ---- the snapshot
// ----------------------------------------------------------------------------------------------------

mb_config *mb_config_ref(mb_config *config) {
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

void mb_config_unref(mb_config *config) {
    if (!config || atomic_fetch_sub(&config->refs, 1) != 1) return;
    for (size_t i = 0; i < config->provider_count; i++) {
        mb_provider *p = &config->providers[i];
        for (int k = 0; p->headers && k < (p->key_count ? p->key_count : 1); k++) mb_headers_free(p->headers[k]);
    }
    mb_config_close_ring(config);
    mb_config_forget_prices(config);
    mb_buf_free(&config->warnings);
    mb_map_free(&config->names);
    mb_map_free(&config->limits);
    mb_arena_forget(&config->arena); // keys stand in it
    mb_free(config);
}

static int read_option_text(mb_config *config, const membrane_options *o, const mb_json **tree, membrane_error **err) {
    const mb_json *parsed;
    if (!o->config_text) return 0;
    config->files[config->file_count] = (mb_config_file){"option", "config_text", "read"};
    uint32_t file = (uint32_t)++config->file_count;
    size_t len = o->config_len ? o->config_len : strlen(o->config_text);
    int code = mb_config_parse(&config->arena, "config_text", o->config_text, len, file, &parsed, err);
    if (code) return code;
    *tree = mb_config_merge(&config->arena, *tree, parsed);
    return *tree ? 0 : mb_error_no_memory(err);
}

static int read_levels(mb_config *config, const membrane_options *o, const mb_environment *env, const mb_json **tree,
                       membrane_error **err) {
    int code = 0;
    const char *named = env->get(env->user, "MEMBRANE_CONFIG");
    if (config->use_environment) code = mb_config_user_files(config, o->project_dir, tree, err);
    if (code == 0 && named) code = mb_config_read_file(config, "environment", named, true, tree, err);
    if (code == 0 && o->config_path) code = mb_config_read_file(config, "option", o->config_path, true, tree, err);
    return code ? code : read_option_text(config, o, tree, err);
}

// A person at a terminal wants to see yesterday's calls; a program says itself where its log goes.
static int usual_log_path(mb_config *config, const mb_environment *env, membrane_error **err) {
    const char *state = env->get(env->user, "XDG_STATE_HOME"), *home = env->get(env->user, "HOME");
    bool has_state = state && state[0] == '/';
    if (!has_state && !home) return 0;
    config->log_path = has_state ? mb_arena_printf(&config->arena, "%s/membrane/calls.db", state)
                                 : mb_arena_printf(&config->arena, "%s/.local/state/membrane/calls.db", home);
    return config->log_path ? 0 : mb_error_no_memory(err);
}

static int choose_log_path(mb_config *config, const membrane_options *o, const mb_environment *env,
                           membrane_error **err) {
    const char *named = o->log_path ? o->log_path : env->get(env->user, "MEMBRANE_LOG_PATH");
    if (!named) return config->use_environment && !config->log_path ? usual_log_path(config, env, err) : 0;
    config->log_path = mb_arena_strdup(&config->arena, named);
    return config->log_path ? 0 : mb_error_no_memory(err);
}

int mb_config_load(const membrane_options *o, mb_config **ret, membrane_error **err) {
    mb_config *config = mb_calloc(1, sizeof *config);
    const mb_json *tree = NULL;
    if (!config) return mb_error_no_memory(err);
    config->refs = 1;
    config->warnings = MB_BUF(65536);
    config->passphrase = o->passphrase;
    config->use_environment = o->flags & MEMBRANE_USER_CONFIG;
    config->discovers = config->use_environment && !(o->flags & MEMBRANE_NO_DISCOVERY);
    const mb_environment *env = config->use_environment ? &mb_environment_process : &mb_environment_none;
    int code = read_levels(config, o, env, &tree, err);
    if (code == 0 && !tree) {
        mb_json *empty = mb_arena_zalloc(&config->arena, sizeof *empty);
        if (empty)
            empty->type = MB_JSON_OBJECT;
        else
            code = mb_error_no_memory(err);
        tree = empty;
    }
    config->tree = tree;
    if (code == 0) code = mb_config_compile(config, env, err);
    if (code == 0) code = choose_log_path(config, o, env, err);
    if (code)
        mb_config_unref(config);
    else
        *ret = config;
    return code;
}

const mb_provider *mb_config_provider(const mb_config *config, const char *name, size_t len) {
    for (size_t i = 0; i < config->provider_count; i++)
        if (strlen(config->providers[i].name) == len && memcmp(config->providers[i].name, name, len) == 0)
            return &config->providers[i];
    return NULL;
}

const mb_model *mb_config_model(const mb_config *config, const char *name) { return mb_map_get(&config->names, name); }
