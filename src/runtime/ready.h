// SPDX-License-Identifier: MIT
// Which calls have events, for loops that wait on membrane_fd. Costs one load a block where nobody asked for it.
#ifndef MB_RUNTIME_READY_H
#define MB_RUNTIME_READY_H

#include "runtime/call.h"

void mb_ready_admit(membrane_call *call);  // its caller holds it from now on
void mb_ready_mark(membrane_call *call);   // it has events (I/O thread)
void mb_ready_settle(membrane_call *call); // after the caller took some: has it more?
void mb_ready_forget(membrane_call *call); // it is freed

#endif
