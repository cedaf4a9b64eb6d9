// SPDX-License-Identifier: MIT
// A reload drops no call: what runs ends with what it began with, what starts later has the new configuration, and a
// configuration that cannot be used changes nothing.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

enum { CALLS = 20 };
static char path[] = "/tmp/membrane-reload-XXXXXX";

static void write_config(const char *text) {
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0, "cannot write %s", path);
}

static void point_to(int port) {
    char text[512];
    snprintf(text, sizeof text,
             "version: 1\nproviders:\n  o: {kind: openai, base_url: \"http://127.0.0.1:%d/v1\", api_key: %s}\n", port,
             FAULT_KEY);
    write_config(text);
}

static membrane_t *open_file(void) {
    membrane_options o;
    membrane_t *m = NULL;
    membrane_options_init(&o, sizeof o);
    o.config_path = path;
    CHECK(membrane_open(&o, &m, NULL) == 0, "it does not open");
    return m;
}

static void running_calls_end_as_they_began(void) {
    membrane_call *calls[CALLS];
    membrane_call_options options = fault_options();
    options.deadline_ms = options.first_token_timeout_ms = options.idle_timeout_ms = 20000;
    fault_outcome outcome;
    point_to(fault_at.port);
    membrane_t *m = open_file();
    for (int i = 0; i < CALLS; i++) calls[i] = fault_start(m, "o/pieces--2000", true, &options);
    const membrane_event *event;
    for (int i = 0; i < CALLS; i++) // each has its connection and its first text before the ground moves
        while (membrane_call_next(calls[i], 5000, &event, NULL) == 0 &&
               membrane_event_type(event) != MEMBRANE_EVENT_TEXT) {}
    point_to(1); // nobody is there
    for (int i = 0; i < 5; i++) CHECK(membrane_config_reload(m, NULL) == 0, "the reload failed");
    fault_outcome *now = fault_call(m, "o/good", true, &options);
    CHECK(now->code == MEMBRANE_ECONNECT, "a new call has the new address: %d %s", now->code, now->message);
    for (int i = 0; i < CALLS; i++) {
        fault_finish(calls[i], &outcome);
        CHECK(outcome.code == 0, "call %d was dropped: %s", i, outcome.message);
    }
    membrane_close(m, 2000);
}

static void a_broken_file_changes_nothing(void) {
    membrane_call_options options = fault_options();
    membrane_error *err = NULL;
    point_to(fault_at.port);
    membrane_t *m = open_file();
    write_config("version: 1\nproviders:\n  o: {kind: openai, base_ulr: x}\n");
    CHECK(membrane_config_reload(m, &err) == MEMBRANE_ECONFIG, "it was taken");
    CHECK(strstr(membrane_error_message(err), ":3: ") && strstr(membrane_error_message(err), "base_url"), "%s",
          membrane_error_message(err));
    membrane_error_free(err);
    CHECK(fault_call(m, "o/good", true, &options)->code == 0, "the old configuration is gone");
    unlink(path);
    CHECK(membrane_config_reload(m, NULL) != 0, "a missing file was taken");
    CHECK(fault_call(m, "o/good", true, &options)->code == 0, "the old configuration is gone");
    membrane_close(m, 2000);
}

int main(void) {
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    int code = fault_run((fault_test[]){{"running calls end as they began", running_calls_end_as_they_began},
                                        {"a broken file changes nothing", a_broken_file_changes_nothing}},
                         2);
    unlink(path);
    return code;
}
