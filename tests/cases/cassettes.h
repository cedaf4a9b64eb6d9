// SPDX-License-Identifier: MIT
// What the parts of the cassette player share: a recorded exchange, what came out of it, and the ways to play it.
#ifndef TESTS_CASES_CASSETTES_H
#define TESTS_CASES_CASSETTES_H

#include "route/adapter.h"

typedef struct cassette {
    const mb_json *root, *headers, *body, *expect;
    const char *id, *provider, *api, *wire;
    mb_ask_kind kind;
    bool streaming;
    int status;
} cassette;

// What the caller of the library sees. Texts are owned.
typedef struct outcome {
    char *text, *thinking, *finish; // finish NULL: not said
    size_t text_len, thinking_len;
    char *calls;   // JSON: [{"name", "arguments": text}]
    char *ranking; // JSON: [[index, score], …]; NULL without
    mb_usage usage;
    size_t vectors, dims;
    int error, status; // MEMBRANE_E… and HTTP status; 0 without
    char *message;
} outcome;

typedef struct transport {
    const char *name;
    bool (*open)(void);
    void (*play)(const cassette *c, outcome *o);
    void (*close)(void);
} transport;

extern const transport transport_pure; // the adapters in-process
extern const transport transport_http; // the public API over a loopback socket

#ifndef TRANSPORT_DEFAULT
#define TRANSPORT_DEFAULT transport_http
#endif

// The row that a provider's recordings are played by: its own if that speaks the wire, else the wire's plain one.
const char *cassette_kind(const cassette *c);
const mb_quirks *cassette_quirks(const cassette *c, mb_arena *arena);

// The request side: false if nothing was recorded, or nobody can read it. Adds to why what differs.
bool cassette_request(const cassette *c, mb_buf *why);
// Adds to why what differs; nothing if all is as expected.
void cassette_compare(const cassette *c, const outcome *o, mb_buf *why);
void outcome_free(outcome *o);

#endif
