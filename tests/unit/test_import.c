// SPDX-License-Identifier: MIT
// What the golden files under tests/cases/import do not show: keys in the ring, limits, memory, hostile files.
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

static char folder[] = "/tmp/mb-import-XXXXXX";
static membrane_error *err;
static membrane_result *result;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static membrane_keys_options begin(void) {
    membrane_keys_options o;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    membrane_keys_options_init(&o, sizeof o);
    o.folder = folder;
    return o;
}

static void forget(void) {
    membrane_result_free(result);
    membrane_error_free(err);
    result = NULL;
    err = NULL;
}

static void end(void) {
    forget();
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int import(const char *text, const membrane_keys_options *keys) {
    forget();
    int code = membrane_config_import("lite.yaml", text, 0, keys, &result, &err);
    ck_assert_int_eq(membrane_error_code(err), code);
    ck_assert((code == 0) == (result != NULL));
    if (code == 0) {
        const char *config = membrane_result_str(result, "config");
        ck_assert_int_eq(membrane_config_check("out", config, 0, NULL), 0);
        ck_assert_ptr_null(strstr(membrane_result_json(result, NULL), "PLANTED"));
    }
    return code;
}

static bool says(const char *text) { return strstr(membrane_result_json(result, NULL), text) != NULL; }

#define ENTRY(name, params) "  - {model_name: " name ", litellm_params: {" params "}}\n"

START_TEST(keys_go_into_the_ring_only_if_asked_and_replace_none) {
    static const char text[] = "model_list:\n" ENTRY("a", "model: openai/x, api_key: sk-PLANTED-one")
        ENTRY("b", "model: groq/x, api_key: sk-PLANTED-two") ENTRY("c", "model: mistral/x, api_key: os.environ/KEY");
    membrane_keys_options keys = begin();
    membrane_result *list = NULL;
    ck_assert_int_eq(import(text, NULL), 0);
    ck_assert(says("api_key: sealed:openai") && says("api_key: env:KEY"));
    ck_assert(says("{\"line\":2,\"text\":\"the key is not copied; store it: membrane keys set openai\"}"));
    ck_assert(says("{\"name\":\"openai\",\"stored\":false},{\"name\":\"groq\",\"stored\":false}"));
    ck_assert_int_eq(membrane_keys_set(&keys, "groq", "sk-mine", 7, &err), 0);
    ck_assert_int_eq(import(text, &keys), 0);
    ck_assert(says("{\"name\":\"openai\",\"stored\":true},{\"name\":\"groq\",\"stored\":false}"));
    ck_assert(says("the key ring has a key groq, which stays") && !says("is not copied"));
    ck_assert_int_eq(membrane_keys_list(&keys, &list, &err), 0);
    ck_assert_str_eq(membrane_result_str(list, "items.0.name"), "groq");
    ck_assert_str_eq(membrane_result_str(list, "items.1.name"), "openai");
    membrane_result_free(list);
    end();
}
END_TEST

START_TEST(each_strategy_is_a_policy) {
    static const char *const rows[][2] = {{"simple-shuffle", "weighted"},
                                          {"least-busy", "least_busy"},
                                          {"latency-based-routing", "latency"},
                                          {"cost-based-routing", "cheapest"},
                                          {"usage-based-routing", "usage"},
                                          {"usage-based-routing-v2", "usage"},
                                          {"null", "weighted"},
                                          {"adaptive", "weighted"},
                                          {"[]", "weighted"}};
    char text[512], want[64];
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        snprintf(text, sizeof text,
                 "model_list:\n" ENTRY("a", "model: openai/x") ENTRY("a", "model: openai/y")
                     ENTRY("b", "model: openai/z") "router_settings: {routing_strategy: %s}\n",
                 rows[i][0]);
        ck_assert_int_eq(import(text, NULL), 0);
        snprintf(want, sizeof want, "  a:\\n    policy: %s\\n", rows[i][1]);
        ck_assert_msg(says(want), "%s", rows[i][0]);
        ck_assert(!says("  b:\\n    policy"));
        ck_assert(says("is not known here") == (i > 6));
    }
    forget();
}
END_TEST

START_TEST(a_ring_that_cannot_be_opened_fails_the_import) {
    membrane_keys_options keys = begin();
    char path[64];
    ck_assert_int_eq(membrane_keys_set(&keys, "x", "y", 1, NULL), 0);
    snprintf(path, sizeof path, "%s/keys", folder);
    chmod(path, 0644);
    ck_assert_int_eq(import("model_list:\n" ENTRY("a", "model: openai/x, api_key: sk-PLANTED-one"), &keys),
                     MEMBRANE_ECONFIG);
    ck_assert_int_eq(import("model_list:\n" ENTRY("a", "model: openai/x"), &keys), 0); // nothing to store
    end();
}
END_TEST

