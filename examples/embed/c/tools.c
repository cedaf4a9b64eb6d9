// SPDX-License-Identifier: MIT
// A tool's definition goes out, the model calls it, the result goes back with a second call.
// The model here is a stand-in (toy.h), so that the program runs anywhere; put a real one in its place.
#include <membrane/membrane.h>
#include <stdio.h>

#include "toy.h"

#define ASK                                                                                                            \
    "{\"model\":\"toy/weather\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\","             \
    "\"description\":\"The weather of a city\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":"          \
    "{\"type\":\"string\"}},\"required\":[\"city\"]}}}],\"messages\":[{\"role\":\"user\",\"content\":"                 \
    "\"Should I take an umbrella in Paris?\"}"

// Runs a call to its end: its text is printed; a tool call is kept, as JSON, for the next request (then it is 1).
static int run(membrane_t *m, const char *request, char *assistant, size_t cap, char *id, size_t id_cap) {
    membrane_call *call = NULL;
    const membrane_event *event = NULL;
    char arguments[256];
    int had_tool = 0;
    if (membrane_call_start(m, request, 0, NULL, &call, NULL) != 0) return -1;
    while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        if (membrane_event_type(event) == MEMBRANE_EVENT_TEXT) puts(membrane_event_text(event, NULL));
        if (membrane_event_type(event) == MEMBRANE_EVENT_ERROR)
            had_tool = -1, puts(membrane_error_message(membrane_event_error(event)));
        if (membrane_event_type(event) != MEMBRANE_EVENT_TOOL_CALL) continue;
        had_tool = 1;
        toy_quote(membrane_event_text(event, NULL), arguments, sizeof arguments);
        snprintf(id, id_cap, "%s", membrane_event_tool_id(event));
        snprintf(assistant, cap,
                 "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"%s\",\"type\":\"function\","
                 "\"function\":{\"name\":\"%s\",\"arguments\":%s}}]}",
                 id, membrane_event_tool_name(event), arguments);
    }
    membrane_call_free(call);
    return had_tool;
}

int main(void) {
    char assistant[1024], id[128], second[4096];
    membrane_t *m = NULL;
    if (membrane_open(NULL, &m, NULL) != 0 || toy_add(m) != 0) return 1;
    int status = run(m, ASK "]}", assistant, sizeof assistant, id, sizeof id);
    if (status == 1) {
        // Here the program would parse the arguments and look out of the window.
        snprintf(second, sizeof second, ASK ",%s,{\"role\":\"tool\",\"tool_call_id\":\"%s\",\"content\":\"rain\"}]}",
                 assistant, id);
        status = run(m, second, assistant, sizeof assistant, id, sizeof id);
    }
    membrane_close(m, 1000);
    return status != 0;
}
