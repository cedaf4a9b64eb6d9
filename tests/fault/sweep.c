// SPDX-License-Identifier: MIT
#include "sweep.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

enum { FINE = 0, PAST_THE_END = 40, LEAKED, WRONG_CODE, NOT_OURS };

static const saboteur *in_use;

static void crashed(int number) {
    void *trace[64];
    int depth = backtrace(trace, 64);
    const char *whose = in_use->whose ? in_use->whose(trace, depth) : NULL;
    if (whose) {
        static const char TEXT[] = "# a crash that is not ours: ";
        (void)!write(1, TEXT, sizeof TEXT - 1);
        (void)!write(1, whose, strlen(whose));
        (void)!write(1, "\n", 1);
    }
    backtrace_symbols_fd(trace, depth, 2);
    if (whose) _exit(NOT_OURS);
    signal(number, SIG_DFL);
    raise(number);
}

static int try_one(const scenario *s, long n) {
    static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < COUNT(SIGNALS); i++) signal(SIGNALS[i], crashed);
    alarm(15);
    in_use->arm(n);
    int code = s->run();
    bool hit = in_use->disarm();
    long left = in_use->left();
    if (left != 0) {
        printf("# %s: allocation %ld failed: %ld blocks are left (%s)\n", s->name, n, left, membrane_status_kind(code));
        fflush(stdout);
        return LEAKED;
    }
    bool told =
        code == MEMBRANE_ENOMEM || (in_use->others_fail && code != MEMBRANE_EAGAIN && code != MEMBRANE_ETIMEOUT);
    if (code != 0 && !(hit && told)) {
        printf("# %s: allocation %ld failed: %s\n", s->name, n, membrane_status_kind(code));
        fflush(stdout);
        return WRONG_CODE;
    }
    return hit ? FINE : PAST_THE_END;
}

static int in_child(const scenario *s, long n) {
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(try_one(s, n));
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    printf("# %s: allocation %ld failed: %s\n", s->name, n,
           WTERMSIG(status) == SIGALRM ? "it hung" : strsignal(WTERMSIG(status)));
    return -1;
}

// Every day the first ones, then ever fewer; in the soak all of them.
static long next_after(long n, const scenario *s) {
    const char *soak = getenv("MEMBRANE_SOAK");
    return soak || n < 8 ? n + 1 : n + 1 + n / 12 + (long)strlen(s->name) % 3;
}

void sweep(const scenario *s, const saboteur *by) {
    int tries = 0, bad = 0, foreign = 0;
    in_use = by;
    for (long n = 1; bad < 12; n = next_after(n, s), tries++) {
        int how = in_child(s, n);
        if (how == PAST_THE_END) break;
        foreign += how == NOT_OURS;
        bad += how != FINE && how != NOT_OURS;
    }
    printf("# %s: %d tries, %d bad, %d crashes in dependencies\n", s->name, tries, bad, foreign);
    CHECK(bad == 0, "%s: %d bad ends", s->name, bad);
}
