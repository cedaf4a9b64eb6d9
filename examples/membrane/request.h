// SPDX-License-Identifier: MIT
// The request that the command line says, as JSON, and the call options beside it.
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "cli.h"
#include "text.h"

// The whole of a file that is at most 16 MiB. 0, or what to exit with.
int read_file(cli_app *app, const char *path, cli_text *ret_text);
// The same of stdin, if it is a pipe or a file; *ret_text stays empty otherwise.
int read_stdin(cli_app *app, cli_text *ret_text);

// The content of a user message: a plain string, or parts if there are attachments (read from the -a options).
int put_content(cli_app *app, cli_text *t, const char *prompt, bool with_attachments);
// Model, sampling and format as members of the request, each with a comma before it.
int put_request_options(cli_app *app, cli_text *t);
// Fills the options of a call. The texts in them live as long as app.
int call_options(cli_app *app, membrane_call_options *options);

#endif
