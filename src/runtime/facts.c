// SPDX-License-Identifier: MIT
#include "runtime/facts.h"

#include <string.h>

#include "base/alloc.h"
#include "route/budget.h"

enum { USUAL_OUTPUT = 500, BYTES_PER_TOKEN = 4, IMAGE_TOKENS = 1000 };

// ---- sizes ---------------------------------------------------------------------------------------------------------

// The bytes of all texts; what is no text (images and files as data URLs) counts as a fixed number of tokens.
static int64_t text_bytes(const mb_json *v) {
    int64_t sum = 0;
    if (v->type == MB_JSON_STRING)
        return strncmp(v->str, "data:", 5) == 0 ? (int64_t)IMAGE_TOKENS * BYTES_PER_TOKEN : (int64_t)v->len;
    if (v->type != MB_JSON_ARRAY && v->type != MB_JSON_OBJECT) return 1;
    for (uint32_t i = 0; i < v->count; i++) sum += text_bytes(&v->children[i]);
    return sum;
}

static int64_t input_of(const membrane_call *call) {
    static const char *const parts[] = {"messages", "tools", "prompt", "input", "query", "documents"};
    int64_t bytes = 0;
    for (size_t i = 0; i < MB_COUNT(parts); i++) {
        const mb_json *part = mb_json_get(call->request, parts[i]);
        if (part) bytes += text_bytes(part);
    }
    return bytes / BYTES_PER_TOKEN + 1;
}

int64_t mb_facts_input(const membrane_call *lent) {
    membrane_call *call = (membrane_call *)(uintptr_t)lent;
    if (!call->input_tokens) call->input_tokens = input_of(call);
    return call->input_tokens;
}

static bool writes(const membrane_call *call) { return call->kind == MB_ASK_CHAT || call->kind == MB_ASK_COMPLETION; }

static int64_t max_tokens(const membrane_call *call) {
    return mb_json_int(mb_json_get(call->request, "max_tokens"), 0);
}

static int64_t expected_output(const membrane_call *call) {
    int64_t most = max_tokens(call);
    if (!writes(call)) return 0;
    return most > 0 && most < USUAL_OUTPUT ? most : USUAL_OUTPUT;
}

// ---- prices --------------------------------------------------------------------------------------------------------

static bool is_builtin(const mb_provider *p) { return !p->adapter && !p->host; }

static const mb_price NO_PRICE;

// Any thread: two that look at once find the same.
const mb_price *mb_facts_price(const membrane_call *call, size_t i) {
    mb_target *t = (mb_target *)(uintptr_t)&call->targets[i];
    const mb_price *price = call->is_logical ? atomic_load_explicit(&t->price, memory_order_acquire) : NULL;
    if (is_builtin(t->provider) || price == &NO_PRICE) return NULL;
    if (price) return price;
    price = mb_prices_find(mb_config_prices(call->config), t->provider->quirks->kind, t->provider->local, t->model);
    if (call->is_logical) atomic_store_explicit(&t->price, price ? price : &NO_PRICE, memory_order_release);
    return price;
}

// An image or a file that the provider fetches itself may hold any number of tokens.
static bool points_elsewhere(const mb_json *v) {
    if (v->type == MB_JSON_STRING) return v->key && strcmp(v->key, "url") == 0 && strncmp(v->str, "http", 4) == 0;
    if (v->type != MB_JSON_ARRAY && v->type != MB_JSON_OBJECT) return false;
    for (uint32_t i = 0; i < v->count; i++)
        if (points_elsewhere(&v->children[i])) return true;
    return false;
}

// The bytes of the whole request bound its tokens, since none is shorter than a byte; -1: nobody knows.
static int64_t most_input(const membrane_call *call) {
    const mb_json *messages = mb_json_get(call->request, "messages");
    return messages && points_elsewhere(messages) ? -1 : (int64_t)(call->request_len + call->partial_len);
}

int64_t mb_facts_bound(const membrane_call *call, size_t i) {
    if (is_builtin(call->targets[i].provider)) return 0;
    mb_price price = {0};
    const mb_price *found = mb_facts_price(call, i);
    if (!found) return -1;
    price = *found;
    if (!writes(call)) price.output = price.over_output = 0;
    return mb_budget_bound(&price, most_input(call), writes(call) ? max_tokens(call) : 1);
}

int64_t mb_facts_cost(const membrane_call *call, size_t i) {
    if (is_builtin(call->targets[i].provider)) return 0;
    mb_usage usage = MB_USAGE_NONE;
    usage.input = mb_facts_input(call);
    usage.output = expected_output(call);
    return mb_price_cost(mb_facts_price(call, i), &usage);
}

// ---- the board -----------------------------------------------------------------------------------------------------

// Providers and targets of a configuration remember where their facts stand; both live no longer than the board.
static mb_endpoint *endpoint_of(mb_board *board, const mb_provider *lent) {
    mb_provider *p = (mb_provider *)(uintptr_t)lent;
    if (!p->endpoint)
        p->endpoint = mb_board_endpoint(board, p->name, p->base_url, p->key_count ? p->key_count : 1, &p->limits);
    return p->endpoint;
}

