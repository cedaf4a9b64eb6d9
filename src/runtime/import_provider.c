// SPDX-License-Identifier: MIT
// Which provider a deployment belongs to. LiteLLM says everything at each deployment; here, those that agree in
// address, key, headers, times and limits share a provider.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "net/guard.h"
#include "runtime/import.h"
#include "seal/keyring_text.h"

typedef struct deployment {
    mb_import *im;
    const mb_json *params;
    const char *label; // of the logical model
    uint32_t line;     // of params
    const mb_import_row *row;
    const char *model;
    mb_import_shared shared;
} deployment;

static const mb_json *param(const deployment *d, const char *key) { return mb_import_member(d->params, key); }
static const char *param_text(const deployment *d, const char *key) { return mb_import_text(param(d, key)); }

static const char *keep(mb_import *im, const char *made) {
    if (!made) im->failed = true;
    return made;
}

static bool starts(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }
static bool ends(const char *text, size_t len, const char *end) {
    return len >= strlen(end) && memcmp(text + len - strlen(end), end, strlen(end)) == 0;
}

// The row of a kind, if there is one that can be spoken to.
static const mb_quirks *quirks_of(mb_import *im, const char *kind) {
    const mb_quirks *quirks = NULL;
    for (size_t i = 0; i < im->kind_count; i++)
        if (strcmp(im->kinds[i].name, kind) == 0) return im->kinds[i].quirks;
    int code = mb_quirks_load(&im->arena, kind, NULL, &quirks, NULL);
    if (code == MEMBRANE_ENOMEM) im->failed = true;
    if (code || !mb_adapter_find(quirks->wire)) quirks = NULL;
    if (im->kind_count < MB_COUNT(im->kinds)) im->kinds[im->kind_count++] = (mb_import_kind){kind, quirks};
    return quirks;
}

// ---- which provider ------------------------------------------------------------------------------------------------

// "openai/gpt-4o" or custom_llm_provider, else by the model's name, else by an address alone.
static bool read_model(deployment *d) {
    const char *text = param_text(d, "model"), *custom = param_text(d, "custom_llm_provider");
    if (!text) {
        mb_import_warn(d->im, d->line, "model \"%s\": litellm_params.model is missing: left out", d->label);
        return false;
    }
    const char *slash = strchr(text, '/');
    d->model = text;
    if (custom) d->row = mb_import_find(custom, strlen(custom));
    const mb_import_row *said = slash ? mb_import_find(text, (size_t)(slash - text)) : NULL;
    if (said && (!d->row || d->row == said)) {
        d->row = said;
        d->model = slash + 1;
    }
    if (!d->row) d->row = mb_import_guess(text);
    if (!d->row && (param(d, "api_base") || param(d, "base_url"))) d->row = mb_import_find("openai_like", 11);
    if (d->row && d->row->kind) return true;
    mb_import_warn(d->im, d->line, "model \"%s\": the provider of \"%.150s\" is not known here: left out", d->label,
                   text);
    return false;
}

// ---- address -------------------------------------------------------------------------------------------------------

// Without login, query and final slash; NULL: it cannot be used, which was warned about.
static const char *clean_url(deployment *d, const char *text, uint32_t line) {
    mb_url url = {0};
    membrane_error *cause = NULL;
    int code = strlen(text) > 1500 ? MEMBRANE_ECONFIG : mb_url_parse(text, &url, &cause);
    const char *host = strstr(text, "://");
    if (code == MEMBRANE_ENOMEM) d->im->failed = true;
    if (code || !host) { // libcurl takes "http:/host" too
        mb_import_warn(d->im, line, "model \"%s\": api_base: %s: left out", d->label,
                       cause ? membrane_error_message(cause) : "it is no URL that can be used");
        membrane_error_free(cause);
        if (code == 0) mb_url_free(&url);
        return NULL;
    }
    host += 3;
    const char *path = host + strcspn(host, "/?#"), *at = host;
    for (const char *p = host; p < path; p++)
        if (*p == '@') at = p + 1;
    size_t len = strcspn(path, "?#");
    if (at != host) mb_import_warn(d->im, line, "model \"%s\": api_base: its login is not copied", d->label);
    if (path[len]) mb_import_warn(d->im, line, "model \"%s\": api_base: what follows its path is left out", d->label);
    while (len && path[len - 1] == '/') len--;
    const char *clean =
        mb_arena_printf(&d->im->arena, "%s://%.*s%.*s", url.scheme, (int)(path - at), at, (int)len, path);
    mb_url_free(&url);
    return keep(d->im, clean);
}

