// SPDX-License-Identifier: MIT
// The public functions about the configuration: showing it with origins and without secrets, checking, reloading,
// trust.
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "membrane/config.h"
#include "runtime/config_check.h"
#include "runtime/handle.h"
#include "runtime/money.h"
#include "runtime/result.h"
#include "runtime/trust.h"

// ---- show
// --------------------------------------------------------------------------------------------------------------

static bool is_secret_key(const char *key) {
    static const char *const KEYS[] = {"api_key", "api_keys", "access_key_id", "secret_access_key", "session_token"};
    for (size_t i = 0; key && i < MB_COUNT(KEYS); i++)
        if (strcmp(key, KEYS[i]) == 0) return true;
    return false;
}

// A reference is shown as it is written, anything else never.
static void put_secret(mb_jw *w, const char *text) {
    bool is_reference =
        strncmp(text, "env:", 4) == 0 || strncmp(text, "file:", 5) == 0 || strncmp(text, "sealed:", 7) == 0;
    mb_jw_str(w, is_reference ? text : "***");
}

// The user name and password of a URL are secrets too.
static void put_url(mb_jw *w, const char *text) {
    char shown[2048];
    mb_jw_str(w, mb_url_shown(text, shown, sizeof shown));
}

static void put_node(mb_jw *w, const mb_json *node, bool secret) {
    if (node->type == MB_JSON_OBJECT) {
        mb_jw_object(w);
        for (uint32_t i = 0; i < node->count; i++) {
            const mb_json *child = &node->children[i];
            mb_jw_key(w, child->key);
            put_node(w, child, secret || is_secret_key(child->key) || strcmp(child->key, "headers") == 0);
        }
        mb_jw_end_object(w);
    } else if (node->type == MB_JSON_ARRAY) {
        mb_jw_array(w);
        for (uint32_t i = 0; i < node->count; i++) put_node(w, &node->children[i], secret);
        mb_jw_end_array(w);
    } else if (node->type == MB_JSON_STRING) {
        if (secret)
            put_secret(w, node->str);
        else
            put_url(w, node->str);
    } else {
        mb_jw_value(w, node);
    }
}

static void put_origins(mb_jw *w, const mb_config *config, const mb_json *node, mb_buf *path) {
    size_t len = path->len;
    if (node->type == MB_JSON_OBJECT) {
        for (uint32_t i = 0; i < node->count; i++) {
            mb_buf_putf(path, "%s%s", len ? "." : "", node->children[i].key);
            put_origins(w, config, &node->children[i], path);
            mb_buf_cut(path, len);
        }
        return;
    }
    uint32_t file = MB_CONFIG_FILE_OF(node->line);
    if (!file || file > config->file_count) return;
    char origin[4400];
    snprintf(origin, sizeof origin, "%s %s:%u", config->files[file - 1].level, config->files[file - 1].path,
             MB_CONFIG_LINE_OF(node->line));
    mb_jw_kstr(w, mb_buf_text(path), origin);
}

