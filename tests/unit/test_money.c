// SPDX-License-Identifier: MIT
// Budgets at work: holds that wait for a lease, settle, are refused; several handles on one file; rules that are set
// while calls run; the end.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/money.h"
#include "store/sqlite.h"
#include "unit.h"

static char folder[64], path[128], told[4096];
static int64_t NOON; // of today, whatever the time is
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;

static void set_up(void) {
    strcpy(folder, "/tmp/mb_money_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log.db", folder);
    told[0] = '\0';
    NOON = mb_wall_ms() / 86400000 * 86400000 + 43200000;
}

static void tear_down(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

// A handle: money and the I/O thread that calls its waiters.
typedef struct purse {
    mb_io *io;
    mb_money *money;
} purse;

static void on_warning(void *user, const char *text) {
    (void)user;
    pthread_mutex_lock(&told_lock);
    if (strlen(told) + strlen(text) + 2 < sizeof told) strcat(strcat(told, text), "\n");
    pthread_mutex_unlock(&told_lock);
}

static bool was_told(const char *words) {
    pthread_mutex_lock(&told_lock);
    bool was = strstr(told, words) != NULL;
    pthread_mutex_unlock(&told_lock);
    return was;
}

static void no_descriptor(void *user, int fd, uint32_t events) { (void)user, (void)fd, (void)events; }
static void nothing(void *user) { (void)user; }

static int try_open(purse *p, const char *where, membrane_error **err) {
    *p = (purse){0};
    int code = mb_io_new(&p->io, err);
    if (!code) mb_io_set_hooks(p->io, &(mb_io_hooks){NULL, no_descriptor, nothing, nothing});
    if (!code) code = mb_io_start(p->io, err);
    if (!code) code = mb_money_new(where, &p->money, err);
    if (code) return code;
    mb_money_on_warning(p->money, on_warning, NULL);
    mb_money_attach(p->money, p->io);
    return 0;
}

static void close_purse(purse *p) {
    if (p->io) mb_io_stop(p->io);
    if (p->io) mb_io_join(p->io, -1);
    mb_money_close(p->money, -1);
    if (p->io) mb_io_free(p->io);
}

static purse open_with(const char *where, const mb_budget_rule *rules, size_t count) {
    purse p;
    ck_assert_int_eq(try_open(&p, where, NULL), 0);
    ck_assert_int_eq(mb_money_set_rules(p.money, rules, count, NULL), 0);
    return p;
}

static mb_budget_rule rule_of(mb_budget_scope scope, const char *match, int64_t limit) {
    mb_budget_rule rule = {.scope = scope, .match = match, .period = MB_BUDGET_DAY, .usd_micros = limit};
    mb_budget_usual_alerts(&rule);
    return rule;
}

static const mb_money_subject SUBJECT = {.provider = "cloud", .model = "gpt", .session = "s1"};

typedef struct waiter {
    mb_money_wait wait;
    sem_t came;
} waiter;

static void on_ready(mb_money_wait *wait) { sem_post(&((waiter *)(void *)wait)->came); }

// As a call does: again and again until there is an answer.
static int hold_for(purse *p, const mb_money_subject *s, int64_t bound, int64_t wall_ms, mb_hold **ret,
                    membrane_error **err) {
    waiter w = {.wait = {.ready = on_ready}};
    int code;
    sem_init(&w.came, 0, 0);
    while ((code = mb_money_hold(p->money, s, bound, wall_ms, &w.wait, ret, err)) == MEMBRANE_EAGAIN)
        while (sem_wait(&w.came) != 0) {}
    sem_destroy(&w.came);
    return code;
}

static mb_hold *hold_ok(purse *p, int64_t bound) {
    mb_hold *hold = NULL;
    membrane_error *err = NULL;
    ck_assert_msg(hold_for(p, &SUBJECT, bound, NOON, &hold, &err) == 0, "%s", membrane_error_message(err));
    return hold;
}

static membrane_error *refused(purse *p, const mb_money_subject *s, int64_t bound, const char *words) {
    mb_hold *hold = NULL;
    membrane_error *err = NULL;
    ck_assert_int_eq(hold_for(p, s, bound, NOON, &hold, &err), MEMBRANE_EBUDGET);
    ck_assert_msg(strstr(membrane_error_message(err), words) != NULL, "%s", membrane_error_message(err));
    return err;
}

static const char *list(purse *p) {
    static mb_buf out;
    membrane_error *err = NULL;
    mb_buf_free(&out);
    out = MB_BUF(1 << 20);
    ck_assert_msg(mb_money_list(p->money, NOON, &out, &err) == 0, "%s", membrane_error_message(err));
    return mb_buf_text(&out);
}

static void listed(purse *p, const char *words) {
    const char *text = list(p);
    ck_assert_msg(strstr(text, words) != NULL, "%s", text);
}

START_TEST(a_hold_waits_for_its_lease_and_is_settled) {
    mb_budget_rule rule = rule_of(MB_BUDGET_ALL, NULL, 1000);
    for (int in_file = 0; in_file < 2; in_file++) {
        purse p = open_with(in_file ? path : NULL, &rule, 1);
        ck_assert(mb_money_has_rules(p.money));
        mb_hold *first = hold_ok(&p, 600), *second = hold_ok(&p, 400);
        membrane_error *err = refused(&p, &SUBJECT, 1, "the budget of $0.001 a day for everything has $0.00 left");
        ck_assert_ptr_nonnull(strstr(membrane_error_hint(err), "may come back"));
        ck_assert_int_gt(membrane_error_retry_after_ms(err), 0);
        membrane_error_free(err);
        mb_money_settle(p.money, first, 250);
        mb_money_release(p.money, second);
        listed(&p, "\"settled\":250,\"unknown\":0,\"reserved\":750,");
        mb_money_forfeit(p.money, hold_ok(&p, 700));
        listed(&p, "\"settled\":250,\"unknown\":700,\"reserved\":50,\"left\":0,");
        err = refused(&p, &SUBJECT, 51, "$0.00005 left, and this attempt may cost $0.000051; it renews at 20");
        ck_assert_ptr_nonnull(strstr(membrane_error_hint(err), "budgets set all day AMOUNT, or in the configuration"));
        ck_assert_int_eq(membrane_error_retry_after_ms(err), 43200000);
        membrane_error_free(err);
        close_purse(&p);
    }
    purse p = open_with(path, &rule, 1); // given back at the end
    listed(&p, "\"settled\":250,\"unknown\":700,\"reserved\":0,\"left\":50,");
    mb_money_release(p.money, hold_ok(&p, 50)); // the last of it can be spent
    close_purse(&p);
}
END_TEST

START_TEST(where_no_budget_applies_nothing_is_asked) {
    mb_hold *hold = (mb_hold *)&hold;
    purse p = open_with(NULL, NULL, 0);
    ck_assert(!mb_money_has_rules(p.money));
    ck_assert_int_eq(mb_money_hold(p.money, &SUBJECT, -1, NOON, NULL, &hold, NULL), 0);
    ck_assert_ptr_null(hold);
    mb_budget_rule other = rule_of(MB_BUDGET_KEY, "other", 10);
    ck_assert_int_eq(mb_money_set_rules(p.money, &other, 1, NULL), 0);
    ck_assert(mb_money_has_rules(p.money));
    ck_assert_int_eq(mb_money_hold(p.money, &SUBJECT, -1, NOON, NULL, &hold, NULL), 0);
    ck_assert_ptr_null(hold);
    mb_money_settle(p.money, NULL, 5);
    close_purse(&p);
}
END_TEST

START_TEST(what_nobody_can_bound_is_refused_and_what_is_free_is_not) {
    mb_budget_rule rule = rule_of(MB_BUDGET_MODEL, "cloud/*", 0);
    mb_hold *hold = (mb_hold *)&hold;
    purse p = open_with(NULL, &rule, 1);
    membrane_error *err = refused(&p, &SUBJECT, -1, "nobody knows what a call of cloud/gpt costs at most");
    ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "$0.00 a day for the models cloud/* together"));
    membrane_error_free(err);
    ck_assert_int_eq(mb_money_hold(p.money, &SUBJECT, 0, NOON, NULL, &hold, NULL), 0);
    ck_assert_ptr_null(hold);
    membrane_error_free(refused(&p, &SUBJECT, 1, "has $0.00 left"));
    close_purse(&p);
}
END_TEST

