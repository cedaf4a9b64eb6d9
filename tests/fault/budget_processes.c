// SPDX-License-Identifier: MIT
// Eight processes spend one budget at once and are killed at any moment. Each notes what it really spends in memory
// that outlives it, before it settles. In every round, at its end and while it runs, must hold
//
//     settled + unknown + reserved <= the amount                 nothing is overspent
//     settled + unknown <= noted <= settled + unknown + reserved  nothing is counted twice, nothing is lost
//
// and where nobody was killed noted == settled + unknown, and nothing is reserved any more.
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "runtime/money.h"
#include "store/leases.h"

enum { PROCESSES = 8, ROUNDS = 200, GENTLE_EVERY = 5, BOUND_MAX = 400, LOOKS = 4 };

// What the processes share; one page that outlives them.
typedef struct shared {
    atomic_llong noted;
    atomic_llong calls, refused;
    atomic_bool stop;
} shared;

static char folder[64], path[128];
static shared *page;
static uint64_t seed = 1;
static int failures;

static void failed(int round, const char *what, const int64_t *sums, int64_t limit) {
    failures++;
    printf("# round %d, seed %llu: %s: settled %lld, unknown %lld, reserved %lld, noted %lld, amount %lld\n", round,
           (unsigned long long)seed, what, (long long)sums[0], (long long)sums[1], (long long)sums[2],
           (long long)atomic_load(&page->noted), (long long)limit);
}

static void pause_us(int64_t us) { // the moment is the test's input
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

// ---- a process -----------------------------------------------------------------------------------------------------

typedef struct waiter {
    mb_money_wait wait;
    sem_t came;
} waiter;

static void on_ready(mb_money_wait *wait) { sem_post(&((waiter *)(void *)wait)->came); }
static void no_descriptor(void *user, int fd, uint32_t events) { (void)user, (void)fd, (void)events; }
static void nothing(void *user) { (void)user; }

static int hold(mb_money *money, const mb_money_subject *s, int64_t bound, mb_hold **ret) {
    waiter w = {.wait = {.ready = on_ready}};
    int code;
    sem_init(&w.came, 0, 0);
    while ((code = mb_money_hold(money, s, bound, mb_wall_ms(), &w.wait, ret, NULL)) == MEMBRANE_EAGAIN)
        while (sem_wait(&w.came) != 0) {}
    sem_destroy(&w.came);
    return code;
}

// One call that really spends: between the note and the settling the process may die.
static bool call(mb_money *money, const mb_money_subject *s, mb_rng *rng) {
    mb_hold *h = NULL;
    int64_t bound = 1 + (int64_t)mb_rng_below(rng, BOUND_MAX), cost = (int64_t)mb_rng_below(rng, (uint64_t)bound + 1);
    unsigned way = (unsigned)mb_rng_below(rng, 10);
    int code = hold(money, s, bound, &h);
    if (code == MEMBRANE_EBUDGET) {
        atomic_fetch_add(&page->refused, 1);
        pause_us(200);
        return true;
    }
    if (code) return false;
    atomic_fetch_add(&page->calls, 1);
    if (way == 0) {
        mb_money_release(money, h);
    } else if (way == 1) {
        atomic_fetch_add(&page->noted, bound); // nobody knows: all of it, if it comes to the worst
        mb_money_forfeit(money, h);
    } else {
        atomic_fetch_add(&page->noted, cost);
        if (way == 2) pause_us((int64_t)mb_rng_below(rng, 2000));
        mb_money_settle(money, h, cost);
    }
    return true;
}

static int live(const mb_budget_rule *rules, const mb_money_subject *s, uint64_t number) {
    mb_rng rng;
    mb_io *io = NULL;
    mb_money *money = NULL;
    mb_rng_seed_with(&rng, number);
    if (mb_io_new(&io, NULL) != 0) return 1;
    mb_io_set_hooks(io, &(mb_io_hooks){NULL, no_descriptor, nothing, nothing});
    if (mb_io_start(io, NULL) != 0 || mb_money_new(path, &money, NULL) != 0) return 2;
    mb_money_attach(money, io);
    if (mb_money_set_rules(money, rules, 2, NULL) != 0) return 3;
    while (!atomic_load(&page->stop))
        if (!call(money, s, &rng)) return 4;
    mb_io_stop(io);
    mb_io_join(io, -1);
    mb_money_close(money, -1);
    mb_io_free(io);
    return 0;
}

// ---- a round -------------------------------------------------------------------------------------------------------

static int add_up(void *user, const mb_amount_sums *sums) {
    int64_t *to = user;
    to[0] += sums->settled;
    to[1] += sums->unknown;
    to[2] += sums->reserved;
    return 0;
}

static bool read_sums(mb_leases *leases, const char *match, int64_t *sums) {
    mb_amount which = {.scope = "model", .match = match, .period = "total"};
    memset(sums, 0, 3 * sizeof *sums);
    return mb_leases_sums(leases, &which, add_up, sums, NULL) == 0;
}

static void look(int round, mb_leases *leases, const char *match, int64_t limit, bool is_over, bool was_gentle) {
    int64_t sums[3], before = atomic_load(&page->noted);
    if (!read_sums(leases, match, sums)) {
        failed(round, "the sums cannot be read", sums, limit);
        return;
    }
    int64_t spent = sums[0] + sums[1], noted = atomic_load(&page->noted);
    if (spent + sums[2] > limit) failed(round, "overspent", sums, limit);
    if (spent > noted) failed(round, "counted twice", sums, limit);
    // While they run, what was noted before the look must be in what the look has seen.
    if (before > spent + sums[2]) failed(round, "lost", sums, limit);
    if (is_over && was_gentle && (spent != noted || sums[2] != 0)) failed(round, "not settled to the end", sums, limit);
}

// One connection a look: it must not be open across a fork.
static mb_leases *open_leases(int round) {
    mb_leases *leases = NULL;
    membrane_error *err = NULL;
    if (mb_leases_open(path, "test", &leases, &err) == 0) return leases;
    failures++;
    printf("# round %d: %s\n", round, membrane_error_message(err));
    membrane_error_free(err);
    return NULL;
}

static void reap(int round, const pid_t *pids, const bool *killed) {
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        waitpid(pids[i], &status, 0);
        bool is_well = killed[i] ? WIFSIGNALED(status) || status == 0 : status == 0;
        if (is_well) continue;
        failures++;
        printf("# round %d: process %d ended with %d\n", round, i, status);
    }
}

