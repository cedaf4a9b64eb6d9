// SPDX-License-Identifier: MIT
// What servers do wrong, as a table (ways.c): the right kind of error, within the deadline, with the text that had
// come, nothing twice, in bounded memory; and the handle works afterwards. Every way runs on the wires it names,
// streamed and whole. --table writes the table of docs/internals/faults.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "ways.h"

static membrane_t *m;

// ---- one way -------------------------------------------------------------------------------------------------------

// Whatever is not about time may take its time: other programs run on this machine, too.
static membrane_call_options options_for(const expected *want) {
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = o.idle_timeout_ms = 20000;
    if (strcmp(want->phase, "total") == 0) o.deadline_ms = 700 * FAULT_SLOW;
    if (strcmp(want->phase, "first_token") == 0) o.first_token_timeout_ms = 300 * FAULT_SLOW;
    if (strcmp(want->phase, "idle") == 0) o.idle_timeout_ms = 300 * FAULT_SLOW;
    return o;
}

static void name_of(const way *w, const fault_wire *wire, bool stream, char *out, size_t size) {
    snprintf(out, size, "%s/%s#%s%s%d", wire->provider, w->name, wire->provider, stream ? "s" : "w", (int)(w - WAYS));
}

static void check_text(const char *name, const expected *want, const fault_outcome *got) {
    if (want->or_code == WAY_OR_FINE) return;
    // Text that was not handed out before the error stands in the error alone.
    bool same =
        strcmp(got->text, want->text) == 0 || (got->code && strncmp(got->text, want->text, strlen(got->text)) == 0);
    CHECK(same, "%s: the text is \"%s\"", name, got->text);
    if (!want->text[0] || !got->code) return;
    char partial[64];
    snprintf(partial, sizeof partial, "\"partial\":\"%s\"", want->text);
    CHECK(strstr(got->message, partial) != NULL, "%s: no partial text in %s", name, got->message);
}

static void check_outcome(const char *name, const expected *want, const fault_outcome *got) {
    bool right = got->code == want->code || (want->or_code < 0 && got->code == want->or_code) ||
                 (want->or_code == WAY_OR_FINE && got->code == 0);
    CHECK(right, "%s: %s, expected %s: %s", name, membrane_status_kind(got->code), membrane_status_kind(want->code),
          got->message);
    if (!right) return;
    check_text(name, want, got);
    CHECK(got->code != MEMBRANE_ETIMEOUT || !want->phase[0] || strcmp(got->phase, want->phase) == 0, "%s: phase %s",
          name, got->phase);
    CHECK(got->code == 0 || strstr(got->message, "\"provider\":") || strcmp(got->phase, "total") == 0,
          "%s: the error names no provider: %s", name, got->message);
    CHECK(!want->holds || got->code || strstr(got->json, want->holds), "%s: no %s in %s", name, want->holds, got->json);
    CHECK(!strstr(got->text, "smuggled"), "%s: an answer that was nobody's", name);
}

// libcurl asks again where a warm connection was closed before a byte of the answer came, up to five times if all that
// it tries are warm (RFC 9110, 9.2.2 leaves that to the client for a connection that was idle).
static long most_requests(const way *w) {
    return strcmp(w->name, "cut-before") == 0 || strcmp(w->name, "reset-before") == 0 ? 6 : 1;
}

// ---- all ways ------------------------------------------------------------------------------------------------------

enum { AT_ONCE = 16 };

static void finish_some(const way **ways, membrane_call **calls, size_t count, const fault_wire *wire, bool stream) {
    static fault_outcome got;
    char name[160];
    for (size_t i = 0; i < count; i++) {
        const expected *want = stream ? &ways[i]->stream : &ways[i]->whole;
        fault_finish(calls[i], &got);
        name_of(ways[i], wire, stream, name, sizeof name);
        check_outcome(name, want, &got);
        CHECK(got.ms < options_for(want).deadline_ms + 1000 * FAULT_SLOW, "%s: took %lld ms", name, (long long)got.ms);
        long requests = fault_log_of(strchr(name, '/') + 1).requests;
        CHECK(requests >= 1 && requests <= most_requests(ways[i]), "%s: %ld requests", name, requests);
    }
}

