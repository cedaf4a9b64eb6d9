// SPDX-License-Identifier: MIT
// From what a call says to its targets, seen in its plan: nothing is sent.
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "membrane/call.h"
#include "membrane/membrane.h"

static membrane_t *m;
static membrane_result *plan;
static membrane_error *err;
static membrane_call_options options;

static void forget(void) {
    membrane_result_free(plan);
    membrane_error_free(err);
    plan = NULL;
    err = NULL;
}

static void begin(const char *config) {
    membrane_options o;
    membrane_options_init(&o, sizeof o);
    o.config_text = config;
    int code = membrane_open(&o, &m, &err);
    ck_assert_msg(code == 0, "%s", membrane_error_message(err));
    membrane_call_options_init(&options, sizeof options);
}

static void end(void) {
    forget();
    membrane_close(m, 1000);
    m = NULL;
}

// model NULL: none is named.
static int make(const char *model) {
    char request[256];
    snprintf(request, sizeof request, "{%s%s%s\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
             model ? "\"model\":\"" : "", model ? model : "", model ? "\"," : "");
    forget();
    int code = membrane_call_plan(m, request, 0, &options, &plan, &err);
    ck_assert_int_eq(membrane_error_code(err), code);
    return code;
}

// Target i of the plan is provider/model, and passed over for this reason (NULL: it is not).
static void has(int i, const char *target, const char *reason) {
    char path[64], name[256];
    snprintf(path, sizeof path, "candidates.%d.provider", i);
    const char *provider = membrane_result_str(plan, path);
    snprintf(path, sizeof path, "candidates.%d.model", i);
    snprintf(name, sizeof name, "%s/%s", provider ? provider : "?", membrane_result_str(plan, path));
    ck_assert_str_eq(name, target);
    snprintf(path, sizeof path, "candidates.%d.verdict", i);
    const char *verdict = membrane_result_str(plan, path);
    snprintf(path, sizeof path, "candidates.%d.why", i);
    const char *said = verdict && strcmp(verdict, "passed over") == 0 ? membrane_result_str(plan, path) : NULL;
    ck_assert_msg((!said && !reason) || (said && reason && strcmp(said, reason) == 0), "%s: %s", name, said);
}

static void says(int code, const char *message) {
    ck_assert_int_eq(membrane_error_code(err), code);
    ck_assert_str_eq(membrane_error_message(err), message);
}

#define OTHER "another provider was asked for"
static const char two[] = "providers:\n  a: {kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\"}\n"
                          "  b: {kind: openai-compatible, base_url: \"http://127.0.0.1:2/v1\"}\n"
                          "models:\n  chat: {targets: [a/x, b/y, b/z], aliases: [gpt-4]}\n  only-a: {targets: [a/q]}\n";

START_TEST(an_alias_is_the_model) {
    begin(two);
    ck_assert_int_eq(make("gpt-4"), 0);
    has(0, "a/x", NULL);
    has(2, "b/z", NULL);
    ck_assert_int_eq(make("gpt-44"), MEMBRANE_ENOTFOUND);
    says(MEMBRANE_ENOTFOUND, "there is no logical model \"gpt-44\" (did you mean \"gpt-4\"?)");
    ck_assert_int_eq(make("something-else"), MEMBRANE_ENOTFOUND);
    says(MEMBRANE_ENOTFOUND, "there is no logical model \"something-else\"");
    end();
}
END_TEST

START_TEST(only_targets_of_the_provider_that_is_asked_for_are_left) {
    begin(two);
    options.provider = "b";
    ck_assert_int_eq(make("chat"), 0);
    has(0, "a/x", OTHER);
    has(1, "b/y", NULL);
    has(2, "b/z", NULL);
    options.flags = MEMBRANE_CALL_NO_FALLBACK; // the first that may be asked
    ck_assert_int_eq(make("chat"), 0);
    has(0, "a/x", OTHER);
    has(1, "b/y", NULL);
    has(2, "b/z", "no fallback wanted");
    ck_assert_int_eq(make("a/x"), 0);
    has(0, "a/x", OTHER);
    end();
}
END_TEST

