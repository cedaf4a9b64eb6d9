// SPDX-License-Identifier: MIT
// Writing blocks into messages of the Converse API. A message is opened by its first block and stays open until one of
// the other role begins: so neighbours of one role are one message, and none is without blocks, which is refused.
#ifndef MB_ROUTE_CONVERSE_BLOCKS_H
#define MB_ROUTE_CONVERSE_BLOCKS_H

#include "route/write.h"

typedef struct mb_converse_blocks {
    const mb_ask *ask;
    mb_jw w;
    membrane_error **err;
    bool can_cache;   // the model takes cachePoints; else marks are left out without a word
    const char *role; // of the open message; NULL: none is
    bool has_block;   // the open list (of a message, or of the system prompt) holds one …
    bool is_marked;   // … and the last one is a cachePoint
    int documents;    // so far: those without a name are numbered
} mb_converse_blocks;

// role NULL: into a list that is open already, the system prompt's.
void mb_converse_text(mb_converse_blocks *b, const char *role, const char *text, size_t len); // empty: nothing
void mb_converse_raw(mb_converse_blocks *b, const char *role, const mb_json *block);
// A string or a list of parts. 0, or MEMBRANE_EUNSUPPORTED.
int mb_converse_content(mb_converse_blocks *b, const char *role, const mb_json *content);
void mb_converse_call(mb_converse_blocks *b, const mb_json *tools, const mb_json *call);
int mb_converse_result(mb_converse_blocks *b, const mb_json *message, const mb_json *call); // message NULL: made up
// A cachePoint behind the last block; nothing if mark is NULL or false, or one stands there already.
void mb_converse_mark(mb_converse_blocks *b, const mb_json *mark);
void mb_converse_put_mark(mb_jw *w, const mb_json *mark); // the cachePoint alone
void mb_converse_end_message(mb_converse_blocks *b, const mb_json *mark);

#endif
