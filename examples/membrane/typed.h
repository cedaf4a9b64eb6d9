// SPDX-License-Identifier: MIT
// What is typed at the terminal and must not be seen there.
#ifndef CLI_TYPED_H
#define CLI_TYPED_H

#include "cli.h"
#include "text.h"

// Whether somebody sits there who can be asked: stdin or stderr is a terminal.
bool can_be_asked(void);
// One line from the terminal itself, whatever stdin is, without echo. 0, or what to exit with.
int read_typed(cli_app *app, const char *prompt, cli_text *ret_text);
// The same, asked for twice if it is new. Empty is refused.
int read_passphrase(cli_app *app, bool is_new, cli_text *ret_text);
// Overwrites and frees.
void text_forget(cli_text *t);

#endif
