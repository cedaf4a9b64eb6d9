// SPDX-License-Identifier: MIT
// One provider out of its table: kind and quirks, address, secrets, header lines, times, proxy.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "net/guard.h"
#include "runtime/config.h"
#include "runtime/config_check.h"

// ---- secrets
// ---------------------------------------------------------------------------------------------------------

static int secret_from_file(mb_config *config, const char *path, const mb_json *where, const char **ret,
                            membrane_error **err) {
    mb_buf text = MB_BUF(16384);
    membrane_error *cause = NULL;
    int code = mb_file_read(path, &text, &cause);
    if (code == 0) {
        while (text.len && strchr(" \t\r\n", text.data[text.len - 1])) mb_buf_cut(&text, text.len - 1);
        *ret = mb_arena_strndup(&config->arena, mb_buf_text(&text), text.len);
        if (!*ret) code = mb_error_no_memory(err);
    } else {
        code = mb_config_error(config, err, where, "%s", membrane_error_message(cause));
    }
    membrane_error_free(cause);
    mb_buf_free(&text);
    return code;
}

static bool is_header_safe(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return false;
    return true;
}

// "env:NAME", "file:/path", "sealed:NAME", or the secret itself. An environment variable that is not set leaves the key
// missing: the provider is there, and says so when it is asked for.
int mb_config_secret(mb_config *config, const mb_environment *env, const mb_json *value, const char **ret_secret,
                     const char **ret_ref, membrane_error **err) {
    const char *text = mb_json_str(value);
    int code = 0;
    *ret_secret = NULL;
    *ret_ref = "***";
    if (!text)
        return mb_config_error(config, err, value,
                               "a key is a text: env:NAME, file:/path, sealed:NAME or the key itself");
    if (strncmp(text, "env:", 4) == 0) {
        // A program that names a variable in its configuration asks for it, even where nothing else is read from there.
        const mb_environment *from = env == &mb_environment_none ? &mb_environment_process : env;
        *ret_ref = text;
        const char *found = from->get(from->user, text + 4);
        *ret_secret = mb_arena_strdup(&config->arena, found);
        if (found && !*ret_secret) code = mb_error_no_memory(err);
    } else if (strncmp(text, "file:", 5) == 0) {
        *ret_ref = text;
        code = secret_from_file(config, text + 5, value, ret_secret, err);
    } else if (strncmp(text, "sealed:", 7) == 0) {
        *ret_ref = text;
        code = mb_config_sealed(config, env, value, text + 7, ret_secret, err);
    } else {
        *ret_secret = text;
    }
    if (code == 0 && *ret_secret && !is_header_safe(*ret_secret))
        code = mb_config_error(config, err, value, "the key holds a control character");
    return code;
}

static int add_key(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *value,
                   membrane_error **err) {
    const char *secret, *ref;
    int code = mb_config_secret(config, env, value, &secret, &ref, err);
    if (code) return code;
    if (!secret) {
        p->key_missing = true;
        if (p->key_count == 0) p->key_refs[0] = ref;
        return 0;
    }
    if (!mb_secret_note(&config->arena, secret, &p->secrets)) return mb_error_no_memory(err);
    p->keys[p->key_count] = secret;
    p->key_refs[p->key_count++] = ref;
    return 0;
}

// The variable that holds the provider's key, or should.
static const char *key_variable(const mb_environment *env, const mb_quirks *q) {
    bool other = q->key_env && q->key_env_also && !env->get(env->user, q->key_env);
    return other && env->get(env->user, q->key_env_also) ? q->key_env_also : q->key_env;
}

