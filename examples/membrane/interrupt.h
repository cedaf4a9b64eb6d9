// SPDX-License-Identifier: MIT
// Ctrl-C in two steps: the first one asks the running call to stop, the second one ends the program.
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

#include "membrane/membrane.h"

// From now on SIGINT and SIGTERM end the program with 128 + signal, quietly.
void interrupt_init(void);
// From now on the first signal is noted instead, and wakes interrupt_wait.
int interrupt_catch(void);
void interrupt_release(void);
// The signal that came since interrupt_catch, or 0.
int interrupt_signal(void);
// Sleeps until a call of m has an event, a signal came, or timeout_ms passed (-1: never).
void interrupt_wait(membrane_t *m, int timeout_ms);

#endif
