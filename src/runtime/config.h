// SPDX-License-Identifier: MIT
// The configuration in force: one immutable snapshot, counted by those who use it, so that a reload drops no call. Text
// becomes a tree (YAML or JSON), the trees of all levels are merged, and the merged tree is checked and compiled here.
#ifndef MB_RUNTIME_CONFIG_H
#define MB_RUNTIME_CONFIG_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "membrane/provider.h"
#include "net/http.h"
#include "route/adapter.h"
#include "route/nearest.h"
#include "route/policy.h"
#include "route/prices.h"
#include "route/router.h"
#include "runtime/secret.h"
#include "seal/sigv4.h"

typedef struct mb_provider {
    const char *name;
    uint64_t profile; // a number of its own, see mb_http_request
    const mb_quirks *quirks;
    const mb_adapter *adapter;   // NULL: builtin or host-supplied
    const char *base_url;        // without a login and a final slash; NULL where none is needed
    const char *user, *password; // the login of its URL, NULL without
    const char *root_url;        // scheme, host and port of it
    bool local;
    bool implicit;         // not configured: a known kind by its default address
    const char **keys;     // secrets; key_count of them, 0: none
    const char **key_refs; // how they are written ("env:NAME"), for showing
    int key_count;
    const char *region;            // of AWS, NULL without
    const mb_aws_credentials *aws; // its requests are signed with these (they count as its one key); NULL: they are not
    const mb_secret *secrets;      // all of them, and what is made of them
    bool key_missing;              // one is configured or needed and could not be found
    mb_headers **headers;          // ready header lists, one a key (at least one)
    int64_t connect_ms, first_token_ms, idle_ms, total_ms; // 0: default
    const char *proxy, *no_proxy, *ca_file;
    int http_version;
    mb_limits limits;                    // rpm and tpm hold for each key by itself, parallel for all of them together
    bool tells_hops;                     // its requests carry the names of the hops so far (X-Membrane-Via)
    mb_endpoint *endpoint;               // of the board, once it was asked for; under the handle's board_lock
    bool is_loading;                     // a model, because we asked for it; on the I/O thread
    struct mb_probe *probe;              // that asks whether it is there, NULL: none; on the I/O thread
    const membrane_provider_table *host; // host-supplied
    void *host_user;
} mb_provider;

typedef struct mb_target {
    const mb_provider *provider;
    const char *model;
    mb_group group;
    double weight;                   // 1 unless said otherwise; 0: only when no other may be tried
    mb_limits limits;                // of this provider's model, beside the provider's own
    mb_target_facts *facts;          // of the board, of a logical model's; under the handle's board_lock
    _Atomic(const mb_price *) price; // of a logical model's, once it was looked up; see mb_facts_price
} mb_target;

// What is said of the way that calls of a model go; a single provider/model goes by MB_WAY_DEFAULT.
typedef struct mb_way {
    mb_policy policy;
    int retries;         // further attempts a target
    int64_t max_wait_ms; // how long a call may wait for limits of our own; 0: not at all
    mb_hedge hedge;
    int64_t sticky_ms; // a session stays with its target so long after its last call; 0: it does not
    mb_on_cut on_cut;
    double min_tokens_per_s; // a stream that is slower for 10 s is given up; 0: never
} mb_way;
#define MB_WAY_DEFAULT ((mb_way){.retries = MB_RETRIES})

typedef struct mb_model {
    const char *name;
    const mb_target *targets;
    size_t target_count;
    mb_way way;
    bool warm;       // its local targets are loaded when its first call begins
    bool was_warmed; // they were; on the I/O thread
} mb_model;

// Where a part of the configuration comes from.
typedef struct mb_config_file {
    const char *level; // "system", "user", "project", "environment", "option"
    const char *path;
    const char *state; // "read", "absent", "not trusted"
} mb_config_file;

enum { MB_CONFIG_FILES_MAX = 16 };

typedef struct mb_config {
    atomic_int refs;
    mb_arena arena;
    const mb_json *tree; // merged; a node's line is file << 24 | line
    mb_config_file files[MB_CONFIG_FILES_MAX];
    size_t file_count;
    mb_provider *providers;
    size_t provider_count;
    mb_model *models; // those of the tree, then those that go by the optimizer
    size_t model_count;
    mb_map names;  // every name that a model answers to
    mb_map limits; // of targets, by provider/model: where one is named with limits, they are its own everywhere
    const struct mb_budget_rule *budgets;
    size_t budget_count;
    const char *hop;                 // the name of this installation in lists of hops; NULL: none
    const mb_provider *optimizer;    // a proxy that is asked for PREFIX + NAME and comes back for NAME; NULL: none
    const char *optimizer_prefix;    // "moa-"
    int64_t max_cost_usd_micros;     // of one call, unless it says so itself; 0: no limit
    bool refuses_unknown_cost;       // a target whose price nobody knows is not asked
    int64_t probe_ms;                // how often local targets are asked whether they are there; 0: never
    const mb_json *kinds;            // the table of kinds, while providers are made
    const mb_json *price_rows;       // of the file that is named, checked; NULL: none
    struct mb_config_prices *prices; // made when first asked for
    const char *log_path;
    int log_keep_days;
    bool log_prompts;
    const char *default_model; // MEMBRANE_MODEL
    bool use_environment;
    bool discovers; // may look for engines at the usual ports
    // while it is compiled:
    bool is_check;           // a text is checked: no key is unsealed
    const char *passphrase;  // of the key ring, lent; NULL: the environment's, if that may be read
    struct mb_keyring *ring; // once a key of it was asked for
    mb_buf warnings;         // JSON strings, comma separated
} mb_config;

