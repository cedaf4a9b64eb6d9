// SPDX-License-Identifier: MIT
#include "fault.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

fault_server fault_at;
static int failures;

const fault_wire FAULT_WIRES[] = {
    {FAULT_OPENAI, "o", "openai", "openai-compatible", "/v1"},
    {FAULT_OLLAMA, "l", "ollama", "ollama", ""},
    {FAULT_ANTHROPIC, "a", "anthropic", "anthropic", "/v1"},
    {FAULT_GEMINI, "g", "gemini", "gemini", "/v1beta"},
    {FAULT_RESPONSES, "r", "responses", "openai-responses", "/v1"},
    {FAULT_BEDROCK, "b", "bedrock", "bedrock", ""},
    {FAULT_COHERE, "c", "cohere", "cohere", ""},
};
const size_t FAULT_WIRE_COUNT = COUNT(FAULT_WIRES);

// ---- running -------------------------------------------------------------------------------------------------------

void fault_failed(const char *file, int line, const char *format, ...) {
    va_list args;
    if (__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED) > 20) return;
    flockfile(stdout);
    printf("# %s:%d: ", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    funlockfile(stdout);
    fflush(stdout);
}

static void start_server(void) {
    int in[2], out[2];
    const char *script = getenv("FAULT_SERVER");
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) exit(99);
    fault_at.pid = fork();
    if (fault_at.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execlp("python3", "python3", script ? script : "tests/fault/server.py", (char *)NULL);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    fault_at.stdin_fd = in[1];
    FILE *f = fdopen(out[0], "r");
    if (!f ||
        fscanf(f, "%d %d %d %d", &fault_at.port, &fault_at.trap_port, &fault_at.deaf_port, &fault_at.full_port) != 4) {
        printf("Bail out! the fault server did not start\n");
        exit(99);
    }
    fclose(f);
}

int fault_run(const fault_test *tests, size_t count) {
    const char *only = getenv("FAULT_ONLY");
    int failed = 0;
    start_server();
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        int64_t start = fault_now_ms();
        failures = 0;
        if (only && !strstr(tests[i].name, only) && !strstr(tests[i].name, "the_handle_")) {
            printf("ok %zu - %s # SKIP not asked for\n", i + 1, tests[i].name);
            continue;
        }
        tests[i].run();
        failed += failures > 0;
        printf("%s %zu - %s\n# %lld ms\n", failures ? "not ok" : "ok", i + 1, tests[i].name,
               (long long)(fault_now_ms() - start));
        fflush(stdout);
    }
    close(fault_at.stdin_fd);
    waitpid(fault_at.pid, NULL, 0);
    return failed ? 1 : 0;
}

// ---- figures -------------------------------------------------------------------------------------------------------

int64_t fault_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static long status_line(const char *name) {
    char line[256];
    long n = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && n < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0) n = strtol(line + strlen(name), NULL, 10);
    if (f) fclose(f);
    return n;
}

long fault_rss_kib(void) { return status_line("VmRSS:"); }
long fault_peak_kib(void) { return status_line("VmHWM:"); }

void fault_reset_peak(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return;
    fputs("5", f);
    fclose(f);
}

static long number_after(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

const char *fault_get(const char *path) {
    static __thread char answer[65536];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)fault_at.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0;
    answer[0] = '\0';
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
        dprintf(fd, "GET %s HTTP/1.1\r\n\r\n", path);
        shutdown(fd, SHUT_WR);
        for (ssize_t n; len + 1 < sizeof answer && (n = read(fd, answer + len, sizeof answer - 1 - len)) > 0;)
            answer[len += (size_t)n] = '\0';
    }
    close(fd);
    const char *body = strstr(answer, "\r\n\r\n");
    return body ? body + 4 : "";
}

fault_log fault_log_of(const char *model) {
    char path[512];
    fault_log log;
    snprintf(path, sizeof path, "/__log?%s", model);
    const char *answer = fault_get(path);
    log.requests = number_after(answer, "\"requests\": ");
    log.bytes = number_after(answer, "\"bytes\": ");
    log.sent = number_after(answer, "\"sent\": ");
    log.trapped = number_after(answer, "\"trapped\": ");
    log.peak = number_after(answer, "\"peak\": ");
    const char *keys = strstr(answer, "\"keys\": ");
    snprintf(log.keys, sizeof log.keys, "%.4000s", keys ? keys : "");
    const char *hops = strstr(answer, "\"hops\": \""), *last = strstr(answer, "\"last\": \"");
    snprintf(log.hops, sizeof log.hops, "%.*s", hops ? (int)strcspn(hops + 9, "\"") : 0, hops ? hops + 9 : "");
    snprintf(log.last, sizeof log.last, "%.2000s", last ? last + 9 : "");
    return log;
}

// ---- calls ---------------------------------------------------------------------------------------------------------

