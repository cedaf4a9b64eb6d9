// SPDX-License-Identifier: MIT
// What the files of the openai wire share: openai_write.c writes requests, openai.c decodes answers of models,
// openai_server.c those about models and servers.
#ifndef MB_ROUTE_OPENAI_H
#define MB_ROUTE_OPENAI_H

#include "route/adapter.h"

int mb_openai_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);
// A body that answers a question about models or the server; negative or 0.
int mb_openai_server_body(mb_decode *d, const char *text, size_t len);

// Unknown fields of assistant messages and of tool calls, gathered to be echoed (openai_extra.c).
typedef struct mb_openai_extra mb_openai_extra;
struct mb_openai_extra {
    mb_openai_extra *next;
    const char *key;
    const mb_json *value;
    int64_t call; // of the tool call with this position in the turn, -1: of the message
    bool done;
};

typedef struct mb_openai_extras {
    mb_openai_extra *first, **last;
} mb_openai_extras;

bool mb_openai_extra_keep(mb_openai_extras *all, mb_arena *arena, int64_t call, const mb_json *member);
// Writes them as members into turn->provider_data, pieces of a stream merged.
int mb_openai_extra_write(mb_openai_extras *all, mb_turn *turn);
// The echo: members of the assistant message, or of its call, that this provider gave.
const mb_json *mb_openai_extra_find(const mb_ask *ask, const mb_json *message, const mb_json *call);

#endif
