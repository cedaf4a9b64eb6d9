// SPDX-License-Identifier: MIT
// Text in, providers and models out, with an environment of the test's own; files and levels in a folder of its own.
#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "membrane/config.h"
#include "membrane/options.h"
#include "runtime/config.h"
#include "runtime/trust.h"

// ---- compiling a text ----------------------------------------------------------------------------------------------

static const char *const *variables; // "NAME=value", …, NULL

static const char *get(void *user, const char *name) {
    size_t len = strlen(name);
    (void)user;
    for (const char *const *v = variables; v && *v; v++)
        if (strncmp(*v, name, len) == 0 && (*v)[len] == '=') return *v + len + 1;
    return NULL;
}
static const mb_environment of_the_test = {get, NULL};
#define ENV(...) (variables = (const char *const[]){__VA_ARGS__, NULL})

static mb_config *config;
static membrane_error *err;

static void done(void) {
    mb_config_unref(config);
    membrane_error_free(err);
    config = NULL;
    err = NULL;
}

static int compile_text(const char *text) {
    done();
    config = mb_calloc(1, sizeof *config);
    if (!config) return mb_error_no_memory(&err);
    config->refs = 1;
    config->warnings = MB_BUF(65536);
    config->files[config->file_count++] = (mb_config_file){"option", "a.yaml", "read"};
    int code = mb_config_parse(&config->arena, "a.yaml", text, strlen(text), 1, &config->tree, &err);
    if (code == 0) code = mb_config_compile(config, &of_the_test, &err);
    ck_assert_int_eq(membrane_error_code(err), code);
    return code;
}

static void good(const char *text) {
    int code = compile_text(text);
    ck_assert_msg(code == 0, "%s: %s", text, membrane_error_message(err));
}

static void bad(const char *text, const char *message) {
    ck_assert_int_eq(compile_text(text), MEMBRANE_ECONFIG);
    ck_assert_str_eq(membrane_error_message(err), message);
    done();
}

static const mb_provider *provider(const char *name) {
    const mb_provider *p = mb_config_provider(config, name, strlen(name));
    ck_assert_msg(p != NULL, "no provider %s", name);
    return p;
}

static void warns(const char *text) {
    ck_assert_msg(strstr(mb_buf_text(&config->warnings), text) != NULL, "no \"%s\" in: %s", text,
                  mb_buf_text(&config->warnings));
}

START_TEST(an_unknown_key_is_an_error_with_file_line_and_the_nearest_key) {
    bad("version: 1\nprovider:\n  a: {kind: ollama}\n",
        "a.yaml:2: unknown key \"provider\" (did you mean \"providers\"?)");
    bad("providers:\n  a:\n    kind: ollama\n    base_ulr: http://x\n",
        "a.yaml:4: unknown key \"base_ulr\" in providers.a (did you mean \"base_url\"?)");
    bad("providers:\n  a:\n    kind: ollama\n    timeouts: {idel: 5s}\n",
        "a.yaml:4: unknown key \"idel\" in providers.a.timeouts (did you mean \"idle\"?)");
    bad("models:\n  m:\n    targets: [builtin/extractive]\n    fallbacks:\n      context_overflov: []\n",
        "a.yaml:5: unknown key \"context_overflov\" in models.m.fallbacks (did you mean \"context_overflow\"?)");
    bad("log: {xyzzy: 1}\n", "a.yaml:1: unknown key \"xyzzy\" in log");
    bad("{\"log\": {\n \"path\": \"x\",\n \"prompt\": true}}",
        "a.yaml:3: unknown key \"prompt\" in log (did you mean \"prompts\"?)");
    bad("providers:\n  a:\n    kind: opnai\n",
        "a.yaml:3: providers.a: unknown kind of provider \"opnai\" (did you mean \"openai\"?)");
    bad("providers: {near: {kind: ollama}}\nmodels:\n  m:\n    targets: [naer/x]\n",
        "a.yaml:4: models.m: there is no provider \"naer\" (did you mean \"near\"?)");
}
END_TEST

START_TEST(a_wrong_type_is_an_error_that_says_what_was_expected) {
    bad("providers: []\n", "a.yaml:1: providers must be a table, not a list");
    bad("providers: {a: 1}\n", "a.yaml:1: providers.a must be a table");
    bad("providers: {a: {kind: 1}}\n", "a.yaml:1: providers.a.kind must be a text, not a number");
    bad("providers: {a: {kind: ollama, api_keys: x}}\n",
        "a.yaml:1: providers.a.api_keys must be a list of texts, not a text");
    bad("providers: {a: {kind: ollama, api_keys: [1]}}\n",
        "a.yaml:1: providers.a.api_keys must be a list of texts, not a list");
    bad("log: {prompts: maybe}\n", "a.yaml:1: log.prompts must be true or false, not a text");
    bad("log: {keep_days: -1}\n", "a.yaml:1: log.keep_days must be a whole number, not negative");
    bad("models: {m: {targets: x}}\n", "a.yaml:1: models.m.targets must be a list of tables, not a text");
    bad("models: {m: {targets: [1]}}\n", "a.yaml:1: models.m.targets.0 must be a table");
    bad("models: {m: {}}\n", "a.yaml:1: models.m: \"targets\" is missing");
    bad("models: {m: {targets: []}}\n", "a.yaml:1: models.m.targets is empty");
    bad("models: {m: {targets: [{}]}}\n", "a.yaml:1: models.m.targets.0: \"target\" is missing");
    bad("models: {m: {targets: [ollama]}}\n",
        "a.yaml:1: models.m: \"ollama\" is no target: it is written provider/model");
    bad("models: {m: {targets: [ollama/]}}\n",
        "a.yaml:1: models.m: \"ollama/\" is no target: it is written provider/model");
    bad("[1, 2]\n", "a.yaml:1: a configuration is a table of keys, not a list");
    bad("providers: {a/b: {kind: ollama}}\n", "a.yaml:1: \"a/b\" is no name for a provider: no slash, 1 to 256 bytes");
    bad("providers: {builtin: {kind: ollama}}\n", "a.yaml:1: the name \"builtin\" is taken by the library itself");
    bad("providers:\n  a:\n    kind: openai-compatible\n", "a.yaml:2: providers.a: base_url is missing");
}
END_TEST

