// SPDX-License-Identifier: MIT
// A LiteLLM proxy's configuration becomes one of ours: read, written, checked as any other, and only then are its keys
// put into the key ring, if that was asked for.
#include "runtime/import.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "membrane/config.h"
#include "runtime/result.h"

static void put_warnings(const mb_import *im, mb_jw *w) {
    int kept = im->warning_count < MB_IMPORT_WARNINGS ? im->warning_count : MB_IMPORT_WARNINGS;
    mb_jw_array(w);
    for (int i = 0; i < kept; i++) {
        mb_jw_object(w);
        mb_jw_kint(w, "line", im->warnings[i].line);
        mb_jw_kstr(w, "text", im->warnings[i].text);
        mb_jw_end_object(w);
    }
    if (im->warning_count > kept) {
        mb_jw_object(w);
        mb_jw_kint(w, "line", 0);
        mb_jw_kstr(w, "text", "there is more that was not taken over");
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

// ---- keys ----------------------------------------------------------------------------------------------------------

static bool stands_in(const membrane_result *list, const char *name) {
    for (size_t i = 0;; i++) {
        char path[48];
        snprintf(path, sizeof path, "items.%zu.name", i);
        const char *one = membrane_result_str(list, path);
        if (!one || strcmp(one, name) == 0) return one != NULL;
    }
}

// One that is there already is somebody's, and cannot be had back: it stays.
static int store_one(mb_import *im, const membrane_keys_options *keys, const membrane_result *there,
                     const mb_import_secret *s, bool *ret_stored, membrane_error **err) {
    *ret_stored = false;
    if (!keys) {
        mb_import_warn(im, s->line, "the key is not copied; store it: membrane keys set %s", s->name);
        return 0;
    }
    if (stands_in(there, s->name)) {
        mb_import_warn(im, s->line, "the key ring has a key %s, which stays; to replace it: membrane keys set %s",
                       s->name, s->name);
        return 0;
    }
    int code = membrane_keys_set(keys, s->name, s->value, strlen(s->value), err);
    *ret_stored = code == 0;
    return code;
}

static int store_keys(mb_import *im, const membrane_keys_options *keys, mb_jw *w, membrane_error **err) {
    membrane_result *there = NULL;
    int code = keys && im->secrets ? membrane_keys_list(keys, &there, err) : 0;
    mb_jw_array(w);
    for (const mb_import_secret *s = im->secrets; s && code == 0; s = s->next) {
        bool is_stored;
        code = store_one(im, keys, there, s, &is_stored, err);
        mb_jw_object(w);
        mb_jw_kstr(w, "name", s->name);
        mb_jw_kbool(w, "stored", is_stored);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
    membrane_result_free(there);
    return code;
}

// They were put in front of each other as they came.
static void put_in_order(mb_import *im) {
    const mb_import_secret *turned = NULL;
    for (const mb_import_secret *s = im->secrets, *next; s; s = next) {
        next = s->next;
        ((mb_import_secret *)(uintptr_t)s)->next = turned; // ours, of the arena
        turned = s;
    }
    im->secrets = turned;
}

// ---- the function --------------------------------------------------------------------------------------------------

static int make_text(mb_import *im, const char *text, size_t len, mb_buf *config, membrane_error **err) {
    membrane_error *cause = NULL;
    int code = mb_import_make(im, text, len, config, err);
    if (code) return code;
    code = membrane_config_check("the result", mb_buf_text(config), config->len, &cause);
    if (code == MEMBRANE_ENOMEM)
        mb_error_no_memory(err);
    else if (code)
        code =
            mb_error_set(err, MEMBRANE_ECONFIG, "%s cannot be taken over: %s", im->name, membrane_error_message(cause));
    membrane_error_free(cause);
    return code;
}

static int put_result(mb_import *im, const membrane_keys_options *keys, const mb_buf *config, mb_buf *out,
                      membrane_error **err) {
    mb_jw w = mb_jw_to(out);
    mb_jw_object(&w);
    mb_jw_key(&w, "config");
    mb_jw_strn(&w, mb_buf_text(config), config->len);
    mb_jw_key(&w, "keys");
    put_in_order(im);
    int code = store_keys(im, keys, &w, err);
    mb_jw_key(&w, "warnings");
    put_warnings(im, &w);
    mb_jw_end_object(&w);
    return code ? code : im->failed ? mb_error_no_memory(err) : 0;
}

int membrane_config_import(const char *name, const char *text, size_t len, const membrane_keys_options *keys,
                           membrane_result **ret_result, membrane_error **err) {
    if (!text || !ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_config_import: an argument is NULL");
    mb_import *im = mb_calloc(1, sizeof *im);
    mb_buf config = MB_BUF(MB_LIMIT_CONFIG), out = MB_BUF(MB_LIMIT_RESPONSE);
    if (!im) return mb_error_no_memory(err);
    im->name = name ? name : "config";
    int code = make_text(im, text, len ? len : strlen(text), &config, err);
    if (code == 0) code = put_result(im, keys, &config, &out, err);
    if (code == 0)
        code = mb_result_from(&out, ret_result, err);
    else
        mb_buf_free(&out);
    mb_buf_free(&config);
    mb_import_done(im);
    mb_free(im);
    return code;
}