static const char *with_end(deployment *d, const char *url, const char *end) {
    if (!url || ends(url, strlen(url), end)) return url;
    return keep(d->im, mb_arena_printf(&d->im->arena, "%s%s", url, end));
}

static bool has_path(const char *url) { return strchr(strstr(url, "://") + 3, '/') != NULL; }

// Vertex has its project and place in the address.
static const char *vertex_url(deployment *d) {
    const char *project = param_text(d, "vertex_project"), *place = param_text(d, "vertex_location");
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
    if (!project) project = param_text(d, "vertex_ai_project");
    if (!place) place = param_text(d, "vertex_ai_location");
    bool is_whole = project && place && strspn(project, plain) == strlen(project) && strlen(project) < 128 &&
                    strspn(place, plain) == strlen(place) && strlen(place) < 64 && !strpbrk(place, ":._");
    if (!is_whole) {
        mb_import_warn(d->im, d->line, "model \"%s\": vertex_project and vertex_location must be written out: left out",
                       d->label);
        return NULL;
    }
    bool is_global = strcmp(place, "global") == 0, is_claude = starts(d->model, "claude");
    return keep(d->im,
                mb_arena_printf(&d->im->arena, "https://%s%saiplatform.googleapis.com/v1/projects/%s/locations/%s%s",
                                is_global ? "" : place, is_global ? "" : "-", project, place,
                                is_claude ? "" : "/publishers/google"));
}

// LiteLLM's api_base in the words of our wires.
static const char *fit_url(deployment *d, const char *url) {
    const char *kind = d->shared.kind, *name = d->row->name;
    if (!url) return NULL;
    if (starts(kind, "anthropic")) return with_end(d, url, "/v1");
    if (strcmp(name, "huggingface") == 0) return with_end(d, url, "/v1"); // an endpoint of one's own
    if (strcmp(name, "azure_ai") == 0 && strstr(url, ".services.ai.azure.com")) {
        const char *path = strchr(strstr(url, "://") + 3, '/');
        d->shared.kind = "azure";
        return with_end(d, path ? mb_arena_strndup(&d->im->arena, url, (size_t)(path - url)) : url, "/openai/v1");
    }
    if (strcmp(name, "azure_ai") == 0 && !has_path(url)) return with_end(d, url, "/v1");
    if (strcmp(kind, "azure") == 0 && !strstr(url, "/openai") && !d->shared.api_version)
        return with_end(d, url, "/openai/v1");
    return url;
}

static void read_api_version(deployment *d) {
    const char *version = param_text(d, "api_version");
    if (strcmp(d->shared.kind, "azure") != 0 || !version) return;
    if (strlen(version) < 40 && strspn(version, "0123456789abcdefghijklmnopqrstuvwxyz-.") == strlen(version))
        d->shared.api_version = version;
    else
        mb_import_warn(d->im, param(d, "api_version")->line, "model \"%s\": api_version must be written out", d->label);
}

static bool read_region(deployment *d) {
    const char *region = param_text(d, "aws_region_name");
    if (!region) region = param_text(d, "region_name");
    if (strcmp(d->shared.kind, "bedrock") != 0) return true;
    d->shared.region = region;
    if (region && strlen(region) < 64 && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(region))
        return true;
    mb_import_warn(d->im, d->line, "model \"%s\": aws_region_name must be written out: left out", d->label);
    return false;
}

static bool read_address(deployment *d) {
    const mb_json *given = param(d, "api_base") ? param(d, "api_base") : param(d, "base_url");
    const char *text = mb_import_text(given), *url = NULL;
    d->shared.kind = quirks_of(d->im, d->row->kind) ? d->row->kind : "openai-compatible";
    if (text && starts(text, "os.environ/")) {
        mb_import_warn(d->im, given->line, "model \"%s\": api_base must be written out, not named: left out", d->label);
        return false;
    }
    if (given && given->type != MB_JSON_NULL && !text) {
        mb_import_warn(d->im, given->line, "model \"%s\": api_base is no text: left out", d->label);
        return false;
    }
    if (text && !(url = clean_url(d, text, given->line))) return false;
    // "openai/…" at another address is how LiteLLM calls any server that speaks it.
    bool is_elsewhere = url && !strstr(url, "://api.openai.com");
    bool is_own = strcmp(d->row->name, "huggingface") == 0 && url;
    if ((strcmp(d->shared.kind, "openai") == 0 && is_elsewhere) || is_own) d->shared.kind = "openai-compatible";
    if (strcmp(d->shared.kind, "vertex") == 0) {
        if (starts(d->model, "claude")) d->shared.kind = "vertex-anthropic";
        if (!quirks_of(d->im, d->shared.kind) || (!url && !(url = vertex_url(d)))) return false;
    }
    read_api_version(d);
    url = fit_url(d, url);
    const mb_quirks *quirks = quirks_of(d->im, d->shared.kind);
    if (!quirks) return false;
    if (!url &&
        (!quirks->base_url || strcmp(d->row->kind, d->shared.kind) != 0 || strcmp(d->row->name, "codestral") == 0))
        url = d->row->base_url, d->shared.called = url ? d->row->name : NULL;
    d->shared.base_url = url;
    if (!url && !quirks->base_url) {
        mb_import_warn(d->im, d->line, "model \"%s\": %s needs an api_base here: left out", d->label, d->row->name);
        return false;
    }
    return read_region(d);
}

