// SPDX-License-Identifier: MIT
// The choice of a model when nobody named one: a chat model of a local engine (one that is loaded comes first), then a
// provider whose key is there with its usual model, then builtin/extractive. Runs on the I/O thread.
#ifndef MB_RUNTIME_DISCOVER_H
#define MB_RUNTIME_DISCOVER_H

#include "runtime/call.h"

// Sets the call's targets and why; done(call, 0 or code, error) is called once, perhaps at once.
void mb_discover(membrane_call *call, void (*done)(void *user, int code, membrane_error *error));
void mb_discovery_forget(membrane_t *m); // what was found; when the handle is freed

#endif
