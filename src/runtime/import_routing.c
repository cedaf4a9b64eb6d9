// SPDX-License-Identifier: MIT
// What LiteLLM says of the way of calls, in our words: its strategies as policies (docs.litellm.ai, router strategies,
// read in November 2026). Its default draws by chance: by the weights, if the first deployment has one, else by rpm,
// else by tpm, and whoever lacks that one is not drawn. Deployments of a later order are for when the first ones fail.
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "runtime/import.h"

enum { STICK_MS = 3600 * 1000, LIMIT_MAX = 1000000000 };
#define WEIGHT_MAX 1e6

// ---- for all -------------------------------------------------------------------------------------------------------

static void read_strategy(mb_import *im, const mb_json *strategy) {
    static const struct {
        const char *name;
        mb_policy policy;
    } rows[] = {{"simple-shuffle", MB_POLICY_WEIGHTED},       {"least-busy", MB_POLICY_LEAST_BUSY},
                {"latency-based-routing", MB_POLICY_LATENCY}, {"cost-based-routing", MB_POLICY_CHEAPEST},
                {"usage-based-routing", MB_POLICY_USAGE},     {"usage-based-routing-v2", MB_POLICY_USAGE}};
    im->policy = MB_POLICY_WEIGHTED;
    if (!strategy || strategy->type == MB_JSON_NULL) return;
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        if (!mb_json_str_is(strategy, rows[i].name)) continue;
        im->policy = rows[i].policy;
        return;
    }
    const char *name = mb_import_text(strategy);
    mb_import_warn(im, strategy->line, "routing_strategy: \"%.100s\" is not known here: targets are drawn by chance",
                   name ? name : "?");
}

// Checks before each call; those that we make of themselves, or can make, say nothing.
static void read_checks(mb_import *im, const mb_json *checks, const mb_json *ttl) {
    int64_t seconds_ms = mb_import_seconds(im, ttl, "deployment_affinity_ttl_seconds");
    for (uint32_t i = 0; mb_json_is(checks, MB_JSON_ARRAY) && i < checks->count; i++) {
        const mb_json *one = &checks->children[i];
        const char *name = mb_import_text(one);
        if (mb_json_str_is(one, "enforce_model_rate_limits")) continue; // limits hold here
        if (mb_json_str_is(one, "session_affinity"))
            im->stick_ms = seconds_ms ? seconds_ms : STICK_MS;
        else
            mb_import_warn(im, one->line, "optional_pre_call_checks: \"%.100s\" is not made here", name ? name : "?");
    }
    if (checks && checks->type != MB_JSON_NULL && checks->type != MB_JSON_ARRAY)
        mb_import_warn(im, checks->line, "optional_pre_call_checks is no list");
}

void mb_import_router(mb_import *im, const mb_json *router) {
    read_strategy(im, mb_import_member(router, "routing_strategy"));
    read_checks(im, mb_import_member(router, "optional_pre_call_checks"),
                mb_import_member(router, "deployment_affinity_ttl_seconds"));
    im->stream_ms = mb_import_seconds(im, mb_import_member(router, "stream_timeout"), "stream_timeout");
    im->parallel = mb_import_count(im, mb_import_member(router, "default_max_parallel_requests"),
                                   "default_max_parallel_requests", 0);
}

// ---- a deployment --------------------------------------------------------------------------------------------------

// Of litellm_params, of the entry itself, or of model_info. Negative: nowhere.
static int64_t number_of(mb_import *im, const mb_json *entry, const char *key) {
    const mb_json *value = mb_import_member(mb_import_member(entry, "litellm_params"), key);
    if (!value) value = mb_import_member(entry, key);
    if (!value) value = mb_import_member(mb_import_member(entry, "model_info"), key);
    return mb_import_count(im, value, key, -1);
}

static double weight_of(mb_import *im, const mb_json *params) {
    const mb_json *weight = mb_import_member(params, "weight");
    if (!weight || weight->type == MB_JSON_NULL) return -1;
    double value = mb_json_is_number(weight) ? mb_json_double(weight, -1) : -1;
    if (isfinite(value) && value >= 0) return value;
    mb_import_warn(im, weight->line, "weight is no number: left out");
    return -1;
}

static int64_t limit(int64_t said) { return said < 0 ? 0 : said < LIMIT_MAX ? said : LIMIT_MAX; }

void mb_import_limits(mb_import *im, const mb_json *entry, mb_import_target *target) {
    const mb_json *params = mb_import_member(entry, "litellm_params");
    int64_t rpm = number_of(im, entry, "rpm"), tpm = number_of(im, entry, "tpm");
    int64_t parallel =
        mb_import_count(im, mb_import_member(params, "max_parallel_requests"), "max_parallel_requests", -1);
    if (parallel < 0 && rpm < 0 && tpm < 0) parallel = im->parallel;
    target->limits = (mb_limits){limit(rpm), limit(tpm), (int)limit(parallel)};
    target->said[0] = weight_of(im, params);
    target->said[1] = (double)rpm;
    target->said[2] = (double)tpm;
}

// ---- a model -------------------------------------------------------------------------------------------------------

// By the first of weight, rpm and tpm that the first target has and that leaves one to draw. Weights that are all the
// same need not be written.
static void weigh(mb_import_model *m) {
    for (int by = 0; by < 3; by++) {
        double highest = 0, lowest = INFINITY;
        if (m->targets[0].said[by] < 0) continue;
        for (size_t i = 0; i < m->first_count; i++) {
            double said = m->targets[i].said[by] < 0 ? 0 : m->targets[i].said[by];
            m->targets[i].weight = said;
            highest = fmax(highest, said);
            lowest = fmin(lowest, said);
        }
        if (highest <= 0) continue;
        m->has_weights = lowest < highest;
        for (size_t i = 0; highest > WEIGHT_MAX && i < m->first_count; i++)
            m->targets[i].weight *= WEIGHT_MAX / highest;
        return;
    }
}

void mb_import_route(mb_import *im) {
    for (size_t i = 0; i < im->model_count; i++) {
        mb_import_model *m = im->models[i];
        if (m->same_as) continue;
        while (m->first_count < m->count && m->targets[m->first_count].order == m->targets[0].order) m->first_count++;
        for (size_t t = m->first_count + 1; t < m->count; t++) {
            if (m->targets[t].order != m->targets[t - 1].order) continue;
            mb_import_warn(im, m->line, "model \"%s\": targets of a later order are asked one after the other",
                           m->name);
            break;
        }
        if (m->first_count > 1 && im->policy == MB_POLICY_WEIGHTED) weigh(m);
    }
}

bool mb_import_is_alias(const char *name) {
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/') return false;
    return name[0] && strlen(name) <= MB_LIMIT_NAME;
}