static membrane_t *open_with(size_t wires, const char *more) {
    char config[8192];
    membrane_options o;
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    int len = snprintf(config, sizeof config, "version: 1\nproviders:\n");
    for (size_t i = 0; i < wires; i++)
        len += snprintf(config + len, sizeof config - (size_t)len,
                        "  %s: {kind: %s, base_url: \"http://127.0.0.1:%d%s\", api_key: " FAULT_KEY "}\n",
                        FAULT_WIRES[i].provider, FAULT_WIRES[i].kind, fault_at.port, FAULT_WIRES[i].path);
    len += snprintf(config + len, sizeof config - (size_t)len, "%s", more ? more : "");
    if (!more || !strstr(more, "probes:")) // what a server is asked is what a test asks
        snprintf(config + len, sizeof config - (size_t)len, "probes: {interval: 0}\n");
    membrane_options_init(&o, sizeof o);
    o.config_text = config;
    o.flags = MEMBRANE_NO_DISCOVERY;
    if (membrane_open(&o, &m, &err) != 0) {
        printf("Bail out! open: %s\n", membrane_error_message(err));
        exit(99);
    }
    return m;
}

membrane_t *fault_open(const char *more) { return open_with(2, more); }
membrane_t *fault_open_wires(void) { return open_with(FAULT_WIRE_COUNT, NULL); }

const char *fault_request(const char *model, bool stream) {
    static __thread char text[1024];
    snprintf(text, sizeof text,
             "{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}", model,
             stream ? "true" : "false");
    return text;
}

membrane_call_options fault_options(void) {
    membrane_call_options o;
    membrane_call_options_init(&o, sizeof o);
    o.deadline_ms = 3000;
    o.connect_timeout_ms = 1000;
    o.first_token_timeout_ms = 300;
    o.idle_timeout_ms = 300;
    o.retries = 0;
    return o;
}

membrane_call *fault_start(membrane_t *m, const char *model, bool stream, const membrane_call_options *options) {
    membrane_call *call = NULL;
    membrane_error *err = NULL;
    const char *text = fault_request(model, stream);
    int code = membrane_call_start(m, text, strlen(text), options, &call, &err);
    CHECK(code == 0, "start %s: %s", model, membrane_error_message(err));
    membrane_error_free(err);
    return call;
}

static void put(char *to, size_t size, const char *text) {
    size_t len = strlen(to);
    snprintf(to + len, size - len, "%s", text ? text : "");
}

static void describe_attempts(const membrane_result *r, fault_outcome *o) {
    char path[64];
    for (int i = 0; i < 16; i++) {
        snprintf(path, sizeof path, "attempts.%d.provider", i);
        const char *provider = membrane_result_str(r, path);
        if (!provider) break;
        snprintf(path, sizeof path, "attempts.%d.kind", i);
        const char *kind = membrane_result_str(r, path);
        if (i) put(o->attempts, sizeof o->attempts, " ");
        put(o->attempts, sizeof o->attempts, provider);
        put(o->attempts, sizeof o->attempts, ":");
        put(o->attempts, sizeof o->attempts, kind ? kind : "ok");
    }
}

static void take(const membrane_event *e, fault_outcome *o) {
    const membrane_error *error = membrane_event_error(e);
    switch (membrane_event_type(e)) {
    case MEMBRANE_EVENT_TEXT: put(o->text, sizeof o->text, membrane_event_text(e, NULL)); break;
    case MEMBRANE_EVENT_TOOL_CALL: o->tool_calls++; break;
    case MEMBRANE_EVENT_RESET:
        o->resets++;
        o->text[0] = '\0';
        break;
    case MEMBRANE_EVENT_DONE:
        put(o->finish, sizeof o->finish, membrane_event_text(e, NULL));
        o->terminal_events++;
        break;
    case MEMBRANE_EVENT_ERROR:
        o->terminal_events++;
        o->code = membrane_error_code(error);
        put(o->phase, sizeof o->phase, membrane_error_phase(error));
        put(o->message, sizeof o->message, membrane_error_json(error));
        break;
    default: break;
    }
}

void fault_finish(membrane_call *call, fault_outcome *ret) {
    const membrane_event *e;
    int64_t start = fault_now_ms();
    int code;
    memset(ret, 0, sizeof *ret);
    ret->code = MEMBRANE_EINTERNAL;
    if (!call) return;
    ret->code = 0;
    while ((code = membrane_call_next(call, 30000, &e, NULL)) == 0) take(e, ret);
    CHECK(code == MEMBRANE_EDONE, "a call did not end: %s", membrane_status_kind(code));
    if (code != MEMBRANE_EDONE) ret->code = MEMBRANE_EINTERNAL;
    CHECK(code != MEMBRANE_EDONE || ret->terminal_events == 1, "%d terminal events", ret->terminal_events);
    ret->ms = fault_now_ms() - start;
    const membrane_result *r = membrane_call_result(call);
    if (r) {
        describe_attempts(r, ret);
        put(ret->json, sizeof ret->json, membrane_result_json(r, NULL));
    }
    membrane_call_free(call);
}

fault_outcome *fault_call(membrane_t *m, const char *model, bool stream, const membrane_call_options *options) {
    static __thread fault_outcome outcome;
    membrane_call_options o = fault_options();
    fault_finish(fault_start(m, model, stream, options ? options : &o), &outcome);
    return &outcome;
}
