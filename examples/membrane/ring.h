// SPDX-License-Identifier: MIT
// The user's key ring and what opens it: MEMBRANE_PASSPHRASE, or what is typed.
#ifndef CLI_RING_H
#define CLI_RING_H

#include "cli.h"
#include "text.h"

typedef struct cli_ring {
    membrane_keys_options options;
    membrane_result *status;
    cli_text passphrase; // typed
} cli_ring;

// How it stands with the ring, and its passphrase where one is needed and somebody can be asked. 0, or what to exit
// with.
int ring_open(cli_app *app, cli_ring *r, bool needs_it);
void ring_close(cli_ring *r);

#endif