static long run_ways(const fault_wire *wire, bool stream) {
    const char *only = getenv("FAULT_WAY");
    const way *ways[AT_ONCE];
    membrane_call *calls[AT_ONCE];
    char name[160];
    size_t count = 0;
    long all = 0;
    for (size_t i = 0; i < WAY_COUNT; i++) {
        const expected *want = stream ? &WAYS[i].stream : &WAYS[i].whole;
        if (!(WAYS[i].wires & wire->bit) || want->code == -1 || (only && !strstr(WAYS[i].name, only))) continue;
        if (strcmp(WAYS[i].name, "two-answers") == 0) continue; // by itself, below
        membrane_call_options o = options_for(want);
        name_of(&WAYS[i], wire, stream, name, sizeof name);
        ways[count] = &WAYS[i];
        calls[count++] = fault_start(m, name, stream, &o);
        all++;
        if (count == AT_ONCE) finish_some(ways, calls, count, wire, stream), count = 0;
    }
    finish_some(ways, calls, count, wire, stream);
    return all;
}

static void the_handle_still_works(const fault_wire *wire) {
    char name[64];
    snprintf(name, sizeof name, "%s/good", wire->provider);
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = 20000;
    fault_outcome *got = fault_call(m, name, true, &o);
    CHECK(got->code == 0 && strcmp(got->text, "Hello from here.") == 0, "%s afterwards: %s", wire->name, got->message);
}

static void every_way(bool stream) {
    for (size_t i = 0; i < FAULT_WIRE_COUNT; i++) {
        printf("# %s %s: %ld ways\n", FAULT_WIRES[i].name, stream ? "streamed" : "whole",
               run_ways(&FAULT_WIRES[i], stream));
        the_handle_still_works(&FAULT_WIRES[i]);
    }
}

static void every_way_streamed(void) { every_way(true); }
static void every_way_whole(void) { every_way(false); }

// The second answer is on its way before the next call begins: it must not be taken for the next one's.
static void an_answer_too_many_is_nobodys(void) {
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = o.idle_timeout_ms = 20000;
    for (size_t i = 0; i < 12 * FAULT_WIRE_COUNT; i++) {
        const fault_wire *wire = &FAULT_WIRES[i / 12];
        char name[64], good[64], path[96];
        bool stream = i % 2;
        snprintf(name, sizeof name, "%s/two-answers--%d#%zu", wire->provider, i % 3 ? 0 : 10, i);
        snprintf(good, sizeof good, "%s/good", wire->provider);
        fault_outcome *got = fault_call(m, name, stream, &o);
        CHECK(got->code == 0 && strcmp(got->text, "Hello from here.") == 0, "%s: %s %s", name, got->text, got->message);
        snprintf(path, sizeof path, "/__log?%s", strchr(name, '/') + 1);
        for (int64_t until = fault_now_ms() + 10000; !strstr(fault_get(path), "second") && fault_now_ms() < until;) {}
        got = fault_call(m, good, !stream, &o);
        CHECK(got->code == 0 && strcmp(got->text, "Hello from here.") == 0, "after %s: \"%s\" %s", name, got->text,
              got->message);
    }
}

static void nobody_was_led_astray(void) {
    fault_log log = fault_log_of("good");
    CHECK(log.trapped == 0, "somebody knocked at the trap, or kept a cookie: %ld", log.trapped);
}

// ---- memory --------------------------------------------------------------------------------------------------------