static void run_round(int round, mb_rng *rng) {
    char match[32], provider[16];
    pid_t pids[PROCESSES];
    bool killed[PROCESSES] = {false}, is_gentle = round % GENTLE_EVERY == 0;
    // Every second amount is a few calls' worth, so that all grasp at the last of it at once.
    int64_t limit = round % 2 ? 400 + (int64_t)mb_rng_below(rng, 3000) : 2000 + (int64_t)mb_rng_below(rng, 50000);
    snprintf(provider, sizeof provider, "r%d", round);
    snprintf(match, sizeof match, "r%d/*", round);
    mb_budget_rule rules[] = {
        {.scope = MB_BUDGET_MODEL, .match = match, .period = MB_BUDGET_TOTAL, .usd_micros = limit},
        {.scope = MB_BUDGET_ALL, .period = MB_BUDGET_DAY, .usd_micros = MB_BUDGET_USD_MICROS_MAX}};
    mb_money_subject subject = {.provider = provider, .model = "m"};
    atomic_store(&page->noted, 0);
    atomic_store(&page->stop, false);
    for (int i = 0; i < PROCESSES; i++) {
        uint64_t number = mb_rng_next(rng);
        pids[i] = fork();
        if (pids[i] == 0) _exit(live(rules, &subject, number));
    }
    mb_leases *leases = open_leases(round);
    for (int n = 0; n < PROCESSES; n++) {
        pause_us(1000 + (int64_t)mb_rng_below(rng, 12000));
        if (leases && n % (PROCESSES / LOOKS) == 0) look(round, leases, match, limit, false, false);
        killed[n] = !is_gentle && mb_rng_below(rng, 4) != 0; // some live on, some of those who died come to their end
        if (killed[n]) kill(pids[n], SIGKILL);
    }
    atomic_store(&page->stop, true);
    reap(round, pids, killed);
    if (leases) look(round, leases, match, limit, true, is_gentle);
    mb_leases_close(leases);
}

int main(void) {
    mb_rng rng;
    const char *wanted = getenv("MEMBRANE_SEED");
    if (wanted) seed = strtoull(wanted, NULL, 10);
    int rounds = getenv("MEMBRANE_SANITIZED") ? ROUNDS / 10 : ROUNDS;
    strcpy(folder, "/tmp/mb_budgets_XXXXXX");
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!mkdtemp(folder) || page == MAP_FAILED) return 1;
    snprintf(path, sizeof path, "%s/log.db", folder);
    mb_rng_seed_with(&rng, seed);
    int64_t start = mb_now_ms();
    for (int round = 0; round < rounds && failures < 10; round++) run_round(round, &rng);
    printf("# seed %llu: %d rounds of %d processes in %lld ms, %lld calls, %lld refused\n", (unsigned long long)seed,
           rounds, PROCESSES, (long long)(mb_now_ms() - start), (long long)atomic_load(&page->calls),
           (long long)atomic_load(&page->refused));
    bool is_real = atomic_load(&page->calls) > rounds && atomic_load(&page->refused) > 0;
    printf("%s 1 - processes_that_share_a_budget_and_die_neither_overspend_nor_lose_money\n",
           failures ? "not ok" : "ok");
    printf("%s 2 - they_have_really_spent_and_were_refused\n1..2\n", is_real ? "ok" : "not ok");
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || failures || !is_real;
}
