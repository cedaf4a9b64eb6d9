// SPDX-License-Identifier: MIT
// Child processes under an installed helper (libexec/membrane/spawn). The helper is a subreaper between us and the
// program: it sets the limits, passes the three pipes through, reports the exit, and when the program has ended, the
// time is over, or we are gone (its control pipe closes), it kills every descendant, those with a session of their own
// too. Our side never uses fork handlers, never waits for foreign children, and awaits the helper by pidfd where there
// is one. What is started gains no privileges (no_new_privs): what runs as somebody else could not be killed.
#ifndef MB_NET_SPAWN_H
#define MB_NET_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

typedef struct mb_spawn_options {
    const char *const *argv; // argv[0] is looked for in PATH unless it has a slash; NULL-terminated
    const char *const *envp; // NULL: a minimal environment (PATH, HOME, LANG, TZ, TMPDIR as ours)
    const char *cwd;         // NULL: ours
    int64_t timeout_ms;      // 0: none; then TERM, a second later KILL
    uint64_t memory_bytes;   // RLIMIT_AS, 0: none
    uint64_t cpu_seconds;    // RLIMIT_CPU, 0: none
    uint64_t file_bytes;     // RLIMIT_FSIZE, 0: none
} mb_spawn_options;

typedef struct mb_child mb_child;

typedef struct mb_exit {
    int code;       // exit status, -1 when it was a signal or is unknown
    int signal;     // 0 when it was none
    bool timed_out; // the helper ended it
    bool unknown;   // somebody else reaped it, or the helper was lost
} mb_exit;

int mb_spawn(const mb_spawn_options *options, mb_child **ret, membrane_error **err);
int mb_child_stdin(const mb_child *child);  // non-blocking, close with mb_child_close_stdin
int mb_child_stdout(const mb_child *child); // non-blocking
int mb_child_stderr(const mb_child *child);
void mb_child_close_stdin(mb_child *child);
void mb_child_kill(mb_child *child); // all of its descendants; returns at once
// 0 with *ret when it has ended, MEMBRANE_EAGAIN when timeout_ms passed.
int mb_child_wait(mb_child *child, int64_t timeout_ms, mb_exit *ret);
void mb_child_free(mb_child *child); // kills if it still runs
// All in one: writes input, reads both outputs up to their buffers' maxima (more is read and dropped, and said in
// *ret_cut), waits. SIGPIPE never reaches the process.
int mb_spawn_run(const mb_spawn_options *options, const char *input, size_t len, mb_buf *out, mb_buf *err_out,
                 bool *ret_cut, mb_exit *ret_exit, membrane_error **err);
// write(2) to a pipe without SIGPIPE: EPIPE is an errno like any other. For mb_child_stdin.
ssize_t mb_pipe_write(int fd, const void *bytes, size_t len);
// Where the helper is: MEMBRANE_SPAWN_HELPER, else the installed place; NULL if it cannot be executed.
const char *mb_spawn_helper(void);

#endif