static void run_bound(const bound *b, const fault_wire *wire, bool stream) {
    int want = stream ? b->stream_code : b->whole_code, other = stream ? b->stream_or : b->whole_or;
    membrane_call_options o = fault_options();
    char name[128];
    if (want == -1 || !(b->wires & wire->bit)) return;
    o.deadline_ms = o.first_token_timeout_ms = o.idle_timeout_ms = 30000 * FAULT_SLOW;
    snprintf(name, sizeof name, "%s/%s#%d", wire->provider, b->name, stream);
    fault_reset_peak();
    long before = fault_rss_kib();
    fault_outcome *got = fault_call(m, name, stream, &o);
    long grown = (fault_peak_kib() - before) / 1024;
    CHECK(got->code == want || (other && got->code == other), "%s %s: %s: %s", name, stream ? "streamed" : "whole",
          membrane_status_kind(got->code), got->message);
    printf("# %s %s: peak +%ld MiB of %ld, %lld ms\n", name, stream ? "streamed" : "whole", grown, b->mib,
           (long long)got->ms);
    CHECK(grown <= b->mib || FAULT_SLOW > 1, "%s: the peak grew by %ld MiB", name, grown);
}

static void memory_stays_within_its_bounds(void) {
    const char *only = getenv("FAULT_WAY");
    for (size_t i = 0; i < BOUND_COUNT; i++)
        for (size_t j = 0; j < 2 * FAULT_WIRE_COUNT; j++)
            if (!only || strstr(BOUNDS[i].name, only)) run_bound(&BOUNDS[i], &FAULT_WIRES[j / 2], j % 2 == 0);
    for (size_t i = 0; i < FAULT_WIRE_COUNT; i++) the_handle_still_works(&FAULT_WIRES[i]);
}

// ---- what is no way of the server's to answer ----------------------------------------------------------------------

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

static void a_connection_that_never_comes_about_times_out(void) {
    char config[256];
    snprintf(config, sizeof config, "  f: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\"}\n",
             fault_at.full_port);
    membrane_t *full = fault_open(config);
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = 20000;
    o.connect_timeout_ms = 300;
    for (int stream = 0; stream < 2; stream++) {
        fault_outcome *got = fault_call(full, "f/x", stream, &o);
        CHECK(got->code == MEMBRANE_ETIMEOUT && strcmp(got->phase, "connect") == 0, "%s %s",
              membrane_status_kind(got->code), got->message);
    }
    membrane_close(full, 1000);
}

static void cut_tool_calls_are_told_as_cut(void) {
    fault_outcome *got = fault_call(m, "o/call-cut", true, NULL);
    CHECK(strcmp(got->finish, "length") == 0, "finish is %s", got->finish);
    got = fault_call(m, "o/same-index", true, NULL);
    CHECK(got->tool_calls == 2, "two calls with one index came as %d: %s", got->tool_calls, got->json);
    for (size_t i = 0; i < FAULT_WIRE_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/calls--3", FAULT_WIRES[i].provider);
        got = fault_call(m, name, true, NULL);
        CHECK(got->tool_calls == 3, "%s: three calls came as %d", name, got->tool_calls);
    }
}

// A wait that was said wrongly is none; one that is too long is not waited for; nothing overflows.
static void hostile_waits_are_harmless(void) {
    static const struct {
        const char *how;
        int code;
    } ROWS[] = {
        {"huge", 0},       {"far", MEMBRANE_ERATE},
        {"hugems", 0},     {"long", MEMBRANE_ERATE},
        {"negative", 0},   {"nan", 0},
        {"inf", 0},        {"past", 0},
        {"junk", 0},       {"empty", 0},
        {"negativems", 0}, {"min", 0},
        {"exponent", 0},
    };
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = 10000;
    o.retries = 1;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        char name[64];
        snprintf(name, sizeof name, "o/retry--429-%s", ROWS[i].how);
        fault_outcome *got = fault_call(m, name, i % 2, &o);
        CHECK(got->code == ROWS[i].code, "%s: %s %s", name, membrane_status_kind(got->code), got->message);
        CHECK(got->ms < 5000 * FAULT_SLOW, "%s: %lld ms", name, (long long)got->ms);
    }
}

static void the_handle_opens(void) { m = fault_open_wires(); }
static void the_handle_closes(void) { CHECK(membrane_close(m, 2000) == 0, "the I/O thread was still busy"); }

// ---- the table -----------------------------------------------------------------------------------------------------