START_TEST(what_is_no_litellm_file_is_an_error) {
    static const char *const texts[] = {"[]", "text",   "{}",        "model_list: {}", "providers: {}",
                                        "1",  "a: [\n", "a: 1\na: 2"};
    for (size_t i = 0; i < MB_COUNT(texts); i++) {
        ck_assert_msg(import(texts[i], NULL) == MEMBRANE_ECONFIG, "%s", texts[i]);
        ck_assert_msg(strncmp(membrane_error_message(err), "lite.yaml:", 10) == 0, "%s", membrane_error_message(err));
    }
    ck_assert_int_eq(membrane_config_import(NULL, NULL, 0, NULL, &result, NULL), MEMBRANE_EINVAL);
    ck_assert_int_eq(membrane_config_import(NULL, "x", 0, NULL, NULL, NULL), MEMBRANE_EINVAL);
    ck_assert_int_eq(import("model_list: []", NULL), 0);
    ck_assert_str_eq(membrane_result_str(result, "config"), "version: 1\n");
    forget();
}
END_TEST

// Wrong types in every place that is read: nothing but warnings.
START_TEST(no_type_anywhere_makes_it_stumble) {
    static const char *const values[] = {"null",
                                         "7",
                                         "-1.5",
                                         "true",
                                         "text",
                                         "[]",
                                         "{}",
                                         "[[1]]",
                                         "{a: {b: [c]}}",
                                         "[null, 7, {a: 1}]",
                                         "\"\\0\"",
                                         "''",
                                         "1e999",
                                         "99999999999999999999",
                                         "os.environ/X",
                                         "\"os.environ/ \\n\"",
                                         "\"\\u2028\\ufffe\\x7f\\x85\""};
    static const char *const places[] = {
        "model_list: [%s]",
        "model_list: [{model_name: %s, litellm_params: {model: ollama/x}}]",
        "model_list: [{model_name: a, litellm_params: %s}]",
        "model_list: [{model_name: a, litellm_params: {model: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, api_base: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, api_key: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, rpm: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, weight: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, weight: %s}}, "
        "{model_name: a, litellm_params: {model: openai/y, weight: 1}}]",
        "model_list: [{model_name: a, rpm: %s, litellm_params: {model: openai/x, max_parallel_requests: 1e12}}, "
        "{model_name: a, litellm_params: {model: openai/y}}]",
        "{model_list: [{model_name: a, litellm_params: {model: openai/x}}], router_settings: {routing_strategy: %s}}",
        "{model_list: [{model_name: a, litellm_params: {model: openai/x}}], "
        "router_settings: {optional_pre_call_checks: %s}}",
        "{model_list: [{model_name: a, litellm_params: {model: openai/x}}], "
        "router_settings: {default_max_parallel_requests: %s, deployment_affinity_ttl_seconds: %s, stream_timeout: 1}}",
        "{model_list: [{model_name: a, litellm_params: {model: openai/x}}], "
        "router_settings: {model_group_alias: {b: %s, c: a}}}",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, timeout: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, order: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, extra_headers: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, extra_headers: {X: %s}}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, organization: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/x, custom_llm_provider: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: azure/x, api_base: 'http://x', api_version: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: bedrock/x, aws_region_name: %s}}]",
        "model_list: [{model_name: a, litellm_params: {model: bedrock/x, aws_region_name: us-east-1, "
        "aws_access_key_id: %s, aws_secret_access_key: x}}]",
        "model_list: [{model_name: a, litellm_params: {model: vertex_ai/x, vertex_project: %s, vertex_location: x}}]",
        "model_list: [{model_name: a, litellm_params: {<<: %s, model: ollama/x}}]",
        "model_list: [{model_name: a, litellm_params: {model: ollama/x}, model_info: %s}]",
        "model_list: []\nrouter_settings: %s",
        "model_list: []\nlitellm_settings: %s",
        "model_list: []\ngeneral_settings: %s",
        "model_list: []\nrouter_settings: {fallbacks: %s}",
        "model_list: []\nrouter_settings: {fallbacks: [%s]}",
        "model_list: []\nrouter_settings: {fallbacks: [{a: %s}]}",
        "model_list: []\nlitellm_settings: {default_fallbacks: %s}",
        "model_list: []\nrouter_settings: {model_group_alias: %s}",
        "model_list: []\nrouter_settings: {model_group_alias: {x: %s}}",
        "model_list: []\nrouter_settings: {num_retries: %s, timeout: %s}"};
    for (size_t p = 0; p < MB_COUNT(places); p++) {
        for (size_t v = 0; v < MB_COUNT(values); v++) {
            char text[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(text, sizeof text, places[p], values[v], values[v]);
#pragma GCC diagnostic pop
            ck_assert_msg(import(text, NULL) == 0, "%s: %s", text, membrane_error_message(err));
        }
    }
    forget();
}
END_TEST

