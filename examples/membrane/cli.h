// SPDX-License-Identifier: MIT
// What the verbs of the command line share: the invocation, the outcome of a verb, opening the library.
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "args.h"
#include "membrane/membrane.h"

// One invocation of the program.
typedef struct cli_app {
    const struct verb_row *verb;
    cli_args args;
    bool has_verb;  // the verb was said, not taken by default
    bool json;      // --json: one object on stdout, errors too
    bool quiet;     // --quiet: no notes on stderr
    bool out_tty;   // stdout is a terminal: control characters are neutralised
    bool err_tty;   // stderr is a terminal: figures are shown after an answer
    bool out_color; // terminal, NO_COLOR unset, TERM not dumb
    bool err_color;
} cli_app;

// Every verb returns what the program exits with.
int run_main(cli_app *app);
int models_main(cli_app *app);
int providers_main(cli_app *app);
int embed_main(cli_app *app);
int logs_main(cli_app *app);
int budgets_main(cli_app *app);
int explain_main(cli_app *app);
int usage_main(cli_app *app);
int config_main(cli_app *app);
int keys_main(cli_app *app);
int doctor_main(cli_app *app);
int version_main(cli_app *app);
int completion_main(cli_app *app);
int help_main(cli_app *app);

// Opens the library as a person at a terminal expects: the user's configuration, --config, --log.
// 0 with *ret_m, else what to exit with (the error is already told).
int cli_open(cli_app *app, membrane_t **ret_m);

#endif