START_TEST(a_model_alone_is_the_providers) {
    begin(two);
    options.provider = "b";
    ck_assert_int_eq(make("gpt-5.5-mini"), 0);
    has(0, "b/gpt-5.5-mini", NULL);
    ck_assert_int_eq(make("b/gpt-5.5-mini"), 0);
    has(0, "b/gpt-5.5-mini", NULL);
    ck_assert_int_eq(make("meta-llama/llama-3"), 0); // no provider is called so
    has(0, "b/meta-llama/llama-3", NULL);
    options.provider = "builtin";
    ck_assert_int_eq(make("extractive"), 0);
    has(0, "builtin/extractive", NULL);
    ck_assert_int_eq(make("gpt-5.5-mini"), MEMBRANE_ENOTFOUND);
    options.provider = "openia";
    ck_assert_int_eq(make("gpt-5.5-mini"), MEMBRANE_ENOTFOUND);
    says(MEMBRANE_ENOTFOUND, "there is no provider \"openia\" (did you mean \"openai\"?)");
    options.provider = "";
    ck_assert_int_eq(make("chat"), MEMBRANE_ENOTFOUND);
    end();
}
END_TEST

START_TEST(without_a_model_the_provider_has_one) {
    begin(two);
    options.provider = "b";
    ck_assert_int_eq(make(NULL), 0);
    has(0, "a/x", OTHER);
    has(1, "b/y", NULL);
    options.provider = "openai";
    ck_assert_int_eq(make(NULL), 0);
    ck_assert_str_eq(membrane_result_str(plan, "candidates.0.provider"), "openai");
    ck_assert_str_eq(membrane_result_str(plan, "chosen_because"), "the provider's usual model");
    options.provider = "builtin";
    ck_assert_int_eq(make(NULL), 0);
    has(0, "builtin/extractive", NULL);
    end();
}
END_TEST

START_TEST(an_optimizer_that_is_named_in_via_is_passed_over) {
    begin("providers:\n  moa: {kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\"}\n"
          "models: {chat: {targets: [ollama/x]}}\noptimizer: {provider: moa}\n");
    ck_assert_int_eq(make("moa-chat"), 0);
    has(0, "moa/moa-chat", NULL);
    has(1, "ollama/x", NULL);
    options.via = "edge, moa";
    ck_assert_int_eq(make("moa-chat"), 0);
    has(0, "moa/moa-chat", "named in via");
    has(1, "ollama/x", NULL);
    end();
}
END_TEST

START_TEST(a_policy_that_is_none_is_refused_with_the_nearest) {
    static const char *const policies[] = {"ordered", "weighted", "least_busy", "latency", "cheapest", "usage"};
    begin(two);
    for (size_t i = 0; i < MB_COUNT(policies); i++) {
        options.policy = policies[i];
        ck_assert_int_eq(make("chat"), 0);
    }
    options.policy = "chepest";
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    says(MEMBRANE_EINVAL, "policy: there is none named \"chepest\" (did you mean \"cheapest\"?)");
    options.policy = "";
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    end();
}
END_TEST

START_TEST(absurd_bounds_are_refused_by_name) {
    begin(two);
    options.max_cost_usd_micros = -1;
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    says(MEMBRANE_EINVAL, "max_cost_usd_micros: 0 to 1000000000000000");
    options.max_cost_usd_micros = INT64_MAX;
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    options.max_cost_usd_micros = 50000;
    options.max_wait_ms = -7;
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    says(MEMBRANE_EINVAL, "max_wait_ms: not negative");
    options.max_wait_ms = MEMBRANE_FOREVER;
    ck_assert_int_eq(make("chat"), 0);
    options.hedge_ms = -2;
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    says(MEMBRANE_EINVAL, "hedge_ms: 0 to 2147483647, or MEMBRANE_HEDGE_P95");
    options.hedge_ms = INT64_MAX;
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    options.hedge_ms = MEMBRANE_HEDGE_P95;
    options.max_attempts = 65;
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    says(MEMBRANE_EINVAL, "max_attempts: 0 to 64");
    options.max_attempts = -1;
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    options.max_attempts = 64;
    ck_assert_int_eq(make("chat"), 0);
    options.flags = MEMBRANE_CALL_RESTART | MEMBRANE_CALL_CONTINUE;
    ck_assert_int_eq(make("chat"), MEMBRANE_EINVAL);
    says(MEMBRANE_EINVAL, "flags: an answer that breaks off is begun again or continued, not both");
    end();
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, an_alias_is_the_model);
    tcase_add_test(tc, only_targets_of_the_provider_that_is_asked_for_are_left);
    tcase_add_test(tc, a_model_alone_is_the_providers);
    tcase_add_test(tc, without_a_model_the_provider_has_one);
    tcase_add_test(tc, an_optimizer_that_is_named_in_via_is_passed_over);
    tcase_add_test(tc, a_policy_that_is_none_is_refused_with_the_nearest);
    tcase_add_test(tc, absurd_bounds_are_refused_by_name);
}
UNIT_MAIN("resolve", tests)
