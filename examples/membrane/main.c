// SPDX-License-Identifier: MIT
// The program: parse, help or verb, and a word if stdout could not be written.
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "help.h"
#include "interrupt.h"
#include "output.h"
#include "typed.h"

// A key of the configuration is sealed, and the ring wants a passphrase; or it wants something else, which asking
// would not help.
static int open_with_passphrase(cli_app *app, membrane_options *options, membrane_error *err, membrane_t **ret_m) {
    membrane_keys_options keys;
    membrane_result *status = NULL;
    cli_text typed = {0};
    membrane_keys_options_init(&keys, sizeof keys);
    bool is_locked = membrane_keys_status(&keys, &status, NULL) == 0 && membrane_result_str(status, "state") &&
                     strcmp(membrane_result_str(status, "state"), "locked") == 0;
    membrane_result_free(status);
    if (!is_locked) return fail_free(app, err);
    membrane_error_free(err);
    err = NULL;
    int code = read_passphrase(app, false, &typed);
    options->passphrase = typed.data;
    if (!code && membrane_open(options, ret_m, &err) != 0) code = fail_free(app, err);
    text_forget(&typed);
    return code;
}

int cli_open(cli_app *app, membrane_t **ret_m) {
    membrane_options options;
    membrane_error *err = NULL;
    membrane_options_init(&options, sizeof options);
    options.flags = MEMBRANE_USER_CONFIG;
    options.config_path = app->args.value[OPT_CONFIG];
    options.log_path = app->args.value[OPT_LOG];
    if (options.config_path && access(options.config_path, F_OK) != 0 && errno == ENOENT)
        return fail(app, MEMBRANE_ENOTFOUND, NULL, "%s: %s", options.config_path, strerror(errno));
    int status = membrane_open(&options, ret_m, &err);
    if (status != MEMBRANE_EAUTH || getenv("MEMBRANE_PASSPHRASE") || !can_be_asked())
        return status == 0 ? 0 : fail_free(app, err);
    return open_with_passphrase(app, &options, err, ret_m);
}

int version_main(cli_app *app) {
    const char *info = membrane_build_info();
    cli_json root = json_root(info, strlen(info)), key = {0}, value = {0};
    if (app->json) {
        out_json(info, strlen(info));
        return 0;
    }
    out_format(app, "membrane %s\n", membrane_version());
    while (json_next(root, &key, &value)) {
        cli_text line = {0};
        json_put(&line, key);
        text_str(&line, " ");
        json_put(&line, value);
        if (line.data && strncmp(line.data, "version ", 8) != 0) out_format(app, "%s\n", line.data);
        text_free(&line);
    }
    return 0;
}

int main(int argc, char **argv) {
    cli_app app = {0};
    setlocale(LC_CTYPE, "");
    output_init(&app);
    interrupt_init();
    int code = args_parse(&app, argc, argv);
    if (!code && app.args.given[OPT_VERSION])
        code = version_main(&app);
    else if (!code && app.args.given[OPT_HELP])
        code = help_show(&app, app.has_verb ? app.verb : NULL);
    else if (!code)
        code = app.verb->main(&app);
    args_free(&app.args);
    return out_close(code);
}