START_TEST(every_budget_that_applies_holds_or_none_does) {
    mb_budget_rule rules[] = {rule_of(MB_BUDGET_ALL, NULL, 1000), rule_of(MB_BUDGET_SESSION, NULL, 100)};
    mb_money_subject other = SUBJECT;
    purse p = open_with(path, rules, 2);
    membrane_error_free(refused(&p, &SUBJECT, 101, "for the session s1"));
    mb_hold *hold = hold_ok(&p, 100);
    mb_money_settle(p.money, hold, 90);
    listed(&p, "\"owner\":\"s1\",\"usd_micros\":100,\"settled\":90");
    listed(&p, "\"owner\":null,\"usd_micros\":1000,\"settled\":90");
    other.session = "s2";
    ck_assert_int_eq(hold_for(&p, &other, 100, NOON, &hold, NULL), 0);
    mb_money_settle(p.money, hold, 100);
    other.session = NULL;
    ck_assert_int_eq(hold_for(&p, &other, 500, NOON, &hold, NULL), 0);
    mb_money_settle(p.money, hold, 500);
    listed(&p, "\"owner\":null,\"usd_micros\":1000,\"settled\":690");
    close_purse(&p);
}
END_TEST

START_TEST(each_key_and_each_day_has_its_own_amount) {
    mb_budget_rule rule = rule_of(MB_BUDGET_KEY, NULL, 100);
    mb_money_subject second = SUBJECT;
    mb_hold *hold;
    purse p = open_with(NULL, &rule, 1);
    mb_money_settle(p.money, hold_ok(&p, 100), 100);
    membrane_error_free(refused(&p, &SUBJECT, 1, "a day for the key cloud#1 has"));
    second.key = 1;
    ck_assert_int_eq(hold_for(&p, &second, 100, NOON, &hold, NULL), 0);
    mb_money_release(p.money, hold);
    ck_assert_int_eq(hold_for(&p, &SUBJECT, 100, NOON + 86400000, &hold, NULL), 0);
    mb_money_release(p.money, hold);
    close_purse(&p);
}
END_TEST