START_TEST(an_empty_text_is_a_configuration) {
    static const char *const all[] = {"", "\n", "# nothing yet\n", "{}", "  {}\n", "---\n"};
    for (size_t i = 0; i < MB_COUNT(all); i++) {
        good(all[i]);
        ck_assert_uint_eq(config->model_count, 0);
        ck_assert(provider("ollama")->implicit);
        ck_assert(provider("builtin")->local);
        done();
    }
}
END_TEST

START_TEST(yaml_and_json_are_the_same_tree_with_the_same_lines) {
    static const char yaml[] = "version: 1\nproviders:\n  a:\n    kind: ollama\n    timeouts: {idle: 5s}\n"
                               "models:\n  m:\n    targets:\n      - target: a/x\n      - a/y\n";
    static const char json[] =
        "{\"version\": 1,\n\"providers\": {\n  \"a\": {\n    \"kind\": \"ollama\",\n    \"timeouts\": {\"idle\": \"5s\"}}},\n"
        "\"models\": {\n  \"m\": {\n    \"targets\": [\n      {\"target\": \"a/x\"},\n      \"a/y\"]}}}\n";
    static const char *const paths[] = {"version", "providers.a.kind", "providers.a.timeouts.idle"};
    mb_arena arena = {0};
    const mb_json *y, *j;
    ck_assert_int_eq(mb_config_parse(&arena, "a", yaml, strlen(yaml), 3, &y, NULL), 0);
    ck_assert_int_eq(mb_config_parse(&arena, "a", json, strlen(json), 3, &j, NULL), 0);
    ck_assert(mb_json_equal(y, j));
    for (size_t i = 0; i < MB_COUNT(paths); i++) {
        ck_assert_uint_eq(mb_json_path(y, paths[i])->line, mb_json_path(j, paths[i])->line);
        ck_assert_uint_eq(MB_CONFIG_FILE_OF(mb_json_path(y, paths[i])->line), 3);
    }
    ck_assert_uint_eq(MB_CONFIG_LINE_OF(mb_json_path(j, "providers.a.timeouts.idle")->line), 5);
    mb_arena_free(&arena);
}
END_TEST

START_TEST(bad_json_and_bad_yaml_say_their_line) {
    ck_assert_int_eq(compile_text("{\"version\": 1,\n \"log\": }\n"), MEMBRANE_ECONFIG);
    ck_assert_msg(strncmp(membrane_error_message(err), "a.yaml:2: ", 10) == 0, "%s", membrane_error_message(err));
    done();
    ck_assert_int_eq(compile_text("version: 1\nlog: [\n"), MEMBRANE_ECONFIG);
    ck_assert_msg(strncmp(membrane_error_message(err), "a.yaml:3: ", 10) == 0, "%s", membrane_error_message(err));
    done();
}
END_TEST

START_TEST(times_are_milliseconds_or_have_a_unit) {
    good("providers: {a: {kind: ollama, timeouts: {connect: 1500, first_token: 2m, idle: \"500ms\", total: 1h}}}");
    const mb_provider *p = provider("a");
    ck_assert_int_eq(p->connect_ms, 1500);
    ck_assert_int_eq(p->first_token_ms, 120000);
    ck_assert_int_eq(p->idle_ms, 500);
    ck_assert_int_eq(p->total_ms, 3600000);
    done();
    static const char *const wrong[] = {"5 parsecs", "-5s",  "s",  "''",  "99999999999999999999",
                                        "9999999h",  "1.5s", "-1", "0x10"};
    for (size_t i = 0; i < MB_COUNT(wrong); i++) {
        char text[128];
        snprintf(text, sizeof text, "providers: {a: {kind: ollama, timeouts: {idle: %s}}}", wrong[i]);
        ck_assert_msg(compile_text(text) == MEMBRANE_ECONFIG, "%s", text);
        done();
    }
}
END_TEST

START_TEST(models_have_their_targets_and_fallbacks_in_order) {
    good("providers: {a: {kind: ollama}, b: {kind: vllm}}\n"
         "models:\n  m:\n    retries: 4\n    targets: [a/x, {target: \"b/org/y\"}]\n"
         "    fallbacks: {error: [builtin/extractive], context_overflow: [b/large], content_policy: [a/z]}\n"
         "  n: {targets: [ollama/q]}\n");
    const mb_model *m = mb_config_model(config, "m");
    static const struct {
        const char *provider, *model;
        mb_group group;
    } want[] = {{"a", "x", MB_GROUP_MAIN},
                {"b", "org/y", MB_GROUP_MAIN},
                {"builtin", "extractive", MB_GROUP_ERROR},
                {"b", "large", MB_GROUP_CONTEXT},
                {"a", "z", MB_GROUP_CONTENT}};
    ck_assert_int_eq(m->way.retries, 4);
    ck_assert_uint_eq(m->target_count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq(m->targets[i].provider->name, want[i].provider);
        ck_assert_str_eq(m->targets[i].model, want[i].model);
        ck_assert_int_eq(m->targets[i].group, want[i].group);
    }
    ck_assert_int_eq(mb_config_model(config, "n")->way.retries, MB_RETRIES);
    ck_assert_ptr_null(mb_config_model(config, "o"));
    done();
}
END_TEST

