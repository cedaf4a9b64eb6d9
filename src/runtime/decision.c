// SPDX-License-Identifier: MIT
#include "runtime/decision.h"

#include "runtime/facts.h"

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

static void put_number(mb_jw *w, const char *key, int64_t n, bool is_known) {
    mb_jw_key(w, key);
    if (is_known)
        mb_jw_int(w, n);
    else
        mb_jw_null(w);
}

static void put_candidate(mb_jw *w, const membrane_call *call, size_t i, bool is_whole) {
    static const char *const lists[] = {"main", "error", "context_overflow", "content_policy"};
    const mb_target *t = &call->targets[i];
    const mb_seen *seen = &call->seen[i < call->seen_count ? i : call->seen_count];
    const bool is_taken = i == call->taken;
    int64_t cost = mb_facts_cost(call, i);
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", t->provider->name);
    mb_jw_kstr(w, "model", t->model);
    if (is_whole) {
        mb_jw_kstr(w, "engine", t->provider->quirks->kind);
        mb_jw_kstr_if(w, "url", t->provider->base_url);
    }
    mb_jw_kbool(w, "local", t->provider->local);
    if (is_whole || t->group != MB_GROUP_MAIN) mb_jw_kstr(w, "list", lists[t->group]);
    mb_jw_kstr(w, "verdict", is_taken ? "taken" : seen->verdict.standing == MB_MAY_GO ? "possible" : "passed over");
    mb_jw_kstr(w, "why", is_taken ? call->taken_because : seen->verdict.why ? seen->verdict.why : "not its turn");
    if (seen->ready_in_ms) mb_jw_kint(w, "ready_in_ms", seen->ready_in_ms);
    if (seen->breaker) mb_jw_kstr(w, "breaker", mb_breaker_state_name(seen->breaker));
    if (call->way.policy == MB_POLICY_WEIGHTED) mb_jw_key(w, "weight"), mb_jw_double(w, t->weight);
    if (is_whole || seen->in_flight) mb_jw_kint(w, "in_flight", seen->in_flight);
    if (seen->wait_ms >= 0) mb_jw_kint(w, "expected_ms", (int64_t)seen->wait_ms);
    put_number(w, "cost_usd_micros", cost, cost >= 0);
    put_number(w, "window", seen->window, seen->window > 0);
    mb_jw_end_object(w);
}

void mb_decision_render(mb_jw *w, const membrane_call *call, size_t most, bool is_whole) {
    size_t put = 0;
    mb_jw_kstr(w, "policy", mb_policy_name(call->way.policy));
    mb_jw_kstr_if(w, "model", call->model_name);
    mb_jw_kstr_if(w, "chosen_because", call->chosen_because);
    mb_jw_kint(w, "input_tokens", mb_facts_input(call));
    mb_jw_key(w, "candidates");
    mb_jw_array(w);
    for (size_t i = 0; i < call->route.count; i++) {
        const bool has_room = put + (call->taken > i && call->taken != SIZE_MAX) < most;
        if (i != call->taken && (!has_room || i >= call->seen_count)) continue;
        put_candidate(w, call, i, is_whole);
        put++;
    }
    mb_jw_end_array(w);
    if (put < call->route.count) mb_jw_kint(w, "candidates_left_out", (int64_t)(call->route.count - put));
}
