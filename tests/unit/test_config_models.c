// SPDX-License-Identifier: MIT
// What a configuration says of routing: policies, weights, limits, hedges and the like, and what is wrong with them.
#include "config_text.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "membrane/options.h"
#include "runtime/config.h"

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
    bad(with("sticky: for ever"), "a.yaml:4: models.m.sticky must be true, false or " TIME);
    bad(with("sticky: 31d"), "a.yaml:4: models.m.sticky must be true, false or " TIME);
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

START_TEST(a_model_is_kept_warm_where_it_says_so) {
    good(with("warm: true"));
    ck_assert(model("m")->warm);
    good(with("warm: false"));
    ck_assert(!model("m")->warm);
    bad(with("warm: always"), "a.yaml:4: models.m.warm must be true or false, not a text");
    done();
}
END_TEST

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

START_TEST(limits_of_a_target_are_said_once_and_hold_wherever_it_is_named) {
    good("models:\n  a: {targets: [{target: ollama/x, limits: {rpm: 60}}, ollama/y]}\n"
         "  b: {targets: [ollama/x, ollama/y], fallbacks: {error: [{target: ollama/y, limits: {parallel: 2}}]}}\n");
    ck_assert_int_eq(model("b")->targets[0].limits.rpm, 60);
    ck_assert_int_eq(model("a")->targets[1].limits.parallel, 2);
    ck_assert_int_eq(model("b")->targets[1].limits.parallel, 2);
    ck_assert_int_eq(mb_config_target_limits(config, provider("ollama"), "x").rpm, 60);
    ck_assert_int_eq(mb_config_target_limits(config, provider("ollama"), "z").rpm, 0);
    good("models:\n  a: {targets: [{target: ollama/x, limits: {rpm: 60}}, {target: ollama/x, limits: {rpm: 60}}]}\n");
    bad("models:\n  a:\n    targets: [{target: ollama/x, limits: {rpm: 60}}]\n"
        "  b:\n    targets:\n    - {target: ollama/x, limits: {rpm: 60, tpm: 5}}\n",
        "a.yaml:6: ollama/x has other limits at a.yaml:3");
    bad(with("fallbacks: {error: [{target: ollama/x, weight: 1}]}"),
        "a.yaml:4: unknown key \"weight\" in models.m.fallbacks.error.0");
    bad(with("fallbacks: {error: [7]}"), "a.yaml:4: models.m.fallbacks.error.0 must be a table");
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
                                     "a.yaml:4: models.m.targets.0.weight must be a number from 0 to 1000000"));
        snprintf(text, sizeof text, "min_tokens_per_s: %s", weights[i]);
        ck_assert_msg(compile_text(with(text)) == MEMBRANE_ECONFIG, "%s", text);
    }
    for (size_t p = 0; p < MB_COUNT(places); p++)
        for (size_t i = 0; i < MB_COUNT(counts); i++) {
            snprintf(text, sizeof text, places[p], counts[i]);
            ck_assert_msg(compile_text(text) == MEMBRANE_ECONFIG, "%s", text);
            ck_assert_msg(strncmp(membrane_error_message(err), "a.yaml:4: ", 10) == 0 &&
                              strstr(membrane_error_message(err), " must be a whole number from 1 to 1000000000"),
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

// ---- names ---------------------------------------------------------------------------------------------------------

START_TEST(a_model_answers_to_its_aliases) {
    good("models:\n  chat: {targets: [ollama/x], aliases: [gpt-4, \"Fast one\", \"\u00fc\"]}\n"
         "  other: {targets: [ollama/y], aliases: []}\n");
    ck_assert_ptr_eq(model("gpt-4"), model("chat"));
    ck_assert_ptr_eq(model("Fast one"), model("chat"));
    ck_assert_ptr_eq(model("\u00fc"), model("chat"));
    ck_assert_ptr_ne(model("other"), model("chat"));
    ck_assert_ptr_null(mb_config_model(config, "GPT-4"));
    ck_assert_ptr_null(mb_config_model(config, ""));
    ck_assert_uint_eq(config->model_count, 2);
    done();
}
END_TEST

START_TEST(no_name_means_two_things) {
    bad("models:\n  a: {targets: [ollama/x]}\n  b:\n    targets: [ollama/x]\n    aliases:\n      - c\n      - a\n",
        "a.yaml:7: models.b.aliases: \"a\" is a model itself");
    bad("models:\n  a: {targets: [ollama/x], aliases: [b]}\n  b: {targets: [ollama/x]}\n",
        "a.yaml:2: models.a.aliases: \"b\" is a model itself");
    bad("models:\n  a: {targets: [ollama/x], aliases: [a]}\n", "a.yaml:2: models.a.aliases: \"a\" is a model itself");
    bad("models:\n  a: {targets: [ollama/x], aliases: [c]}\n  b: {targets: [ollama/x], aliases: [d, c]}\n",
        "a.yaml:3: models.b.aliases: \"c\" is an alias of models.a already");
    bad(with("aliases: [c, c]"), "a.yaml:4: models.m.aliases: \"c\" is an alias of models.m already");
#define RULE " is no alias: no slash, no control characters, 1 to 256 bytes"
    bad(with("aliases: [ollama/x]"), "a.yaml:4: models.m.aliases: \"ollama/x\"" RULE);
    bad(with("aliases: ['']"), "a.yaml:4: models.m.aliases: \"\"" RULE);
    bad(with("aliases: [\"a\\0b\"]"), "a.yaml:4: models.m.aliases: \"a\"" RULE);
    ck_assert_int_eq(compile_text(with("aliases: [\"a\\nb\"]")), MEMBRANE_ECONFIG);
    bad(with("aliases: c"), "a.yaml:4: models.m.aliases must be a list of texts, not a text");
    bad(with("aliases: [1]"), "a.yaml:4: models.m.aliases must be a list of texts, not a list");
    bad(with("alias: [c]"), "a.yaml:4: unknown key \"alias\" in models.m (did you mean \"aliases\"?)");
}
END_TEST

#define LAB                                                                                                            \
    "providers:\n"                                                                                                     \
    "  moa: {kind: openai-compatible, base_url: \"http://127.0.0.1:9000/v1\"}\n"                                       \
    "  box: {kind: openai-compatible, base_url: \"http://127.0.0.1:8100/v1\"}\n"

START_TEST(an_optimizer_is_asked_first_and_the_model_itself_where_it_fails) {
    good(LAB "models:\n"
             "  chat:\n    policy: weighted\n    hedge: true\n    aliases: [gpt-4]\n"
             "    targets: [{target: box/big, weight: 3, limits: {parallel: 2}}, ollama/small]\n"
             "    fallbacks: {error: [builtin/extractive], context_overflow: [box/long]}\n"
             "optimizer: {provider: moa}\n");
    const mb_model *m = model("moa-chat");
    static const struct {
        const char *provider, *model;
        mb_group group;
        double weight;
    } want[] = {{"moa", "moa-chat", MB_GROUP_MAIN, 1},
                {"box", "big", MB_GROUP_ERROR, 3},
                {"ollama", "small", MB_GROUP_ERROR, 1},
                {"builtin", "extractive", MB_GROUP_ERROR, 1},
                {"box", "long", MB_GROUP_CONTEXT, 1}};
    ck_assert_uint_eq(m->target_count, MB_COUNT(want));
    for (size_t i = 0; i < MB_COUNT(want); i++) {
        ck_assert_str_eq(m->targets[i].provider->name, want[i].provider);
        ck_assert_str_eq(m->targets[i].model, want[i].model);
        ck_assert_int_eq(m->targets[i].group, want[i].group);
        ck_assert(m->targets[i].weight == want[i].weight);
    }
    ck_assert_int_eq(m->targets[1].limits.parallel, 2);
    ck_assert_int_eq(m->way.policy, MB_POLICY_ORDERED);
    ck_assert_int_eq(m->way.hedge.kind, MB_HEDGE_P95);
    ck_assert_ptr_eq(model("moa-gpt-4"), m);
    ck_assert_int_eq(model("chat")->targets[0].group, MB_GROUP_MAIN);
    ck_assert_int_eq(model("chat")->way.policy, MB_POLICY_WEIGHTED);
    ck_assert_ptr_eq(config->optimizer, provider("moa"));
    ck_assert_str_eq(config->optimizer_prefix, "moa-");
    ck_assert(provider("moa")->tells_hops && !provider("box")->tells_hops);
    ck_assert_str_eq(config->models[0].name, "chat"); // still the first one
    ck_assert_ptr_null(mb_config_model(config, "moa-moa-chat"));
    done();
}
END_TEST

START_TEST(a_model_that_has_the_optimizers_name_already_wins) {
    good(LAB "models:\n  a: {targets: [box/a], aliases: [b]}\n  best-a: {targets: [box/other]}\n"
             "  c: {targets: [box/c], aliases: [best-d]}\n  d: {targets: [box/d]}\n"
             "optimizer: {provider: moa, prefix: best-}\n");
    ck_assert_uint_eq(model("best-a")->target_count, 1);
    ck_assert_ptr_eq(model("best-b"), model("best-a"));
    ck_assert_ptr_eq(model("best-d"), model("c"));
    ck_assert_str_eq(model("best-c")->targets[0].model, "best-c");
    ck_assert_ptr_null(mb_config_model(config, "best-best-a"));
    done();
}
END_TEST

START_TEST(what_is_wrong_with_an_optimizer_is_said) {
    bad(LAB "optimizer:\n  provider: mao\n",
        "a.yaml:5: optimizer.provider: there is no provider \"mao\" (did you mean \"moa\"?)");
    bad("optimizer: {provider: builtin}\n", "a.yaml:1: optimizer.provider: \"builtin\" is no proxy");
    bad("optimizer: {prefix: x}\n", "a.yaml:1: optimizer: \"provider\" is missing");
    bad("optimizer: moa\n", "a.yaml:1: optimizer must be a table, not a text");
    bad("optimizer: {provider: ollama, prefx: x}\n",
        "a.yaml:1: unknown key \"prefx\" in optimizer (did you mean \"prefix\"?)");
#define NO_START " is no start of a name: no slash, no control characters, 1 to 256 bytes"
    bad("optimizer: {provider: ollama, prefix: ''}\n", "a.yaml:1: optimizer.prefix: \"\"" NO_START);
    bad("optimizer: {provider: ollama, prefix: moa/}\n", "a.yaml:1: optimizer.prefix: \"moa/\"" NO_START);
    bad("providers:\n  moa:\n    kind: ollama\n    tells_hops: false\noptimizer: {provider: moa}\n",
        "a.yaml:4: providers.moa.tells_hops: an optimizer that is not told them goes round in circles");
    bad("providers:\n  \"a,b\": {kind: ollama, tells_hops: true}\n",
        "a.yaml:2: providers.a,b: a name with a comma cannot stand in a list of hops");
}
END_TEST

// Ten engines of one box, each behind a port of its own; names that stay when the models behind them change.
START_TEST(a_home_lab_has_names_that_stay) {
    static const char *const names[] = {"jerry-xl", "jerry-l", "jerry-m", "jerry-s",   "bench-xl",
                                        "bench-l",  "bench-m", "bench-s", "utility-a", "utility-b"};
    mb_buf text = MB_BUF(65536);
    mb_buf_puts(&text, "providers:\n  moa: {kind: openai-compatible, base_url: \"http://127.0.0.1:8090/v1\"}\n");
    for (int i = 0; i < 10; i++)
        mb_buf_putf(&text, "  p%d: {kind: llamacpp, base_url: \"http://127.0.0.1:%d/v1\"}\n", 8100 + i, 8100 + i);
    mb_buf_puts(&text, "hop: lab\noptimizer: {provider: moa}\nmodels:\n");
    for (int i = 0; i < 10; i++) mb_buf_putf(&text, "  %s: {targets: [p%d/default]}\n", names[i], 8100 + i);
    good(mb_buf_text(&text));
    for (int i = 0; i < 10; i++) {
        char name[32], url[64];
        snprintf(name, sizeof name, "moa-%s", names[i]);
        snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", 8100 + i);
        const mb_model *plain = model(names[i]), *optimized = model(name);
        ck_assert_uint_eq(plain->target_count, 1);
        ck_assert_str_eq(plain->targets[0].provider->base_url, url);
        ck_assert_uint_eq(optimized->target_count, 2);
        ck_assert_str_eq(optimized->targets[0].provider->name, "moa");
        ck_assert_str_eq(optimized->targets[0].model, name);
        ck_assert_str_eq(optimized->targets[1].provider->base_url, url);
        ck_assert_int_eq(optimized->targets[1].group, MB_GROUP_ERROR);
    }
    ck_assert_uint_eq(config->model_count, 20);
    ck_assert_str_eq(config->hop, "lab");
    mb_buf_free(&text);
    done();
}
END_TEST

START_TEST(a_hop_has_a_name_that_can_stand_in_a_list) {
    static const char *const wrong[] = {"''", "a/b", "'a,b'", "'a b'", "\"a\\tb\"", "\"a\\0b\""};
    good("hop: lab-1\n");
    ck_assert_str_eq(config->hop, "lab-1");
    good("version: 1\n");
    ck_assert_ptr_null(config->hop);
    for (size_t i = 0; i < MB_COUNT(wrong); i++) {
        char text[64];
        snprintf(text, sizeof text, "version: 1\nhop: %s\n", wrong[i]);
        ck_assert_int_eq(compile_text(text), MEMBRANE_ECONFIG);
        ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "is no name for a hop: no slash, comma, blank or "));
        ck_assert(strncmp(membrane_error_message(err), "a.yaml:2: ", 10) == 0);
    }
    bad("hop: 7\n", "a.yaml:1: hop must be a text, not a number");
    bad("providers: {box: {kind: ollama}}\nhop: box\n",
        "a.yaml:2: hop: \"box\" is a provider: a list of hops could mean either");
}
END_TEST