static int read_keys(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *table,
                     membrane_error **err) {
    const mb_json *one = mb_json_get(table, "api_key"), *many = mb_json_get(table, "api_keys");
    size_t room = many ? many->count + 1 : 1;
    p->keys = mb_arena_zalloc(&config->arena, room * sizeof *p->keys);
    p->key_refs = mb_arena_zalloc(&config->arena, room * sizeof *p->key_refs);
    if (!p->keys || !p->key_refs) return mb_error_no_memory(err);
    if (one && many) return mb_config_error(config, err, one, "api_key and api_keys: give one of them");
    if (one) return add_key(config, env, p, one, err);
    for (uint32_t i = 0; many && i < many->count; i++) {
        int code = add_key(config, env, p, &many->children[i], err);
        if (code) return code;
    }
    const char *variable = key_variable(env, p->quirks);
    const char *value = variable && !many ? env->get(env->user, variable) : NULL;
    if (value) {
        mb_json text = {.type = MB_JSON_STRING, .str = mb_arena_printf(&config->arena, "env:%s", variable)};
        if (!text.str) return mb_error_no_memory(err);
        return add_key(config, env, p, &text, err);
    }
    if (p->key_count)
        p->key_missing = false;
    else if (p->quirks->key_needed && !mb_json_get(table, "base_url")) { // another server may want none
        p->key_missing = true;
        if (variable) p->key_refs[0] = mb_arena_printf(&config->arena, "env:%s", variable);
        if (variable && !p->key_refs[0]) return mb_error_no_memory(err);
    }
    return 0;
}

// ---- header lines
// ------------------------------------------------------------------------------------------------------

static int add_line(mb_headers **list, membrane_error **err, mb_config *config, const char *name, const char *prefix,
                    const char *value) {
    const char *line = value[0] || prefix[0] ? mb_arena_printf(&config->arena, "%s: %s%s", name, prefix, value)
                                             : mb_arena_printf(&config->arena, "%s;", name);
    mb_headers *longer = line ? mb_headers_add(*list, line) : NULL;
    if (!longer) return mb_error_no_memory(err);
    *list = longer;
    return 0;
}

static int header_list(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *table, int key,
                       membrane_error **err) {
    // InvokeModel takes the type that is wanted for the model's own answer: it is refused where the model has none.
    const char *const always[] = {"Content-Type: application/json",
                                  p->quirks->sign ? "Accept: */*" : "Accept: application/json, text/event-stream",
                                  "User-Agent: libmembrane/" MEMBRANE_VERSION_STRING};
    mb_headers **list = &p->headers[key];
    int code = 0;
    for (size_t i = 0; i < MB_COUNT(always); i++) {
        mb_headers *longer = mb_headers_add(*list, always[i]);
        if (!longer) return mb_error_no_memory(err);
        *list = longer;
    }
    if (key < p->key_count && p->quirks->auth_header && !p->aws)
        code = add_line(list, err, config, p->quirks->auth_header, p->quirks->auth_prefix ? p->quirks->auth_prefix : "",
                        p->keys[key]);
    const mb_json *more = mb_json_get(table, "headers");
    for (uint32_t i = 0; code == 0 && more && i < more->count; i++) {
        const char *value, *ref;
        code = mb_config_secret(config, env, &more->children[i], &value, &ref, err);
        if (code == 0 && !is_header_safe(more->children[i].key))
            code = mb_config_error(config, err, more, "a header's name holds a control character");
        if (code || !value) continue;
        const char *word = strchr(value, ' '); // "Bearer …"
        bool is_noted = mb_secret_note(&config->arena, value, &p->secrets) &&
                        mb_secret_note(&config->arena, word ? word + 1 : NULL, &p->secrets);
        code = is_noted ? add_line(list, err, config, more->children[i].key, "", value) : mb_error_no_memory(err);
    }
    static const struct {
        const char *variable, *header;
    } openai[] = {{"OPENAI_ORG_ID", "OpenAI-Organization"}, {"OPENAI_PROJECT_ID", "OpenAI-Project"}};
    for (size_t i = 0; code == 0 && strcmp(p->quirks->kind, "openai") == 0 && i < MB_COUNT(openai); i++) {
        const char *value = env->get(env->user, openai[i].variable);
        if (value && is_header_safe(value)) code = add_line(list, err, config, openai[i].header, "", value);
    }
    return code;
}

// ---- address
// -----------------------------------------------------------------------------------------------------------

static const char *from_environment(mb_config *config, const mb_environment *env, const mb_provider *p) {
    const char *base = NULL;
    if (strcmp(p->quirks->kind, "openai") != 0) return NULL;
    base = env->get(env->user, "OPENAI_BASE_URL");
    if (base) return base;
    base = env->get(env->user, "OPENAI_API_BASE");
    if (base) mb_config_warn(config, "OPENAI_API_BASE is an old name: set OPENAI_BASE_URL");
    return base;
}