START_TEST(parts_of_later_versions_are_refused) {
    static const char *const parts[] = {"tools", "policy", "context", "placement"};
    for (size_t i = 0; i < MB_COUNT(parts); i++) {
        char text[64], want[160];
        snprintf(text, sizeof text, "version: 1\n%s: [1]\n", parts[i]);
        snprintf(want, sizeof want,
                 "a.yaml:2: \"%s\" is not in this version of the library: remove it, or nothing would keep it",
                 parts[i]);
        bad(text, want);
        snprintf(text, sizeof text, "%s: []\n", parts[i]);
        good(text);
        done();
    }
}
END_TEST

START_TEST(thousands_of_warnings_are_still_a_list) {
    mb_buf text = MB_BUF(MB_LIMIT_CONFIG), list = MB_BUF(MB_LIMIT_CONFIG);
    mb_arena arena = {0};
    const mb_json *all;
    ENV("OPENAI_API_BASE=http://old.example");
    mb_buf_puts(&text, "providers:\n");
    for (int i = 0; i < 2000; i++) mb_buf_putf(&text, "  p%d: {kind: openai}\n", i);
    good(mb_buf_text(&text));
    mb_buf_putf(&list, "[%s]", mb_buf_text(&config->warnings));
    ck_assert_int_eq(mb_json_parse(&arena, mb_buf_text(&list), list.len, &all, NULL), 0);
    ck_assert_uint_gt(all->count, 100);
    ck_assert_uint_lt(all->count, 2000);
    mb_arena_free(&arena);
    mb_buf_free(&text);
    mb_buf_free(&list);
    done();
    variables = NULL;
}
END_TEST

START_TEST(a_newer_version_is_refused_whatever_level_it_stands_on) {
    ck_assert_int_eq(compile_text("version: 2\n"), MEMBRANE_ENEWER);
    ck_assert_str_eq(membrane_error_message(err),
                     "a.yaml: version 2 of the configuration is newer than this library, which reads version 1");
    done();
    ck_assert_int_eq(compile_text("version: 99999999999\nfuture: {}\n"), MEMBRANE_ENEWER);
    done();
    bad("version: one\n", "a.yaml:1: version must be a whole number, not negative, not a text");
}
END_TEST

// ---- secrets -------------------------------------------------------------------------------------------------------

START_TEST(a_key_is_literal_in_the_environment_or_in_a_file) {
    char path[] = "/tmp/mb-key-XXXXXX", text[256];
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, "sk-PLANTED-file\n", 16), 16);
    close(fd);
    ENV("MY_KEY=sk-env");
    snprintf(text, sizeof text,
             "providers: {a: {kind: ollama, api_keys: [sk-PLANTED-literal, env:MY_KEY, file:%s, env:NOT_SET]}}", path);
    good(text);
    const mb_provider *p = provider("a");
    ck_assert_int_eq(p->key_count, 3);
    ck_assert(!p->key_missing);
    ck_assert_str_eq(p->keys[0], "sk-PLANTED-literal");
    ck_assert_str_eq(p->key_refs[0], "***");
    ck_assert_str_eq(p->keys[1], "sk-env");
    ck_assert_str_eq(p->key_refs[1], "env:MY_KEY");
    ck_assert_str_eq(p->keys[2], "sk-PLANTED-file");
    ck_assert_str_eq(p->key_refs[2] + 5, path);
    done();
    unlink(path);
    snprintf(text, sizeof text, "providers:\n  a:\n    kind: ollama\n    api_key: file:%s\n", path);
    ck_assert_int_eq(compile_text(text), MEMBRANE_ECONFIG);
    snprintf(text, sizeof text, "a.yaml:4: cannot read %s: No such file or directory", path);
    ck_assert_str_eq(membrane_error_message(err), text);
    done();
    variables = NULL;
}
END_TEST

START_TEST(a_key_that_is_nowhere_is_missing_and_no_error) {
    good("providers: {a: {kind: openai, api_key: env:NOT_SET}, b: {kind: openai}, c: {kind: ollama}}");
    ck_assert(provider("a")->key_missing);
    ck_assert_str_eq(provider("a")->key_refs[0], "env:NOT_SET");
    ck_assert(provider("b")->key_missing);
    ck_assert_str_eq(provider("b")->key_refs[0], "env:OPENAI_API_KEY");
    ck_assert(!provider("c")->key_missing);
    done();
    ENV("OPENAI_API_KEY=sk-1");
    good("providers: {a: {kind: openai, api_key: env:NOT_SET}, b: {kind: openai}, d: {kind: openai, api_key: sk-2}}");
    ck_assert(provider("a")->key_missing);
    ck_assert_str_eq(provider("b")->keys[0], "sk-1");
    ck_assert_str_eq(provider("d")->keys[0], "sk-2");
    ck_assert_str_eq(provider("openai")->keys[0], "sk-1");
    done();
    ENV("CO_API_KEY=sk-1");
    good("providers: {a: {kind: cohere}}");
    ck_assert_str_eq(provider("a")->keys[0], "sk-1");
    ck_assert_str_eq(provider("a")->key_refs[0], "env:CO_API_KEY");
    done();
    ENV("CO_API_KEY=sk-1", "COHERE_API_KEY=sk-2");
    good("providers: {a: {kind: cohere}}");
    ck_assert_str_eq(provider("a")->keys[0], "sk-2");
    done();
    variables = NULL;
}
END_TEST

