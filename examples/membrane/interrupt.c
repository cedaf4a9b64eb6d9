// SPDX-License-Identifier: MIT
// A handler may do next to nothing (cancelling takes locks), so it writes one byte into a pipe that the loop polls.
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t is_caught, came;
static int pipe_ends[2] = {-1, -1};

static void on_signal(int number) {
    int kept = errno;
    if (!is_caught || came) _exit(128 + number);
    came = number;
    ssize_t written = write(pipe_ends[1], "", 1);
    (void)written;
    errno = kept;
}

void interrupt_init(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); // a closed stdout is seen where it is written
}

int interrupt_catch(void) {
    if (pipe_ends[0] < 0 && pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    came = 0;
    is_caught = 1;
    return 0;
}

void interrupt_release(void) {
    char byte;
    is_caught = 0;
    while (pipe_ends[0] >= 0 && read(pipe_ends[0], &byte, 1) == 1) {}
}

int interrupt_signal(void) { return came; }

void interrupt_wait(membrane_t *m, int timeout_ms) {
    // Once a signal came its byte stays in the pipe: only the library is waited for then.
    struct pollfd fds[2] = {{.fd = membrane_fd(m), .events = POLLIN},
                            {.fd = came ? -1 : pipe_ends[0], .events = POLLIN}};
    poll(fds, 2, timeout_ms);
}
