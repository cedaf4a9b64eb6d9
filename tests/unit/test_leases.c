// SPDX-License-Identifier: MIT
// Leases: what is granted, settled and left over, by several holders of one file; rules that the user sets; alerts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/leases.h"
#include "store/sqlite.h"
#include "unit.h"

static char folder[64], path[128];

static void set_up(void) {
    strcpy(folder, "/tmp/mb_leases_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log.db", folder);
}

static void tear_down(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static mb_leases *open_ok(const char *where) {
    mb_leases *leases = NULL;
    membrane_error *err = NULL;
    ck_assert_msg(mb_leases_open(where, "test", &leases, &err) == 0, "%s", membrane_error_message(err));
    return leases;
}

static int64_t all_or_nothing(int64_t left, int64_t need, int64_t least, int64_t last) {
    (void)least, (void)last;
    return need <= left ? need : 0;
}

static const int32_t ALERTS[] = {500000, 1000000};

static mb_lease_change day(int64_t limit) {
    return (mb_lease_change){
        .amount = {.scope = "all", .match = "", .period = "day", .owner = "", .start_ms = 86400000},
        .limit = limit,
        .size = all_or_nothing,
        .alerts = ALERTS,
        .alert_count = 2};
}

static void change_ok(mb_leases *leases, mb_lease_change *c) {
    membrane_error *err = NULL;
    ck_assert_msg(mb_leases_change(leases, c, 1, &err) == 0, "%s", membrane_error_message(err));
}

static int64_t ask(mb_leases *leases, mb_lease_change *c, int64_t need) {
    c->asks = true;
    c->need = c->least = need;
    change_ok(leases, c);
    c->lease = c->ret_lease;
    c->asks = false;
    return c->ret_granted;
}

static int sum_up(void *user, const mb_amount_sums *sums) {
    int64_t *total = user;
    total[0] += sums->settled;
    total[1] += sums->unknown;
    total[2] += sums->reserved;
    return 0;
}

static void sums_are(mb_leases *leases, int64_t settled, int64_t unknown, int64_t reserved) {
    int64_t total[3] = {0};
    mb_amount which = day(0).amount;
    ck_assert_int_eq(mb_leases_sums(leases, &which, sum_up, total, NULL), 0);
    ck_assert_int_eq(total[0], settled);
    ck_assert_int_eq(total[1], unknown);
    ck_assert_int_eq(total[2], reserved);
}

START_TEST(two_holders_share_one_amount_and_no_more) {
    mb_leases *a = open_ok(path), *b = open_ok(path);
    mb_lease_change of_a = day(100), of_b = day(100);
    ck_assert_int_eq(ask(a, &of_a, 60), 60);
    ck_assert_int_eq(ask(b, &of_b, 60), 0);
    ck_assert_int_eq(of_b.lease, 0);
    ck_assert_int_eq(of_b.ret_reserved, 60);
    ck_assert_int_eq(ask(b, &of_b, 40), 40);
    sums_are(a, 0, 0, 100);
    of_a.settled = 20;
    of_a.unknown = 5;
    of_a.granted = -35; // given back
    change_ok(a, &of_a);
    sums_are(b, 20, 5, 40);
    ck_assert_int_eq(ask(b, &of_b, 36), 0);
    ck_assert_int_eq(ask(b, &of_b, 35), 35);
    sums_are(b, 20, 5, 75);
    mb_leases_close(a);
    mb_leases_close(b);
}
END_TEST

START_TEST(a_lease_that_ends_leaves_what_was_settled) {
    mb_leases *leases = open_ok(NULL);
    mb_lease_change c = day(100);
    ck_assert_int_eq(ask(leases, &c, 30), 30);
    c.settled = 10;
    c.granted = -20;
    c.ends = true;
    change_ok(leases, &c);
    ck_assert_int_eq(c.ret_lease, 0);
    sums_are(leases, 10, 0, 0);
    mb_leases_close(leases);
}
END_TEST

START_TEST(what_a_dead_process_had_in_hand_stays_reserved) {
    pid_t child = fork();
    if (child == 0) {
        mb_leases *leases = open_ok(path);
        mb_lease_change c = day(100);
        if (ask(leases, &c, 70) != 70) _exit(1);
        c.settled = 30;
        change_ok(leases, &c);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    mb_leases *leases = open_ok(path);
    mb_lease_change c = day(100);
    sums_are(leases, 30, 0, 40);
    ck_assert_int_eq(ask(leases, &c, 31), 0);
    ck_assert_int_eq(ask(leases, &c, 30), 30);
    mb_leases_close(leases);
}
END_TEST

START_TEST(a_cost_above_the_lease_counts_and_nothing_is_granted_any_more) {
    mb_leases *leases = open_ok(NULL);
    mb_lease_change c = day(100);
    ck_assert_int_eq(ask(leases, &c, 50), 50);
    c.settled = 130;
    c.granted = 80;
    change_ok(leases, &c);
    c.settled = c.granted = 0;
    sums_are(leases, 130, 0, 0);
    ck_assert_int_eq(ask(leases, &c, 1), 0);
    mb_leases_close(leases);
}
END_TEST

START_TEST(an_alert_is_told_once_over_all_holders) {
    mb_leases *a = open_ok(path), *b = open_ok(path);
    mb_lease_change of_a = day(100), of_b = day(100);
    ask(a, &of_a, 50);
    ask(b, &of_b, 50);
    of_a.settled = 49;
    change_ok(a, &of_a);
    ck_assert_uint_eq(of_a.ret_alerts, 0);
    of_b.settled = 1;
    change_ok(b, &of_b);
    ck_assert_uint_eq(of_b.ret_alerts, 1);
    of_a.settled = 1;
    change_ok(a, &of_a);
    ck_assert_uint_eq(of_a.ret_alerts, 0);
    of_b.settled = 49;
    change_ok(b, &of_b);
    ck_assert_uint_eq(of_b.ret_alerts, 2);
    change_ok(b, &of_b);
    ck_assert_uint_eq(of_b.ret_alerts, 0);
    ck_assert_int_eq(mb_leases_set_rule(a, "all", "", "day", 100, NULL), 0); // somebody has seen to it
    change_ok(b, &of_b);
    ck_assert_uint_eq(of_b.ret_alerts, 3);
    mb_leases_close(a);
    mb_leases_close(b);
}
END_TEST

START_TEST(all_changes_hold_or_none) {
    mb_leases *leases = open_ok(path);
    mb_lease_change both[2] = {day(100), day(100)};
    both[0].settled = 10;
    both[1].amount.scope = NULL; // SQLite refuses it
    membrane_error *err = NULL;
    ck_assert_int_eq(mb_leases_change(leases, both, 2, &err), MEMBRANE_EIO);
    membrane_error_free(err);
    sums_are(leases, 0, 0, 0);
    both[1] = day(100);
    both[1].settled = 5;
    ck_assert_int_eq(mb_leases_change(leases, both, 2, NULL), 0);
    sums_are(leases, 15, 0, 0);
    mb_leases_close(leases);
}
END_TEST

START_TEST(old_leases_go_and_those_of_a_total_never) {
    mb_leases *leases = open_ok(path);
    mb_lease_change c = day(100), total = day(100);
    total.amount.period = "total";
    total.amount.start_ms = 0;
    ask(leases, &c, 50);
    ask(leases, &total, 50);
    ck_assert_int_eq(mb_leases_purge(leases, INT64_C(86400000) * 3, NULL), 0);
    sums_are(leases, 0, 0, 50);
    ck_assert_int_eq(mb_leases_purge(leases, INT64_C(86400000) * 5, NULL), 0);
    sums_are(leases, 0, 0, 0);
    ck_assert_int_eq(ask(leases, &total, 51), 0);
    mb_leases_close(leases);
}
END_TEST

static int put_rule(void *user, const char *scope, const char *match, const char *period, int64_t limit) {
    char *text = user;
    sprintf(text + strlen(text), "%s %s %s %lld;", scope, match, period, (long long)limit);
    return 0;
}

START_TEST(rules_are_set_replaced_and_removed) {
    mb_leases *leases = open_ok(path);
    char text[200] = "";
    ck_assert_int_eq(mb_leases_set_rule(leases, "key", "cloud", "day", 5, NULL), 0);
    ck_assert_int_eq(mb_leases_set_rule(leases, "all", "", "month", 9, NULL), 0);
    ck_assert_int_eq(mb_leases_set_rule(leases, "key", "cloud", "day", 7, NULL), 0);
    ck_assert_int_eq(mb_leases_rules(leases, put_rule, text, NULL), 0);
    ck_assert_str_eq(text, "all  month 9;key cloud day 7;");
    ck_assert_int_eq(mb_leases_remove_rule(leases, "key", "cloud", "day", NULL), 0);
    ck_assert_int_eq(mb_leases_remove_rule(leases, "key", "cloud", "day", NULL), MEMBRANE_ENOTFOUND);
    mb_leases_close(leases);
    leases = open_ok(path); // and it is so on the disk
    text[0] = '\0';
    ck_assert_int_eq(mb_leases_rules(leases, put_rule, text, NULL), 0);
    ck_assert_str_eq(text, "all  month 9;");
    mb_leases_close(leases);
}
END_TEST

START_TEST(a_database_of_the_first_version_gets_the_new_tables) {
    mb_db *db = NULL;
    ck_assert_int_eq(mb_db_open(path, &db, NULL), 0);
    ck_assert_int_eq(
        mb_db_exec(
            db,
            "DROP TABLE budgets; DROP TABLE amounts; DROP TABLE leases;"
            " ALTER TABLE calls DROP COLUMN decision; ALTER TABLE calls DROP COLUMN cost_unknown_attempts; PRAGMA user_version=1",
            NULL),
        0);
    mb_db_close(db);
    mb_leases *leases = open_ok(path);
    mb_lease_change c = day(100);
    ck_assert_int_eq(ask(leases, &c, 60), 60);
    mb_leases_close(leases);
    ck_assert_int_eq(mb_db_open(path, &db, NULL), 0);
    ck_assert_int_eq(mb_db_exec(db, "SELECT decision FROM calls", NULL), 0);
    mb_db_close(db);
}
END_TEST

static int use_all(void *where) {
    mb_leases *leases = NULL;
    membrane_error *err = NULL;
    mb_lease_change c = day(100);
    int64_t total[3] = {0};
    char text[200] = "";
    c.asks = true;
    c.need = c.least = 10;
    int status = mb_leases_open(where, "test", &leases, &err);
    if (!status) status = mb_leases_purge(leases, 0, &err);
    if (!status) status = mb_leases_set_rule(leases, "all", "", "day", 100, &err);
    if (!status) status = mb_leases_change(leases, &c, 1, &err);
    if (!status) status = mb_leases_sums(leases, &c.amount, sum_up, total, &err);
    if (!status) status = mb_leases_rules(leases, put_rule, text, &err);
    if (!status) status = mb_leases_remove_rule(leases, "all", "", "day", &err);
    mb_leases_close(leases);
    membrane_error_free(err);
    return status;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, two_holders_share_one_amount_and_no_more);
    tcase_add_test(tc, a_lease_that_ends_leaves_what_was_settled);
    tcase_add_test(tc, what_a_dead_process_had_in_hand_stays_reserved);
    tcase_add_test(tc, a_cost_above_the_lease_counts_and_nothing_is_granted_any_more);
    tcase_add_test(tc, an_alert_is_told_once_over_all_holders);
    tcase_add_test(tc, all_changes_hold_or_none);
    tcase_add_test(tc, old_leases_go_and_those_of_a_total_never);
    tcase_add_test(tc, rules_are_set_replaced_and_removed);
    tcase_add_test(tc, a_database_of_the_first_version_gets_the_new_tables);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("leases", tests)