START_TEST(large_files_have_their_bounds) {
    mb_buf text = MB_BUF(2 * MB_LIMIT_CONFIG);
    mb_buf_puts(&text, "model_list:\n");
    for (int i = 0; i < 4096; i++)
        mb_buf_putf(&text, "  - {model_name: m%d, litellm_params: {model: openai/x, rpm: %d, odd: 1}}\n", i, i + 1);
    ck_assert_int_eq(import(mb_buf_text(&text), NULL), 0);
    ck_assert(says("openai-4096") && says("there is more that was not taken over"));
    mb_buf_puts(&text, "  - {model_name: one-more, litellm_params: {model: openai/x}}\n");
    ck_assert_int_eq(import(mb_buf_text(&text), NULL), MEMBRANE_ECONFIG);
    ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "more than 4096 entries"));
    mb_buf_reset(&text);
    mb_buf_puts(&text, "model_list:\n"); // every model falls back to the same thousand
    for (int i = 0; i < 1000; i++)
        mb_buf_putf(&text, "  - {model_name: m%d, litellm_params: {model: ollama/x%d}}\n", i, i);
    mb_buf_puts(&text, "litellm_settings:\n  default_fallbacks: [");
    for (int i = 0; i < 1000; i++) mb_buf_putf(&text, "m%d, ", i);
    mb_buf_puts(&text, "]\n");
    ck_assert_int_eq(import(mb_buf_text(&text), NULL), 0);
    ck_assert(says("more than 64 fallbacks: the rest is left out"));
    mb_buf_reset(&text);
    while (text.len <= MB_LIMIT_CONFIG) mb_buf_puts(&text, "# nothing but words\n");
    ck_assert_int_eq(import(mb_buf_text(&text), NULL), MEMBRANE_ECONFIG);
    mb_buf_free(&text);
    forget();
}
END_TEST

static int import_all(void *keys) {
    int code = membrane_config_import(
        "lite.yaml",
        "model_list:\n" ENTRY("a", "model: openai/x, api_key: sk-PLANTED-one, rpm: 1, weight: 2, odd: 1") ENTRY(
            "a",
            "model: azure/x, api_base: 'https://x.openai.azure.com/', api_version: '1', extra_headers: {X-Key: PLANTED}")
            ENTRY(
                "b",
                "model: bedrock/x, aws_region_name: us-east-1, aws_access_key_id: PLANTED, aws_secret_access_key: PLANTED")
                ENTRY("c", "model: vertex_ai/x, vertex_project: p, vertex_location: l") ENTRY(
                    "d",
                    "model: huggingface/a/b/c") "router_settings: {model_group_alias: {e: a}, fallbacks: [{a: [b, c]}]}\n",
        0, keys, &result, &err);
    ck_assert_msg(code == 0 || code == MEMBRANE_ENOMEM, "%s", membrane_error_message(err));
    if (code == 0) ck_assert(says("vertex/x") && says("azure/x") && says("error:\\n        - bedrock/x"));
    forget();
    return code;
}

START_TEST(without_memory_there_is_an_error_and_never_half_a_configuration) {
    membrane_keys_options keys = begin();
    unit_every_allocation_fails(import_all, NULL);
    unit_every_allocation_fails(import_all, &keys);
    end();
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, keys_go_into_the_ring_only_if_asked_and_replace_none);
    tcase_add_test(tc, each_strategy_is_a_policy);
    tcase_add_test(tc, a_ring_that_cannot_be_opened_fails_the_import);
    tcase_add_test(tc, what_is_no_litellm_file_is_an_error);
    tcase_add_test(tc, no_type_anywhere_makes_it_stumble);
    tcase_add_test(tc, large_files_have_their_bounds);
    tcase_add_test(tc, without_memory_there_is_an_error_and_never_half_a_configuration);
}
UNIT_MAIN("import", tests)
