// SPDX-License-Identifier: MIT
// What a configuration says of routing: policies, weights, limits, hedges and the like, and what is wrong with them.
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "membrane/options.h"
#include "runtime/config.h"

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
    if (code == 0) code = mb_config_compile(config, &mb_environment_none, &err);
    ck_assert_int_eq(membrane_error_code(err), code);
    return code;
}

static void good(const char *text) {
    int code = compile_text(text);
    ck_assert_msg(code == 0, "%s: %s", text, membrane_error_message(err));
    ck_assert_str_eq(mb_buf_text(&config->warnings), "");
}

static void bad(const char *text, const char *message) {
    ck_assert_msg(compile_text(text) == MEMBRANE_ECONFIG, "%s", text);
    ck_assert_str_eq(membrane_error_message(err), message);
    done();
}

static const mb_provider *provider(const char *name) {
    const mb_provider *p = mb_config_provider(config, name, strlen(name));
    ck_assert_msg(p != NULL, "no provider %s", name);
    return p;
}

static const mb_model *model(const char *name) {
    const mb_model *m = mb_config_model(config, name);
    ck_assert_msg(m != NULL, "no model %s", name);
    return m;
}

// One model of a single target with one more key, on a line of its own.
static const char *with(const char *member) {
    static char text[512];
    snprintf(text, sizeof text, "models:\n  m:\n    targets: [ollama/x]\n    %s\n", member);
    return text;
}

// ---- the way -------------------------------------------------------------------------------------------------------

START_TEST(what_is_not_said_has_its_usual_value) {
    good("models: {m: {targets: [ollama/x]}}");
    const mb_way *way = &model("m")->way;
    ck_assert_int_eq(way->policy, MB_POLICY_ORDERED);
    ck_assert_int_eq(way->retries, MB_RETRIES);
    ck_assert_int_eq(way->max_wait_ms, 0);
    ck_assert_int_eq(way->hedge.kind, MB_HEDGE_OFF);
    ck_assert_int_eq(way->sticky_ms, 0);
    ck_assert_int_eq(way->on_cut, MB_CUT_ERROR);
    ck_assert(way->min_tokens_per_s == 0);
    ck_assert(model("m")->targets[0].weight == 1);
    ck_assert_int_eq(model("m")->targets[0].limits.rpm, 0);
    ck_assert(!provider("ollama")->tells_hops);
    done();
}
END_TEST

START_TEST(each_policy_has_a_name_and_a_slip_is_told_the_nearest) {
    static const struct {
        const char *name;
        mb_policy policy;
    } rows[] = {{"ordered", MB_POLICY_ORDERED}, {"weighted", MB_POLICY_WEIGHTED}, {"least_busy", MB_POLICY_LEAST_BUSY},
                {"latency", MB_POLICY_LATENCY}, {"cheapest", MB_POLICY_CHEAPEST}, {"usage", MB_POLICY_USAGE}};
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        char member[64];
        snprintf(member, sizeof member, "policy: %s", rows[i].name);
        good(with(member));
        ck_assert_int_eq(model("m")->way.policy, rows[i].policy);
    }
    bad(with("policy: least-busy"),
        "a.yaml:4: models.m.policy: \"least-busy\" is none of ordered, weighted, least_busy, "
        "latency, cheapest, usage (did you mean \"least_busy\"?)");
    bad(with("policy: random"), "a.yaml:4: models.m.policy: \"random\" is none of ordered, weighted, least_busy, "
                                "latency, cheapest, usage");
    bad(with("policy: 1"), "a.yaml:4: models.m.policy must be a text, not a number");
}
END_TEST

