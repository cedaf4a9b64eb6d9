// SPDX-License-Identifier: MIT
// The public functions about the key ring: each finds the ring, does one thing, and forgets it.
#include "runtime/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/options.h"
#include "runtime/result.h"

void membrane_keys_options_init(membrane_keys_options *options, size_t size) {
    mb_options_init(options, size, sizeof *options);
}

static int read_options(const membrane_keys_options *options, const char *function, mb_arena *arena,
                        mb_keyring_where *ret, membrane_error **err) {
    membrane_keys_options o;
    if (!mb_options_read(&o, sizeof o, options))
        return mb_error_set(err, MEMBRANE_EINVAL, "%s: the options were not filled by membrane_keys_options_init",
                            function);
    const char *passphrase = o.passphrase;
    if (!passphrase && o.flags & MEMBRANE_KEYS_ENVIRONMENT) passphrase = getenv("MEMBRANE_PASSPHRASE");
    return mb_keys_where(arena, o.folder, passphrase, ret, err);
}

int membrane_keys_set(const membrane_keys_options *options, const char *name, const char *value, size_t len,
                      membrane_error **err) {
    mb_arena arena = {0};
    mb_keyring_where where;
    if (!name || !value) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_keys_set: an argument is NULL");
    int code = read_options(options, "membrane_keys_set", &arena, &where, err);
    if (code == 0) code = mb_keyring_set(&where, name, value, len, mb_wall_ms(), err);
    mb_arena_free(&arena);
    return code;
}

int membrane_keys_remove(const membrane_keys_options *options, const char *name, membrane_error **err) {
    mb_arena arena = {0};
    mb_keyring_where where;
    if (!name) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_keys_remove: name is NULL");
    int code = read_options(options, "membrane_keys_remove", &arena, &where, err);
    if (code == 0) code = mb_keyring_remove(&where, name, err);
    mb_arena_free(&arena);
    return code;
}

// As much as can be known: without a passphrase the names are read, and nothing is said about the rest.
static int open_or_look(const mb_keyring_where *where, mb_keyring **ret, membrane_error **err) {
    int code = mb_keyring_look(where, ret, err);
    bool has_passphrase = where->passphrase && where->passphrase[0];
    if (code || (mb_keyring_contents(*ret)->by_passphrase && !has_passphrase)) return code;
    mb_keyring_free(*ret);
    *ret = NULL;
    return mb_keyring_open(where, ret, err);
}

static void put_items(mb_jw *w, const mb_keyring *ring) {
    mb_jw_array(w);
    for (size_t i = 0; ring && i < mb_keyring_contents(ring)->count; i++) {
        const mb_keyring_row *row = &mb_keyring_contents(ring)->rows[i];
        mb_jw_object(w);
        mb_jw_kstr(w, "name", row->name);
        mb_jw_kint(w, "changed_ms", row->changed_ms);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

int membrane_keys_list(const membrane_keys_options *options, membrane_result **ret_result, membrane_error **err) {
    mb_arena arena = {0};
    mb_keyring_where where;
    mb_keyring *ring = NULL;
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    membrane_error *cause = NULL;
    if (!ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_keys_list: ret_result is NULL");
    int code = read_options(options, "membrane_keys_list", &arena, &where, err);
    if (code == 0) {
        code = open_or_look(&where, &ring, &cause);
        bool is_told = code && code != MEMBRANE_ENOTFOUND; // no ring is a ring without keys
        if (is_told && err) {
            membrane_error_free(*err);
            *err = cause;
        } else {
            membrane_error_free(cause);
        }
        if (!is_told) {
            mb_jw w = mb_jw_to(&out);
            mb_jw_object(&w);
            mb_jw_key(&w, "items");
            put_items(&w, code ? NULL : ring);
            mb_jw_end_object(&w);
            code = mb_result_from(&out, ret_result, err);
        }
        mb_keyring_free(ring);
    }
    mb_arena_free(&arena);
    return code;
}

// ---- status --------------------------------------------------------------------------------------------------------

static void put_status(mb_jw *w, const mb_keyring_where *where, const char *path, const mb_keyring *ring, int code,
                       const membrane_error *cause) {
    bool has_passphrase = where->passphrase && where->passphrase[0];
    bool is_locked = ring && mb_keyring_contents(ring)->by_passphrase && !has_passphrase;
    mb_jw_object(w);
    mb_jw_kstr(w, "path", path);
    mb_jw_kstr(w, "state", code == MEMBRANE_ENOTFOUND ? "none" : code ? "broken" : is_locked ? "locked" : "ok");
    if (ring) mb_jw_kstr(w, "master", mb_keyring_contents(ring)->by_passphrase ? "passphrase" : "file");
    mb_jw_kint(w, "keys", ring ? (int64_t)mb_keyring_contents(ring)->count : 0);
    if (code && code != MEMBRANE_ENOTFOUND) {
        mb_jw_kstr(w, "kind", membrane_error_kind(cause));
        mb_jw_kstr(w, "message", membrane_error_message(cause));
        mb_jw_kstr_if(w, "hint", membrane_error_hint(cause));
    }
    mb_jw_end_object(w);
}

int membrane_keys_status(const membrane_keys_options *options, membrane_result **ret_result, membrane_error **err) {
    mb_arena arena = {0};
    mb_keyring_where where;
    mb_keyring *ring = NULL;
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    membrane_error *cause = NULL;
    if (!ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_keys_status: ret_result is NULL");
    int code = read_options(options, "membrane_keys_status", &arena, &where, err);
    if (code == 0) {
        code = open_or_look(&where, &ring, &cause);
        const char *path = mb_arena_printf(&arena, "%s/keys", where.folder);
        mb_jw w = mb_jw_to(&out);
        if (code == MEMBRANE_ENOMEM || !path) {
            code = mb_error_no_memory(err);
        } else {
            put_status(&w, &where, path, code ? NULL : ring, code, cause);
            code = mb_result_from(&out, ret_result, err);
        }
        mb_keyring_free(ring);
        membrane_error_free(cause);
    }
    mb_arena_free(&arena);
    return code;
}
