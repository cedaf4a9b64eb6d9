// SPDX-License-Identifier: MIT
// The program between the library and a child process. It is a subreaper: whatever the child leaves behind, in whatever
// session, becomes its own child and is found. Its life:
//
//     START ──exec failed──▶ says so, ends
//       └──▶ RUNNING ──the program ends──────────────────────────▶ KILLING ──no child is left──▶ reports, ends
//               ├──KILL, the library is gone, TERM INT HUP to us──────▲
//               └──time over──▶ TERM to all, a second──▶──────────────┘
#include "net/spawn_wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_MS = 1000, KILLING_MS = 5000, MOST_PROCESSES = 1 << 15, MOST_PID = 1 << 22 };

static struct {
    pid_t program;
    bool ended; // the program was waited for
    mb_spawn_message report;
    int signals; // signalfd
} state;

// ---- our descendants -----------------------------------------------------------------------------------------------

static struct { pid_t pid, parent; } processes[MOST_PROCESSES];
static unsigned char is_ours[MOST_PID / 8];

static bool ours(pid_t pid) { return pid > 0 && pid < MOST_PID && (is_ours[pid / 8] >> (pid % 8) & 1); }
static void mark(pid_t pid) {
    if (pid > 0 && pid < MOST_PID) is_ours[pid / 8] |= (unsigned char)(1 << (pid % 8));
}

// The parent of a process, 0 if it is gone.
static pid_t parent_of(const char *pid) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *name_end = strrchr(text, ')'); // the name may hold anything
    int parent = 0;
    return name_end && sscanf(name_end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static size_t read_processes(void) {
    DIR *proc = opendir("/proc");
    size_t n = 0;
    for (struct dirent *e; proc && n < MOST_PROCESSES && (e = readdir(proc));) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9') continue;
        processes[n].pid = atoi(e->d_name);
        processes[n].parent = parent_of(e->d_name);
        if (processes[n].parent) n++;
    }
    if (proc) closedir(proc);
    return n;
}

// The program first: what its children's ends would make it say is not its exit.
static void signal_descendants(int sig) {
    if (!state.ended) kill(state.program, sig);
    size_t n = read_processes();
    memset(is_ours, 0, sizeof is_ours);
    mark(getpid());
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < n; i++)
            if (ours(processes[i].parent) && !ours(processes[i].pid)) {
                mark(processes[i].pid);
                grew = true;
            }
    }
    for (size_t i = 0; i < n; i++) {
        pid_t pid = processes[i].pid;
        if (ours(pid) && pid != getpid() && pid != state.program) kill(pid, sig);
    }
}

// Waits for all that ended; false when no child is left.
static bool reap(void) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) != 0;) {
        if (pid < 0) return errno == EINTR;
        if (pid != state.program) continue;
        state.ended = true;
        state.report.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        state.report.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    return true;
}

// ---- time and waiting ----------------------------------------------------------------------------------------------

static long long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Sleeps until a signal, the library's word, or until (a time, -1 for never). True if we are to kill.
static bool wait_for_news(long long until, bool listen) {
    struct pollfd fds[] = {{state.signals, POLLIN, 0}, {listen ? MB_SPAWN_CONTROL : -1, POLLIN, 0}};
    long long left = until < 0 ? -1 : until - now_ms();
    poll(fds, 2, until < 0 ? -1 : left < 0 ? 0 : left > 1000000 ? 1000000 : (int)left);
    struct signalfd_siginfo info;
    bool told = false;
    while (read(state.signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD) told = true;
    return told || fds[1].revents != 0; // a byte or the end: both mean the same
}

static void kill_all(void) {
    long long until = now_ms() + KILLING_MS; // something that hangs in the kernel is not waited for for ever
    while (reap() && now_ms() < until) {
        signal_descendants(SIGKILL);
        wait_for_news(now_ms() + 5, false);
    }
}

static void supervise(long long timeout_ms) {
    long long until = timeout_ms > 0 ? now_ms() + timeout_ms : -1;
    bool told = false;
    while (reap() && !state.ended && !told) {
        if (until >= 0 && now_ms() >= until) {
            if (state.report.timed_out) break;
            state.report.timed_out = 1;
            signal_descendants(SIGTERM);
            signal_descendants(SIGCONT); // a stopped one could not hear it
            until = now_ms() + GRACE_MS;
        }
        told = wait_for_news(until, true);
    }
    kill_all();
}

// ---- the start -----------------------------------------------------------------------------------------------------

static void tell(mb_spawn_message message) {
    while (send(MB_SPAWN_CONTROL, &message, sizeof message, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
}

static void close_from(int first) {
    if (close_range((unsigned)first, ~0u, 0) == 0) return;
    long most = sysconf(_SC_OPEN_MAX);
    for (int fd = first; fd < (most > 0 ? most : 65536); fd++) close(fd);
}

static void limit(int resource, const char *text) {
    unsigned long long value = strtoull(text, NULL, 10);
    struct rlimit r = {value, value}, now;
    if (value == 0) return;
    if (getrlimit(resource, &now) == 0 && now.rlim_max < r.rlim_max) r.rlim_cur = r.rlim_max = now.rlim_max;
    setrlimit(resource, &r);
}

// In the child: never returns. What fails is told through the pipe, which a successful exec closes.
static void become_program(char **argv, pid_t helper, int failed) {
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL); // should the helper itself be killed
    if (getppid() != helper) _exit(127);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); // what runs as somebody else could not be killed
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    limit(RLIMIT_AS, argv[3]);
    limit(RLIMIT_CPU, argv[4]);
    limit(RLIMIT_FSIZE, argv[5]);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (argv[6][0] == '\0' || chdir(argv[6]) == 0) execvp(argv[MB_SPAWN_ARGUMENTS], argv + MB_SPAWN_ARGUMENTS);
    int why = errno;
    _exit(write(failed, &why, sizeof why) == sizeof why ? 127 : 126);
}

// 0, or the errno that stood in the way.
static int start_program(char **argv) {
    int why[2], failed = 0;
    pid_t helper = getpid();
    if (pipe2(why, O_CLOEXEC) != 0) return errno;
    fcntl(MB_SPAWN_CONTROL, F_SETFD, FD_CLOEXEC);
    state.program = fork();
    if (state.program < 0) return errno;
    if (state.program == 0) become_program(argv, helper, why[1]);
    close(why[1]);
    if (read(why[0], &failed, sizeof failed) != sizeof failed) failed = 0;
    close(why[0]);
    return failed;
}

static bool prepare(void) {
    sigset_t all, mine;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&mine);
    for (const int *s = (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0}; *s; s++) sigaddset(&mine, *s);
    close_from(MB_SPAWN_CONTROL + 1);
    state.signals = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
    return state.signals >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

// The program alone holds the pipes, so that their ends are its end.
static void let_go_of_pipes(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        if (null >= 0) dup2(null, fd);
}

int main(int argc, char **argv) {
    if (argc <= MB_SPAWN_ARGUMENTS || strcmp(argv[1], MB_SPAWN_VERSION) != 0) {
        fprintf(stderr, "This program is a part of libmembrane and is started by it.\n");
        return 2;
    }
    int failed = prepare() ? start_program(argv) : errno;
    let_go_of_pipes();
    if (failed) {
        tell((mb_spawn_message){.what = MB_SPAWN_NOT_STARTED, .code = failed});
        return 1;
    }
    tell((mb_spawn_message){.what = MB_SPAWN_STARTED});
    state.report = (mb_spawn_message){.what = MB_SPAWN_ENDED, .code = -1};
    supervise(strtoll(argv[2], NULL, 10));
    tell(state.report);
    return 0;
}