START_TEST(alerts_are_told_once_and_a_cost_above_the_hold_is_too) {
    mb_budget_rule rule = rule_of(MB_BUDGET_ALL, NULL, 1000);
    purse a = open_with(path, &rule, 1), b = open_with(path, &rule, 1);
    mb_money_settle(a.money, hold_ok(&a, 500), 500);
    mb_money_settle(b.money, hold_ok(&b, 290), 290);
    ck_assert_int_eq(mb_money_flush(a.money, -1, NULL), 0);
    ck_assert_int_eq(mb_money_flush(b.money, -1, NULL), 0);
    ck_assert(!was_told("80 %"));
    mb_money_settle(b.money, hold_ok(&b, 100), 130);
    ck_assert(was_told("a call cost $0.00013 where $0.0001 had been reserved for it"));
    ck_assert_int_eq(mb_money_flush(b.money, -1, NULL), 0);
    ck_assert(was_told("80 % of the budget of $0.001 a day for everything is spent: $0.00092"));
    told[0] = '\0';
    mb_money_settle(a.money, hold_ok(&a, 10), 10);
    ck_assert_int_eq(mb_money_flush(a.money, -1, NULL), 0);
    ck_assert(!was_told("80 %"));
    close_purse(&a);
    close_purse(&b);
}
END_TEST