// ANTHROPIC_BASE_URL as other clients read it: without the version, which they add themselves.
static int anthropic_base(mb_config *config, const mb_environment *env, const mb_provider *p, const char **ret,
                          membrane_error **err) {
    const char *said = strcmp(p->quirks->kind, "anthropic") == 0 ? env->get(env->user, "ANTHROPIC_BASE_URL") : NULL;
    size_t len = said ? strlen(said) : 0;
    while (len && said[len - 1] == '/') len--;
    if (len == 0) return 0;
    bool has_version = len > 3 && memcmp(said + len - 3, "/v1", 3) == 0;
    *ret = mb_arena_printf(&config->arena, "%.*s%s", (int)len, said, has_version ? "" : "/v1");
    return *ret ? 0 : mb_error_no_memory(err);
}

// What the environment says, kept; false: out of memory, which must not look like "it says nothing".
static bool keep(mb_config *config, const char *value, const char **ret) {
    *ret = mb_arena_strdup(&config->arena, value);
    return *ret || !value;
}

// Loopback never uses a proxy from the environment; one that is configured for the provider is always used.
static int read_proxy(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *table,
                      const char *host, membrane_error **err) {
    const char *configured = mb_json_get_str(table, "proxy"), *proxy = NULL;
    const bool tls = strncasecmp(p->base_url, "https:", 6) == 0;
    p->proxy = configured;
    if (configured) return mb_secret_note_login(&config->arena, configured, &p->secrets) ? 0 : mb_error_no_memory(err);
    if (mb_guard_is_loopback(host)) return 0;
    const char *const names[] = {tls ? "https_proxy" : "http_proxy", tls ? "HTTPS_PROXY" : "HTTP_PROXY", "all_proxy",
                                 "ALL_PROXY"};
    for (size_t i = 0; i < MB_COUNT(names) && !proxy; i++) proxy = env->get(env->user, names[i]);
    const char *except = env->get(env->user, "no_proxy");
    if (!except) except = env->get(env->user, "NO_PROXY");
    bool is_kept = keep(config, proxy, &p->proxy) && keep(config, except, &p->no_proxy) &&
                   mb_secret_note_login(&config->arena, proxy ? proxy : "", &p->secrets);
    return is_kept ? 0 : mb_error_no_memory(err);
}

// The login goes its own way, so that no text that holds the URL can show it.
static bool keep_base(mb_config *config, mb_provider *p, const char *base, const mb_url *url) {
    char shown[4096];
    const char *at = mb_url_shown(base, shown, sizeof shown) == base ? NULL : strchr(strstr(shown, "***@"), '@') + 1;
    size_t len = strlen(base);
    while (len && base[len - 1] == '/') len--;
    const size_t rest = at ? strlen(at) - (strlen(base) - len) : 0;
    p->base_url = at ? mb_arena_printf(&config->arena, "%s://%.*s", url->scheme, (int)rest, at)
                     : mb_arena_strndup(&config->arena, base, len);
    p->root_url = mb_arena_printf(&config->arena, "%s://%s:%s", url->scheme, url->host, url->port);
    p->local = mb_guard_is_loopback_or_private(url->host);
    return p->base_url && p->root_url && keep(config, url->user, &p->user) &&
           keep(config, url->password, &p->password) && mb_secret_note_login(&config->arena, base, &p->secrets);
}

static int read_address(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *table,
                        membrane_error **err) {
    const mb_json *given = mb_json_get(table, "base_url");
    const char *base = mb_json_str(given), *ollama = NULL;
    mb_url url = {0};
    int code = 0;
    if (!base) base = from_environment(config, env, p);
    if (!base) code = anthropic_base(config, env, p, &base, err);
    if (!base && strcmp(p->quirks->kind, "ollama") == 0 && (ollama = env->get(env->user, "OLLAMA_HOST")))
        code = mb_config_ollama_host(&config->arena, ollama, &base, err);
    if (code) return code;
    if (!base) base = p->quirks->base_url;
    if (!base) return mb_config_error(config, err, table, "providers.%s: base_url is missing", p->name);
    code = mb_config_aws_region(config, env, p, table, base, err);
    if (code == 0) code = mb_config_aws_url(config, p, table, &base, err);
    if (code) return code;
    membrane_error *cause = NULL;
    code = mb_url_parse(base, &url, &cause);
    if (code) {
        code = code == MEMBRANE_ENOMEM
                   ? mb_error_no_memory(err)
                   : mb_config_error(config, err, given ? given : table, "providers.%s.base_url: %s", p->name,
                                     membrane_error_message(cause));
        membrane_error_free(cause);
        return code;
    }
    if (strlen(base) > 2000)
        code = mb_config_error(config, err, given ? given : table, "providers.%s.base_url is too long", p->name);
    else
        code = keep_base(config, p, base, &url) ? read_proxy(config, env, p, table, url.host, err)
                                                : mb_error_no_memory(err);
    mb_url_free(&url);
    return code;
}

