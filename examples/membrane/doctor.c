// SPDX-License-Identifier: MIT
// The verb doctor: one check a line, each failure with its cure.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

static void show_check(cli_app *app, cli_json item) {
    char *name = json_dup(item, "name"), *state = json_dup(item, "state");
    char *detail = json_dup(item, "detail"), *fix = json_dup(item, "fix");
    const char *color = !state || strcmp(state, "fail") == 0 ? "\033[31m"
                        : strcmp(state, "warn") == 0         ? "\033[33m"
                                                             : "\033[32m";
    cli_text t = {0};
    // The colour is ours and goes past the neutraliser; the texts do not.
    text_format(&t, "%s%-4s%s ", app->out_color ? color : "", state ? state : "?", app->out_color ? "\033[0m" : "");
    put_neutral(&t, name ? name : "?", name ? strlen(name) : 1);
    if (detail && *detail) text_str(&t, ": "), put_neutral(&t, detail, strlen(detail));
    if (fix && *fix) text_str(&t, "\n     try: "), put_neutral(&t, fix, strlen(fix));
    text_str(&t, "\n");
    if (t.data) fwrite(t.data, 1, t.len, stdout);
    text_free(&t);
    free(name), free(state), free(detail), free(fix);
}

int doctor_main(cli_app *app) {
    membrane_t *m = NULL;
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    int64_t timeout_ms = 0;
    size_t len = 0;
    int code = check_words(app, 0);
    if (!code) code = args_duration(app, OPT_TIMEOUT, &timeout_ms);
    if (!code) code = cli_open(app, &m);
    if (!code && membrane_doctor(m, timeout_ms, &result, &err) != 0) code = fail_free(app, err);
    if (result) {
        const char *str = membrane_result_json(result, &len);
        cli_json root = json_root(str, len), key = {0}, item = {0};
        if (app->json)
            out_result(result);
        else
            while (json_next(json_get(root, "items"), &key, &item)) show_check(app, item);
        code = json_is_true(json_get(root, "ok")) ? 0 : 1;
    }
    membrane_result_free(result);
    membrane_close(m, 1000);
    return code;
}