static void put_expected(FILE *out, const expected *want) {
    if (want->code == -1)
        fputs("not asked | ", out);
    else if (want->or_code == WAY_OR_FINE)
        fprintf(out, "an answer or %s | ", membrane_status_kind(want->code));
    else if (want->code == 0)
        fputs("the answer | ", out);
    else
        fprintf(out, "%s%s%s%s%s%s | ", membrane_status_kind(want->code), want->or_code ? " or " : "",
                want->or_code ? membrane_status_kind(want->or_code) : "", want->phase[0] ? ", " : "", want->phase,
                want->text[0] ? ", with its text" : "");
}

static void put_wires(FILE *out, unsigned wires) {
    static const char *const NAMES[] = {"openai", "ollama", "anthropic", "gemini", "responses", "bedrock", "cohere"};
    bool all_but = wires != FAULT_ALL && __builtin_popcount(wires) > 4;
    unsigned named = all_but ? FAULT_ALL & ~wires : wires;
    fputs(wires == FAULT_ALL ? "all" : all_but ? "all but" : "", out);
    for (size_t i = 0; wires != FAULT_ALL && i < COUNT(NAMES); i++)
        if (named >> i & 1) fprintf(out, "%s%s", all_but || named & ((1u << i) - 1) ? " " : "", NAMES[i]);
}

static void put_table(FILE *out) {
    fputs("| way | wires | streamed | whole | what it is |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < WAY_COUNT; i++) {
        fprintf(out, "| `%s` | ", WAYS[i].name);
        put_wires(out, WAYS[i].wires);
        fputs(" | ", out);
        put_expected(out, &WAYS[i].stream);
        put_expected(out, &WAYS[i].whole);
        fprintf(out, "%s |\n", WAYS[i].why);
    }
    fputs("\n| looked at for memory | wires | peak growth | what it is |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        fprintf(out, "| `%s` | ", BOUNDS[i].name);
        put_wires(out, BOUNDS[i].wires);
        fprintf(out, " | %ld MiB | %s |\n", BOUNDS[i].mib, BOUNDS[i].why);
    }
}

static void the_page_says_what_the_table_says(void) {
    char *table = NULL, *page = NULL;
    size_t len = 0, page_len = 0;
    const char *path = getenv("FAULT_PAGE");
    FILE *out = open_memstream(&table, &len), *in = path ? fopen(path, "r") : NULL,
         *copy = open_memstream(&page, &page_len);
    put_table(out);
    for (int c; in && (c = getc(in)) != EOF;) putc(c, copy);
    fclose(out);
    fclose(copy);
    if (in) fclose(in);
    CHECK(!path || (page && strstr(page, table)), "the page is not what fault_faults --table writes");
    free(table);
    free(page);
}

int main(int argc, char **argv) {
    static const fault_test TESTS[] = {
        {"the_handle_opens", the_handle_opens},
        {"every_way_streamed", every_way_streamed},
        {"every_way_whole", every_way_whole},
        {"an_answer_too_many_is_nobodys", an_answer_too_many_is_nobodys},
        {"nobody_was_led_astray", nobody_was_led_astray},
        {"memory_stays_within_its_bounds", memory_stays_within_its_bounds},
        {"a_server_that_never_reads_times_out", a_server_that_never_reads_times_out},
        {"nobody_listens", nobody_listens},
        {"a_connection_that_never_comes_about_times_out", a_connection_that_never_comes_about_times_out},
        {"cut_tool_calls_are_told_as_cut", cut_tool_calls_are_told_as_cut},
        {"hostile_waits_are_harmless", hostile_waits_are_harmless},
        {"the_page_says_what_the_table_says", the_page_says_what_the_table_says},
        {"the_handle_closes", the_handle_closes},
    };
    if (argc > 1 && strcmp(argv[1], "--table") == 0) {
        put_table(stdout);
        return 0;
    }
    printf("# %zu ways and %zu bounds on %zu wires\n", WAY_COUNT, BOUND_COUNT, FAULT_WIRE_COUNT);
    return fault_run(TESTS, COUNT(TESTS));
}