START_TEST(budgets_of_the_database_hold_beside_the_configuration_and_the_smaller_one_wins) {
    mb_budget_rule rule = rule_of(MB_BUDGET_ALL, NULL, 1000);
    mb_hold *hold;
    purse p = open_with(path, &rule, 1);
    ck_assert_int_eq(mb_money_set(p.money, "all", NULL, "day", 400, NULL), 0);
    listed(&p, "\"usd_micros\":400,");
    listed(&p, "\"source\":\"stored\"");
    membrane_error_free(refused(&p, &SUBJECT, 401, "$0.0004 a day"));
    ck_assert_int_eq(mb_money_set(p.money, "all", NULL, "day", 4000, NULL), 0);
    listed(&p, "\"source\":\"config\"");
    hold = hold_ok(&p, 1000);
    mb_money_release(p.money, hold);
    ck_assert_int_eq(mb_money_set(p.money, "key", "cloud#*", "total", 700, NULL), 0);
    membrane_error_free(refused(&p, &SUBJECT, 701, "$0.0007 in all for the keys cloud#* together"));
    ck_assert_int_eq(mb_money_remove(p.money, "key", "cloud#*", "total", NULL), 0);
    ck_assert_int_eq(mb_money_remove(p.money, "key", "cloud#*", "total", NULL), MEMBRANE_ENOTFOUND);
    mb_money_release(p.money, hold_ok(&p, 800));
    close_purse(&p);
}
END_TEST

START_TEST(in_memory_budgets_can_be_set_too) {
    purse p = open_with(NULL, NULL, 0);
    ck_assert_str_eq(list(&p), "{\"items\":[]}");
    ck_assert_int_eq(mb_money_set(p.money, "all", NULL, "total", 100, NULL), 0);
    ck_assert(mb_money_has_rules(p.money));
    mb_money_settle(p.money, hold_ok(&p, 60), 60);
    listed(&p, "\"settled\":60");
    listed(&p, "\"end_ms\":null");
    membrane_error *err = refused(&p, &SUBJECT, 41, "$0.00004 left");
    ck_assert_int_eq(membrane_error_retry_after_ms(err), -1);
    membrane_error_free(err);
    ck_assert_int_eq(mb_money_remove(p.money, "all", NULL, "total", NULL), 0);
    ck_assert_ptr_null(hold_ok(&p, 1000));
    ck_assert(!mb_money_has_rules(p.money));
    close_purse(&p);
}
END_TEST

START_TEST(wrong_budgets_are_refused) {
    purse p = open_with(NULL, NULL, 0);
    ck_assert_int_eq(mb_money_set(p.money, "keys", NULL, "day", 1, NULL), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_money_set(p.money, "key", NULL, "week", 1, NULL), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_money_set(p.money, "key", NULL, NULL, 1, NULL), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_money_set(p.money, "key", "", "day", 1, NULL), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_money_set(p.money, "all", "x", "day", 1, NULL), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_money_set(p.money, "all", NULL, "day", -1, NULL), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_money_set(p.money, "all", NULL, "day", INT64_MAX, NULL), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_money_remove(p.money, "all", "x", "day", NULL), MEMBRANE_EINVAL);
    close_purse(&p);
}
END_TEST

START_TEST(what_another_program_sets_holds_within_seconds) {
    purse p = open_with(path, NULL, 0), other = open_with(path, NULL, 0);
    ck_assert_ptr_null(hold_ok(&p, 10));
    ck_assert(!mb_money_has_rules(p.money)); // looked at, and there are none
    ck_assert_int_eq(mb_money_set(other.money, "all", NULL, "day", 5, NULL), 0);
    int64_t until = mb_now_ms() + 20000;
    while (!mb_money_has_rules(p.money) && mb_now_ms() < until) sched_yield();
    membrane_error_free(refused(&p, &SUBJECT, 10, "has $0.000005 left"));
    close_purse(&p);
    close_purse(&other);
}
END_TEST