#define MB_CONFIG_FILE_OF(line) ((line) >> 24)
#define MB_CONFIG_LINE_OF(line) ((line)&0xffffffu)

// How names are looked up outside: a test hands in its own.
typedef struct mb_environment {
    const char *(*get)(void *user, const char *name);
    void *user;
} mb_environment;
extern const mb_environment mb_environment_process; // getenv
extern const mb_environment mb_environment_none;    // nothing is there

// The table of prices and windows, made at the first question; NULL: out of memory. Any thread.
const mb_prices *mb_config_prices(mb_config *config);
void mb_config_forget_prices(mb_config *config); // when it is freed

// Reads the levels that the options name, merges, checks, compiles.
int mb_config_load(const membrane_options *options, mb_config **ret, membrane_error **err);
mb_config *mb_config_ref(mb_config *config);
void mb_config_unref(mb_config *config);

const mb_provider *mb_config_provider(const mb_config *config, const char *name, size_t len);
const mb_model *mb_config_model(const mb_config *config, const char *name);
mb_limits mb_config_target_limits(const mb_config *config, const mb_provider *provider, const char *model);

// ---- parts, for config_*.c and tests
// ---------------------------------------------------------------------------------

// Text (YAML, or JSON by its first character) into a tree whose lines carry the file's number.
int mb_config_parse(mb_arena *arena, const char *name, const char *text, size_t len, uint32_t file, const mb_json **ret,
                    membrane_error **err);
const mb_json *mb_config_merge(mb_arena *arena, const mb_json *below, const mb_json *above); // NULL: out of memory
// Compiles config->tree into providers, models and log settings.
int mb_config_compile(mb_config *config, const mb_environment *env, membrane_error **err);
// The error of a place in the configuration: "FILE:LINE: …".
int mb_config_error(const mb_config *config, membrane_error **err, const mb_json *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// One provider from its table (NULL for an implicit one).
int mb_config_make_provider(mb_config *config, const mb_environment *env, const char *name, const mb_json *table,
                            mb_provider *ret, membrane_error **err);
// config_models.c: models of the tree, each with its targets and its way; the limits that a provider or a target has.
int mb_config_models(mb_config *config, membrane_error **err);
mb_limits mb_config_limits(const mb_json *owner);
int mb_config_budgets(mb_config *config, membrane_error **err); // config_budgets.c
// The error of a target or an optimizer whose provider is not there; the nearest is named.
int mb_config_no_provider(mb_config *config, const mb_json *where, const char *path, const char *name, size_t len,
                          membrane_error **err);
// config_names.c: aliases of models, what the optimizer adds to them, the name of this installation.
int mb_config_names(mb_config *config, membrane_error **err);
// Adds the files of MEMBRANE_USER_CONFIG, in rising order of weight; merges those that are read into *tree.
int mb_config_user_files(mb_config *config, const char *project_dir, const mb_json **tree, membrane_error **err);
int mb_config_read_file(mb_config *config, const char *level, const char *path, bool must_exist, const mb_json **tree,
                        membrane_error **err);
int mb_config_secret(mb_config *config, const mb_environment *env, const mb_json *value, const char **ret_secret,
                     const char **ret_ref, membrane_error **err);
// "sealed:NAME" out of the key ring; *ret stays where a text is only checked.
int mb_config_sealed(mb_config *config, const mb_environment *env, const mb_json *where, const char *name,
                     const char **ret, membrane_error **err);
void mb_config_close_ring(mb_config *config);
// config_aws.c, nothing where requests are not signed: the region, which may stand in url; url with "{region}" filled
// in; the pair of keys, after the provider's own keys were read.
int mb_config_aws_region(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *table,
                         const char *url, membrane_error **err);
int mb_config_aws_url(mb_config *config, mb_provider *p, const mb_json *table, const char **url, membrane_error **err);
int mb_config_aws_keys(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *table,
                       membrane_error **err);
// OLLAMA_HOST as Ollama reads it, into a URL without a final slash. MEMBRANE_ECONFIG.
int mb_config_ollama_host(mb_arena *arena, const char *text, const char **ret, membrane_error **err);

#endif
