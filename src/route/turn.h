// SPDX-License-Identifier: MIT
// One attempt's answer while it is put together: adapters pour text, thinking, pieces of tool calls, usage and the
// finish into it, from a stream or from a whole body; what the caller may see at once goes on to the sink.
// Pure: no socket, no clock. Every mb_turn_… returns 0, MEMBRANE_ENOMEM, MEMBRANE_EMALFORMED (a limit passed) or what
// the sink answered; the first failure ends the attempt.
#ifndef MB_ROUTE_TURN_H
#define MB_ROUTE_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

typedef enum {
    MB_FINISH_NONE, // not said, or not known
    MB_FINISH_STOP,
    MB_FINISH_LENGTH,
    MB_FINISH_TOOL_CALLS,
    MB_FINISH_CONTENT_FILTER,
    MB_FINISH_ERROR,
} mb_finish;

// Tokens; -1: the provider did not say. input counts the cached ones too, output the reasoning ones too.
typedef struct mb_usage {
    int64_t input, cached, cache_write, output, reasoning;
} mb_usage;
#define MB_USAGE_NONE ((mb_usage){-1, -1, -1, -1, -1})

typedef struct mb_tool_call {
    const char *id; // the provider's, or one made ("call_0"); never NULL once emitted
    const char *name;
    mb_buf arguments; // as the model wrote them
    int64_t index;    // the wire's, -1 without
    bool emitted;
    bool whole; // false: cut by the end of the output; must not be run
} mb_tool_call;

// A document of a rerank request: where it stood there, and how well it answers (the provider's own scale).
typedef struct mb_rank {
    int64_t index;
    double score;
} mb_rank;

typedef struct mb_turn_sink {
    void *user;
    int (*text)(void *user, const char *text, size_t len);
    int (*thinking)(void *user, const char *text, size_t len);
    int (*tool_call)(void *user, const mb_tool_call *call);
} mb_turn_sink;

typedef struct mb_turn {
    mb_turn_sink sink; // members may be NULL
    mb_arena arena;
    mb_buf text, thinking;
    mb_tool_call *calls;
    size_t call_count, call_cap;
    mb_finish finish;
    const char *finish_raw; // the wire's word, for finishes that we do not know
    bool has_finish;        // a finish reason was seen
    bool has_end;           // the wire's own terminal event was seen
    mb_usage usage;
    const char *model;       // what the provider says that answered, NULL without
    const char *response_id; // the provider's id of the answer, NULL without
    mb_buf provider_data;    // JSON members ("a":1,"b":2) to be echoed to this provider only
    mb_buf logprobs;         // JSON array items, comma separated
    mb_buf warnings;         // JSON strings, comma separated
    mb_buf json;             // the normalised answer of kinds that are no generation (models, show, …)
    float *vectors;          // embeddings, vector_count * vector_dims
    size_t vector_count, vector_dims, vector_cap;
    mb_rank *ranks; // of a rerank request, best first (rerank.h)
    size_t rank_count;
    membrane_error *error; // an error inside the answer; the code that the attempt ends with
} mb_turn;

void mb_turn_init(mb_turn *turn, mb_turn_sink sink);
void mb_turn_free(mb_turn *turn);

int mb_turn_text(mb_turn *turn, const char *text, size_t len);
int mb_turn_thinking(mb_turn *turn, const char *text, size_t len);
// A piece of a tool call. index: the wire's, or -1 where it has none. id and name may be NULL. Rules (providers.md §2):
// merge by index; no index: a piece with an id opens a call, one without continues the last; the same index with
// another id is a new call; a null, late or repeated id, a repeated name, id before name, a whole call in one piece.
int mb_turn_tool_delta(mb_turn *turn, int64_t index, const char *id, const char *name, const char *args, size_t len);
// A call that arrives whole (arguments as an object: written out as JSON text).
int mb_turn_tool_call(mb_turn *turn, const char *id, const char *name, const mb_json *arguments);
void mb_turn_finish(mb_turn *turn, mb_finish finish, const char *raw);
// Emits every tool call not yet emitted; the last one as cut if finish is length or content_filter and its
// arguments are no whole JSON.
// Turns STOP into TOOL_CALLS if there are any. Called by adapters at the wire's end, harmless twice.
int mb_turn_end(mb_turn *turn);
// {} for each call that was given no arguments, for wires whose streams leave empty ones out; not for the last one of
// an answer that was cut, whose arguments may still have been to come. Before mb_turn_end.
int mb_turn_fill_arguments(mb_turn *turn);
int mb_turn_vector(mb_turn *turn, const mb_json *numbers); // one embedding; all have the same dimension
// The same from base64: little-endian floats, or one signed byte a number. Bad vectors are MEMBRANE_ERESPONSE.
int mb_turn_vector_base64(mb_turn *turn, const char *text, size_t len, bool int8);
// A body with a good status that is no answer: sets turn->error, which shows how the body begins. MEMBRANE_ERESPONSE.
int mb_turn_no_answer(mb_turn *turn, const char *provider, const char *text, size_t len);
void mb_turn_warn(mb_turn *turn, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *
mb_finish_name(mb_finish finish); // "stop", "length", "tool_calls", "content_filter", "error"; NULL for NONE

#endif
