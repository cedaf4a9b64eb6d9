// SPDX-License-Identifier: MIT
// What run and its conversation share.
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli.h"

// The figures after an answer, on stderr, for a person: target, tokens, times, attempts.
void show_figures(cli_app *app, const membrane_result *result);
// Prompts from the terminal, one after the other, in one conversation.
int chat_main(cli_app *app);

#endif
