// SPDX-License-Identifier: MIT
// Help texts and manual pages, both made from the table.
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli.h"
#include "text.h"

// The help of a verb, or of the program (NULL), on stdout.
int help_show(cli_app *app, const verb_row *verb);
// The manual page membrane(1), or membrane-VERB(1), as roff.
void man_put(cli_text *t, const verb_row *verb);
// "-m, --model MODEL" and the like.
void option_put(cli_text *t, const option_row *option);

#endif
