// SPDX-License-Identifier: MIT
// A configuration's text in, a snapshot or an error out, for the tests of what is compiled.
#ifndef TESTS_UNIT_CONFIG_TEXT_H
#define TESTS_UNIT_CONFIG_TEXT_H

#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "runtime/config.h"

static mb_config *config;
static membrane_error *err;

static inline void done(void) {
    mb_config_unref(config);
    membrane_error_free(err);
    config = NULL;
    err = NULL;
}

static inline int compile_in(const mb_environment *env, const char *text) {
    done();
    config = mb_calloc(1, sizeof *config);
    if (!config) return mb_error_no_memory(&err);
    config->refs = 1;
    config->warnings = MB_BUF(65536);
    config->files[config->file_count++] = (mb_config_file){"option", "a.yaml", "read"};
    int code = mb_config_parse(&config->arena, "a.yaml", text, strlen(text), 1, &config->tree, &err);
    if (code == 0) code = mb_config_compile(config, env, &err);
    ck_assert_int_eq(membrane_error_code(err), code);
    return code;
}

static inline int compile_text(const char *text) { return compile_in(&mb_environment_none, text); }

// Compiles without a warning.
static inline void good(const char *text) {
    int code = compile_text(text);
    ck_assert_msg(code == 0, "%s: %s", text, membrane_error_message(err));
    ck_assert_str_eq(mb_buf_text(&config->warnings), "");
}

static inline void bad(const char *text, const char *message) {
    ck_assert_msg(compile_text(text) == MEMBRANE_ECONFIG, "%s", text);
    ck_assert_str_eq(membrane_error_message(err), message);
    done();
}

#endif