START_TEST(what_is_wrong_with_a_key_is_said_without_the_key) {
    bad("providers:\n  a: {kind: ollama, api_key: x, api_keys: [y]}\n",
        "a.yaml:2: api_key and api_keys: give one of them");
    bad("providers:\n  a: {kind: ollama, api_key: \"sk\\r\\nX: y\"}\n", "a.yaml:2: the key holds a control character");
    bad("providers:\n  a:\n    kind: ollama\n    headers: {X-A: \"a\\nb\"}\n",
        "a.yaml:4: the key holds a control character");
    bad("providers:\n  a:\n    kind: ollama\n    headers: {\"X\\r\": a}\n",
        "a.yaml:4: a header's name holds a control character");
}
END_TEST

// ---- addresses and proxies -----------------------------------------------------------------------------------------

START_TEST(an_address_is_checked_and_its_last_slashes_go) {
    good("providers: {a: {kind: openai-compatible, base_url: \"HTTP://Example.com:8080/v1//\"}, "
         "b: {kind: vllm, base_url: \"http://user:pw@192.168.1.5/v1\"}}");
    ck_assert_str_eq(provider("a")->base_url, "HTTP://Example.com:8080/v1");
    ck_assert_str_eq(provider("a")->root_url, "http://Example.com:8080");
    ck_assert(!provider("a")->local);
    ck_assert_str_eq(provider("b")->root_url, "http://192.168.1.5:80");
    ck_assert_str_eq(provider("b")->base_url, "http://192.168.1.5/v1"); // the login goes its own way
    ck_assert_str_eq(provider("b")->user, "user");
    ck_assert_str_eq(provider("b")->password, "pw");
    ck_assert(provider("b")->local);
    done();
    static const char *const wrong[] = {"ftp://x", "file:///etc/passwd", "http://",       "not a url", "http://a b/",
                                        "''",      "http://[::1",        "http://x:99999"};
    for (size_t i = 0; i < MB_COUNT(wrong); i++) {
        char text[128];
        snprintf(text, sizeof text, "providers:\n  a:\n    kind: openai-compatible\n    base_url: %s\n", wrong[i]);
        ck_assert_msg(compile_text(text) == MEMBRANE_ECONFIG, "%s", text);
        ck_assert_msg(strncmp(membrane_error_message(err), "a.yaml:4: providers.a.base_url: ", 32) == 0, "%s",
                      membrane_error_message(err));
        done();
    }
}
END_TEST

START_TEST(openai_base_url_is_read_and_the_old_name_with_a_warning) {
    ENV("OPENAI_BASE_URL=https://new.example/v1", "OPENAI_API_BASE=https://old.example/v1");
    good("");
    ck_assert_str_eq(provider("openai")->base_url, "https://new.example/v1");
    ck_assert_uint_eq(config->warnings.len, 0);
    done();
    ENV("OPENAI_API_BASE=https://old.example/v1");
    good("");
    ck_assert_str_eq(provider("openai")->base_url, "https://old.example/v1");
    warns("OPENAI_API_BASE is an old name: set OPENAI_BASE_URL");
    done();
    variables = NULL;
}
END_TEST

START_TEST(anthropic_base_url_is_read_with_and_without_the_version) {
    static const char *const SAID[] = {"https://h.example/anthropic", "https://h.example/anthropic/v1/"};
    for (size_t i = 0; i < MB_COUNT(SAID); i++) {
        char variable[128];
        snprintf(variable, sizeof variable, "ANTHROPIC_BASE_URL=%s", SAID[i]);
        ENV(variable);
        good("providers: {other: {kind: anthropic-compatible, base_url: \"http://127.0.0.1:5\"}}");
        ck_assert_str_eq(provider("anthropic")->base_url, "https://h.example/anthropic/v1");
        ck_assert_str_eq(provider("other")->base_url, "http://127.0.0.1:5");
        done();
    }
    variables = NULL;
}
END_TEST

START_TEST(ollama_host_is_read_and_a_wrong_one_is_said) {
    ENV("OLLAMA_HOST=box.local:1234");
    good("providers: {mine: {kind: ollama}, other: {kind: ollama, base_url: \"http://127.0.0.1:5\"}}");
    ck_assert_str_eq(provider("ollama")->base_url, "http://box.local:1234");
    ck_assert_str_eq(provider("mine")->base_url, "http://box.local:1234");
    ck_assert_str_eq(provider("other")->base_url, "http://127.0.0.1:5");
    done();
    ENV("OLLAMA_HOST=box:port");
    bad("", "OLLAMA_HOST=box:port: the port is no number from 1 to 65535");
    variables = NULL;
}
END_TEST

static const char *proxy_of(const char *url) {
    static char text[128];
    snprintf(text, sizeof text, "providers: {a: {kind: openai-compatible, base_url: \"%s\"}}", url);
    good(text);
    snprintf(text, sizeof text, "%s", provider("a")->proxy ? provider("a")->proxy : "none");
    done();
    return text;
}

#define BEDROCK(more) "providers: {b: {kind: bedrock" more "}}"

static void is_signed_by(const char *id, const char *secret, const char *token, const char *region) {
    const mb_aws_credentials *c = provider("b")->aws;
    ck_assert_ptr_nonnull(c);
    ck_assert_str_eq(c->access_key_id, id);
    ck_assert_str_eq(c->secret_access_key, secret);
    ck_assert_pstr_eq(c->session_token, token);
    ck_assert_str_eq(c->region, region);
    ck_assert_int_eq(provider("b")->key_count, 1); // as one key, so that it counts as there
    ck_assert(!provider("b")->key_missing);
}

