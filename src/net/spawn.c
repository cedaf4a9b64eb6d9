// SPDX-License-Identifier: MIT
// The helper is started by posix_spawn, which runs no fork handlers and copies no memory. Its socket tells everything:
// the start, the exit, and by its end that the helper is lost; the pidfd only serves to leave no zombie behind.
#include "net/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "net/spawn_wire.h"

#ifndef MB_SPAWN_HELPER
#define MB_SPAWN_HELPER "/usr/local/libexec/membrane/spawn"
#endif

enum { FIRST_FD = 10, START_MS = 10000, END_MS = 7000, READ_BYTES = 32768 };

struct mb_child {
    pid_t helper;
    int pidfd;   // -1 where the kernel has none
    int control; // -1 when the helper has reported or was lost
    int in, out, err;
    bool ended;
    mb_exit exit;
};

const char *mb_spawn_helper(void) {
    const char *path = secure_getenv("MEMBRANE_SPAWN_HELPER");
    if (!path || !*path) path = MB_SPAWN_HELPER;
    return access(path, X_OK) == 0 ? path : NULL;
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

// ---- the arguments -------------------------------------------------------------------------------------------------

// What a program needs to find its way, and nothing that may be a secret.
static int put_minimal_environment(mb_arena *arena, char ***ret) {
    static const char *const NAMES[] = {"PATH", "HOME", "LANG", "TZ", "TMPDIR"};
    char **env = mb_arena_zalloc(arena, (MB_COUNT(NAMES) + 1) * sizeof *env);
    size_t n = 0;
    if (!env) return MEMBRANE_ENOMEM;
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) {
        const char *value = getenv(NAMES[i]);
        if (!value) continue;
        env[n] = mb_arena_printf(arena, "%s=%s", NAMES[i], value);
        if (!env[n++]) return MEMBRANE_ENOMEM;
    }
    *ret = env;
    return 0;
}

static int put_arguments(mb_arena *arena, const char *helper, const mb_spawn_options *o, char ***ret) {
    size_t count = 0;
    while (o->argv[count]) count++;
    char **argv = mb_arena_zalloc(arena, (MB_SPAWN_ARGUMENTS + count + 1) * sizeof *argv);
    if (!argv) return MEMBRANE_ENOMEM;
    argv[0] = (char *)helper;
    argv[1] = (char *)MB_SPAWN_VERSION;
    argv[2] = mb_arena_printf(arena, "%lld", (long long)o->timeout_ms);
    argv[3] = mb_arena_printf(arena, "%llu", (unsigned long long)o->memory_bytes);
    argv[4] = mb_arena_printf(arena, "%llu", (unsigned long long)o->cpu_seconds);
    argv[5] = mb_arena_printf(arena, "%llu", (unsigned long long)o->file_bytes);
    argv[6] = (char *)(o->cwd ? o->cwd : "");
    for (int i = 2; i < 6; i++)
        if (!argv[i]) return MEMBRANE_ENOMEM;
    memcpy(argv + MB_SPAWN_ARGUMENTS, o->argv, count * sizeof *argv);
    *ret = argv;
    return 0;
}

// ---- the start -----------------------------------------------------------------------------------------------------

typedef struct ends {
    int ours[4], theirs[4]; // standard input, output, error; control
} ends;

static void close_ends(int fds[4]) {
    for (int i = 0; i < 4; i++) close_fd(&fds[i]);
}

// Out of the way of the numbers that the helper gets them under.
static bool move_up(int *fd) {
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FD);
    close(*fd);
    *fd = high;
    return high >= 0;
}

static bool make_ends(ends *e) {
    for (int i = 0; i < 4; i++) e->ours[i] = e->theirs[i] = -1;
    for (int i = 0; i < 4; i++) {
        int pair[2];
        if (i == MB_SPAWN_CONTROL ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)
                                  : pipe2(pair, O_CLOEXEC))
            return false;
        e->ours[i] = pair[i == 0];
        e->theirs[i] = pair[i != 0];
        if (!move_up(&e->ours[i]) || !move_up(&e->theirs[i])) return false;
        if (i != MB_SPAWN_CONTROL && fcntl(e->ours[i], F_SETFL, O_NONBLOCK) != 0) return false;
    }
    return true;
}

