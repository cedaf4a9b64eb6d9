// SPDX-License-Identifier: MIT
// Many calls in a loop of one's own: poll on the library's descriptor, then take what is ready, call by call.
#include <membrane/membrane.h>
#include <poll.h>
#include <stdio.h>

#define CALLS 4

static const char request[] = "{\"model\":\"builtin/extractive\",\"messages\":[{\"role\":\"user\","
                              "\"content\":[{\"type\":\"document\",\"name\":\"bees.txt\","
                              "\"text\":\"Bees dance to show the way. They sleep at night.\"},{\"type\":\"text\","
                              "\"text\":\"How do bees show the way?\"}]}]}";

// All events that a call has now. 1 when it is over.
static int drain(membrane_call *call) {
    const membrane_event *event = NULL;
    while (membrane_call_next(call, 0, &event, NULL) == 0) {
        int type = membrane_event_type(event);
        if (type == MEMBRANE_EVENT_DONE || type == MEMBRANE_EVENT_ERROR) {
            printf("%s: %s\n", membrane_call_request_id(call), membrane_event_type_name(event));
            return 1;
        }
    }
    return 0;
}

int main(void) {
    membrane_t *m = NULL;
    membrane_call *calls[CALLS] = {NULL}, *ready = NULL;
    membrane_error *err = NULL;
    int open = 0, status = membrane_open(NULL, &m, &err);
    // Before the first call: the program's loop knows its descriptors before it has anything to wait for.
    struct pollfd fds[1] = {{.fd = membrane_fd(m), .events = POLLIN}};
    for (int i = 0; status == 0 && i < CALLS; i++) {
        status = membrane_call_start(m, request, sizeof request - 1, NULL, &calls[i], &err);
        if (status == 0) open++;
    }
    while (status == 0 && open > 0 && poll(fds, 1, -1) >= 0)
        while (membrane_ready(m, &ready) == 0) open -= drain(ready);
    if (status != 0) fprintf(stderr, "%s: %s\n", membrane_error_kind(err), membrane_error_message(err));
    for (int i = 0; i < CALLS; i++) membrane_call_free(calls[i]);
    membrane_error_free(err);
    membrane_close(m, 1000);
    return status != 0;
}
