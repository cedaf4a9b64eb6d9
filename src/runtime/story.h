// SPDX-License-Identifier: MIT
// What is told of a call afterwards, its decision and its attempts, packed into bytes that need nothing else: a call
// costs a copy of some numbers and names, and the JSON is written when somebody asks, or by the log's writer.
#ifndef MB_RUNTIME_STORY_H
#define MB_RUNTIME_STORY_H

#include "runtime/call.h"

enum { MB_STORY_LOGGED = 16 }; // candidates that the log keeps of a decision

mb_seen mb_see(const membrane_call *call, size_t target, int64_t now_ms); // under the board's lock
// At most so many candidates, the one that was taken among them. is_whole: where each is asked too. The decision is
// there where call->seen is.
void mb_story_pack(mb_buf *out, const membrane_call *call, size_t most, bool is_whole);
void mb_story_put_attempts(mb_jw *w, const char *story); // an array
// The members {policy, model?, chosen_because?, input_tokens, candidates:[…]} of an open object.
void mb_story_put_decision(mb_jw *w, const char *story);
// For the call log: both as text; nothing is put where there is none.
void mb_story_tell(const char *story, mb_buf *attempts, mb_buf *decision);

#endif