// ---- cost and probes -----------------------------------------------------------------------------------------------

START_TEST(a_call_may_cost_so_much_and_targets_are_probed) {
    good("version: 1\n");
    ck_assert_int_eq(config->max_cost_usd_micros, 0);
    ck_assert(!config->refuses_unknown_cost);
    ck_assert_int_eq(config->probe_ms, 15000);
    good("cost: {max_per_call_usd_micros: 50000, unknown: refuse}\nprobes: {interval: 1m}\n");
    ck_assert_int_eq(config->max_cost_usd_micros, 50000);
    ck_assert(config->refuses_unknown_cost);
    ck_assert_int_eq(config->probe_ms, 60000);
    good("cost: {unknown: allow}\nprobes: {interval: \"0\"}\n");
    ck_assert(!config->refuses_unknown_cost);
    ck_assert_int_eq(config->probe_ms, 0);
    good("probes: {interval: 0}\n");
    ck_assert_int_eq(config->probe_ms, 0);
    bad("cost:\n  unknown: refused\n",
        "a.yaml:2: cost.unknown: \"refused\" is none of allow, refuse (did you mean \"refuse\"?)");
    static const char *const wrong[] = {"0", "-1", "0.5", "\"$1\"", "99999999999999999999", "1000000000000001", "null"};
    for (size_t i = 0; i < MB_COUNT(wrong); i++) {
        char text[96];
        snprintf(text, sizeof text, "version: 1\ncost: {max_per_call_usd_micros: %s}\n", wrong[i]);
        ck_assert_msg(compile_text(text) == MEMBRANE_ECONFIG, "%s", text);
        ck_assert_ptr_nonnull(strstr(membrane_error_message(err),
                                     "a.yaml:2: cost.max_per_call_usd_micros must be a whole number from 1 to "));
    }
    bad("probes: {interval: 10ms}\n", "a.yaml:1: probes.interval must be 0 (never) or a second at least");
    bad("probes: {intervall: 10s}\n", "a.yaml:1: unknown key \"intervall\" in probes (did you mean \"interval\"?)");
}
END_TEST

