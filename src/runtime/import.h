// SPDX-License-Identifier: MIT
// A LiteLLM proxy's configuration on its way to ours: import_read.c makes deployments of it, import_provider.c the
// providers they share, import_routing.c what is said of the way between them, import_write.c a text of ours, import.c
// what a program asks for.
#ifndef MB_RUNTIME_IMPORT_H
#define MB_RUNTIME_IMPORT_H

#include "base/json.h"
#include "base/map.h"
#include "runtime/config.h"

// What LiteLLM calls a provider, and what we do.
typedef struct mb_import_row {
    const char *name;     // LiteLLM's
    const char *kind;     // ours; where providers.json has none such: openai-compatible
    const char *base_url; // LiteLLM's default address, where our kind has none
    const char *key_env;  // LiteLLM's variable, where our kind has another; NULL: the same, or none
} mb_import_row;

enum {
    MB_IMPORT_FALLBACKS = 3,
    MB_IMPORT_ENTRIES = 4096,
    MB_IMPORT_TARGETS = 64,
    MB_IMPORT_HEADERS = 16,
    MB_IMPORT_WARNINGS = 1000
};

typedef struct mb_import_secret { // a literal key, for the key ring
    const char *name, *value;
    uint32_t line;
    const struct mb_import_secret *next;
} mb_import_secret;

// What deployments have in common if they share a provider; where any of it differs, there are two.
typedef struct mb_import_shared {
    const char *kind, *base_url;
    const mb_json *key, *headers, *aws[3]; // as they stand in the file; aws: id, secret, token
    const char *key_env;                   // the variable that holds the key, said or LiteLLM's; key is NULL then
    const char *organization, *region, *api_version; // api_version: of Azure's deployments
    int64_t total_ms, stream_ms;                     // 0: not said
    const char *called;                              // LiteLLM's name, if the address is that name's; no difference
} mb_import_shared;

typedef struct mb_import_use { // a provider's model, and its limits: those of a deployment are its own
    const char *model;
    mb_limits limits;
    const struct mb_import_use *next;
} mb_import_use;

typedef struct mb_import_provider {
    mb_import_shared shared;
    const char *name;
    const char *key, *aws[3]; // references, as they are written
    const char *headers[MB_IMPORT_HEADERS][2];
    size_t header_count;
    const mb_import_use *uses;
} mb_import_provider;

typedef struct mb_import_kind { // one that was asked for
    const char *name;
    const mb_quirks *quirks; // NULL: providers.json has none such, or no wire for it
} mb_import_kind;

typedef struct mb_import_target {
    const mb_import_provider *provider;
    const char *model;
    mb_limits limits;
    double said[3]; // weight, rpm, tpm, which LiteLLM draws by; negative: not said
    double weight;  // what comes of them
    int64_t order;  // those of the lowest one are tried first
} mb_import_target;

typedef struct mb_import_list { // fallbacks of one kind: names of logical models
    const char **names;
    size_t count;
} mb_import_list;

typedef struct mb_import_model {
    const char *name;
    uint32_t line;
    mb_import_target *targets;
    size_t count, room;
    size_t first_count; // of the lowest order; the others follow as fallbacks
    bool has_weights;
    mb_import_list falls[MB_IMPORT_FALLBACKS]; // error, context_overflow, content_policy
    int64_t retries;                           // -1: not said
    struct mb_import_model *same_as;           // an alias
    struct mb_import_model *aliases, *next;    // of this one, and the next one of the same
} mb_import_model;

typedef struct mb_import_warning {
    uint32_t line;
    const char *text;
} mb_import_warning;

typedef struct mb_import {
    mb_arena arena;
    const char *name; // of the file
    const mb_json *root;
    mb_import_provider **providers;
    mb_import_model **models;
    mb_map provider_names, model_names; // of both, for looking them up
    size_t provider_count, model_count;
    const mb_import_secret *secrets;
    const char *const *kind_names;
    mb_import_kind kinds[64];
    size_t kind_count;
    int64_t total_ms, retries;             // for all, 0 and -1: not said
    int64_t stream_ms, parallel, stick_ms; // for all, 0: not said
    mb_policy policy;                      // of models with several targets
    struct mb_import_warning *warnings;    // MB_IMPORT_WARNINGS of them at most
    int warning_count;                     // also those that are not kept
    bool failed;                           // memory was out
} mb_import;

const mb_import_row *mb_import_find(const char *name, size_t len);
// By the names of models alone, as LiteLLM does where no provider is said; NULL: it cannot be told.
const mb_import_row *mb_import_guess(const char *model);

void mb_import_warn(mb_import *im, uint32_t line, const char *format, ...) __attribute__((format(printf, 3, 4)));
const char *mb_import_text(const mb_json *v); // NULL unless it is a text, not empty, without a NUL
const mb_json *mb_import_member(const mb_json *table, const char *key); // also of what is merged in ("<<")
mb_import_model *mb_import_model_of(const mb_import *im, const char *name);

// The provider of a deployment, a new one or one that is there; NULL: it cannot be written, which was warned about.
// *ret_model is the model without what says the provider.
const mb_import_provider *mb_import_provider_of(mb_import *im, const mb_json *params, const char *label,
                                                const mb_limits *limits, const char **ret_model);
int64_t mb_import_seconds(mb_import *im, const mb_json *value, const char *what); // as ms; 0: none, or warned about
int64_t mb_import_count(mb_import *im, const mb_json *value, const char *what, int64_t fallback);

// import_routing.c: what router_settings says for all; the limits of a deployment, and what it is drawn by; at last
// what comes of it for each model.
void mb_import_router(mb_import *im, const mb_json *router);
void mb_import_limits(mb_import *im, const mb_json *entry, mb_import_target *target);
void mb_import_route(mb_import *im);
bool mb_import_is_alias(const char *name); // that our aliases may have; others are models of their own

// Everything but the key ring: *im is zero but for its name. MEMBRANE_ECONFIG ("NAME: …"), MEMBRANE_ENOMEM.
int mb_import_make(mb_import *im, const char *text, size_t len, mb_buf *config, membrane_error **err);
void mb_import_write(mb_import *im, mb_buf *out);
void mb_import_done(mb_import *im); // frees what it holds

#endif