START_TEST(aws_credentials_come_from_the_table_or_the_usual_variables) {
    ENV("AWS_ACCESS_KEY_ID=AKPLANTED", "AWS_SECRET_ACCESS_KEY=PLANTEDs", "AWS_SESSION_TOKEN=PLANTEDt",
        "AWS_DEFAULT_REGION=eu-west-1", "MINE=PLANTEDm");
    good(BEDROCK(""));
    is_signed_by("AKPLANTED", "PLANTEDs", "PLANTEDt", "eu-west-1");
    ck_assert_str_eq(provider("b")->base_url, "https://bedrock-runtime.eu-west-1.amazonaws.com");
    ck_assert_str_eq(provider("b")->key_refs[0], "env:AWS_SECRET_ACCESS_KEY");
    good(BEDROCK(", aws: {access_key_id: AK2PLANTED, secret_access_key: \"env:MINE\", region: us-gov-west-1}"));
    is_signed_by("AK2PLANTED", "PLANTEDm", NULL, "us-gov-west-1"); // the variables' token is of other keys
    good(BEDROCK(
        ", aws: {access_key_id: A, secret_access_key: B, session_token: C, region: r}, base_url: \"http://h\""));
    is_signed_by("A", "B", "C", "r");
    ENV("AWS_ACCESS_KEY_ID=AKPLANTED", "AWS_SECRET_ACCESS_KEY=PLANTEDs", "AWS_REGION=us-east-1",
        "AWS_DEFAULT_REGION=eu-west-1");
    good(BEDROCK(""));
    is_signed_by("AKPLANTED", "PLANTEDs", NULL, "us-east-1");
    good(BEDROCK(", base_url: \"https://bedrock-runtime.eu-north-1.amazonaws.com\""));
    is_signed_by("AKPLANTED", "PLANTEDs", NULL, "us-east-1");
    ENV("AWS_ACCESS_KEY_ID=AKPLANTED", "AWS_SECRET_ACCESS_KEY=PLANTEDs");
    good(BEDROCK(", base_url: \"https://bedrock-runtime.eu-north-1.amazonaws.com\"")); // the address says it
    is_signed_by("AKPLANTED", "PLANTEDs", NULL, "eu-north-1");
    done();
}
END_TEST

START_TEST(a_configuration_is_valid_wherever_its_region_comes_from) {
    done();
    ck_assert_int_eq(membrane_config_check("x", BEDROCK(""), 0, &err), 0);
    ck_assert_int_eq(membrane_config_check("x", BEDROCK(", aws: {access_key_id: A, secret_access_key: B}"), 0, &err),
                     0);
    ck_assert_int_eq(membrane_config_check("x", BEDROCK(", aws: {region: A}"), 0, &err), MEMBRANE_ECONFIG);
    done();
}
END_TEST

START_TEST(a_bearer_key_needs_no_signature) {
    ENV("AWS_BEARER_TOKEN_BEDROCK=PLANTEDb", "AWS_ACCESS_KEY_ID=AKPLANTED", "AWS_SECRET_ACCESS_KEY=PLANTEDs",
        "AWS_REGION=us-east-1");
    good(BEDROCK(""));
    ck_assert_ptr_null(provider("b")->aws);
    ck_assert_str_eq(provider("b")->keys[0], "PLANTEDb");
    good(BEDROCK(", api_key: PLANTEDk"));
    ck_assert_str_eq(provider("b")->keys[0], "PLANTEDk");
    good(BEDROCK(", aws: {access_key_id: A, secret_access_key: B}")); // what is configured outweighs the variable
    is_signed_by("A", "B", NULL, "us-east-1");
    done();
}
END_TEST

START_TEST(what_is_wrong_with_aws_is_said) {
    ENV("AWS_ACCESS_KEY_ID=AKPLANTED", "AWS_SECRET_ACCESS_KEY=PLANTEDs");
    bad(BEDROCK(""), "a.yaml:1: providers.b: aws.region is missing (or the variable AWS_REGION)");
    bad(BEDROCK(", base_url: \"http://h\""),
        "a.yaml:1: providers.b: aws.region is missing (or the variable AWS_REGION)");
    bad(BEDROCK(", aws: {region: \"a/b\"}"), "a.yaml:1: providers.b: aws.region is no region of AWS");
    bad(BEDROCK(", aws: {regoin: a}"),
        "a.yaml:1: unknown key \"regoin\" in providers.b.aws (did you mean \"region\"?)");
    bad(BEDROCK(", aws: {region: a, access_key_id: x}"),
        "a.yaml:1: providers.b: access_key_id and secret_access_key go together");
    bad(BEDROCK(", api_key: k, aws: {region: a, access_key_id: x, secret_access_key: y}"),
        "a.yaml:1: providers.b: aws and an api_key: give one of them");
    bad("providers: {o: {kind: openai, aws: {region: a}}}",
        "a.yaml:1: providers.o: requests of kind openai are not signed: aws means nothing");
    ENV("AWS_REGION=a");
    good(BEDROCK(""));
    ck_assert(provider("b")->key_missing);
    ck_assert_str_eq(provider("b")->key_refs[0], "env:AWS_ACCESS_KEY_ID");
    good(BEDROCK(", aws: {access_key_id: A, secret_access_key: \"env:NOWHERE\"}"));
    ck_assert(provider("b")->key_missing);
    ck_assert_str_eq(provider("b")->key_refs[0], "env:NOWHERE");
    good(BEDROCK(", base_url: \"http://127.0.0.1\"")); // a server of one's own may want neither
    ck_assert(!provider("b")->key_missing && !provider("b")->aws);
    done();
}
END_TEST

