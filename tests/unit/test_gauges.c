// SPDX-License-Identifier: MIT
// What the board and the budgets know, as gauges.
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/gauges.h"

static mb_buf page = {0};

// Looks once; the page is static.
static const char *look(void (*collect)(void *user, mb_metrics_writer *w), void *user) {
    mb_metrics *m = mb_metrics_new();
    mb_buf_free(&page);
    page = MB_BUF(1 << 20);
    mb_metrics_collect(m, collect, user);
    ck_assert_int_eq(mb_metrics_text(m, &page), 0);
    mb_metrics_free(m);
    return mb_buf_text(&page);
}

#define HAS(text, line)     ck_assert_msg(strstr(text, line "\n") != NULL, "no %s in\n%s", line, text)
#define HAS_NOT(text, part) ck_assert_msg(strstr(text, part) == NULL, "%s in\n%s", part, text)

enum { NOW = 1000000 };

static void of_board(void *user, mb_metrics_writer *w) { mb_gauges_of_board(w, user, NOW); }

static void fail_often(mb_board *board, mb_target_facts *facts, int code) {
    for (int i = 0; i < MB_BREAKER_IN_A_ROW; i++) {
        mb_ticket ticket;
        mb_attempt_end end = {.code = code, .retry_after_ms = -1, .tokens = -1, .first_ms = -1};
        mb_board_enter(board, facts, 0, 10, NOW, &ticket);
        mb_board_leave(board, &ticket, &end, NOW);
    }
}

START_TEST(targets_and_keys_are_shown_as_they_stand) {
    mb_board *board = mb_board_new();
    mb_limits none = {0};
    mb_endpoint *box = mb_board_endpoint(board, "box", "http://box", 1, &none);
    mb_endpoint *cloud = mb_board_endpoint(board, "cloud", "http://cloud", 3, &none);
    mb_target_facts *busy = mb_board_take(board, box, "tiny", &none, true);
    mb_target_facts *down = mb_board_take(board, box, "sick", &none, false);
    mb_target_facts *idle = mb_board_take(board, box, "made\nup", &none, false);
    mb_target_facts *limited = mb_board_take(board, cloud, "gpt", &none, true);
    mb_ticket ticket;
    mb_waiter waiter = {.cost = 1};
    mb_board_enter(board, busy, 0, 10, NOW, &ticket);
    fail_often(board, down, MEMBRANE_ESERVER);
    cloud->keys[1].free_at_ms = NOW + 1;
    cloud->keys[2].free_at_ms = NOW;
    ck_assert(mb_board_wait(board, &limited->gate, &waiter, "s", false));
    const char *text = look(of_board, board);
    HAS(text, "membrane_requests_in_flight{membrane_provider=\"box\",gen_ai_request_model=\"tiny\"} 1");
    HAS(text, "membrane_breaker_state{membrane_provider=\"box\",gen_ai_request_model=\"tiny\"} 0");
    HAS(text, "membrane_breaker_state{membrane_provider=\"box\",gen_ai_request_model=\"sick\"} 2");
    HAS(text, "membrane_queue_depth{membrane_provider=\"cloud\",gen_ai_request_model=\"gpt\"} 1");
    HAS(text, "membrane_queue_depth{membrane_provider=\"cloud\"} 0");
    HAS(text, "membrane_keys_cooling{membrane_provider=\"cloud\"} 1");
    HAS(text, "membrane_keys_cooling{membrane_provider=\"box\"} 0");
    HAS_NOT(text, "made");
    mb_board_wait_ends(board, &waiter);
    mb_board_leave(board, &ticket, &(mb_attempt_end){.retry_after_ms = -1, .tokens = -1, .first_ms = -1}, NOW);
    mb_board_give(board, busy);
    mb_board_give(board, down);
    mb_board_give(board, idle);
    mb_board_give(board, limited);
    mb_board_free(board);
}
END_TEST

static void of_money(void *user, mb_metrics_writer *w) { mb_gauges_of_money(w, user, mb_wall_ms()); }

START_TEST(budgets_are_shown_as_they_stand) {
    mb_money *money = NULL;
    mb_budget_rule rules[] = {
        {.scope = MB_BUDGET_MODEL, .match = "cloud/*", .period = MB_BUDGET_DAY, .usd_micros = 5000000},
        {.scope = MB_BUDGET_SESSION, .period = MB_BUDGET_TOTAL, .usd_micros = 70}};
    ck_assert_int_eq(mb_money_new(NULL, &money, NULL), 0);
    ck_assert_int_eq(mb_money_set_rules(money, rules, 2, NULL), 0);
    const char *text = look(of_money, money);
    HAS(text, "membrane_budget_limit_usd_micros{scope=\"model\",match=\"cloud/*\",period=\"day\"} 5000000");
    HAS(text, "membrane_budget_settled_usd_micros{scope=\"model\",match=\"cloud/*\",period=\"day\"} 0");
    HAS(text, "membrane_budget_limit_usd_micros{scope=\"session\",period=\"total\"} 70");
    mb_money_close(money, -1);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, targets_and_keys_are_shown_as_they_stand);
    tcase_add_test(tc, budgets_are_shown_as_they_stand);
}

UNIT_MAIN("gauges", tests)
