// SPDX-License-Identifier: MIT
// The program: parse, help or verb, and a word if stdout could not be written.
#include <locale.h>
#include <string.h>

#include "cli.h"
#include "help.h"
#include "interrupt.h"
#include "output.h"

int cli_open(cli_app *app, membrane_t **ret_m) {
    membrane_options options;
    membrane_error *err = NULL;
    membrane_options_init(&options, sizeof options);
    options.flags = MEMBRANE_USER_CONFIG;
    options.config_path = app->args.value[OPT_CONFIG];
    options.log_path = app->args.value[OPT_LOG];
    return membrane_open(&options, ret_m, &err) == 0 ? 0 : fail_free(app, err);
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
