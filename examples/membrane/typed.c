// SPDX-License-Identifier: MIT
// The terminal's echo is switched off while a line is typed, and on again however that ends.
#include "typed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "interrupt.h"
#include "output.h"

bool can_be_asked(void) { return isatty(STDIN_FILENO) || isatty(STDERR_FILENO); }

void text_forget(cli_text *t) {
    if (t->data) explicit_bzero(t->data, t->cap);
    text_free(t);
}

// Up to the end of the line; an interrupt ends it too.
static void read_line(int fd, cli_text *line) {
    char byte = 0;
    while (byte != '\n' && !interrupt_signal()) {
        ssize_t n = read(fd, &byte, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        if (byte != '\n') text_put(line, &byte, 1);
    }
}

static bool say(int fd, const char *str) { return write(fd, str, strlen(str)) >= 0; }

int read_typed(cli_app *app, const char *prompt, cli_text *ret_text) {
    struct termios usual, silent;
    int fd = can_be_asked() ? open("/dev/tty", O_RDWR | O_CLOEXEC) : -1, signal = 0;
    if (fd < 0 || tcgetattr(fd, &usual) != 0) {
        if (fd >= 0) close(fd);
        return fail(app, MEMBRANE_EINVAL, NULL, "there is no terminal to type it at");
    }
    fflush(stdout);
    silent = usual;
    silent.c_lflag &= (tcflag_t)~ECHO;
    silent.c_lflag |= ECHONL;
    bool is_caught = interrupt_catch() == 0;
    if (say(fd, prompt) && tcsetattr(fd, TCSAFLUSH, &silent) == 0) {
        read_line(fd, ret_text);
        tcsetattr(fd, TCSAFLUSH, &usual);
    }
    if (is_caught) {
        signal = interrupt_signal();
        interrupt_release();
    }
    close(fd);
    if (signal) return 128 + signal;
    return ret_text->failed ? fail(app, MEMBRANE_ENOMEM, NULL, "out of memory") : 0;
}

int read_passphrase(cli_app *app, bool is_new, cli_text *ret_text) {
    cli_text again = {0};
    int code = read_typed(app, is_new ? "New passphrase of the key ring: " : "Passphrase of the key ring: ", ret_text);
    if (!code && ret_text->len == 0) code = fail(app, MEMBRANE_EINVAL, NULL, "the passphrase is empty");
    if (!code && is_new) {
        code = read_typed(app, "Once more: ", &again);
        if (!code && (again.len != ret_text->len || memcmp(again.data, ret_text->data, again.len) != 0))
            code = fail(app, MEMBRANE_EINVAL, NULL, "the two are not the same");
    }
    text_forget(&again);
    if (code) text_forget(ret_text);
    return code;
}