START_TEST(proxy_variables_are_read_in_both_cases_the_small_ones_first) {
    ENV("http_proxy=http://p1", "HTTP_PROXY=http://p2", "https_proxy=http://p3", "HTTPS_PROXY=http://p4",
        "all_proxy=http://p5");
    ck_assert_str_eq(proxy_of("http://far.example"), "http://p1");
    ck_assert_str_eq(proxy_of("https://far.example"), "http://p3");
    ENV("HTTP_PROXY=http://p2", "HTTPS_PROXY=http://p4", "ALL_PROXY=http://p6");
    ck_assert_str_eq(proxy_of("http://far.example"), "http://p2");
    ck_assert_str_eq(proxy_of("HTTPS://far.example"), "http://p4");
    ENV("ALL_PROXY=http://p6");
    ck_assert_str_eq(proxy_of("http://far.example"), "http://p6");
    ENV("all_proxy=http://p5", "ALL_PROXY=http://p6");
    ck_assert_str_eq(proxy_of("https://far.example"), "http://p5");
    ENV("NO_PROXY=a.example");
    ck_assert_str_eq(proxy_of("http://far.example"), "none");
    variables = NULL;
}
END_TEST

START_TEST(no_proxy_is_read_in_both_cases) {
    for (int i = 0; i < 2; i++) {
        ENV("http_proxy=http://p1", i ? "NO_PROXY=a.example,b.example" : "no_proxy=a.example,b.example");
        good("providers: {a: {kind: openai-compatible, base_url: \"http://a.example\"}}");
        ck_assert_str_eq(provider("a")->no_proxy, "a.example,b.example");
        done();
    }
    variables = NULL;
}
END_TEST

START_TEST(loopback_takes_no_proxy_from_the_environment_but_one_that_is_configured) {
    static const char *const loopback[] = {"http://localhost:1", "http://127.0.0.1:1", "http://127.8.8.8",
                                           "https://[::1]:1",    "http://a.localhost", "http://LOCALHOST",
                                           "http://127.1",       "http://2130706433"};
    static const char *const others[] = {"http://192.168.1.1", "http://10.0.0.1", "http://box.local",
                                         "http://[fd00::1]", "http://localhost.example"};
    ENV("http_proxy=http://p", "https_proxy=http://p", "all_proxy=http://p");
    for (size_t i = 0; i < MB_COUNT(loopback); i++)
        ck_assert_msg(strcmp(proxy_of(loopback[i]), "none") == 0, "%s", loopback[i]);
    for (size_t i = 0; i < MB_COUNT(others); i++)
        ck_assert_msg(strcmp(proxy_of(others[i]), "http://p") == 0, "%s", others[i]);
    good("providers: {a: {kind: ollama, base_url: \"http://127.0.0.1:1\", proxy: \"http://q\"}, "
         "b: {kind: openai-compatible, base_url: \"http://far.example\", proxy: \"\"}}");
    ck_assert_str_eq(provider("a")->proxy, "http://q");
    ck_assert_ptr_null(provider("a")->no_proxy);
    ck_assert_str_eq(provider("b")->proxy, ""); // none, whatever the environment says
    done();
    variables = NULL;
}
END_TEST

START_TEST(http_and_ca_file_are_read) {
    ENV("SSL_CERT_FILE=/env.pem");
    good(
        "providers: {a: {kind: ollama, http: h2c}, b: {kind: ollama, http: \"1.1\", ca_file: /b.pem}, c: {kind: ollama, http: \"2\"}}");
    ck_assert_int_eq(provider("a")->http_version, 2);
    ck_assert_int_eq(provider("b")->http_version, 1);
    ck_assert_int_eq(provider("c")->http_version, 0);
    ck_assert_str_eq(provider("a")->ca_file, "/env.pem");
    ck_assert_str_eq(provider("b")->ca_file, "/b.pem");
    done();
    bad("providers:\n  a:\n    kind: ollama\n    http: \"3\"\n", "a.yaml:4: http is \"1.1\", \"2\" or \"h2c\"");
    variables = NULL;
}
END_TEST

// ---- files and levels ----------------------------------------------------------------------------------------------

static char folder[] = "/tmp/mb-config-XXXXXX";

