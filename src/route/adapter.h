// SPDX-License-Identifier: MIT
// A wire format: how a canonical request becomes bytes, and bytes become a turn. Adapters are pure and know neither
// keys nor sockets: the runtime adds the authentication that the provider's row asks for and sends what they wrote.
#ifndef MB_ROUTE_ADAPTER_H
#define MB_ROUTE_ADAPTER_H

#include "net/sse.h"
#include "route/quirks.h"
#include "route/repeat.h"
#include "route/turn.h"

typedef enum {
    MB_ASK_CHAT,
    MB_ASK_COMPLETION,
    MB_ASK_EMBED,
    MB_ASK_RERANK,
    MB_ASK_COUNT_TOKENS,
    MB_ASK_MODELS, // turn->json: [{"model","kind"?,"context_window"?,"bytes"?,"loaded"?,"capabilities"?:[…]}]
    MB_ASK_SHOW,   // turn->json: {"model","context_window"?,"capabilities"?,"raw":{…}}
    MB_ASK_LOADED, // what is in memory now, as MODELS
    MB_ASK_LOAD,   // turn->json: {}
    MB_ASK_UNLOAD,
    MB_ASK_HEALTH,   // turn->json: {"state":"ok"|"loading"}
    MB_ASK_VERSION,  // turn->json: {"version":"…"}
    MB_ASK_TOKENIZE, // turn->json: {"tokens":N}
    MB_ASK_METRICS,  // turn->json: {"text":"…"}: the engine's own metrics page
    MB_ASK_SLOTS,    // turn->json: [{"id","busy"}]
    MB_ASK_KINDS
} mb_ask_kind;

// What is asked, of whom. Lent; nothing is kept.
typedef struct mb_ask {
    mb_ask_kind kind;
    const mb_json *request; // canonical and validated (route/request.h); NULL for kinds about models and servers
    const char *provider;   // the configured name: provider_data of others is not echoed
    const char *model;      // the provider's name of the model; may be NULL for MODELS, HEALTH, VERSION …
    const char *base_url;   // without a final slash; for the openai wire it ends in /v1 as people write it
    const mb_quirks *quirks;
    bool stream;
    bool continues;        // the last message is the beginning of the answer (quirks->prefill)
    int64_t keep_alive_ms; // LOAD: 0 the engine's default, -1 for good
    mb_buf *warnings;      // JSON strings, comma separated; what drop_unsupported left out
} mb_ask;

// What to send. Buffers are the caller's, with their limits.
typedef struct mb_wire {
    const char *method;
    mb_buf url;
    mb_buf body;           // empty for GET
    mb_buf headers;        // further header lines "Name: value\n", beside content-type and authentication
    bool stream;           // the answer comes in frames …
    mb_frames_kind frames; // the adapter's, unless the writer says another
} mb_wire;

typedef struct mb_decode {
    const mb_ask *ask;
    mb_turn *turn;
    mb_json_parser *parser; // shared by all attempts of one I/O thread; a tree lives until the next parse
    bool is_cut;            // at end(): the connection broke, HTTP's own end of the body did not come
    int64_t state[4];       // the adapter's own, zero at the start; the last one is echo.h's where that is used
    mb_repeat repeat;       // likewise
    bool says_nothing;      // set by frame: it only kept the stream alive, which is no progress
} mb_decode;

typedef struct mb_adapter {
    const char *name;
    mb_frames_kind frames; // of its streams
    // MUST. 0, MEMBRANE_EUNSUPPORTED (the wire cannot say it: which field; with drop_unsupported a warning instead),
    // MEMBRANE_EINVAL, MEMBRANE_ENOMEM.
    int (*write)(const mb_ask *ask, mb_wire *wire, membrane_error **err);
    // MUST. One frame of a stream that began with a 2xx status. 0 to go on, 1 when the wire's own terminal event was
    // seen (the rest may be ignored), negative: the attempt failed; turn->error has the details if there are any.
    int (*frame)(mb_decode *d, const mb_frame *frame);
    // MUST. A whole body with a 2xx status. 0 or negative.
    int (*body)(mb_decode *d, const char *text, size_t len);
    // MUST. The stream's bytes are over: 0 if the answer is complete, else MEMBRANE_ETRUNCATED (or turn->error's code).
    int (*end)(mb_decode *d);
    // MAY (NULL). A refusal (status 400 and above) that only this wire can read right: the error's code, with
    // turn->error. 0: what classify.h makes of it.
    int (*refused)(mb_decode *d, int status, const char *text, size_t len);
} mb_adapter;

extern const mb_adapter mb_adapter_openai;
extern const mb_adapter mb_adapter_ollama;
extern const mb_adapter mb_adapter_gemini;
extern const mb_adapter mb_adapter_anthropic;
extern const mb_adapter mb_adapter_tgi;
extern const mb_adapter mb_adapter_responses;
extern const mb_adapter mb_adapter_cohere;
extern const mb_adapter mb_adapter_cohere_v1;
extern const mb_adapter mb_adapter_bedrock;
extern const mb_adapter mb_adapter_bedrock_invoke;
extern const mb_adapter mb_adapter_triton;

const mb_adapter *mb_adapter_find(const char *name); // NULL if there is none

#endif
