// SPDX-License-Identifier: MIT
// An answer broke off after the caller had seen a part of it, and the caller has said what is to happen then.
#ifndef MB_RUNTIME_CUT_H
#define MB_RUNTIME_CUT_H

#include "runtime/call.h"

// Whether it may be mended after such a failure; targets that cannot go on in the middle are passed over then.
bool mb_cut_may_mend(membrane_call *call, int code);
// Before the next attempt: a RESET event, or the request that continues. False: it cannot be mended, or not like this.
bool mb_cut_mend(membrane_call *call, int code, const mb_route_decision *next);

#endif
