// SPDX-License-Identifier: MIT
// The same requests by libmembrane: parsed, usage read, the call log on. One thread keeps `flight` calls under way.
// "guarded" is chat with everything on that watches over it: limits, a budget, a session, a group of two with
// breakers and a policy. In "fallback" the first target of each call is asked too much (429) and the second answers.
#include <membrane/membrane.h>

#include <stdbool.h>

#include "client.h"

static void die(membrane_error *err) {
    fprintf(stderr, "%s: %s\n", membrane_error_kind(err), membrane_error_message(err));
    exit(1);
}

// Takes every event of a call that is ready or waits for the next one.
static void finish(job *j, membrane_call *call) {
    const membrane_event *event;
    size_t len;
    while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        int type = membrane_event_type(event);
        if (type == MEMBRANE_EVENT_TEXT) membrane_event_text(event, &len), j->events++;
        if (type == MEMBRANE_EVENT_ERROR) die((membrane_error *)membrane_event_error(event));
    }
    if (!membrane_result_finish(membrane_call_result(call))) exit(1);
    membrane_call_free(call);
}

static const char PLAIN[] =
    "providers: {bench: {kind: openai, base_url: \"http://127.0.0.1:%d/v1\", api_key: sk-bench}}";
static const char GUARDED[] =
    "providers: {bench: {kind: openai, base_url: \"http://127.0.0.1:%d/v1\", api_key: sk-bench,\n"
    "  limits: {rpm: 900000000, tpm: 900000000, parallel: 5000}}}\n"
    "models: {m: {policy: latency, targets: [{target: bench/gpt-4o-mini}, {target: bench/gpt-4.1-mini}]}}\n"
    "budgets: [{scope: all, period: day, usd_micros: 900000000000000}]\n";
static const char FALLBACK[] =
    "providers: {bench: {kind: openai, base_url: \"http://127.0.0.1:%d/v1\", api_key: sk-bench}}\n"
    "models: {m: {targets: [{target: bench/busy}, {target: bench/fast}]}}";

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    job j = read_job(argv);
    char body[512], config[1024];
    const bool guarded = strcmp(argv[2], "guarded") == 0, fallback = strcmp(argv[2], "fallback") == 0;
    membrane_options o;
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    request_body(&j, body, sizeof body);
    snprintf(body, sizeof body,
             "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}]%s%s}",
             guarded || fallback ? "m"
             : j.slow            ? "bench/slow"
                                 : "bench/fast",
             j.stream ? ",\"stream\":true" : "", guarded ? ",\"session\":\"s\",\"max_tokens\":100" : "");
    snprintf(config, sizeof config, guarded ? GUARDED : fallback ? FALLBACK : PLAIN, j.port);
    membrane_options_init(&o, sizeof o);
    o.config_text = config;
    if (membrane_open(&o, &m, &err)) die(err);
    membrane_call **ring = calloc((size_t)j.flight, sizeof *ring);
    size_t len = strlen(body);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    for (int i = 0; i < j.calls + j.flight; i++) {
        membrane_call **slot = &ring[i % j.flight];
        if (i >= j.flight) finish(&j, *slot);
        if (i < j.calls && membrane_call_start(m, body, len, NULL, slot, &err)) die(err);
    }
    report(&j, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall);
    free(ring);
    membrane_close(m, 1000);
    return 0;
}