// ---- the rest ------------------------------------------------------------------------------------------------------

static bool is_token(const char *text) {
    return *text && strlen(text) < 128 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == strlen(text);
}

// "os.environ/NAME", how LiteLLM names a variable.
static const char *variable_in(const char *text) {
    return starts(text, "os.environ/") && is_token(text + 11) ? text + 11 : NULL;
}

// What people write where a server wants no key.
static bool is_placeholder(const char *text) {
    static const char *const words[] = {"none",     "null", "empty",      "dummy",   "fake",    "na",
                                        "n/a",      "-",    "no-key",     "sk-none", "sk-fake", "fake-key",
                                        "anything", "x",    "not-needed", "ollama",  "local",   "sk-no-key-required"};
    for (size_t i = 0; i < MB_COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return false;
}

static void read_key(deployment *d) {
    const mb_json *key = param(d, "api_key");
    const char *text = mb_import_text(key);
    if (key && key->type != MB_JSON_NULL && !text)
        mb_import_warn(d->im, key->line, "model \"%s\": api_key is no text", d->label);
    if (text && is_placeholder(text)) return;
    if (text) {
        d->shared.key_env = variable_in(text);
        d->shared.key = d->shared.key_env ? NULL : key;
        return;
    }
    // Some other server's address is no place for the key of LiteLLM's default; and Bedrock's may be signed instead.
    const mb_quirks *quirks = quirks_of(d->im, d->shared.kind);
    bool is_default = !param_text(d, "api_base") && !param_text(d, "base_url");
    if (!is_default || !quirks || strcmp(d->shared.kind, "bedrock") == 0) return;
    d->shared.key_env = d->row->key_env ? d->row->key_env : quirks->key_needed ? quirks->key_env : NULL;
}

static void read_aws(deployment *d) {
    static const char *const keys[3] = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"};
    if (strcmp(d->shared.kind, "bedrock") != 0) return;
    for (int i = 0; i < 3; i++) d->shared.aws[i] = param_text(d, keys[i]) ? param(d, keys[i]) : NULL;
    if (d->shared.aws[0] && d->shared.aws[1] && !d->shared.key) return;
    if (d->shared.aws[0] || d->shared.aws[1])
        mb_import_warn(d->im, d->line,
                       "model \"%s\": aws_access_key_id and aws_secret_access_key go together, "
                       "without an api_key: left out",
                       d->label);
    memset(d->shared.aws, 0, sizeof d->shared.aws);
}

static void read_times(deployment *d) {
    mb_import_shared *s = &d->shared;
    s->total_ms = mb_import_seconds(d->im, param(d, "timeout"), "timeout");
    if (!s->total_ms) s->total_ms = mb_import_seconds(d->im, param(d, "request_timeout"), "request_timeout");
    if (!s->total_ms) s->total_ms = d->im->total_ms;
    s->stream_ms = mb_import_seconds(d->im, param(d, "stream_timeout"), "stream_timeout");
    if (!s->stream_ms) s->stream_ms = d->im->stream_ms;
}

static bool is_printable(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return false;
    return true;
}

// What would be read as a reference by a configuration of ours, or is one of LiteLLM's.
static bool is_reference(const char *text) {
    return starts(text, "env:") || starts(text, "file:") || starts(text, "sealed:") || starts(text, "os.environ/");
}

static void read_headers(deployment *d) {
    const mb_json *given = param(d, "extra_headers") ? param(d, "extra_headers") : param(d, "headers");
    const char *organization = param_text(d, "organization");
    if (organization && is_printable(organization) && !is_reference(organization))
        d->shared.organization = organization;
    else if (param(d, "organization"))
        mb_import_warn(d->im, param(d, "organization")->line, "model \"%s\": organization must be written out",
                       d->label);
    if (!mb_json_is(given, MB_JSON_OBJECT)) {
        if (given) mb_import_warn(d->im, given->line, "model \"%s\": headers are no table", d->label);
        return;
    }
    d->shared.headers = given;
}

static void read_model_name(deployment *d) {
    static const char *const routes[] = {"converse/", "converse_like/", "invoke/"};
    for (size_t i = 0; strcmp(d->shared.kind, "bedrock") == 0 && i < MB_COUNT(routes); i++)
        if (starts(d->model, routes[i])) d->model += strlen(routes[i]);
    // "together/org/model" is told to the router of Hugging Face as "org/model:together".
    const char *slash = strchr(d->model, '/'), *second = slash ? strchr(slash + 1, '/') : NULL;
    if (second && strcmp(d->shared.kind, "huggingface") == 0)
        d->model = mb_arena_printf(&d->im->arena, "%s:%.*s", slash + 1, (int)(slash - d->model), d->model);
    if (!d->model) d->im->failed = true;
}

// ---- one for all who agree -----------------------------------------------------------------------------------------

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }
static bool same_json(const mb_json *a, const mb_json *b) { return a && b ? mb_json_equal(a, b) : a == b; }

