// SPDX-License-Identifier: MIT
// Header, attempts, candidates, texts. A text is found by its distance from the start; 0: there is none. The bytes may
// lie anywhere, so that they are copied out before they are read.
#include "runtime/story.h"

#include <string.h>

#include "runtime/facts.h"

typedef struct story_head {
    uint32_t attempts, candidates, left_out;
    uint32_t model, chosen_because;
    mb_policy policy;
    bool has_decision, is_whole;
    int64_t input_tokens;
} story_head;

typedef struct told_attempt {
    uint32_t provider, model, reason;
    int code, status, key;                    // key 0: the provider has one
    int64_t started_ms, latency_ms, first_ms; // first -1: none came
    int64_t cost_usd_micros;                  // -1: not known
    bool is_one_of_several;
} told_attempt;

typedef struct told_target {
    uint32_t provider, model, engine, url, why;
    mb_group list;
    mb_breaker_state breaker;
    bool is_local, is_taken, is_possible;
    int in_flight;
    double weight, wait_ms;
    int64_t ready_in_ms, cost_usd_micros, window;
} told_target;

mb_seen mb_see(const membrane_call *call, size_t i, int64_t now_ms) {
    const mb_target_facts *facts = call->route_targets[i].facts;
    mb_seen seen = {.verdict = mb_route_judge(&call->route, i, now_ms), .wait_ms = -1};
    seen.window = mb_facts_window(call, i);
    if (!facts) return seen;
    seen.in_flight = facts->gate.in_flight;
    seen.wait_ms = mb_pace_at(call->stream ? &facts->first : &facts->whole, now_ms);
    seen.breaker = mb_breaker_at(&facts->breaker, now_ms);
    if (seen.verdict.at_ms > now_ms && seen.verdict.at_ms < MB_ROUTE_NEVER - 2)
        seen.ready_in_ms = seen.verdict.at_ms - now_ms;
    return seen;
}

// ---- packing -------------------------------------------------------------------------------------------------------

static uint32_t put_text(mb_buf *out, const char *text) {
    uint32_t at = (uint32_t)out->len;
    if (!text) return 0;
    mb_buf_put(out, text, strlen(text) + 1);
    return at;
}

static void pack_attempt(mb_buf *out, size_t at, const membrane_call *call, const mb_attempt *a) {
    const mb_provider *p = a->target->provider;
    const told_attempt told = {.provider = put_text(out, p->name),
                               .model = put_text(out, a->target->model),
                               .reason = put_text(out, a->reason),
                               .code = a->code,
                               .status = a->status,
                               .key = p->key_count > 1 ? a->key + 1 : 0,
                               .started_ms = a->start_ms - call->start_ms,
                               .latency_ms = a->end_ms - a->start_ms,
                               .first_ms = a->first_ms,
                               .cost_usd_micros = a->cost_usd_micros,
                               .is_one_of_several = call->attempt_count > 1};
    if (mb_buf_ok(out)) memcpy(out->data + at, &told, sizeof told);
}

static void pack_target(mb_buf *out, size_t at, const membrane_call *call, size_t i, bool is_whole) {
    const mb_target *t = &call->targets[i];
    const mb_seen *seen = &call->seen[i < call->seen_count ? i : call->seen_count];
    const bool is_taken = i == call->taken;
    const char *why = is_taken ? call->taken_because : seen->verdict.why ? seen->verdict.why : "not its turn";
    const told_target told = {.provider = put_text(out, t->provider->name),
                              .model = put_text(out, t->model),
                              .engine = is_whole ? put_text(out, t->provider->quirks->kind) : 0,
                              .url = is_whole ? put_text(out, t->provider->base_url) : 0,
                              .why = put_text(out, why),
                              .list = t->group,
                              .breaker = seen->breaker,
                              .is_local = t->provider->local,
                              .is_taken = is_taken,
                              .is_possible = seen->verdict.standing == MB_MAY_GO,
                              .in_flight = seen->in_flight,
                              .weight = t->weight,
                              .wait_ms = seen->wait_ms,
                              .ready_in_ms = seen->ready_in_ms,
                              .cost_usd_micros = mb_facts_cost(call, i),
                              .window = seen->window};
    if (mb_buf_ok(out)) memcpy(out->data + at, &told, sizeof told);
}

// Whether candidate i is among those that are told, when so many were before it.
static bool is_told(const membrane_call *call, size_t i, size_t before, size_t most) {
    if (i == call->taken) return true;
    const bool taken_comes = call->taken > i && call->taken != SIZE_MAX;
    return i < call->seen_count && before + taken_comes < most;
}

static size_t count_told(const membrane_call *call, size_t most) {
    size_t count = 0;
    for (size_t i = 0; call->seen && i < call->route.count; i++) count += is_told(call, i, count, most);
    return count;
}

