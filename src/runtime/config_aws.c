// SPDX-License-Identifier: MIT
// What a provider needs whose requests are signed (quirks.sign "aws"): a region and a pair of keys, from its table aws,
// else from the variables that all of AWS's tools read. A key of its own (api_key) needs no signature.
#include <string.h>

#include "runtime/config.h"

typedef struct finder {
    mb_config *config;
    const mb_environment *env;
    const mb_json *aws; // the table, NULL without
    mb_provider *p;
    membrane_error **err;
} finder;

static bool is_signed(const mb_provider *p) { return p->quirks->sign && strcmp(p->quirks->sign, "aws") == 0; }

static bool is_region(const char *text) {
    size_t len = strlen(text);
    return len > 0 && len < 64 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

// "https://bedrock-runtime.us-east-1.amazonaws.com" says it too.
static const char *region_in(mb_config *config, const char *url) {
    const char *end = url ? strstr(url, ".amazonaws.com") : NULL, *at = end;
    while (at && at > url && at[-1] != '.' && at[-1] != '/') at--;
    return at ? mb_arena_strndup(&config->arena, at, (size_t)(end - at)) : NULL;
}

int mb_config_aws_region(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *table,
                         const char *url, membrane_error **err) {
    static const char *const VARIABLES[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    const mb_json *aws = mb_json_get(table, "aws"), *said = mb_json_get(aws, "region");
    if (aws && !is_signed(p))
        return mb_config_error(config, err, aws, "providers.%s: requests of kind %s are not signed: aws means nothing",
                               p->name, p->quirks->kind);
    if (!is_signed(p)) return 0;
    const char *region = mb_json_str(said), *kept = region;
    for (size_t i = 0; i < 2 && !region; i++) region = env->get(env->user, VARIABLES[i]);
    if (!region && !strstr(url, "{region}")) kept = region = region_in(config, url);
    if (!region && config->is_check) region = "unknown"; // a variable may say it when it is used
    if (!region) return 0;                               // asked for where it is needed
    if (!is_region(region))                              // not shown: it may be a key in the wrong place
        return mb_config_error(config, err, said ? said : table, "providers.%s: aws.region is no region of AWS",
                               p->name);
    if (!kept) kept = mb_arena_strdup(&config->arena, region);
    p->region = kept;
    return kept ? 0 : mb_error_no_memory(err);
}

int mb_config_aws_url(mb_config *config, mb_provider *p, const mb_json *table, const char **url, membrane_error **err) {
    const char *hole = strstr(*url, "{region}");
    if (!hole) return 0;
    if (!p->region)
        return mb_config_error(config, err, table, "providers.%s: aws.region is missing (or the variable AWS_REGION)",
                               p->name);
    *url = mb_arena_printf(&config->arena, "%.*s%s%s", (int)(hole - *url), *url, p->region, hole + strlen("{region}"));
    return *url ? 0 : mb_error_no_memory(err);
}

// One part of the credentials, as the table says it or out of a variable (NULL: out of none).
static int find(const finder *f, const char *key, const char *variable, const char **ret, const char **ret_ref) {
    const mb_json *said = mb_json_get(f->aws, key);
    int code = 0;
    *ret = NULL;
    if (said) {
        code = mb_config_secret(f->config, f->env, said, ret, ret_ref, f->err);
    } else if (variable) {
        const char *found = f->env->get(f->env->user, variable);
        mb_json text = {.type = MB_JSON_STRING, .str = mb_arena_printf(&f->config->arena, "env:%s", variable)};
        if (!text.str) return mb_error_no_memory(f->err);
        *ret_ref = text.str;
        if (found) code = mb_config_secret(f->config, f->env, &text, ret, ret_ref, f->err);
    }
    if (code == 0 && !mb_secret_note(&f->config->arena, *ret, &f->p->secrets)) code = mb_error_no_memory(f->err);
    return code;
}

static int missing(const finder *f, const char *ref) {
    f->p->key_missing |= f->aws && mb_json_get(f->aws, "access_key_id");
    if (f->p->key_missing && ref) f->p->key_refs[0] = ref;
    return 0;
}

int mb_config_aws_keys(mb_config *config, const mb_environment *env, mb_provider *p, const mb_json *table,
                       membrane_error **err) {
    const mb_json *aws = mb_json_get(table, "aws"), *id = mb_json_get(aws, "access_key_id");
    const mb_json *secret = mb_json_get(aws, "secret_access_key");
    finder f = {config, env, aws, p, err};
    if (!is_signed(p)) return 0;
    if ((id || secret) && (mb_json_get(table, "api_key") || mb_json_get(table, "api_keys")))
        return mb_config_error(config, err, id ? id : secret, "providers.%s: aws and an api_key: give one of them",
                               p->name);
    if ((id == NULL) != (secret == NULL))
        return mb_config_error(config, err, aws, "providers.%s: access_key_id and secret_access_key go together",
                               p->name);
    if (p->key_count && !id) return 0;
    const char *id_ref = NULL, *secret_ref = NULL, *token_ref = NULL;
    mb_aws_credentials *c = mb_arena_zalloc(&config->arena, sizeof *c);
    if (!c) return mb_error_no_memory(err);
    int code = find(&f, "access_key_id", id ? NULL : "AWS_ACCESS_KEY_ID", &c->access_key_id, &id_ref);
    if (code == 0)
        code = find(&f, "secret_access_key", id ? NULL : "AWS_SECRET_ACCESS_KEY", &c->secret_access_key, &secret_ref);
    if (code == 0) code = find(&f, "session_token", id ? NULL : "AWS_SESSION_TOKEN", &c->session_token, &token_ref);
    if (code) return code;
    p->key_count = 0;
    if (!c->access_key_id || !c->secret_access_key) return missing(&f, c->access_key_id ? secret_ref : id_ref);
    if (!p->region)
        return mb_config_error(config, err, aws ? aws : table,
                               "providers.%s: aws.region is missing (or the variable AWS_REGION)", p->name);
    c->region = p->region;
    p->aws = c;
    p->keys[0] = c->secret_access_key;
    p->key_refs[0] = secret_ref;
    p->key_count = 1;
    p->key_missing = false;
    return 0;
}