// ---- memory --------------------------------------------------------------------------------------------------------

static int compile_all(void *unused) {
    int code = compile_text(
        LAB "models:\n  a: {targets: [box/a, {target: box/b, weight: 2, limits: {rpm: 5}}], aliases: [b, c]}\n"
            "  d: {targets: [moa/d], sticky: true, hedge: p95, policy: latency}\n"
            "optimizer: {provider: moa}\nhop: here\ncost: {unknown: refuse}\n");
    if (code == 0) {
        ck_assert_uint_eq(config->model_count, 4);
        ck_assert_uint_eq(mb_map_count(&config->names), 8);
    }
    ck_assert(code == 0 || code == MEMBRANE_ENOMEM);
    done();
    return code;
}

START_TEST(without_memory_no_name_is_lost) { unit_every_allocation_fails(compile_all, NULL); }
END_TEST

START_TEST(ten_thousand_models_are_compiled_and_found) {
    mb_buf text = MB_BUF(MB_LIMIT_CONFIG);
    mb_buf_puts(&text, "optimizer: {provider: ollama}\nmodels:\n");
    for (int i = 0; i < 10000; i++) mb_buf_putf(&text, "  m%d: {targets: [ollama/x], aliases: [a%d]}\n", i, i);
    good(mb_buf_text(&text));
    ck_assert_uint_eq(mb_map_count(&config->names), 40000);
    ck_assert_ptr_eq(model("a9999"), model("m9999"));
    ck_assert_str_eq(model("moa-a9999")->name, "moa-m9999");
    mb_buf_free(&text);
    done();
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, what_is_not_said_has_its_usual_value);
    tcase_add_test(tc, each_policy_has_a_name_and_a_slip_is_told_the_nearest);
    tcase_add_test(tc, hedge_sticky_and_max_wait_are_switches_or_times);
    tcase_add_test(tc, a_cut_and_a_slow_stream_have_their_rules);
    tcase_add_test(tc, a_model_is_kept_warm_where_it_says_so);
    tcase_add_test(tc, targets_have_weights_and_limits_and_providers_have_limits);
    tcase_add_test(tc, limits_of_a_target_are_said_once_and_hold_wherever_it_is_named);
    tcase_add_test(tc, a_model_that_draws_by_weight_has_one);
    tcase_add_test(tc, no_number_is_taken_that_means_nothing);
    tcase_add_test(tc, a_model_answers_to_its_aliases);
    tcase_add_test(tc, no_name_means_two_things);
    tcase_add_test(tc, an_optimizer_is_asked_first_and_the_model_itself_where_it_fails);
    tcase_add_test(tc, a_model_that_has_the_optimizers_name_already_wins);
    tcase_add_test(tc, what_is_wrong_with_an_optimizer_is_said);
    tcase_add_test(tc, a_home_lab_has_names_that_stay);
    tcase_add_test(tc, a_hop_has_a_name_that_can_stand_in_a_list);
    tcase_add_test(tc, a_call_may_cost_so_much_and_targets_are_probed);
    tcase_add_test(tc, without_memory_no_name_is_lost);
    tcase_add_test(tc, ten_thousand_models_are_compiled_and_found);
}
UNIT_MAIN("config_models", tests)