START_TEST(hedge_sticky_and_max_wait_are_switches_or_times) {
    static const struct {
        const char *text;
        int kind;
        int64_t ms;
    } hedges[] = {{"false", MB_HEDGE_OFF, 0},      {"true", MB_HEDGE_P95, 0}, {"p95", MB_HEDGE_P95, 0},
                  {"\"0\"", MB_HEDGE_OFF, 0},      {"0", MB_HEDGE_OFF, 0},    {"500", MB_HEDGE_DELAY, 500},
                  {"\"2s\"", MB_HEDGE_DELAY, 2000}};
    for (size_t i = 0; i < MB_COUNT(hedges); i++) {
        char member[64];
        snprintf(member, sizeof member, "hedge: %s", hedges[i].text);
        good(with(member));
        ck_assert_int_eq(model("m")->way.hedge.kind, hedges[i].kind);
        ck_assert_int_eq(model("m")->way.hedge.delay_ms, hedges[i].ms);
    }
    good(with("sticky: true"));
    ck_assert_int_eq(model("m")->way.sticky_ms, 600000);
    good(with("sticky: false"));
    ck_assert_int_eq(model("m")->way.sticky_ms, 0);
    good(with("sticky: 1h"));
    ck_assert_int_eq(model("m")->way.sticky_ms, 3600000);
    good(with("max_wait: 3s"));
    ck_assert_int_eq(model("m")->way.max_wait_ms, 3000);
#define TIME "a time (milliseconds, or \"500ms\", \"30s\", \"2m\")"
    bad(with("hedge: p59"), "a.yaml:4: models.m.hedge must be true, false, \"p95\" or " TIME);
    bad(with("hedge: -1"), "a.yaml:4: models.m.hedge must be true, false, \"p95\" or " TIME);
    bad(with("hedge: 1.5"), "a.yaml:4: models.m.hedge must be true, false or " TIME ", not a number");
    bad(with("hedge: [p95]"), "a.yaml:4: models.m.hedge must be true, false or " TIME ", not a list");
    bad(with("sticky: for ever"), "a.yaml:4: sticky must be " TIME);
    bad(with("sticky: 31d"), "a.yaml:4: sticky must be " TIME);
    bad(with("max_wait: true"), "a.yaml:4: models.m.max_wait must be " TIME ", not true or false");
    bad(with("max_wait: -5s"), "a.yaml:4: max_wait must be " TIME);
    bad(with("max_wait: 99999999999h"), "a.yaml:4: max_wait must be " TIME);
}
END_TEST

START_TEST(a_cut_and_a_slow_stream_have_their_rules) {
    good(with("on_cut: restart"));
    ck_assert_int_eq(model("m")->way.on_cut, MB_CUT_RESTART);
    good(with("on_cut: continue"));
    ck_assert_int_eq(model("m")->way.on_cut, MB_CUT_CONTINUE);
    good(with("on_cut: error"));
    ck_assert_int_eq(model("m")->way.on_cut, MB_CUT_ERROR);
    good(with("min_tokens_per_s: 2.5"));
    ck_assert(model("m")->way.min_tokens_per_s == 2.5);
    bad(with("on_cut: resume"), "a.yaml:4: models.m.on_cut: \"resume\" is none of error, restart, continue");
    bad(with("on_cut: contine"),
        "a.yaml:4: models.m.on_cut: \"contine\" is none of error, restart, continue (did you mean \"continue\"?)");
    bad(with("on_cut: true"), "a.yaml:4: models.m.on_cut must be a text, not true or false");
}
END_TEST

// ---- weights and limits --------------------------------------------------------------------------------------------

START_TEST(targets_have_weights_and_limits_and_providers_have_limits) {
    good("providers:\n  a: {kind: ollama, limits: {rpm: 60, tpm: 100000, parallel: 4}, tells_hops: true}\n"
         "models:\n  m:\n    policy: weighted\n    targets:\n      - {target: a/x, weight: 0.25}\n      - a/y\n"
         "      - {target: a/z, weight: 0, limits: {rpm: 1, tpm: 1000000000}}\n    fallbacks: {error: [ollama/q]}\n");
    const mb_model *m = model("m");
    const mb_provider *a = provider("a");
    ck_assert_int_eq(a->limits.rpm, 60);
    ck_assert_int_eq(a->limits.tpm, 100000);
    ck_assert_int_eq(a->limits.parallel, 4);
    ck_assert(a->tells_hops && !provider("ollama")->tells_hops);
    ck_assert(m->targets[0].weight == 0.25 && m->targets[1].weight == 1 && m->targets[2].weight == 0);
    ck_assert(m->targets[3].weight == 1 && m->targets[3].group == MB_GROUP_ERROR);
    ck_assert_int_eq(m->targets[2].limits.rpm, 1);
    ck_assert_int_eq(m->targets[2].limits.tpm, 1000000000);
    ck_assert_int_eq(m->targets[2].limits.parallel, 0);
    ck_assert_int_eq(m->targets[0].limits.rpm, 0);
    done();
}
END_TEST

