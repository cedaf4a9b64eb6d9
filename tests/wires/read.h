// SPDX-License-Identifier: MIT
// The way back: a request as it went over a wire, read into the canonical form. The library never needs it; tests do:
// a recorded request that is read and written again must be the same, and what a wire can hold must survive the round.
//
// A reader writes the members of a canonical request ("messages", "tools", "max_tokens" … but neither "model" nor
// "stream" nor "kind") into an object that is open already. What the canonical form has no word for goes into one
// "extra_body"; what an assistant's message brings besides into its provider_data (route/echo.h), under the provider's
// name. A tool in the provider's own words is {"type": "raw", "raw": {…}}.
#ifndef TESTS_WIRES_READ_H
#define TESTS_WIRES_READ_H

#include "base/json.h"
#include "route/adapter.h"

typedef struct read_ask {
    mb_ask_kind kind;
    const char *provider;    // for provider_data
    const mb_quirks *quirks; // of the row by which it will be written again
    const char *path;        // of the URL, with the query: some wires say the model or the stream there; may be NULL
    const mb_json *body;
    bool *ret_stream; // set to whether a stream is asked for; false before
    char *ret_model;  // 256 bytes: the model's name, where the request says it
} read_ask;

typedef struct wire_reader {
    const char *api; // of the recordings: "chat.completions", "messages", …
    // False: this is no request of that kind.
    bool (*read)(const read_ask *ask, mb_jw *out);
    mb_ask_kind kind;
} wire_reader;

extern const wire_reader READERS_OPENAI[]; // each ends with an entry without api
extern const wire_reader READERS_OLLAMA[];
extern const wire_reader READERS_GEMINI[];
extern const wire_reader READERS_RESPONSES[];
extern const wire_reader READERS_COHERE[];
extern const wire_reader READERS_COHERE_V1[];
extern const wire_reader READERS_ANTHROPIC[];
extern const wire_reader READERS_TRITON[];
extern const wire_reader READERS_BEDROCK[];
extern const wire_reader READERS_BEDROCK_INVOKE[];

const wire_reader *wire_reader_find(const char *wire, const char *api); // NULL if there is none

// ---- what readers share --------------------------------------------------------------------------------------------

void read_model(const read_ask *ask, const char *text);
// All members of body but the known ones (NULL-terminated), as "extra_body"; nothing if there are none.
void read_extra(mb_jw *out, const mb_json *body, const char *const *known);
// Whether a request of this kind may hold this value under this key.
bool read_is_canonical(mb_ask_kind kind, const char *key, const mb_json *value);
// A member under our name, if it is there.
void read_copy(mb_jw *out, const mb_json *body, const char *theirs, const char *ours);

// A request for a ranking, which all servers that have it take in the same words.
bool read_rerank(const read_ask *ask, mb_jw *out);

// Two requests as JSON trees: each place that differs, as a line "messages.2.content: … , not …" into why, unless a row
// of differences.h allows it for this api and provider. Returns how many places differ that may not.
int wire_differences(const char *api, const char *provider, const mb_json *want, const mb_json *ours, mb_buf *why);

#endif