static void write_text(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static const char *in_folder(const char *name) {
    static char paths[8][256];
    static int at;
    char *path = paths[at++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static void make_folder(void) {
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_text("xdg/here", "");
    write_text("project/here", "");
    setenv("XDG_CONFIG_HOME", in_folder("xdg"), 1);
    setenv("HOME", folder, 1);
}

static void remove_folder(void) {
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("MEMBRANE_CONFIG");
}

static int load(const char *path, const char *text) {
    membrane_options o;
    membrane_options_init(&o, sizeof o);
    o.flags = MEMBRANE_USER_CONFIG;
    o.project_dir = in_folder("project");
    o.config_path = path;
    o.config_text = text;
    return mb_config_load(&o, &config, &err);
}

static int keep_days(const char *path, const char *text) {
    int code = load(path, text), days = code ? code : config->log_keep_days;
    done();
    return days;
}

START_TEST(each_level_outweighs_those_below_it) {
    make_folder();
    ck_assert_int_eq(keep_days(NULL, NULL), 90);
    write_text("xdg/membrane/config.yaml", "log: {keep_days: 2, prompts: true}\n");
    ck_assert_int_eq(keep_days(NULL, NULL), 2);
    write_text("project/.membrane/config.yaml", "log: {keep_days: 3}\n");
    ck_assert_int_eq(keep_days(NULL, NULL), 2); // not trusted
    char hash[MB_HASH_HEX_SIZE];
    ck_assert_int_eq(mb_trust_add(in_folder("project/.membrane/config.yaml"), hash, NULL), 0);
    ck_assert_int_eq(keep_days(NULL, NULL), 3);
    write_text("env.json", "{\"log\": {\"keep_days\": 4}}");
    setenv("MEMBRANE_CONFIG", in_folder("env.json"), 1);
    ck_assert_int_eq(keep_days(NULL, NULL), 4);
    write_text("option.yaml", "log: {keep_days: 5}\n");
    ck_assert_int_eq(keep_days(in_folder("option.yaml"), NULL), 5);
    ck_assert_int_eq(keep_days(in_folder("option.yaml"), "log: {keep_days: 6}"), 6);
    ck_assert_int_eq(load(NULL, "version: 1"), 0);
    ck_assert(config->log_prompts); // of the lowest level, where no other says
    ck_assert_str_eq(config->files[0].level, "system");
    ck_assert_str_eq(config->files[1].level, "user");
    ck_assert_str_eq(config->files[2].level, "project");
    ck_assert_str_eq(config->files[3].level, "environment");
    ck_assert_str_eq(config->files[4].level, "option");
    done();
    remove_folder();
}
END_TEST

START_TEST(a_project_that_is_not_trusted_or_has_changed_is_passed_over_with_a_warning) {
    make_folder();
    write_text("project/.membrane/config.yaml", "log: {keep_days: 3}\n");
    char hash[MB_HASH_HEX_SIZE];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(load(NULL, NULL), 0);
        ck_assert_int_eq(config->log_keep_days, 90);
        ck_assert_str_eq(config->files[2].state, "not trusted");
        warns("is passed over until `membrane config trust` was run");
        done();
        ck_assert_int_eq(mb_trust_add(in_folder("project/.membrane/config.yaml"), hash, NULL), 0);
        ck_assert_int_eq(keep_days(NULL, NULL), 3);
        write_text("project/.membrane/config.yaml", "log: {keep_days: 3, prompts: true}\n");
    }
    write_text("project/.membrane/config.yaml", "this: {is: [no configuration\n"); // nor read at all
    ck_assert_int_eq(keep_days(NULL, NULL), 90);
    remove_folder();
}
END_TEST

START_TEST(an_error_names_the_file_of_its_level) {
    make_folder();
    write_text("xdg/membrane/config.yaml", "\n\nlog: {keep_day: 2}\n");
    char want[512];
    ck_assert_int_eq(load(NULL, "log: {keep_days: 1}"), MEMBRANE_ECONFIG);
    snprintf(want, sizeof want, "%s:3: unknown key \"keep_day\" in log (did you mean \"keep_days\"?)",
             in_folder("xdg/membrane/config.yaml"));
    ck_assert_str_eq(membrane_error_message(err), want);
    done();
    write_text("xdg/membrane/config.yaml", "version: 7\n");
    ck_assert_int_eq(load(NULL, "version: 1"), MEMBRANE_ENEWER); // another level cannot make it older
    ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "xdg/membrane/config.yaml"));
    done();
    write_text("xdg/membrane/config.json", "{}");
    ck_assert_int_eq(load(NULL, NULL), MEMBRANE_ECONFIG);
    ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "config.yaml and config.json are both there: keep one"));
    done();
    remove_folder();
}
END_TEST

START_TEST(a_file_that_was_named_must_be_there_and_readable) {
    make_folder();
    ck_assert_int_eq(load(in_folder("nowhere.yaml"), NULL), MEMBRANE_EIO);
    done();
    ck_assert_int_eq(load(in_folder("xdg"), NULL), MEMBRANE_EIO); // a folder
    done();
    setenv("MEMBRANE_CONFIG", in_folder("nowhere.yaml"), 1);
    ck_assert_int_eq(load(NULL, NULL), MEMBRANE_EIO);
    done();
    remove_folder();
}
END_TEST

START_TEST(without_the_flag_neither_files_nor_environment_are_read) {
    make_folder();
    write_text("xdg/membrane/config.yaml", "log: {keep_days: 2}\n");
    setenv("MEMBRANE_CONFIG", in_folder("nowhere.yaml"), 1);
    setenv("OPENAI_API_KEY", "sk-PLANTED-not-read", 1);
    setenv("OLLAMA_HOST", "not:a:host:", 1);
    setenv("ASKED_FOR", "sk-PLANTED-asked", 1);
    membrane_options o;
    membrane_options_init(&o, sizeof o);
    o.config_text = "providers: {a: {kind: openai, api_key: env:ASKED_FOR}}";
    ck_assert_int_eq(mb_config_load(&o, &config, &err), 0);
    ck_assert_int_eq(config->log_keep_days, 90);
    ck_assert_int_eq(provider("openai")->key_count, 0);
    ck_assert_str_eq(provider("a")->keys[0], "sk-PLANTED-asked"); // the configuration names it
    ck_assert_uint_eq(config->file_count, 1);
    done();
    unsetenv("OPENAI_API_KEY");
    unsetenv("OLLAMA_HOST");
    unsetenv("ASKED_FOR");
    remove_folder();
}
END_TEST

// ---- memory --------------------------------------------------------------------------------------------------------

