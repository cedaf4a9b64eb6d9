// SPDX-License-Identifier: MIT
// What one kind of server leaves out of, or adds to, the wire it speaks: rows of providers.json (built in), and the
// same keys under providers.NAME.quirks of the configuration. A new server that speaks a known wire needs a row, no C.
#ifndef MB_ROUTE_QUIRKS_H
#define MB_ROUTE_QUIRKS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

typedef struct mb_quirks {
    const char *kind;         // the row's name: "llamacpp", "vllm", "openai", …; the engine's name in errors and logs
    const char *wire;         // the adapter: "openai", "ollama", "builtin"
    const char *base_url;     // default, NULL: must be configured
    const char *key_env;      // where a key is looked for, NULL: none
    const char *key_env_also; // and where if that is not set; NULL: nowhere else
    const char *auth_header, *auth_prefix; // "Authorization", "Bearer "
    bool key_needed;
    bool local;                // runs on the user's own machines unless its URL says otherwise
    const char *default_model; // for the choice without configuration; NULL: ask the server
    const char *chat_path, *completion_path, *embed_path, *models_path; // below base_url
    const char *stream_path, *rerank_path, *count_path;                 // likewise; stream_path: NULL is chat_path
    const char *top_n_key;                                              // of a rerank request; NULL: "top_n"
    const char *api_version;                                            // what the wire wants to be told of its version
    const char *sign; // "aws": each request is signed by its credentials; NULL: the key says it all
    const char *health_path, *props_path, *slots_path, *tokenize_path, *metrics_path,
        *version_path; // from the root; NULL: none
    const char *load_path, *unload_path;
    bool lists_all;             // a model that its list does not hold is not there
    const char *default_tag;    // of a model's name that has none: "latest"; NULL: names have no tags
    const char *tokenize_key;   // the field of tokenize_path's request that takes the text
    const char *embed_encoding; // asked for and expected in base64: "base64" (floats), "base64_int8"; NULL: not said
    const char *max_tokens_key; // "max_tokens", "max_completion_tokens"
    int64_t default_max_tokens; // said where the request says none, on wires that insist on it
    int64_t call_id_max;        // a longer id of a call, another provider's, is replaced; 0: any length
    const char *thinking_key; // how thinking is asked for: "reasoning_effort", "reasoning", "thinking", … (write.c);
                              // NULL: cannot
    const char *thinking_echo_key; // the message field in which thinking goes back; NULL: it is left out
    bool include_usage;            // understands stream_options.include_usage
    bool say_parallel;             // parallel_tool_calls must be said to be on
    bool cache_parts;              // takes cache_control at a part of the content
    const char *sampling_key;      // where sampling goes as JSON text; NULL: each parameter is a field of its own
    const char *embed_input, *embed_output; // names of tensors; embed_output NULL: the first one of floats
    bool embed_rows;                        // each text is a row: shape [n, 1] instead of [n]
    const char *prefill;         // how an answer is begun for the model: "plain" (a last message of the assistant's),
                                 // "continue_final_message" (and fields that say so); NULL: it cannot be
    bool null_content_ok;        // content:null beside tool_calls is accepted (else "")
    const char *unsupported[16]; // canonical request keys that it refuses or ignores silently; ends with NULL
    const char *drop[16];        // keys that are left out without a word because they mean nothing there
} mb_quirks;

// The row of a kind with the overrides of the configuration (a JSON object, may be NULL) applied; everything is copied
// into the arena. MEMBRANE_ECONFIG: unknown kind or key, with the nearest known one.
int mb_quirks_load(mb_arena *arena, const char *kind, const mb_json *overrides, const mb_quirks **ret,
                   membrane_error **err);
// The same from the table that is read already, for those who load many rows.
const mb_json *mb_quirks_table(mb_arena *arena, membrane_error **err); // NULL: out of memory
int mb_quirks_load_from(const mb_json *table, mb_arena *arena, const char *kind, const mb_json *overrides,
                        const mb_quirks **ret, membrane_error **err);
// The names of its kinds, NULL-terminated, in the file's order; NULL: out of memory.
const char *const *mb_quirks_names(const mb_json *table, mb_arena *arena);
// Names of all kinds, NULL-terminated, in the file's order.
const char *const *mb_quirks_kinds(mb_arena *arena);

#endif