static bool agree(const mb_import_shared *a, const mb_import_shared *b) {
    return same_text(a->kind, b->kind) && same_text(a->base_url, b->base_url) && same_json(a->key, b->key) &&
           same_json(a->aws[0], b->aws[0]) && same_json(a->aws[1], b->aws[1]) && same_json(a->aws[2], b->aws[2]) &&
           same_text(a->key_env, b->key_env) && same_text(a->organization, b->organization) &&
           same_text(a->region, b->region) && same_text(a->api_version, b->api_version) && a->total_ms == b->total_ms &&
           a->stream_ms == b->stream_ms && same_json(a->headers, b->headers);
}

static bool same_limits(const mb_limits *a, const mb_limits *b) {
    return a->rpm == b->rpm && a->tpm == b->tpm && a->parallel == b->parallel;
}

// What is said of the model there already; NULL: nothing.
static const mb_import_use *use_of(const mb_import_provider *p, const char *model) {
    const mb_import_use *use = p->uses;
    while (use && strcmp(use->model, model) != 0) use = use->next;
    return use;
}

static void add_use(mb_import *im, mb_import_provider *p, const char *model, const mb_limits *limits) {
    if (use_of(p, model)) return;
    mb_import_use *use = mb_arena_alloc(&im->arena, sizeof *use);
    if (use) *use = (mb_import_use){model, *limits, p->uses};
    if (use) p->uses = use;
    if (!use) im->failed = true;
}

static bool is_taken(const mb_import *im, const char *name, const char *kind) {
    if (mb_map_has(&im->provider_names, name) || strcmp(name, "builtin") == 0) return true;
    // A name that is a kind is that kind's, since it means the usual address without a configuration.
    for (size_t i = 0; im->kind_names[i]; i++)
        if (strcmp(im->kind_names[i], name) == 0) return strcmp(name, kind) != 0;
    return false;
}

// "local-8100", "10-0-0-5-8000", "my-endpoint": by the address, where there is one of its own.
static void name_by_url(const char *base, char name[96]) {
    mb_url url;
    if (mb_url_parse(base, &url, NULL) != 0) return;
    const char *host = url.host,
               *port = strcmp(url.port, strcmp(url.scheme, "https") == 0 ? "443" : "80") ? url.port : "";
    bool is_number = strspn(host, "0123456789.") == strlen(host) || strchr(host, ':');
    if (mb_guard_is_loopback(host)) host = "local", is_number = false;
    if (!is_number && (starts(host, "api.") || starts(host, "www."))) host += 4;
    size_t len = is_number ? strlen(host) : strcspn(host, "."), at = 0;
    for (size_t i = 0; i < len && at < 60; i++) {
        bool is_plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", host[i]) != NULL;
        name[at++] = is_plain ? host[i] : '-';
    }
    snprintf(name + at, 96 - at, "%s%s", port[0] ? "-" : "", port);
    mb_url_free(&url);
}

