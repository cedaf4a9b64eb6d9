// SPDX-License-Identifier: MIT
// Local providers that stand in a logical model with an alternative are asked at an interval whether they are there and
// which models they have, so that one that was stopped is passed over before somebody waits for it. One probe a
// provider, made by the first call that has it among its choices, gone when no call had it for ten intervals or when
// the configuration is another one. Everything here runs on the I/O thread.
#ifndef MB_RUNTIME_PROBE_H
#define MB_RUNTIME_PROBE_H

#include "runtime/call.h"

typedef struct mb_probe mb_probe;

void mb_probe_use(membrane_call *call);                          // a call begins, its targets' facts are known
void mb_probe_hurry(membrane_t *m, const mb_provider *provider); // a call has found nobody there: is it away?
void mb_probe_forget(membrane_t *m);                             // when the handle is freed

#endif
