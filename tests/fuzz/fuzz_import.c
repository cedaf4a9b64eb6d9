// SPDX-License-Identifier: MIT
// Any bytes as a LiteLLM configuration. What must hold: what comes out is a configuration of ours that compiles, and
// names no file of this machine; warnings stand in the order of the file; what is refused names it.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "runtime/config.h"
#include "runtime/import.h"

static const char *get(void *user, const char *name) {
    (void)user, (void)name;
    return NULL;
}
static const mb_environment environment = {get, NULL};

static void check_config(const mb_buf *text) {
    membrane_error *err = NULL;
    mb_config *config = mb_calloc(1, sizeof *config);
    assert(config);
    config->refs = 1;
    config->is_check = true;
    config->warnings = MB_BUF(65536);
    config->files[config->file_count++] = (mb_config_file){"option", "out", "read"};
    int code = mb_config_parse(&config->arena, "out", mb_buf_text(text), text->len, 1, &config->tree, &err);
    if (code == 0) code = mb_config_compile(config, &environment, &err);
    if (code) fprintf(stderr, "%s\n%s\n", membrane_error_message(err), mb_buf_text(text));
    assert(code == 0);
    membrane_error_free(err);
    mb_config_unref(config);
}

static void check_result(const mb_import *im, const mb_buf *text) {
    assert(mb_utf8_valid(mb_buf_text(text), text->len));
    // A reference to a file of this machine is never made, whatever a key or a header says.
    assert(!strstr(mb_buf_text(text), ": file:") && !strstr(mb_buf_text(text), ": \"file:"));
    for (const mb_import_secret *s = im->secrets; s; s = s->next) assert(s->name[0] && s->value[0] && s->line);
    for (int i = 1; i < im->warning_count && i < MB_IMPORT_WARNINGS; i++)
        assert(im->warnings[i - 1].line <= im->warnings[i].line);
    check_config(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    membrane_error *err = NULL;
    mb_buf text = MB_BUF(MB_LIMIT_CONFIG);
    mb_import *im = mb_calloc(1, sizeof *im);
    assert(im);
    im->name = "fuzz";
    int code = mb_import_make(im, (const char *)bytes, len, &text, &err);
    assert(code == membrane_error_code(err));
    if (code == 0)
        check_result(im, &text);
    else
        assert(code == MEMBRANE_ECONFIG && strncmp(membrane_error_message(err), "fuzz", 4) == 0);
    membrane_error_free(err);
    mb_import_done(im);
    mb_free(im);
    mb_buf_free(&text);
    return 0;
}
