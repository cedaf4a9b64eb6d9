// SPDX-License-Identifier: MIT
// Writing blocks into messages of the Messages API. A message stays open until one of the other role begins, since
// neighbours of one role are one message there; a block stays open until the next begins, so that the mark of the
// prompt's cache can still be put into the last one.
#ifndef MB_ROUTE_ANTHROPIC_BLOCKS_H
#define MB_ROUTE_ANTHROPIC_BLOCKS_H

#include "base/map.h"
#include "route/adapter.h"

typedef struct mb_blocks {
    const mb_ask *ask;
    mb_jw w;
    membrane_error **err;
    const char *role;    // of the open message; NULL: none is. "system" is no message but the request's own list
    const mb_json *lone; // all it holds so far: one string, not yet written
    bool in_list, in_block;
    bool can_mark; // the open block may still be given a mark
    // ids of calls: what was used, and those of the assistant's message that was written last
    mb_arena arena;
    mb_map ids;
    size_t next; // the number that makes the next replaced id another one; it only grows
    const mb_json *calls;
    const char **wire_ids;
} mb_blocks;

// A mark is on: true, or an object that may hold a "ttl".
bool mb_blocks_is_mark(const mb_json *cache);
void mb_blocks_put_mark(mb_jw *w, const mb_json *cache);
// The open block gets the mark, if it can hold one.
void mb_blocks_mark_last(mb_blocks *b, const mb_json *cache);

void mb_blocks_begin(mb_blocks *b, const char *role, const char *type);  // type NULL: its members follow
void mb_blocks_say(mb_blocks *b, const char *role, const mb_json *text); // a string: the whole message if it is alone
void mb_blocks_end_message(mb_blocks *b, const mb_json *cache);          // cache: marks its last block; may be NULL
void mb_blocks_members(mb_jw *w, const mb_json *object, const char *const *except);

// Nothing but white space, which is refused as text, though models say it themselves now and then.
bool mb_blocks_is_white(const char *text, size_t len);
// Parts of the canonical content. 0, or MEMBRANE_EUNSUPPORTED for what cannot be said in that role.
int mb_blocks_part(mb_blocks *b, const char *role, const mb_json *part);
int mb_blocks_content(mb_blocks *b, const char *role, const mb_json *content);

// Calls and results. Ids that the wire refuses, or that stood in an earlier message, are replaced in both.
int mb_blocks_take_calls(mb_blocks *b, const mb_json *calls); // before its calls; 0 or MEMBRANE_ENOMEM
void mb_blocks_call(mb_blocks *b, const mb_json *tools, const mb_json *call, const mb_json *with);
int mb_blocks_result(mb_blocks *b, const mb_json *message, const mb_json *call); // message NULL: one is made up

#endif
