// SPDX-License-Identifier: MIT
// What servers do wrong in TLS and HTTP/2 (secure.py), as a table: the right kind of error, within the deadline,
// nothing asked of a server that is not who it should be, and all of it over again by the same handle. HTTP/2 is left
// out where python3-h2 is not there.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define ANSWER  "Hello from here."
#define E(name) MEMBRANE_E##name

typedef struct expected {
    int code, or_code;
    const char *phase, *text; // of a stream that broke: the text that it keeps
} expected;

static const struct row {
    const char *server, *model;
    expected stream, whole;
} ROWS[] = {
    // certificates: nothing is asked of whoever cannot show one
    {"good", "x", {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    {"expired", "x", {E(TLS), 0, "", ""}, {E(TLS), 0, "", ""}},
    {"early", "x", {E(TLS), 0, "", ""}, {E(TLS), 0, "", ""}},
    {"self", "x", {E(TLS), 0, "", ""}, {E(TLS), 0, "", ""}},
    {"other", "x", {E(TLS), 0, "", ""}, {E(TLS), 0, "", ""}},
    // the handshake
    {"mute", "x", {E(TIMEOUT), 0, "connect", ""}, {E(TIMEOUT), 0, "connect", ""}},
    {"half", "x", {E(TIMEOUT), 0, "connect", ""}, {E(TIMEOUT), 0, "connect", ""}},
    {"plain", "x", {E(TLS), 0, "", ""}, {E(TLS), 0, "", ""}},
    {"reset", "x", {E(TLS), E(CONNECT), "", ""}, {E(TLS), E(CONNECT), "", ""}},
    // cut without a word of TLS: an attacker can do that, so only the wire's own end counts, or the JSON's
    {"cut", "x", {E(TRUNCATED), 0, "", "Hello "}, {E(RESPONSE), 0, "", ""}},
    {"cut_end", "x", {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    // HTTP/2, agreed on under TLS and without
    {"h2", "good", {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    {"h2", "goaway-before", {E(CONNECT), E(RESPONSE), "", ""}, {E(CONNECT), E(RESPONSE), "", ""}},
    {"h2", "goaway-mid", {E(TRUNCATED), 0, "", "Hello "}, {E(RESPONSE), 0, "", ""}},
    {"h2", "goaway-gracefully", {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    {"h2", "reset-before", {E(CONNECT), E(RESPONSE), "", ""}, {E(CONNECT), E(RESPONSE), "", ""}},
    {"h2", "reset-mid", {E(TRUNCATED), 0, "", "Hello "}, {E(RESPONSE), 0, "", ""}},
    {"h2", "cut-mid", {E(TRUNCATED), 0, "", "Hello "}, {E(RESPONSE), 0, "", ""}},
    {"h2", "end-early", {E(TRUNCATED), 0, "", "Hello "}, {E(RESPONSE), 0, "", ""}},
    {"h2", "stall", {E(TIMEOUT), 0, "idle", "Hello "}, {E(TIMEOUT), 0, "idle", ""}},
    {"h2", "silent", {E(TIMEOUT), 0, "first_token", ""}, {E(TIMEOUT), 0, "total", ""}},
    {"h2", "pings", {E(TIMEOUT), 0, "first_token", ""}, {E(TIMEOUT), 0, "total", ""}},
    {"h2", "garbage", {E(CONNECT), E(RESPONSE), "", ""}, {E(CONNECT), E(RESPONSE), "", ""}},
    {"h2", "headers-huge", {E(CONNECT), E(RESPONSE), "", ""}, {E(CONNECT), E(RESPONSE), "", ""}},
    {"h2", "length-lies", {E(CONNECT), E(RESPONSE), "", ""}, {E(CONNECT), E(RESPONSE), "", ""}},
    {"h2c", "good", {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    {"h2c", "goaway-mid", {E(TRUNCATED), 0, "", "Hello "}, {E(RESPONSE), 0, "", ""}},
    {"h2c", "reset-mid", {E(TRUNCATED), 0, "", "Hello "}, {E(RESPONSE), 0, "", ""}},
    {"h2c", "stall", {E(TIMEOUT), 0, "idle", "Hello "}, {E(TIMEOUT), 0, "idle", ""}},
};

static membrane_t *m;
static char config[8192], folder[] = "/tmp/mb-fault-XXXXXX";
static int keep_fd = -1;
static pid_t child;

// ---- the server ----------------------------------------------------------------------------------------------------

static FILE *start_secure(void) {
    static char path[4096];
    int in[2], out[2];
    const char *plain = getenv("FAULT_SERVER"), *slash = plain ? strrchr(plain, '/') : NULL;
    snprintf(path, sizeof path, "%.*s/secure.py", slash ? (int)(slash - plain) : 11, slash ? plain : "tests/fault");
    if (!mkdtemp(folder) || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) exit(99);
    child = fork();
    if (child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl("/usr/bin/python3", "python3", path, folder, (char *)NULL); // Debian's own has python3-h2
        execlp("python3", "python3", path, folder, (char *)NULL);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    keep_fd = in[1];
    return fdopen(out[0], "r");
}

static void the_handle_opens(void) {
    char name[32];
    int port, len = 0, lines = 0;
    FILE *f = start_secure();
    while (f && fscanf(f, "%31s %d", name, &port) == 2 && name[0] != '.') {
        const bool is_plain = strcmp(name, "h2c") == 0;
        len += snprintf(
            config + len, sizeof config - (size_t)len,
            "  %s: {kind: openai-compatible, base_url: \"http%s://127.0.0.1:%d/v1\", ca_file: \"%s/ca.pem\"%s}\n", name,
            is_plain ? "" : "s", port, folder, is_plain ? ", http: h2c" : "");
        lines++;
    }
    if (f) fclose(f);
    CHECK(lines >= 11, "the server did not start");
    m = fault_open(config);
}

static bool is_there(const char *server) {
    char key[40];
    snprintf(key, sizeof key, "  %s: ", server);
    return strstr(config, key) != NULL;
}

// ---- the table -----------------------------------------------------------------------------------------------------

static membrane_call_options options_for(const expected *want) {
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = o.idle_timeout_ms = o.connect_timeout_ms = 20000;
    if (strcmp(want->phase, "connect") == 0) o.connect_timeout_ms = 400 * FAULT_SLOW;
    if (strcmp(want->phase, "total") == 0) o.deadline_ms = 700 * FAULT_SLOW;
    if (strcmp(want->phase, "first_token") == 0) o.first_token_timeout_ms = 400 * FAULT_SLOW;
    if (strcmp(want->phase, "idle") == 0) o.idle_timeout_ms = 300 * FAULT_SLOW;
    return o;
}

static void run_row(const struct row *row, bool stream) {
    const expected *want = stream ? &row->stream : &row->whole;
    membrane_call_options o = options_for(want);
    char name[96], partial[64];
    snprintf(name, sizeof name, "%s/%s", row->server, row->model);
    fault_outcome *got = fault_call(m, name, stream, &o);
    const char *way = stream ? "streamed" : "whole";
    CHECK(got->code == want->code || (want->or_code && got->code == want->or_code), "%s %s: %s, not %s: %s", name, way,
          membrane_status_kind(got->code), membrane_status_kind(want->code), got->message);
    CHECK(got->code != E(TIMEOUT) || strcmp(got->phase, want->phase) == 0, "%s %s: phase %s", name, way, got->phase);
    CHECK(got->ms < o.deadline_ms + 1000 * FAULT_SLOW, "%s %s: took %lld ms", name, way, (long long)got->ms);
    CHECK(got->code || strcmp(got->text, want->text) == 0, "%s %s: the text is \"%s\"", name, way, got->text);
    snprintf(partial, sizeof partial, "\"partial\":\"%s\"", want->text);
    CHECK(!got->code || !want->text[0] || strstr(got->message, partial), "%s %s: no partial text in %s", name, way,
          got->message);
}

static void run_rows(bool stream) {
    int run = 0, left_out = 0;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        if (!is_there(ROWS[i].server)) {
            left_out++;
            continue;
        }
        run_row(&ROWS[i], stream);
        run++;
    }
    printf("# %d ways, %d left out\n", run, left_out);
    run_row(&ROWS[0], true);
}

static void every_way_streamed(void) { run_rows(true); }
static void every_way_whole(void) { run_rows(false); }

static void twenty_calls_where_one_stream_is_allowed(void) {
    enum { CALLS = 20 };
    membrane_call *calls[CALLS];
    membrane_call_options o = fault_options();
    static fault_outcome got;
    if (!is_there("h2one")) return;
    o.deadline_ms = o.first_token_timeout_ms = o.connect_timeout_ms = 20000;
    for (int i = 0; i < CALLS; i++) calls[i] = fault_start(m, "h2one/good", i % 2, &o);
    for (int i = 0; i < CALLS; i++) {
        fault_finish(calls[i], &got);
        CHECK(got.code == 0 && strcmp(got.text, ANSWER) == 0, "call %d: %s %s", i, got.text, got.message);
    }
}

static void the_handle_closes(void) {
    char command[64];
    CHECK(membrane_close(m, 2000) == 0, "the I/O thread was still busy");
    close(keep_fd);
    waitpid(child, NULL, 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "%s is left behind", folder);
}

int main(void) {
    static const fault_test TESTS[] = {
        {"the_handle_opens", the_handle_opens},
        {"every_way_streamed", every_way_streamed},
        {"every_way_whole", every_way_whole},
        {"twenty_calls_where_one_stream_is_allowed", twenty_calls_where_one_stream_is_allowed},
        {"the_handle_closes", the_handle_closes},
    };
    return fault_run(TESTS, COUNT(TESTS));
}