static int compile_all(void *unused) {
    int code = compile_text(
        "providers:\n  a: {kind: openai, base_url: \"https://far.example/v1\", api_keys: [env:K, sk-2], headers: {X-A: b}}\n"
        "  o: {kind: ollama, limits: {rpm: 5}, ca_file: /x.pem}\n"
        "models: {m: {targets: [a/x, {target: o/y, weight: 1}], fallbacks: {error: [ollama/z]}}}\n"
        "log: {path: /x.db}\n");
    if (code == 0) {
        // What is there is whole: nothing fell away for want of memory.
        const mb_provider *p = provider("a");
        ck_assert_str_eq(p->proxy, "http://p");
        ck_assert_str_eq(p->no_proxy, "x.example");
        ck_assert_str_eq(p->ca_file, "/env.pem");
        ck_assert_int_eq(p->key_count, 2);
        ck_assert_str_eq(p->keys[0], "sk-1");
        ck_assert_str_eq(config->default_model, "m");
    }
    ck_assert(code == 0 || code == MEMBRANE_ENOMEM);
    done();
    return code;
}

START_TEST(without_memory_there_is_an_error_and_never_half_a_configuration) {
    ENV("K=sk-1", "HTTPS_PROXY=http://p", "NO_PROXY=x.example", "SSL_CERT_FILE=/env.pem", "MEMBRANE_MODEL=m",
        "OPENAI_API_BASE=http://old.example", "OLLAMA_HOST=box:99", "ANTHROPIC_BASE_URL=https://h",
        "AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=PLANTEDs", "AWS_SESSION_TOKEN=PLANTEDt", "AWS_REGION=r");
    unit_every_allocation_fails(compile_all, NULL);
    variables = NULL;
}
END_TEST

static int load_all(void *unused) {
    int code = load(in_folder("option.yaml"), "log: {prompts: true}");
    if (code == 0) {
        ck_assert_int_eq(config->log_keep_days, 5);
        ck_assert_str_eq(mb_json_str(mb_json_path(config->tree, "log.path")), "/of/the/project.db");
        ck_assert_str_eq(config->log_path, "/of/the/project.db");
    }
    ck_assert(code == 0 || code == MEMBRANE_ENOMEM);
    done();
    return code;
}

START_TEST(without_memory_no_level_is_lost) {
    char hash[MB_HASH_HEX_SIZE];
    make_folder();
    write_text("xdg/membrane/config.yaml", "log: {keep_days: 2}\n");
    write_text("project/.membrane/config.json", "{\"log\": {\"path\": \"/of/the/project.db\"}}");
    ck_assert_int_eq(mb_trust_add(in_folder("project/.membrane/config.json"), hash, NULL), 0);
    write_text("option.yaml", "log: {keep_days: 5}\n");
    unit_every_allocation_fails(load_all, NULL);
    remove_folder();
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, an_unknown_key_is_an_error_with_file_line_and_the_nearest_key);
    tcase_add_test(tc, a_wrong_type_is_an_error_that_says_what_was_expected);
    tcase_add_test(tc, an_empty_text_is_a_configuration);
    tcase_add_test(tc, yaml_and_json_are_the_same_tree_with_the_same_lines);
    tcase_add_test(tc, bad_json_and_bad_yaml_say_their_line);
    tcase_add_test(tc, times_are_milliseconds_or_have_a_unit);
    tcase_add_test(tc, models_have_their_targets_and_fallbacks_in_order);
    tcase_add_test(tc, parts_of_later_versions_are_refused);
    tcase_add_test(tc, thousands_of_warnings_are_still_a_list);
    tcase_add_test(tc, a_newer_version_is_refused_whatever_level_it_stands_on);
    tcase_add_test(tc, a_key_is_literal_in_the_environment_or_in_a_file);
    tcase_add_test(tc, a_key_that_is_nowhere_is_missing_and_no_error);
    tcase_add_test(tc, what_is_wrong_with_a_key_is_said_without_the_key);
    tcase_add_test(tc, an_address_is_checked_and_its_last_slashes_go);
    tcase_add_test(tc, openai_base_url_is_read_and_the_old_name_with_a_warning);
    tcase_add_test(tc, anthropic_base_url_is_read_with_and_without_the_version);
    tcase_add_test(tc, ollama_host_is_read_and_a_wrong_one_is_said);
    tcase_add_test(tc, aws_credentials_come_from_the_table_or_the_usual_variables);
    tcase_add_test(tc, a_configuration_is_valid_wherever_its_region_comes_from);
    tcase_add_test(tc, a_bearer_key_needs_no_signature);
    tcase_add_test(tc, what_is_wrong_with_aws_is_said);
    tcase_add_test(tc, proxy_variables_are_read_in_both_cases_the_small_ones_first);
    tcase_add_test(tc, no_proxy_is_read_in_both_cases);
    tcase_add_test(tc, loopback_takes_no_proxy_from_the_environment_but_one_that_is_configured);
    tcase_add_test(tc, http_and_ca_file_are_read);
    tcase_add_test(tc, each_level_outweighs_those_below_it);
    tcase_add_test(tc, a_project_that_is_not_trusted_or_has_changed_is_passed_over_with_a_warning);
    tcase_add_test(tc, an_error_names_the_file_of_its_level);
    tcase_add_test(tc, a_file_that_was_named_must_be_there_and_readable);
    tcase_add_test(tc, without_the_flag_neither_files_nor_environment_are_read);
    tcase_add_test(tc, without_memory_there_is_an_error_and_never_half_a_configuration);
    tcase_add_test(tc, without_memory_no_level_is_lost);
}
UNIT_MAIN("config", tests)