static const char *name_for(mb_import *im, const mb_import_shared *s) {
    char base[96] = "", name[120];
    if (s->base_url && strcmp(s->kind, "azure") != 0 && !starts(s->kind, "vertex")) name_by_url(s->base_url, base);
    if (!base[0] || s->called) snprintf(base, sizeof base, "%.80s", s->called ? s->called : s->kind);
    snprintf(name, sizeof name, "%s", base);
    for (unsigned n = 2; is_taken(im, name, s->kind); n++) snprintf(name, sizeof name, "%s-%u", base, n);
    return keep(im, mb_arena_strdup(&im->arena, name));
}

// How a secret is written: as a variable, or sealed under the provider's name.
static const char *reference(mb_import *im, const char *provider, const char *suffix, const mb_json *value) {
    const char *text = mb_import_text(value);
    if (variable_in(text)) return keep(im, mb_arena_printf(&im->arena, "env:%s", variable_in(text)));
    mb_import_secret *secret = mb_arena_alloc(&im->arena, sizeof *secret);
    const char *name = mb_arena_printf(&im->arena, "%s%s", provider, suffix);
    if (!secret || !name) return keep(im, NULL);
    *secret = (mb_import_secret){name, text, value->line, im->secrets};
    im->secrets = secret;
    return keep(im, mb_arena_printf(&im->arena, "sealed:%s", name));
}

static bool is_secret_header(const char *name) {
    static const char *const parts[] = {"auth", "key", "token", "secret", "cookie", "pass"};
    for (size_t i = 0; i < MB_COUNT(parts); i++)
        if (strcasestr(name, parts[i])) return true;
    return false;
}

static void add_header(mb_import *im, mb_import_provider *p, const mb_json *header) {
    const char *value = mb_import_text(header), *name = header->key;
    bool is_plain = strlen(name) == header->key_len && is_token(name) && value && is_printable(value);
    if (!is_plain || p->header_count == MB_IMPORT_HEADERS) {
        mb_import_warn(im, header->line, "provider \"%s\": a header is %s: left out", p->name,
                       is_plain ? "one too many" : "no header");
        return;
    }
    char suffix[160];
    snprintf(suffix, sizeof suffix, "-%s", name);
    if (strlen(p->name) + strlen(suffix) > MB_KEYRING_NAME) snprintf(suffix, sizeof suffix, "-%zu", p->header_count);
    bool is_secret = is_secret_header(name) || is_reference(value);
    p->headers[p->header_count][0] = name;
    p->headers[p->header_count++][1] = is_secret ? reference(im, p->name, suffix, header) : value;
}

static mb_import_provider *add_provider(mb_import *im, const mb_import_shared *shared) {
    static const char *const suffixes[3] = {"-id", "-secret", "-token"};
    mb_import_provider *p = mb_arena_zalloc(&im->arena, sizeof *p);
    if (p) p->name = name_for(im, shared);
    if (!p || !p->name || !mb_map_put(&im->provider_names, p->name, p)) return (void)keep(im, NULL), NULL;
    p->shared = *shared;
    if (shared->key) p->key = reference(im, p->name, "", shared->key);
    if (shared->key_env) p->key = keep(im, mb_arena_printf(&im->arena, "env:%s", shared->key_env));
    for (int i = 0; i < 3; i++)
        if (shared->aws[i]) p->aws[i] = reference(im, p->name, suffixes[i], shared->aws[i]);
    for (uint32_t i = 0; shared->headers && i < shared->headers->count; i++)
        add_header(im, p, &shared->headers->children[i]);
    im->providers[im->provider_count++] = p;
    return p;
}

const mb_import_provider *mb_import_provider_of(mb_import *im, const mb_json *params, const char *label,
                                                const mb_limits *limits, const char **ret_model) {
    deployment d = {.im = im, .params = params, .label = label, .line = params->line};
    mb_import_provider *found = NULL;
    if (!read_model(&d) || !read_address(&d)) return NULL;
    read_key(&d);
    read_aws(&d);
    read_headers(&d);
    read_model_name(&d);
    read_times(&d);
    if (im->failed) return NULL;
    if (!d.model[0]) {
        mb_import_warn(im, d.line, "model \"%s\": the model has no name: left out", label);
        return NULL;
    }
    *ret_model = d.model;
    for (size_t i = 0; i < im->provider_count && !found; i++) {
        const mb_import_use *use = use_of(im->providers[i], d.model);
        bool fits = agree(&im->providers[i]->shared, &d.shared) && (!use || same_limits(&use->limits, limits));
        if (fits) found = im->providers[i];
    }
    if (!found) found = add_provider(im, &d.shared);
    if (found) add_use(im, found, d.model, limits);
    return found;
}
