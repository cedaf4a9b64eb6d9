// SPDX-License-Identifier: MIT
// Calls through the public API for net.py: CONFIG REQUEST CALLS PARALLEL [cancel], one JSON line an ended call.
//     {"kind":"ok","text":"Hello"} or the error's own JSON
// NET_USER_CONFIG=1 reads the environment too. cancel: another thread cancels every call once all were started.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "membrane/membrane.h"

enum { CALLS_MAX = 512 };

static membrane_call *calls[CALLS_MAX];

static void *cancel_all(void *count) {
    for (int i = 0; i < *(const int *)count; i++) membrane_call_cancel(calls[i]);
    return NULL;
}

static void finish(membrane_call *call) {
    const membrane_event *event = NULL;
    while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        if (membrane_event_type(event) == MEMBRANE_EVENT_ERROR)
            printf("%s\n", membrane_error_json(membrane_event_error(event)));
        if (membrane_event_type(event) != MEMBRANE_EVENT_DONE) continue;
        const membrane_result *result = membrane_call_result(call);
        size_t len = 0;
        const char *json = membrane_result_json(result, &len);
        printf("{\"kind\":\"ok\",\"result\":%.*s}\n", (int)len, json);
    }
    membrane_call_free(call);
}

static int fail(membrane_error *err) {
    printf("%s\n", membrane_error_json(err));
    membrane_error_free(err);
    return 1;
}

int main(int argc, char **argv) {
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    membrane_options options;
    membrane_call_options how;
    pthread_t canceller;
    if (argc < 5) return 2;
    int count = atoi(argv[3]), parallel = atoi(argv[4]), started = 0;
    if (count > CALLS_MAX) return 2;
    membrane_options_init(&options, sizeof options);
    options.config_path = argv[1];
    if (getenv("NET_USER_CONFIG")) options.flags = MEMBRANE_USER_CONFIG | MEMBRANE_NO_DISCOVERY;
    if (membrane_open(&options, &m, &err) != 0) return fail(err);
    membrane_call_options_init(&how, sizeof how);
    how.deadline_ms = getenv("NET_DEADLINE_MS") ? atoi(getenv("NET_DEADLINE_MS")) : 20000;
    how.connect_timeout_ms = getenv("NET_CONNECT_MS") ? atoi(getenv("NET_CONNECT_MS")) : 10000;
    how.retries = 0;
    for (int done = 0; done < count; done++) {
        for (; started < count && started - done < parallel; started++)
            if (membrane_call_start(m, argv[2], strlen(argv[2]), &how, &calls[started], &err) != 0) return fail(err);
        if (argc > 5 && done == 0) pthread_create(&canceller, NULL, cancel_all, &started);
        if (argc > 5 && done == 0) pthread_join(canceller, NULL);
        finish(calls[done]);
    }
    return membrane_close(m, 5000) == 0 ? 0 : 1;
}