static int read_http(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *table,
                     membrane_error **err) {
    const char *version = mb_json_get_str(table, "http");
    p->http_version = !version ? 0 : strcmp(version, "1.1") == 0 ? 1 : strcmp(version, "h2c") == 0 ? 2 : 0;
    if (version && strcmp(version, "2") != 0 && p->http_version == 0)
        return mb_config_error(config, err, mb_json_get(table, "http"), "http is \"1.1\", \"2\" or \"h2c\"");
    p->ca_file = mb_json_get_str(table, "ca_file");
    if (p->ca_file) return 0;
    return keep(config, env->get(env->user, "SSL_CERT_FILE"), &p->ca_file) ? 0 : mb_error_no_memory(err);
}

static int read_times(mb_config *config, mb_provider *p, const mb_json *table, membrane_error **err) {
    const mb_json *times = mb_json_get(table, "timeouts");
    const struct {
        const char *key;
        int64_t *value;
    } all[] = {{"connect", &p->connect_ms},
               {"first_token", &p->first_token_ms},
               {"idle", &p->idle_ms},
               {"total", &p->total_ms}};
    for (size_t i = 0; i < MB_COUNT(all); i++) {
        const mb_json *value = mb_json_get(times, all[i].key);
        int code = value ? mb_config_duration(config, value, all[i].value, err) : 0;
        if (code) return code;
    }
    return 0;
}

int mb_config_make_provider(mb_config *config, const mb_environment *env, const char *name, const mb_json *table,
                            mb_provider *p, membrane_error **err) {
    static atomic_uint_least64_t last_profile;
    *p = (mb_provider){.name = name, .implicit = !table, .profile = atomic_fetch_add(&last_profile, 1) + 1};
    const mb_json *kind = mb_json_get(table, "kind");
    membrane_error *cause = NULL;
    int code = mb_quirks_load_from(config->kinds, &config->arena, kind ? mb_json_str(kind) : name,
                                   mb_json_get(table, "quirks"), &p->quirks, &cause);
    if (code) {
        const char *hint = membrane_error_hint(cause);
        if (code == MEMBRANE_ENOMEM)
            code = mb_error_no_memory(err);
        else if (table)
            code = mb_config_error(config, err, kind ? kind : table, "providers.%s: %s%s%s%s", name,
                                   membrane_error_message(cause), hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
        else
            code = mb_error_set(err, MEMBRANE_ENOTFOUND, "%s", membrane_error_message(cause));
        membrane_error_free(cause);
        return code;
    }
    p->adapter = mb_adapter_find(p->quirks->wire);
    if (!p->adapter)
        return mb_config_error(config, err, kind, "providers.%s: the wire \"%s\" is not in this version", name,
                               p->quirks->wire);
    code = read_address(config, env, p, table, err);
    if (code == 0) code = read_keys(config, env, p, table, err);
    if (code == 0) code = mb_config_aws_keys(config, env, p, table, err);
    if (code == 0) code = read_times(config, p, table, err);
    if (code == 0) code = read_http(config, env, p, table, err);
    if (code) return code;
    p->limits = mb_config_limits(table);
    p->tells_hops = mb_json_bool(mb_json_get(table, "tells_hops"), false);
    int lists = p->key_count ? p->key_count : 1;
    p->headers = mb_arena_zalloc(&config->arena, (size_t)lists * sizeof *p->headers);
    if (!p->headers) return mb_error_no_memory(err);
    for (int k = 0; code == 0 && k < lists; k++) code = header_list(config, env, p, table, k, err);
    for (int k = 0; code && k < lists; k++) {
        mb_headers_free(p->headers[k]);
        p->headers[k] = NULL;
    }
    return code;
}