// 0 or an errno. All signals are blocked and set to their defaults, in a session of its own: a Ctrl-C at the terminal
// is ours to act on.
static int start_helper(const char *helper, char **argv, char **envp, const int theirs[4], pid_t *ret) {
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t actions;
    sigset_t all;
    sigfillset(&all);
    int rc = posix_spawnattr_init(&attr);
    if (rc) return rc;
    if ((rc = posix_spawn_file_actions_init(&actions)) != 0) {
        posix_spawnattr_destroy(&attr);
        return rc;
    }
    posix_spawnattr_setsigmask(&attr, &all);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    for (int i = 0; i < 4 && !rc; i++) rc = posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    if (!rc) rc = posix_spawn(ret, helper, &actions, &attr, argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

// The next message within timeout_ms: 1 with it, 0 when the time passed, -1 when the helper is gone.
static int hear(mb_child *c, int64_t timeout_ms, mb_spawn_message *ret) {
    int64_t until = mb_now_ms() + timeout_ms;
    for (;;) {
        struct pollfd p = {c->control, POLLIN, 0};
        int64_t left = timeout_ms < 0 ? -1 : until - mb_now_ms();
        int n = poll(&p, 1, timeout_ms < 0 ? -1 : left < 0 ? 0 : left > 1000000 ? 1000000 : (int)left);
        if (n == 0 && left <= 0) return 0;
        if (n <= 0) continue; // interrupted, or a very long wait
        ssize_t got = recv(c->control, ret, sizeof *ret, MSG_DONTWAIT);
        if (got == (ssize_t)sizeof *ret) return 1;
        // A helper that ended before it read our word makes this ECONNRESET, once; its own last word is still there.
        if (got >= 0 || (errno != EINTR && errno != EAGAIN && errno != ECONNRESET)) return -1;
    }
}

static int tell_not_started(const mb_spawn_options *o, int why, membrane_error **err) {
    if (why == ENOENT && o->cwd && access(o->cwd, X_OK) != 0)
        return mb_error_set(err, MEMBRANE_ENOTFOUND, "the folder %s is not there", o->cwd);
    if (why == ENOENT) return mb_error_set(err, MEMBRANE_ENOTFOUND, "there is no program %s", o->argv[0]);
    return mb_error_set(err, MEMBRANE_EIO, "cannot start %s: %s", o->argv[0], strerror(why));
}

static int await_start(mb_child *c, const mb_spawn_options *o, membrane_error **err) {
    mb_spawn_message m;
    int heard = hear(c, START_MS, &m);
    if (heard == 1 && m.what == MB_SPAWN_STARTED) return 0;
    if (heard == 1 && m.what == MB_SPAWN_NOT_STARTED) return tell_not_started(o, m.code, err);
    return mb_error_set(err, MEMBRANE_EIO, "the helper %s for child processes does not work", mb_spawn_helper());
}

static int start(mb_child *c, const mb_spawn_options *o, const char *helper, membrane_error **err) {
    mb_arena arena = {0};
    ends e;
    char **argv = NULL, **envp = (char **)o->envp;
    int status = put_arguments(&arena, helper, o, &argv);
    if (!status && !envp) status = put_minimal_environment(&arena, &envp);
    if (status) {
        mb_arena_free(&arena);
        return mb_error_no_memory(err);
    }
    int failed = make_ends(&e) ? 0 : errno;
    if (!failed) failed = start_helper(helper, argv, envp, e.theirs, &c->helper);
    close_ends(e.theirs);
    mb_arena_free(&arena);
    if (failed) {
        close_ends(e.ours);
        c->helper = 0;
        return mb_error_set(err, MEMBRANE_EIO, "cannot start %s: %s", helper, strerror(failed));
    }
    c->pidfd = pidfd_open(c->helper, 0);
    c->in = e.ours[0];
    c->out = e.ours[1];
    c->err = e.ours[2];
    c->control = e.ours[3];
    return await_start(c, o, err);
}

int mb_spawn(const mb_spawn_options *o, mb_child **ret, membrane_error **err) {
    const char *helper = mb_spawn_helper();
    if (!o->argv || !o->argv[0]) return mb_error_set(err, MEMBRANE_EINVAL, "no program was named");
    if (!helper) {
        mb_error_set(err, MEMBRANE_EIO, "the helper for child processes (%s) is not installed", MB_SPAWN_HELPER);
        if (err) mb_error_hint(*err, "install the library whole, or say with MEMBRANE_SPAWN_HELPER where it is");
        return MEMBRANE_EIO;
    }
    mb_child *c = mb_calloc(1, sizeof *c);
    if (!c) return mb_error_no_memory(err);
    c->pidfd = c->control = c->in = c->out = c->err = -1;
    int status = start(c, o, helper, err);
    if (status) {
        mb_child_free(c);
        return status;
    }
    *ret = c;
    return 0;
}

int mb_child_stdin(const mb_child *child) { return child->in; }
int mb_child_stdout(const mb_child *child) { return child->out; }
int mb_child_stderr(const mb_child *child) { return child->err; }
void mb_child_close_stdin(mb_child *child) { close_fd(&child->in); }

// ---- the end -------------------------------------------------------------------------------------------------------

void mb_child_kill(mb_child *c) {
    char word = MB_SPAWN_KILL;
    if (c->control >= 0) send(c->control, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Leaves no zombie. If somebody else waited for it (or SIGCHLD is ignored) there is none.
static void reap_helper(mb_child *c, int64_t timeout_ms) {
    if (c->helper <= 0) return;
    if (c->pidfd >= 0) {
        struct pollfd p = {c->pidfd, POLLIN, 0};
        int64_t until = mb_now_ms() + timeout_ms;
        while (poll(&p, 1, (int)timeout_ms) < 0 && errno == EINTR && mb_now_ms() < until) {}
        siginfo_t info;
        while (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG) < 0 && errno == EINTR) {}
        close_fd(&c->pidfd);
    } else {
        while (waitpid(c->helper, NULL, 0) < 0 && errno == EINTR) {}
    }
    c->helper = 0;
}

static void settle(mb_child *c, const mb_spawn_message *m) {
    bool lost = !m || m->what != MB_SPAWN_ENDED;
    c->exit = lost ? (mb_exit){.code = -1, .unknown = true}
                   : (mb_exit){.code = m->code, .signal = m->signal, .timed_out = m->timed_out != 0};
    c->ended = true;
    close_fd(&c->control);
    reap_helper(c, END_MS);
}

int mb_child_wait(mb_child *c, int64_t timeout_ms, mb_exit *ret) {
    if (!c->ended) {
        mb_spawn_message m;
        int heard = hear(c, timeout_ms, &m);
        if (heard == 0) return MEMBRANE_EAGAIN;
        settle(c, heard == 1 ? &m : NULL);
    }
    if (ret) *ret = c->exit;
    return 0;
}

void mb_child_free(mb_child *c) {
    if (!c) return;
    close_fd(&c->control); // an end of the socket is a kill
    close_fd(&c->in);
    close_fd(&c->out);
    close_fd(&c->err);
    reap_helper(c, END_MS);
    close_fd(&c->pidfd);
    mb_free(c);
}

// ---- all in one ----------------------------------------------------------------------------------------------------

// A pipe has no MSG_NOSIGNAL: the signal is held back for this thread and, if the write raised it, taken out again.
ssize_t mb_pipe_write(int fd, const void *bytes, size_t len) {
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t n;
    do n = write(fd, bytes, len);
    while (n < 0 && errno == EINTR);
    int saved = errno;
    if (n < 0 && saved == EPIPE && !was_pending)
        while (sigtimedwait(&pipe_only, NULL, &(struct timespec){0}) < 0 && errno == EINTR) {}
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return n;
}

typedef struct talk {
    mb_child *child;
    const char *input;
    size_t left;
    mb_buf *outs[2];
    bool *cut;
} talk;

static void give_input(talk *t) {
    ssize_t n = t->left ? mb_pipe_write(t->child->in, t->input, t->left) : 0;
    if (n > 0) {
        t->input += n;
        t->left -= (size_t)n;
    }
    if (t->left == 0 || (n < 0 && errno != EAGAIN)) mb_child_close_stdin(t->child); // all said, or nobody listens
}

// All that is there; what does not fit any more is read and dropped. Closes at the end.
static void take_output(talk *t, int *fd, mb_buf *out) {
    char block[READ_BYTES];
    for (;;) {
        ssize_t n = read(*fd, block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) break;
        size_t fits = out->max - out->len < (size_t)n ? out->max - out->len : (size_t)n;
        mb_buf_put(out, block, fits);
        if (fits < (size_t)n && t->cut) *t->cut = true;
    }
    close_fd(fd);
}

// Until both outputs have ended or the helper has reported: what is still in the pipes then is taken too.
static void talk_on(talk *t) {
    mb_child *c = t->child;
    while (c->out >= 0 || c->err >= 0) {
        struct pollfd p[] = {{c->in, POLLOUT, 0}, {c->out, POLLIN, 0}, {c->err, POLLIN, 0}, {c->control, POLLIN, 0}};
        if (poll(p, 4, -1) < 0) continue;
        bool over = p[3].revents != 0;
        if (p[0].revents) give_input(t);
        if (c->out >= 0 && (p[1].revents || over)) take_output(t, &c->out, t->outs[0]);
        if (c->err >= 0 && (p[2].revents || over)) take_output(t, &c->err, t->outs[1]);
        if (over) return;
    }
}

int mb_spawn_run(const mb_spawn_options *options, const char *input, size_t len, mb_buf *out, mb_buf *err_out,
                 bool *ret_cut, mb_exit *ret_exit, membrane_error **err) {
    mb_child *child = NULL;
    bool cut = false;
    int status = mb_spawn(options, &child, err);
    if (status) return status;
    talk t = {child, input, len, {out, err_out}, &cut};
    if (len == 0) mb_child_close_stdin(child);
    talk_on(&t);
    status = mb_child_wait(child, -1, ret_exit);
    mb_child_free(child);
    if (out->failed == MEMBRANE_ENOMEM || err_out->failed == MEMBRANE_ENOMEM) return mb_error_no_memory(err);
    if (ret_cut) *ret_cut = cut;
    return status;
}
