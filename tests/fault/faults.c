// SPDX-License-Identifier: MIT
// What servers do wrong, as a table: the right kind of error, within the deadline, with the text that had come; and the
// handle works afterwards. Every row runs on the wires it names, streamed and whole.
#include <stdio.h>
#include <string.h>

#include "fault.h"

enum { O = 1, L = 2, BOTH = O | L };
#define ANSWER  "Hello from here."
#define PARTIAL "Hello from "
#define E(name) MEMBRANE_E##name

// What is expected of one way to ask: a code (or one of two), the phase of a timeout, the text that had come.
typedef struct expected {
    int code, or_code; // -1 in code: not run this way
    const char *phase, *text;
} expected;

static const struct row {
    const char *model;
    int wires;
    expected stream, whole;
} ROWS[] = {
    {"good", BOTH, {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    // cut and reset
    {"cut-length", BOTH, {E(TRUNCATED), 0, "", PARTIAL}, {E(RESPONSE), 0, "", ""}},
    {"cut-chunk", BOTH, {E(TRUNCATED), 0, "", PARTIAL}, {E(RESPONSE), 0, "", ""}},
    {"cut-close", BOTH, {E(TRUNCATED), 0, "", PARTIAL}, {E(RESPONSE), 0, "", ""}},
    {"cut-header", BOTH, {E(CONNECT), 0, "", ""}, {E(CONNECT), 0, "", ""}},
    {"reset-before", BOTH, {E(CONNECT), 0, "", ""}, {E(CONNECT), 0, "", ""}},
    {"reset-header", BOTH, {E(CONNECT), 0, "", ""}, {E(CONNECT), 0, "", ""}},
    {"reset-mid", BOTH, {E(TRUNCATED), 0, "", PARTIAL}, {E(RESPONSE), 0, "", ""}},
    {"finish-then-reset", O, {0, 0, "", ANSWER}, {-1, 0, 0, 0}},
    {"finish-then-reset", L, {0, 0, "", ANSWER}, {-1, 0, 0, 0}},
    // something else than an answer
    {"type-png", BOTH, {E(RESPONSE), 0, "", ""}, {E(RESPONSE), 0, "", ""}},
    {"type-text", BOTH, {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    {"html", BOTH, {E(RESPONSE), 0, "", ""}, {E(RESPONSE), 0, "", ""}},
    {"bad-json", BOTH, {E(MALFORMED), 0, "", "Hello "}, {E(RESPONSE), 0, "", ""}},
    {"other-json", BOTH, {E(MALFORMED), E(RESPONSE), "", ""}, {E(RESPONSE), 0, "", ""}},
    {"empty", BOTH, {E(TRUNCATED), E(RESPONSE), "", ""}, {E(RESPONSE), 0, "", ""}},
    {"status-204", BOTH, {E(TRUNCATED), E(RESPONSE), "", ""}, {E(RESPONSE), 0, "", ""}},
    {"gzip", BOTH, {E(TRUNCATED), E(MALFORMED), "", ""}, {E(RESPONSE), 0, "", ""}},
    {"http-09", BOTH, {E(CONNECT), E(RESPONSE), "", ""}, {E(CONNECT), E(RESPONSE), "", ""}},
    {"deep", BOTH, {E(MALFORMED), 0, "", ""}, {E(RESPONSE), 0, "", ""}},
    {"headers-10000", BOTH, {E(CONNECT), E(RESPONSE), "", ""}, {E(CONNECT), E(RESPONSE), "", ""}},
    {"redirect--301", BOTH, {E(RESPONSE), 0, "", ""}, {E(RESPONSE), 0, "", ""}},
    {"redirect--302", BOTH, {E(RESPONSE), 0, "", ""}, {E(RESPONSE), 0, "", ""}},
    {"redirect--307", BOTH, {E(RESPONSE), 0, "", ""}, {E(RESPONSE), 0, "", ""}},
    {"inband-error", BOTH, {E(STREAM), E(SERVER), "", "Hello "}, {-1, 0, 0, 0}},
    // lengths and chunks
    {"length-small", BOTH, {E(TRUNCATED), 0, "", ""}, {E(RESPONSE), 0, "", ""}},
    {"length-is---5", BOTH, {E(CONNECT), E(RESPONSE), "", ""}, {E(CONNECT), E(RESPONSE), "", ""}},
    {"length-is--many", BOTH, {E(CONNECT), E(RESPONSE), "", ""}, {E(CONNECT), E(RESPONSE), "", ""}},
    {"chunk-absurd", BOTH, {E(TRUNCATED), 0, "", PARTIAL}, {E(RESPONSE), 0, "", ""}},
    {"chunk-extensions", BOTH, {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    {"bytewise", BOTH, {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    {"continue-100", BOTH, {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    {"hints-103", BOTH, {0, 0, "", ANSWER}, {0, 0, "", ANSWER}},
    // time
    {"silent", BOTH, {E(TIMEOUT), 0, "first_token", ""}, {E(TIMEOUT), 0, "total", ""}},
    {"keepalive", BOTH, {E(TIMEOUT), 0, "first_token", ""}, {E(TIMEOUT), 0, "total", ""}},
    {"stall", BOTH, {E(TIMEOUT), 0, "idle", PARTIAL}, {E(TIMEOUT), 0, "idle", ""}},
    {"keepalive-mid", BOTH, {E(TIMEOUT), 0, "idle", PARTIAL}, {E(TIMEOUT), 0, "total", ""}},
    // around the end of a stream
    {"done-twice", BOTH, {0, 0, "", ANSWER}, {-1, 0, 0, 0}},
    {"after-done", BOTH, {0, 0, "", ANSWER}, {-1, 0, 0, 0}},
    {"finish-no-done", BOTH, {0, 0, "", ANSWER}, {-1, 0, 0, 0}},
    {"open-after-done", BOTH, {0, 0, "", ANSWER}, {-1, 0, 0, 0}},
    // text
    {"bad-utf8", BOTH, {0, 0, "", "Hello fr\xEF\xBF\xBDom here."}, {0, 0, "", "Hello fr\xEF\xBF\xBDom here."}},
    {"surrogate", BOTH, {0, 0, "", "Hello fr\xEF\xBF\xBDom here."}, {0, 0, "", "Hello fr\xEF\xBF\xBDom here."}},
    // tool calls
    {"calls--3", BOTH, {0, 0, "", ""}, {0, 0, "", ""}},
    {"calls--5000", BOTH, {E(MALFORMED), 0, "", ""}, {E(RESPONSE), 0, "", ""}},
    {"same-index", O, {0, 0, "", ""}, {-1, 0, 0, 0}},
    {"call-cut", O, {0, 0, "", ""}, {0, 0, "", ""}},
    // statuses that the server cannot mean otherwise
    {"status--400-json", BOTH, {E(BADREQUEST), 0, "", ""}, {E(BADREQUEST), 0, "", ""}},
    {"status--401-json", BOTH, {E(AUTH), 0, "", ""}, {E(AUTH), 0, "", ""}},
    {"status--402-text", BOTH, {E(FUNDS), 0, "", ""}, {E(FUNDS), 0, "", ""}},
    {"status--403-html", BOTH, {E(PERMISSION), 0, "", ""}, {E(PERMISSION), 0, "", ""}},
    {"status--404-empty", BOTH, {E(MODEL), E(NOTFOUND), "", ""}, {E(MODEL), E(NOTFOUND), "", ""}},
    {"status--404-json", BOTH, {E(MODEL), E(NOTFOUND), "", ""}, {E(MODEL), E(NOTFOUND), "", ""}},
    {"status--408-text", BOTH, {E(TIMEOUT), E(SERVER), "", ""}, {E(TIMEOUT), E(SERVER), "", ""}},
    {"status--413-html", BOTH, {E(BADREQUEST), E(CONTEXT), "", ""}, {E(BADREQUEST), E(CONTEXT), "", ""}},
    {"status--422-json", BOTH, {E(BADREQUEST), 0, "", ""}, {E(BADREQUEST), 0, "", ""}},
    {"status--429-json", BOTH, {E(RATE), 0, "", ""}, {E(RATE), 0, "", ""}},
    {"status--429-empty", BOTH, {E(RATE), 0, "", ""}, {E(RATE), 0, "", ""}},
    {"status--500-json", BOTH, {E(SERVER), 0, "", ""}, {E(SERVER), 0, "", ""}},
    {"status--500-html", BOTH, {E(SERVER), 0, "", ""}, {E(SERVER), 0, "", ""}},
    {"status--500-empty", BOTH, {E(SERVER), 0, "", ""}, {E(SERVER), 0, "", ""}},
    {"status--502-html", BOTH, {E(GATEWAY), 0, "", ""}, {E(GATEWAY), 0, "", ""}},
    {"status--503-text", BOTH, {E(OVERLOADED), 0, "", ""}, {E(OVERLOADED), 0, "", ""}},
    {"status--504-empty", BOTH, {E(GATEWAY), 0, "", ""}, {E(GATEWAY), 0, "", ""}},
    {"status--529-json", BOTH, {E(OVERLOADED), 0, "", ""}, {E(OVERLOADED), 0, "", ""}},
    {"overloaded", BOTH, {E(OVERLOADED), 0, "", ""}, {E(OVERLOADED), 0, "", ""}},
};

static membrane_t *m;

static void run_one(const char *provider, const char *model, bool stream, const expected *want) {
    char name[128];
    membrane_call_options o = fault_options();
    if (want->code == -1) return;
    snprintf(name, sizeof name, "%s/%s", provider, model);
    if (want->phase && strcmp(want->phase, "total") == 0) o.deadline_ms = 600;
    fault_outcome *got = fault_call(m, name, stream, &o);
    const char *way = stream ? "streamed" : "whole";
    bool right = got->code == want->code || (want->or_code && got->code == want->or_code);
    CHECK(right, "%s %s: %s, expected %s: %s", name, way, membrane_status_kind(got->code),
          membrane_status_kind(want->code), got->message);
    if (!right) return;
    // Text that was not handed out before the error stands in the error alone.
    bool same =
        strcmp(got->text, want->text) == 0 || (got->code && strncmp(got->text, want->text, strlen(got->text)) == 0);
    CHECK(same, "%s %s: the text is \"%s\"", name, way, got->text);
    CHECK(got->code != MEMBRANE_ETIMEOUT || !want->phase[0] || strcmp(got->phase, want->phase) == 0, "%s %s: phase %s",
          name, way, got->phase);
    CHECK(got->ms < o.deadline_ms + 500 * FAULT_SLOW, "%s %s: took %lld ms", name, way, (long long)got->ms);
    CHECK(got->code == 0 || strstr(got->message, "\"provider\":") || strcmp(got->phase, "total") == 0,
          "%s %s: the error names no provider: %s", name, way, got->message);
    if (want->text[0] && got->code) {
        char partial[64];
        snprintf(partial, sizeof partial, "\"partial\":\"%s\"", want->text);
        CHECK(strstr(got->message, partial) != NULL, "%s %s: no partial text in %s", name, way, got->message);
    }
}

static void run_rows(int wire, bool stream) {
    for (size_t i = 0; i < COUNT(ROWS); i++)
        if (ROWS[i].wires & wire)
            run_one(wire == O ? "o" : "l", ROWS[i].model, stream, stream ? &ROWS[i].stream : &ROWS[i].whole);
    fault_outcome *got = fault_call(m, wire == O ? "o/good" : "l/good", stream, NULL);
    CHECK(got->code == 0, "the handle does not work afterwards: %s", got->message);
}

static void openai_streamed(void) { run_rows(O, true); }
static void openai_whole(void) { run_rows(O, false); }
static void ollama_streamed(void) { run_rows(L, true); }
static void ollama_whole(void) { run_rows(L, false); }

static void redirects_are_never_followed(void) {
    char name[32];
    for (int status = 301; status <= 308; status++) {
        snprintf(name, sizeof name, "o/redirect--%d", status);
        fault_outcome *got = fault_call(m, name, false, NULL);
        CHECK(got->code != 0, "%s went through", name);
    }
    CHECK(fault_log_of("good").trapped == 0, "somebody knocked at the address of a redirect");
}

static void a_line_of_100_mb_is_refused_in_bounded_memory(void) {
    static const char *const NAMES[] = {"o/line-100mb", "l/line-100mb"};
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = o.idle_timeout_ms = 20000;
    for (size_t i = 0; i < 2 * COUNT(NAMES); i++) {
        bool stream = i % 2 == 0;
        fault_reset_peak();
        long before = fault_rss_kib();
        fault_outcome *got = fault_call(m, NAMES[i / 2], stream, &o);
        long grown = (fault_peak_kib() - before) / 1024;
        int want = stream ? MEMBRANE_EMALFORMED : MEMBRANE_ERESPONSE;
        CHECK(got->code == want, "%s %d: %s: %s", NAMES[i / 2], stream, membrane_status_kind(got->code), got->message);
        printf("# %s %s: peak +%ld MiB\n", NAMES[i / 2], stream ? "streamed" : "whole", grown);
        CHECK(grown < 100 || FAULT_SLOW > 1, "%s %d: the peak grew by %ld MiB", NAMES[i / 2], stream, grown);
    }
}

static void a_server_that_never_reads_times_out(void) {
    char config[256], *text;
    enum { LEN = 8 << 20 };
    membrane_error *err = NULL;
    snprintf(config, sizeof config, "  d: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\"}\n",
             fault_at.deaf_port);
    membrane_t *deaf = fault_open(config);
    membrane_call_options o = fault_options();
    static char request[LEN + 256];
    int n = snprintf(request, sizeof request,
                     "{\"model\":\"d/x\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"");
    memset(request + n, 'x', LEN);
    strcpy(request + n + LEN, "\"}]}");
    int64_t start = fault_now_ms();
    int code = membrane_call_text(deaf, request, 0, &o, &text, &err);
    CHECK(code == MEMBRANE_ETIMEOUT, "%s", membrane_error_message(err));
    CHECK(fault_now_ms() - start < 1500 * FAULT_SLOW, "it took %lld ms", (long long)(fault_now_ms() - start));
    membrane_error_free(err);
    membrane_close(deaf, 1000);
}

static void nobody_listens(void) {
    membrane_t *closed = fault_open("  x: {kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\"}\n"
                                    "  n: {kind: openai-compatible, base_url: \"http://no.such.host.invalid/v1\"}\n");
    fault_outcome *got = fault_call(closed, "x/y", true, NULL);
    CHECK(got->code == MEMBRANE_ECONNECT, "closed port: %s", got->message);
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = 10000;
    o.connect_timeout_ms = 8000;
    got = fault_call(closed, "n/y", true, &o);
    CHECK(got->code == MEMBRANE_EDNS || got->code == MEMBRANE_ETIMEOUT, "no such host: %s", got->message);
    membrane_close(closed, 1000);
}

static void cut_tool_calls_are_told_as_cut(void) {
    fault_outcome *got = fault_call(m, "o/call-cut", true, NULL);
    CHECK(strcmp(got->finish, "length") == 0, "finish is %s", got->finish);
    got = fault_call(m, "o/same-index", true, NULL);
    CHECK(got->tool_calls == 2, "two calls with one index came as %d: %s", got->tool_calls, got->json);
    got = fault_call(m, "l/calls--3", true, NULL);
    CHECK(got->tool_calls == 3, "three calls came as %d", got->tool_calls);
}

static void the_handle_opens(void) { m = fault_open(NULL); }
static void the_handle_closes(void) { CHECK(membrane_close(m, 2000) == 0, "the I/O thread was still busy"); }

int main(void) {
    static const fault_test TESTS[] = {
        {"the_handle_opens", the_handle_opens},
        {"openai_streamed", openai_streamed},
        {"openai_whole", openai_whole},
        {"ollama_streamed", ollama_streamed},
        {"ollama_whole", ollama_whole},
        {"redirects_are_never_followed", redirects_are_never_followed},
        {"a_line_of_100_mb_is_refused_in_bounded_memory", a_line_of_100_mb_is_refused_in_bounded_memory},
        {"a_server_that_never_reads_times_out", a_server_that_never_reads_times_out},
        {"nobody_listens", nobody_listens},
        {"cut_tool_calls_are_told_as_cut", cut_tool_calls_are_told_as_cut},
        {"the_handle_closes", the_handle_closes},
    };
    return fault_run(TESTS, COUNT(TESTS));
}
