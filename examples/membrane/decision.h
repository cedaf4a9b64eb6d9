// SPDX-License-Identifier: MIT
// The router's decision as a table: for a call that is only planned, and for one of the log.
#ifndef CLI_DECISION_H
#define CLI_DECISION_H

#include "output.h"

// decision: an object with candidates (or targets, where nothing was weighed yet) and chosen_because. Writes a line for
// each and the reason; false if it says nothing.
bool out_decision(const cli_app *app, cli_json decision);

#endif