START_TEST(a_model_that_draws_by_weight_has_one) {
    static const char text[] = "models:\n  m:\n    policy: %s\n    targets:\n      - {target: ollama/x, weight: 0}\n"
                               "      - {target: ollama/y, weight: 0.0}\n    fallbacks: {error: [ollama/z]}\n";
    char full[256];
    snprintf(full, sizeof full, text, "weighted");
    bad(full, "a.yaml:4: models.m.targets: with a weight of 0 for each there is none to choose");
    snprintf(full, sizeof full, text, "ordered");
    good(full);
    done();
}
END_TEST

START_TEST(no_number_is_taken_that_means_nothing) {
    static const char *const weights[] = {"-1",
                                          "-0.5",
                                          "1000001",
                                          "1e7",
                                          "1e999",
                                          "-1e999",
                                          ".inf",
                                          ".nan",
                                          "nan",
                                          "heavy",
                                          "true",
                                          "[1]",
                                          "99999999999999999999",
                                          "null",
                                          "{}",
                                          "0x10"};
    static const char *const counts[] = {
        "0", "-1", "1.5", "1000000001", "99999999999999999999", "1e3", ".nan", "many", "true", "[1]", "null", "\"60\""};
    static const char *const places[] = {
        "providers:\n  a:\n    kind: ollama\n    limits: {rpm: %s}\n",
        "providers:\n  a:\n    kind: ollama\n    limits: {tpm: %s}\n",
        "providers:\n  a:\n    kind: ollama\n    limits: {parallel: %s}\n",
        "models:\n  m:\n    targets:\n    - {target: ollama/x, limits: {parallel: %s}}\n"};
    char text[256];
    for (size_t i = 0; i < MB_COUNT(weights); i++) {
        snprintf(text, sizeof text, "models:\n  m:\n    targets:\n    - {target: ollama/x, weight: %s}\n", weights[i]);
        ck_assert_msg(compile_text(text) == MEMBRANE_ECONFIG, "%s", text);
        ck_assert_ptr_nonnull(strstr(membrane_error_message(err),
                                     "a.yaml:4: models.m.targets.0.weight must be a number from 0 to 1000000, not "));
        snprintf(text, sizeof text, "min_tokens_per_s: %s", weights[i]);
        ck_assert_msg(compile_text(with(text)) == MEMBRANE_ECONFIG, "%s", text);
    }
    for (size_t p = 0; p < MB_COUNT(places); p++)
        for (size_t i = 0; i < MB_COUNT(counts); i++) {
            snprintf(text, sizeof text, places[p], counts[i]);
            ck_assert_msg(compile_text(text) == MEMBRANE_ECONFIG, "%s", text);
            ck_assert_msg(strncmp(membrane_error_message(err), "a.yaml:4: ", 10) == 0 &&
                              strstr(membrane_error_message(err), " must be a whole number from 1 to 1000000000, not "),
                          "%s", membrane_error_message(err));
        }
    bad("providers: {a: {kind: ollama, limits: 60}}", "a.yaml:1: providers.a.limits must be a table, not a number");
    bad("providers: {a: {kind: ollama, limits: {rmp: 60}}}",
        "a.yaml:1: unknown key \"rmp\" in providers.a.limits (did you mean \"rpm\"?)");
    bad("providers: {a: {kind: ollama, tells_hops: maybe}}",
        "a.yaml:1: providers.a.tells_hops must be true or false, not a text");
    bad("models: {m: {targets: [{target: ollama/x, wieght: 2}]}}",
        "a.yaml:1: unknown key \"wieght\" in models.m.targets.0 (did you mean \"weight\"?)");
    bad(with("weight: 2"), "a.yaml:4: unknown key \"weight\" in models.m");
    bad("models: {m: {targets: [{target: ollama/x, weight: 1, weight: 2}]}}",
        "a.yaml:1: the key 'weight' stands twice");
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, what_is_not_said_has_its_usual_value);
    tcase_add_test(tc, each_policy_has_a_name_and_a_slip_is_told_the_nearest);
    tcase_add_test(tc, hedge_sticky_and_max_wait_are_switches_or_times);
    tcase_add_test(tc, a_cut_and_a_slow_stream_have_their_rules);
    tcase_add_test(tc, targets_have_weights_and_limits_and_providers_have_limits);
    tcase_add_test(tc, a_model_that_draws_by_weight_has_one);
    tcase_add_test(tc, no_number_is_taken_that_means_nothing);
}
UNIT_MAIN("config_models", tests)
