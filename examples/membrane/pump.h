// SPDX-License-Identifier: MIT
// One call from its start to its terminal event, shown as it comes.
#ifndef CLI_PUMP_H
#define CLI_PUMP_H

#include "cli.h"
#include "text.h"

typedef struct pump {
    cli_app *app;
    membrane_t *m;
    bool shows_events;   // --json --stream: one event a line
    bool shows_text;     // pieces of the answer on stdout as they come
    int64_t deadline_ms; // the caller's own, 0 without
    cli_text answer;     // what came
    bool has_open_line;  // the answer's last character on stdout was no newline
    bool is_closed;      // nobody reads stdout any more
    bool in_thinking;    // thinking stands on stderr's last line
    int attempts;
} pump;

// Runs the call; *ret_call stays for its result, freed by the caller (set also on failure, if it started).
// Returns what to exit with; errors are told.
int pump_call(pump *p, const cli_text *request, const membrane_call_options *options, membrane_call **ret_call);
void pump_free(pump *p);

#endif