static void put_files(mb_jw *w, const mb_config *config) {
    mb_jw_array(w);
    for (size_t i = 0; i < config->file_count; i++) {
        mb_jw_object(w);
        mb_jw_kstr(w, "level", config->files[i].level);
        mb_jw_kstr(w, "path", config->files[i].path);
        mb_jw_kstr(w, "state", config->files[i].state);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

int membrane_config_show(membrane_t *m, membrane_result **ret_result, membrane_error **err) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE), path = MB_BUF(65536);
    if (!m || !ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_config_show: an argument is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    mb_config *config = mb_handle_config(m);
    mb_jw w = mb_jw_to(&out);
    mb_jw_object(&w);
    mb_jw_key(&w, "config");
    put_node(&w, config->tree, false);
    mb_jw_key(&w, "origin");
    mb_jw_object(&w);
    put_origins(&w, config, config->tree, &path);
    mb_jw_end_object(&w);
    mb_jw_key(&w, "files");
    put_files(&w, config);
    mb_jw_key(&w, "warnings");
    mb_jw_array(&w);
    if (config->warnings.len) mb_jw_raw(&w, config->warnings.data, config->warnings.len);
    mb_jw_end_array(&w);
    mb_jw_end_object(&w);
    mb_buf_free(&path);
    mb_config_unref(config);
    return mb_result_from(&out, ret_result, err);
}

// ---- check and reload
// --------------------------------------------------------------------------------------------------

static mb_config *empty_config(void) {
    mb_config *config = mb_calloc(1, sizeof *config);
    if (!config) return NULL;
    config->refs = 1;
    config->warnings = MB_BUF(65536);
    return config;
}

int membrane_config_check(const char *name, const char *text, size_t len, membrane_error **err) {
    if (!text) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_config_check: text is NULL");
    mb_config *config = empty_config();
    if (!config) return mb_error_no_memory(err);
    if (!name) name = "config";
    config->is_check = true;
    config->files[config->file_count++] = (mb_config_file){"option", name, "read"};
    int code = mb_config_parse(&config->arena, name, text, len ? len : strlen(text), 1, &config->tree, err);
    if (code == 0) code = mb_config_compile(config, &mb_environment_none, err);
    mb_config_unref(config);
    return code;
}

int membrane_config_reload(membrane_t *m, membrane_error **err) {
    mb_config *fresh;
    if (!m) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_config_reload: m is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    membrane_options o = m->options;
    o.config_len = 0;
    int code = mb_config_load(&o, &fresh, err);
    if (code) return code;
    code = mb_money_set_rules(m->money, fresh->budgets, fresh->budget_count, err);
    if (code) {
        mb_config_unref(fresh);
        return code;
    }
    pthread_mutex_lock(&m->lock);
    mb_config *old = m->config;
    m->config = fresh;
    pthread_mutex_unlock(&m->lock);
    mb_config_unref(old);
    pthread_mutex_lock(&m->board_lock);
    mb_board_forget_keys(m->board); // they may have been changed
    pthread_mutex_unlock(&m->board_lock);
    return 0;
}

// ---- paths and trust
// ---------------------------------------------------------------------------------------------------

int membrane_config_paths(const char *project_dir, membrane_result **ret_result, membrane_error **err) {
    mb_buf out = MB_BUF(65536);
    const mb_json *tree = NULL;
    if (!ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_config_paths: ret_result is NULL");
    mb_config *config = empty_config();
    if (!config) return mb_error_no_memory(err);
    // A file that cannot be read or understood is in the list all the same: `config validate` says what is wrong.
    int code = mb_config_user_files(config, project_dir, &tree, NULL);
    if (code != MEMBRANE_ENOMEM) {
        mb_jw w = mb_jw_to(&out);
        mb_jw_object(&w);
        mb_jw_key(&w, "items");
        put_files(&w, config);
        mb_jw_end_object(&w);
        code = mb_result_from(&out, ret_result, err);
    } else {
        mb_error_no_memory(err);
    }
    mb_config_unref(config);
    return code;
}

int membrane_config_trust(const char *path, membrane_result **ret_result, membrane_error **err) {
    char *found = NULL, hash[MB_HASH_HEX_SIZE];
    mb_buf out = MB_BUF(65536);
    int code = path ? 0 : mb_trust_find(NULL, &found, err);
    if (code) return code;
    if (!path) path = found;
    if (!path) return mb_error_set(err, MEMBRANE_ENOTFOUND, "there is no .membrane/config.yaml here or above");
    code = mb_trust_add(path, hash, err);
    if (code == 0 && ret_result) {
        mb_jw w = mb_jw_to(&out);
        mb_jw_object(&w);
        mb_jw_kstr(&w, "path", path);
        mb_jw_kstr(&w, "hash", hash);
        mb_jw_end_object(&w);
        code = mb_result_from(&out, ret_result, err);
    }
    mb_free(found);
    return code;
}
