// SPDX-License-Identifier: MIT
// The same requests by libmembrane: parsed, usage read, the call log on. One thread keeps `flight` calls under way.
#include <membrane/membrane.h>

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

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    job j = read_job(argv);
    char body[512], config[512];
    membrane_options o;
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    request_body(&j, body, sizeof body);
    snprintf(body, sizeof body,
             "{\"model\":\"bench/%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}]%s}",
             j.slow ? "slow" : "fast", j.stream ? ",\"stream\":true" : "");
    snprintf(config, sizeof config,
             "providers: {bench: {kind: openai, base_url: \"http://127.0.0.1:%d/v1\", api_key: sk-bench}}", j.port);
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