void mb_story_pack(mb_buf *out, const membrane_call *call, size_t most, bool is_whole) {
    story_head head = {.attempts = (uint32_t)call->attempt_count,
                       .candidates = (uint32_t)count_told(call, most),
                       .policy = call->way.policy,
                       .has_decision = call->seen != NULL,
                       .is_whole = is_whole};
    const size_t attempts_at = sizeof head, targets_at = attempts_at + head.attempts * sizeof(told_attempt);
    const size_t texts_at = targets_at + head.candidates * sizeof(told_target);
    if (out->cap < texts_at && !mb_buf_grow(out, texts_at)) return;
    memset(out->data, 0, texts_at);
    out->len = texts_at;
    for (int i = 0; i < call->attempt_count; i++)
        pack_attempt(out, attempts_at + (size_t)i * sizeof(told_attempt), call, &call->attempts[i]);
    if (call->seen) {
        size_t told = 0;
        head.left_out = (uint32_t)(call->route.count - head.candidates);
        head.model = put_text(out, call->model_name);
        head.chosen_because = put_text(out, call->chosen_because);
        head.input_tokens = mb_facts_input(call);
        for (size_t i = 0; i < call->route.count; i++)
            if (is_told(call, i, told, most))
                pack_target(out, targets_at + told++ * sizeof(told_target), call, i, is_whole);
    }
    if (mb_buf_ok(out)) memcpy(out->data, &head, sizeof head);
}

// ---- telling -------------------------------------------------------------------------------------------------------

static const char *text_at(const char *story, uint32_t at) { return at ? story + at : NULL; }

static void put_number(mb_jw *w, const char *key, int64_t n, bool is_known) {
    mb_jw_key(w, key);
    if (is_known)
        mb_jw_int(w, n);
    else
        mb_jw_null(w);
}

static void put_attempt(mb_jw *w, const char *story, const told_attempt *a) {
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", text_at(story, a->provider));
    mb_jw_kstr(w, "model", text_at(story, a->model));
    if (a->code) mb_jw_kstr(w, "kind", membrane_status_kind(a->code));
    if (a->status) mb_jw_kint(w, "status", a->status);
    mb_jw_kstr_if(w, "reason", text_at(story, a->reason));
    if (a->key) mb_jw_kint(w, "key", a->key);
    mb_jw_kint(w, "started_ms", a->started_ms);
    mb_jw_kint(w, "latency_ms", a->latency_ms);
    if (a->first_ms >= 0) mb_jw_kint(w, "first_token_ms", a->first_ms);
    if (a->is_one_of_several) put_number(w, "cost_usd_micros", a->cost_usd_micros, a->cost_usd_micros >= 0);
    mb_jw_end_object(w);
}

void mb_story_put_attempts(mb_jw *w, const char *story) {
    story_head head;
    told_attempt a;
    memcpy(&head, story, sizeof head);
    mb_jw_array(w);
    for (uint32_t i = 0; i < head.attempts; i++) {
        memcpy(&a, story + sizeof head + i * sizeof a, sizeof a);
        put_attempt(w, story, &a);
    }
    mb_jw_end_array(w);
}

static void put_target(mb_jw *w, const char *story, const story_head *head, const told_target *t) {
    static const char *const lists[] = {"main", "error", "context_overflow", "content_policy"};
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", text_at(story, t->provider));
    mb_jw_kstr(w, "model", text_at(story, t->model));
    mb_jw_kstr_if(w, "engine", text_at(story, t->engine));
    mb_jw_kstr_if(w, "url", text_at(story, t->url));
    mb_jw_kbool(w, "local", t->is_local);
    if (head->is_whole || t->list != MB_GROUP_MAIN) mb_jw_kstr(w, "list", lists[t->list]);
    mb_jw_kstr(w, "verdict", t->is_taken ? "taken" : t->is_possible ? "possible" : "passed over");
    mb_jw_kstr(w, "why", text_at(story, t->why));
    if (t->ready_in_ms) mb_jw_kint(w, "ready_in_ms", t->ready_in_ms);
    if (t->breaker) mb_jw_kstr(w, "breaker", mb_breaker_state_name(t->breaker));
    if (head->policy == MB_POLICY_WEIGHTED) mb_jw_key(w, "weight"), mb_jw_double(w, t->weight);
    if (head->is_whole || t->in_flight) mb_jw_kint(w, "in_flight", t->in_flight);
    if (t->wait_ms >= 0) mb_jw_kint(w, "expected_ms", (int64_t)t->wait_ms);
    put_number(w, "cost_usd_micros", t->cost_usd_micros, t->cost_usd_micros >= 0);
    put_number(w, "window", t->window, t->window > 0);
    mb_jw_end_object(w);
}

void mb_story_put_decision(mb_jw *w, const char *story) {
    story_head head;
    told_target t;
    memcpy(&head, story, sizeof head);
    mb_jw_kstr(w, "policy", mb_policy_name(head.policy));
    mb_jw_kstr_if(w, "model", text_at(story, head.model));
    mb_jw_kstr_if(w, "chosen_because", text_at(story, head.chosen_because));
    mb_jw_kint(w, "input_tokens", head.input_tokens);
    mb_jw_key(w, "candidates");
    mb_jw_array(w);
    for (uint32_t i = 0; i < head.candidates; i++) {
        memcpy(&t, story + sizeof head + head.attempts * sizeof(told_attempt) + i * sizeof t, sizeof t);
        put_target(w, story, &head, &t);
    }
    mb_jw_end_array(w);
    if (head.left_out) mb_jw_kint(w, "candidates_left_out", head.left_out);
}

void mb_story_tell(const char *story, mb_buf *attempts, mb_buf *decision) {
    story_head head;
    mb_jw w = mb_jw_to(attempts), d = mb_jw_to(decision);
    memcpy(&head, story, sizeof head);
    mb_story_put_attempts(&w, story);
    if (!head.has_decision) return;
    mb_jw_object(&d);
    mb_story_put_decision(&d, story);
    mb_jw_end_object(&d);
}