START_TEST(money_that_nobody_uses_is_given_back) {
    mb_budget_rule rule = rule_of(MB_BUDGET_ALL, NULL, 1600);
    purse a = open_with(path, &rule, 1), b = open_with(path, &rule, 1);
    mb_money_settle(a.money, hold_ok(&a, 1000), 100); // 900 stay in hand
    membrane_error *err = refused(&b, &SUBJECT, 700, "has $0.0006 left");
    ck_assert_ptr_nonnull(strstr(membrane_error_hint(err), "may come back"));
    membrane_error_free(err);
    int64_t until = mb_now_ms() + 30000;
    mb_hold *hold = NULL;
    while (hold_for(&b, &SUBJECT, 1500, NOON, &hold, NULL) == MEMBRANE_EBUDGET && mb_now_ms() < until)
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    ck_assert_ptr_nonnull(hold);
    mb_money_release(b.money, hold);
    close_purse(&a);
    close_purse(&b);
}
END_TEST

START_TEST(a_file_that_cannot_be_used_stops_calls_only_where_the_configuration_has_budgets) {
    purse p = open_with("/proc/nowhere/log.db", NULL, 0);
    mb_hold *hold = NULL;
    membrane_error *err = NULL;
    ck_assert_ptr_null(hold_ok(&p, 10));
    ck_assert(was_told("stored budgets cannot be read: "));
    ck_assert(!mb_money_has_rules(p.money));
    ck_assert_int_eq(mb_money_set(p.money, "all", NULL, "day", 5, NULL), MEMBRANE_EIO);
    mb_budget_rule rule = rule_of(MB_BUDGET_ALL, NULL, 1600);
    ck_assert_int_eq(mb_money_set_rules(p.money, &rule, 1, NULL), 0);
    ck_assert_int_eq(hold_for(&p, &SUBJECT, 10, NOON, &hold, &err), MEMBRANE_EIO);
    ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "the budgets cannot be kept: "));
    membrane_error_free(err);
    close_purse(&p);
}
END_TEST

START_TEST(a_write_that_failed_is_made_up_for) {
    mb_budget_rule rule = rule_of(MB_BUDGET_ALL, NULL, 1000);
    purse p = open_with(path, &rule, 1);
    mb_hold *hold = hold_ok(&p, 500);
    mb_db *other = NULL;
    ck_assert_int_eq(mb_db_open(path, &other, NULL), 0);
    ck_assert_int_eq(mb_db_exec(other, "ALTER TABLE amounts RENAME TO hidden", NULL), 0);
    mb_money_settle(p.money, hold, 300);
    ck_assert_int_eq(mb_money_flush(p.money, -1, NULL), MEMBRANE_EIO);
    ck_assert_int_eq(mb_db_exec(other, "ALTER TABLE hidden RENAME TO amounts", NULL), 0);
    listed(&p, "\"settled\":300,\"unknown\":0,\"reserved\":200,");
    mb_db_close(other);
    close_purse(&p);
}
END_TEST

START_TEST(who_has_forgotten_is_not_called) {
    mb_budget_rule rule = rule_of(MB_BUDGET_ALL, NULL, 1000);
    mb_hold *hold = NULL;
    for (int i = 0; i < 200; i++) {
        purse p = open_with(NULL, &rule, 1);
        waiter w = {.wait = {.ready = on_ready}};
        sem_init(&w.came, 0, 0);
        ck_assert_int_eq(mb_money_hold(p.money, &SUBJECT, 10, NOON, &w.wait, &hold, NULL), MEMBRANE_EAGAIN);
        hold = NULL; // by chance it is there now, or not yet
        if (mb_money_hold(p.money, &SUBJECT, 10, NOON, NULL, &hold, NULL) == 0) mb_money_release(p.money, hold);
        if (i % 2) mb_money_forget(&w.wait);
        mb_money_forget(&w.wait); // and again: nothing
        close_purse(&p);
        sem_destroy(&w.came);
    }
}
END_TEST

enum { THREADS = 6, ROUNDS = 3000 };

typedef struct spender {
    purse *p;
    int number;
    int64_t spent;
} spender;

