// SPDX-License-Identifier: MIT
// What the fault tests share: a server that misbehaves (server.py), a handle configured for it, one call with all that
// came of it, and TAP on stdout. Only the public headers are used.
//     static void a_cut_stream_is_an_error(void) { CHECK(1 + 1 == 2, "sums: %d", 1 + 1); }
//     int main(void) { return fault_run((fault_test[]){{"…", a_cut_stream_is_an_error}}, 1); }
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "membrane/membrane.h"

// Sanitizers take memory and time of their own: figures about either are not looked at then.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FAULT_SLOW 10
#else
#define FAULT_SLOW 1
#endif

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define FAULT_KEY "sk-PLANTED-0123456789abcdef"

// The wires that the server speaks and we too: one row in FAULT_WIRES each.
enum {
    FAULT_OPENAI = 1,
    FAULT_OLLAMA = 2,
    FAULT_ANTHROPIC = 4,
    FAULT_GEMINI = 8,
    FAULT_RESPONSES = 16,
    FAULT_BEDROCK = 32,
    FAULT_COHERE = 64,
    FAULT_ALL = 127,
    FAULT_SSE = FAULT_ALL & ~(FAULT_OLLAMA | FAULT_BEDROCK),
    FAULT_FINISH_IS_END = FAULT_OPENAI | FAULT_OLLAMA | FAULT_GEMINI, // a finish reason completes the answer
};

typedef struct fault_wire {
    unsigned bit;
    const char *provider; // its name in fault_open's configuration
    const char *name;     // the server's
    const char *kind, *path;
} fault_wire;
extern const fault_wire FAULT_WIRES[];
extern const size_t FAULT_WIRE_COUNT;

typedef struct fault_server {
    int port, trap_port, deaf_port, full_port;
    int pid, stdin_fd;
} fault_server;
extern fault_server fault_at; // started by fault_run

typedef struct fault_test {
    const char *name;
    void (*run)(void);
} fault_test;

int fault_run(const fault_test *tests, size_t count);
void fault_failed(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) fault_failed(__FILE__, __LINE__, __VA_ARGS__);                                               \
    } while (0)

// Providers o (openai) and l (ollama) at the server, with FAULT_KEY; more is YAML text put behind them, or NULL.
membrane_t *fault_open(const char *more);
membrane_t *fault_open_wires(void); // a provider a wire
int64_t fault_now_ms(void);
// What the server answers to GET path; valid until the next one of this thread.
const char *fault_get(const char *path);
long fault_rss_kib(void);  // now
long fault_peak_kib(void); // since fault_reset_peak
void fault_reset_peak(void);
// What the server has noted of a model's requests; *key may be NULL.
typedef struct fault_log {
    long requests, bytes, sent, trapped, peak; // peak: at a time
    char keys[4096], hops[256], last[2048];    // of the last request: its X-Membrane-Via, the end of its body (as JSON)
} fault_log;
fault_log fault_log_of(const char *model);

// {"model":…,"stream":…,"messages":[…]}; valid until the next one of this thread.
const char *fault_request(const char *model, bool stream);
membrane_call *fault_start(membrane_t *m, const char *model, bool stream, const membrane_call_options *options);
membrane_call_options fault_options(void); // short times, no retries

typedef struct fault_outcome {
    int code; // 0: DONE
    char phase[24], finish[24];
    char text[4096], message[4096], json[16384], attempts[512]; // attempts: "o:rate_limit l:ok"
    int tool_calls, terminal_events, resets;
    int64_t ms;
} fault_outcome;
void fault_finish(membrane_call *call, fault_outcome *ret); // pulls all events, frees the call
fault_outcome *fault_call(membrane_t *m, const char *model, bool stream, const membrane_call_options *options);

#endif
