// SPDX-License-Identifier: MIT
// What both clients of the benchmark share: the job, and the figures they print.
#ifndef TESTS_BENCH_CLIENT_H
#define TESTS_BENCH_CLIENT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct job {
    int port, calls, flight;
    int stream;  // 64 chunks
    int slow;    // 64 chunks, one each 20 ms
    long events; // text events that came
} job;

static inline job read_job(char **argv) {
    job j = {.port = atoi(argv[1]), .calls = atoi(argv[3]), .flight = atoi(argv[4])};
    j.stream = strcmp(argv[2], "stream") == 0 || strcmp(argv[2], "slow") == 0;
    j.slow = strcmp(argv[2], "slow") == 0;
    return j;
}

static inline double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline long status_kb(const char *field) {
    char line[256];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0) kb = strtol(line + strlen(field), NULL, 10);
    if (f) fclose(f);
    return kb;
}

static inline void request_body(const job *j, char *out, size_t size) {
    snprintf(out, size, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}]%s}",
             j->slow ? "slow" : "fast",
             j->stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
}

// cpu µs a call, cpu µs an event, calls a second, peak kB
static inline void report(const job *j, double cpu, double wall) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"cpu_us_call\":%.3f,\"cpu_us_event\":%.4f,\"calls_s\":%.1f,\"peak_kb\":%ld,\"events\":%ld}\n",
           cpu * 1e6 / j->calls, j->events ? cpu * 1e6 / (double)j->events : 0.0, j->calls / wall, usage.ru_maxrss,
           j->events);
}

#endif