static void *spend(void *user) { // what went wrong, or NULL
    spender *me = user;
    char session[16];
    mb_money_subject s = SUBJECT;
    snprintf(session, sizeof session, "s%d", me->number % 3);
    s.session = session;
    for (int i = 0; i < ROUNDS; i++) {
        mb_hold *hold = NULL;
        int64_t cost = (i * 7 + me->number) % 50;
        int code = hold_for(me->p, &s, 50, NOON, &hold, NULL);
        if (code == MEMBRANE_EBUDGET) continue;
        if (code) return me;
        if (i % 5 == 0)
            mb_money_release(me->p->money, hold);
        else if (i % 7 == 0)
            mb_money_forfeit(me->p->money, hold), me->spent += 50;
        else
            mb_money_settle(me->p->money, hold, cost), me->spent += cost;
    }
    return NULL;
}

static int64_t number_after(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at ? strtoll(at + strlen(key), NULL, 10) : -1;
}

START_TEST(many_threads_of_two_handles_spend_one_budget_to_the_last_and_no_more) {
    mb_budget_rule rules[] = {rule_of(MB_BUDGET_ALL, NULL, 200000), rule_of(MB_BUDGET_SESSION, NULL, 150000)};
    purse two[] = {open_with(path, rules, 2), open_with(path, rules, 2)};
    spender all[THREADS];
    pthread_t threads[THREADS];
    int64_t spent = 0;
    for (int i = 0; i < THREADS; i++) {
        all[i] = (spender){.p = &two[i % 2], .number = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, spend, &all[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
        spent += all[i].spent;
    }
    ck_assert_int_eq(mb_money_flush(two[0].money, -1, NULL), 0);
    close_purse(&two[0]);
    const char *text = strstr(list(&two[1]), "\"scope\":\"all\"");
    int64_t counted = number_after(text, "\"settled\":") + number_after(text, "\"unknown\":");
    ck_assert_int_eq(counted, spent);
    ck_assert_int_le(counted + number_after(text, "\"reserved\":"), 200000);
    ck_assert_int_gt(counted, 200000 - 50 * THREADS - 200000 / 16);
    close_purse(&two[1]);
}
END_TEST

START_TEST(a_child_lets_go_without_touching_thread_or_file) {
    mb_budget_rule rule = rule_of(MB_BUDGET_ALL, NULL, 1000);
    purse p = open_with(path, &rule, 1);
    mb_hold *hold = hold_ok(&p, 10);
    pid_t child = fork();
    if (child == 0) {
        mb_money_abandon(p.money);
        _exit(0);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    mb_money_settle(p.money, hold, 7);
    listed(&p, "\"settled\":7");
    close_purse(&p);
}
END_TEST

START_TEST(a_close_does_not_wait_longer_than_it_may) {
    mb_budget_rule rule = rule_of(MB_BUDGET_ALL, NULL, 1000);
    mb_db *other = NULL;
    purse p = open_with(path, &rule, 1);
    mb_hold *hold = hold_ok(&p, 10);
    ck_assert_int_eq(mb_db_open(path, &other, NULL), 0);
    ck_assert_int_eq(mb_db_exec(other, "BEGIN IMMEDIATE", NULL), 0); // nobody else can write now
    mb_money_settle(p.money, hold, 7);
    mb_io_stop(p.io);
    ck_assert(mb_io_join(p.io, -1));
    int64_t start = mb_now_ms();
    mb_money_close(p.money, 50);
    ck_assert_int_lt(mb_now_ms() - start, 5000);
    mb_io_free(p.io);
    ck_assert_int_eq(mb_db_exec(other, "COMMIT", NULL), 0);
    mb_db_close(other);
    p = open_with(path, &rule, 1);
    int64_t until = mb_now_ms() + 20000; // the worker goes on by itself, then frees everything
    while (!strstr(list(&p), "\"settled\":7,\"unknown\":0,\"reserved\":0") && mb_now_ms() < until) sched_yield();
    listed(&p, "\"settled\":7,\"unknown\":0,\"reserved\":0");
    close_purse(&p);
}
END_TEST

START_TEST(the_path_without_waiting_costs_less_than_a_microsecond) {
    mb_budget_rule rules[] = {rule_of(MB_BUDGET_ALL, NULL, INT64_C(1000000000000)),
                              rule_of(MB_BUDGET_KEY, NULL, INT64_C(1000000000000))};
    purse p = open_with(NULL, rules, 2);
    enum { TIMES = 200000 };
    mb_money_settle(p.money, hold_ok(&p, 100), 1);
    int64_t start = mb_now_us();
    for (int i = 0; i < TIMES; i++) {
        mb_hold *hold = NULL;
        if (!mb_money_has_rules(p.money)) break;
        if (mb_money_hold(p.money, &SUBJECT, 100, NOON, NULL, &hold, NULL) == 0) mb_money_settle(p.money, hold, 1);
    }
    double ns = (double)(mb_now_us() - start) * 1000 / TIMES;
    printf("# %.0f ns for asking, holding in two budgets and settling\n", ns);
    const char *sanitized = getenv("MEMBRANE_SANITIZED");
    if (!sanitized) ck_assert_msg(ns < 5000, "%.0f ns", ns); // room for a busy machine
    close_purse(&p);
}
END_TEST

static int use_all(void *where) {
    purse p;
    membrane_error *err = NULL;
    mb_hold *hold = NULL;
    mb_buf out = MB_BUF(1 << 20);
    mb_budget_rule rules[] = {rule_of(MB_BUDGET_ALL, NULL, 1000000), rule_of(MB_BUDGET_SESSION, "s*", 900000)};
    int code = try_open(&p, where, &err);
    if (!code) code = mb_money_set_rules(p.money, rules, 2, &err);
    if (!code) code = mb_money_set(p.money, "key", NULL, "total", 800000, &err);
    if (!code) code = hold_for(&p, &SUBJECT, 100, NOON, &hold, &err);
    if (hold) mb_money_settle(p.money, hold, 50);
    if (!code) code = mb_money_list(p.money, NOON, &out, &err);
    if (!code) code = mb_money_remove(p.money, "key", NULL, "total", &err);
    close_purse(&p);
    mb_buf_free(&out);
    membrane_error_free(err);
    return code;
}

START_TEST(every_allocation_may_fail) {
    unit_every_allocation_fails(use_all, NULL);
    unit_every_allocation_fails(use_all, path);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_checked_fixture(tc, set_up, tear_down);
    // First: a test below leaves a worker that frees its memory when it likes, and blocks are counted here.
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, a_hold_waits_for_its_lease_and_is_settled);
    tcase_add_test(tc, where_no_budget_applies_nothing_is_asked);
    tcase_add_test(tc, what_nobody_can_bound_is_refused_and_what_is_free_is_not);
    tcase_add_test(tc, every_budget_that_applies_holds_or_none_does);
    tcase_add_test(tc, each_key_and_each_day_has_its_own_amount);
    tcase_add_test(tc, alerts_are_told_once_and_a_cost_above_the_hold_is_too);
    tcase_add_test(tc, budgets_of_the_database_hold_beside_the_configuration_and_the_smaller_one_wins);
    tcase_add_test(tc, in_memory_budgets_can_be_set_too);
    tcase_add_test(tc, wrong_budgets_are_refused);
    tcase_add_test(tc, what_another_program_sets_holds_within_seconds);
    tcase_add_test(tc, money_that_nobody_uses_is_given_back);
    tcase_add_test(tc, a_file_that_cannot_be_used_stops_calls_only_where_the_configuration_has_budgets);
    tcase_add_test(tc, a_write_that_failed_is_made_up_for);
    tcase_add_test(tc, who_has_forgotten_is_not_called);
    tcase_add_test(tc, many_threads_of_two_handles_spend_one_budget_to_the_last_and_no_more);
    tcase_add_test(tc, a_child_lets_go_without_touching_thread_or_file);
    tcase_add_test(tc, a_close_does_not_wait_longer_than_it_may);
    tcase_add_test(tc, the_path_without_waiting_costs_less_than_a_microsecond);
}

UNIT_MAIN("money", tests)
