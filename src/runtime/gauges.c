// SPDX-License-Identifier: MIT
#include "runtime/gauges.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"

static int breaker_value(const mb_breaker *breaker, int64_t now_ms) {
    switch (mb_breaker_at(breaker, now_ms)) {
    case MB_BREAKER_CLOSED: return 0;
    case MB_BREAKER_HALF_OPEN: return 1;
    case MB_BREAKER_OPEN: return 2;
    }
    return 0;
}

static void put_target(mb_metrics_writer *w, const mb_endpoint *endpoint, const mb_target_facts *t, int64_t now_ms) {
    const char *labels[] = {endpoint->name, t->model};
    int breaker = breaker_value(&t->breaker, now_ms);
    if (!t->is_pinned && !breaker && !t->gate.in_flight && !t->gate.waiting.count) return;
    mb_metrics_gauge(w, MB_GAUGE_BREAKER, labels, breaker);
    mb_metrics_gauge(w, MB_GAUGE_IN_FLIGHT, labels, t->gate.in_flight);
    mb_metrics_gauge(w, MB_GAUGE_QUEUE_DEPTH, labels, (int64_t)t->gate.waiting.count);
}

// Those who wait for the provider as a whole, or for one of its keys, wait for no model.
static void put_endpoint(mb_metrics_writer *w, const mb_endpoint *endpoint, int64_t now_ms) {
    const char *labels[] = {endpoint->name, NULL};
    size_t waiting = endpoint->gate.waiting.count;
    int cooling = 0;
    for (int i = 0; i < endpoint->key_count; i++) {
        waiting += endpoint->keys[i].gate.waiting.count;
        cooling += endpoint->keys[i].free_at_ms > now_ms;
    }
    mb_metrics_gauge(w, MB_GAUGE_QUEUE_DEPTH, labels, (int64_t)waiting);
    mb_metrics_gauge(w, MB_GAUGE_KEYS_COOLING, labels, cooling);
}

void mb_gauges_of_board(mb_metrics_writer *w, const mb_board *board, int64_t now_ms) {
    const mb_endpoint *endpoint;
    const mb_target_facts *target;
    for (size_t at = 0; (endpoint = mb_board_each_endpoint(board, &at)) != NULL;) {
        put_endpoint(w, endpoint, now_ms);
        for (size_t in = 0; (target = mb_endpoint_each(endpoint, &in)) != NULL;)
            put_target(w, endpoint, target, now_ms);
    }
}

static void put_budget(mb_metrics_writer *w, const mb_json *amount) {
    static const struct {
        mb_metric_gauge gauge;
        const char *key;
    } rows[] = {{MB_GAUGE_BUDGET_LIMIT, "usd_micros"},
                {MB_GAUGE_BUDGET_SETTLED, "settled"},
                {MB_GAUGE_BUDGET_UNKNOWN, "unknown"},
                {MB_GAUGE_BUDGET_RESERVED, "reserved"}};
    const char *labels[] = {mb_json_get_str(amount, "scope"), mb_json_get_str(amount, "match"),
                            mb_json_get_str(amount, "period"), mb_json_get_str(amount, "owner")};
    for (size_t i = 0; i < MB_COUNT(rows); i++)
        mb_metrics_gauge(w, rows[i].gauge, labels, mb_json_int(mb_json_get(amount, rows[i].key), 0));
}

void mb_gauges_of_money(mb_metrics_writer *w, mb_money *money, int64_t wall_ms) {
    mb_arena arena = {0};
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    const mb_json *list = NULL;
    if (mb_money_list(money, wall_ms, &text, NULL) == 0 &&
        mb_json_parse(&arena, mb_buf_text(&text), text.len, &list, NULL) == 0) {
        const mb_json *items = mb_json_get(list, "items");
        for (uint32_t i = 0; items && i < items->count; i++) put_budget(w, &items->children[i]);
    }
    mb_arena_free(&arena);
    mb_buf_free(&text);
}