static mb_target_facts *facts_of(membrane_call *call, size_t i) {
    mb_target *t = (mb_target *)(uintptr_t)&call->targets[i];
    mb_board *board = call->m->board;
    if (t->facts) return t->facts;
    mb_endpoint *endpoint = endpoint_of(board, t->provider);
    mb_target_facts *facts = endpoint ? mb_board_take(board, endpoint, t->model, &t->limits, call->is_logical) : NULL;
    if (call->is_logical) t->facts = facts;
    return facts;
}

// Thinking that a provider signed is understood by that provider only: a conversation that holds some goes on there.
static const char *bound_to(const membrane_call *call) {
    const mb_json *messages = mb_json_get(call->request, "messages");
    if (call->route.policy == MB_POLICY_ORDERED || !mb_json_is(messages, MB_JSON_ARRAY)) return NULL;
    for (uint32_t i = messages->count; i-- > 0;) {
        const mb_json *data = mb_json_get(&messages->children[i], "provider_data");
        if (data) return mb_json_get_str(data, "provider");
    }
    return NULL;
}

static void find_session(membrane_call *call, int64_t now_ms) {
    mb_stick stick;
    const char *provider = bound_to(call);
    call->route.stuck_key = -1;
    if (call->session && call->way.sticky_ms && mb_board_stuck(call->m->board, call->session, now_ms, &stick)) {
        call->route.stuck_to = stick.target;
        call->route.stuck_key = stick.key;
        return;
    }
    for (size_t i = 0; provider && i < call->route.count; i++) {
        if (strcmp(call->targets[i].provider->name, provider) != 0 || !call->route_targets[i].facts) continue;
        call->route.stuck_to = call->route_targets[i].facts->number;
        return;
    }
}

// What only some calls need costs the others nothing.
static void estimate(membrane_call *call) {
    bool has_tokens = false;
    for (size_t i = 0; i < call->route.count; i++) {
        const mb_target *t = &call->targets[i];
        has_tokens |= t->limits.tpm > 0 || t->provider->limits.tpm > 0;
        if (call->way.policy == MB_POLICY_CHEAPEST) call->route_targets[i].cost_usd_micros = mb_facts_cost(call, i);
    }
    if (has_tokens) call->route.tokens = mb_facts_input(call) + expected_output(call);
}

static int64_t cap_of(const membrane_call *call) {
    return call->max_cost_usd_micros ? call->max_cost_usd_micros : call->config->max_cost_usd_micros;
}

// An attempt whose cost nobody knows counts with the most that it can have cost.
static int64_t spent(const membrane_call *call) {
    int64_t sum = 0;
    for (int i = 0; i < call->attempt_count; i++) {
        const mb_attempt *a = &call->attempts[i];
        sum += a->cost_usd_micros >= 0 ? a->cost_usd_micros : mb_facts_bound(call, (size_t)(a->target - call->targets));
    }
    return sum;
}

bool mb_facts_is_affordable(const membrane_call *call, size_t i) {
    const int64_t cap = cap_of(call), bound = cap ? mb_facts_bound(call, i) : 0;
    return !cap || (bound >= 0 && bound <= cap - spent(call));
}

// Targets that cost too much, or nobody knows how much, are not asked.
static void apply_cap(membrane_call *call) {
    const int64_t cap = cap_of(call), left = cap ? cap - spent(call) : 0;
    if (!cap && !call->config->refuses_unknown_cost) return;
    for (size_t i = 0; i < call->route.count; i++) {
        mb_route_target *t = &call->route_targets[i];
        int64_t bound = mb_facts_bound(call, i);
        if (t->passed_over) continue;
        if (bound < 0)
            t->passed_over = MB_FACTS_UNKNOWN_COST;
        else if (cap && bound > left)
            t->passed_over = MB_FACTS_TOO_DEAR;
    }
}

// What the server says of itself goes before what the table says of its model.
int64_t mb_facts_window(const membrane_call *call, size_t i) {
    const mb_target_facts *facts = call->route_targets[i].facts;
    const mb_price *price = facts && facts->window ? NULL : mb_facts_price(call, i);
    return facts && facts->window ? facts->window : price ? price->window : 0;
}

void mb_facts_learn(membrane_call *call, const mb_route_failure *failure) {
    apply_cap(call);
    if (failure->code != MEMBRANE_ECONTEXT) return;
    for (size_t i = 0; i < call->route.count; i++) {
        call->route_targets[i].window = mb_facts_window(call, i);
    }
    // A window that nobody knows is smaller than what it refused: what holds that much may be asked.
    mb_route_target *failed = &call->route_targets[failure->target];
    if (!failed->window) failed->window = mb_facts_input(call);
}

int mb_facts_open(membrane_call *call, int64_t now_ms) {
    membrane_t *m = call->m;
    int code = 0;
    pthread_mutex_lock(&m->board_lock);
    call->holds_facts = true;
    for (size_t i = 0; i < call->route.count && code == 0; i++)
        if (!(call->route_targets[i].facts = facts_of(call, i))) code = MEMBRANE_ENOMEM;
    find_session(call, now_ms);
    pthread_mutex_unlock(&m->board_lock);
    estimate(call);
    apply_cap(call);
    return code;
}

void mb_facts_close(membrane_call *call) {
    if (!call->holds_facts) return;
    call->holds_facts = false;
    pthread_mutex_lock(&call->m->board_lock);
    for (size_t i = 0; i < call->route.count; i++)
        if (!call->is_logical) mb_board_give(call->m->board, call->route_targets[i].facts);
    pthread_mutex_unlock(&call->m->board_lock);
}
