// SPDX-License-Identifier: MIT
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "cli.h"

// The action import of the verb config.
int import_main(cli_app *app, const char *path);

#endif
