// SPDX-License-Identifier: MIT
// A decision as JSON: who could be asked, how each stood, who was taken and why. The same words stand in a dry run and
// in the log of a past call.
#ifndef MB_RUNTIME_DECISION_H
#define MB_RUNTIME_DECISION_H

#include "runtime/call.h"

enum { MB_DECISION_LOGGED = 16 }; // candidates that the log keeps of a decision

mb_seen mb_see(const membrane_call *call, size_t target, int64_t now_ms); // under the board's lock
// The members {policy, model?, chosen_because, input_tokens, candidates:[…]} of an open object; call->seen must be
// there. At most so many candidates, the one that was taken among them. is_whole: what the names say is there too.
void mb_decision_render(mb_jw *w, const membrane_call *call, size_t most, bool is_whole);

#endif
