// SPDX-License-Identifier: MIT
// The answer as it comes, then who gave it and what it took. Whatever goes wrong with the call is its last event.
#include <membrane/membrane.h>
#include <stdio.h>

static const char request[] = "{\"model\":\"builtin/extractive\",\"stream\":true,\"messages\":[{\"role\":\"user\","
                              "\"content\":[{\"type\":\"document\",\"name\":\"rust.txt\","
                              "\"text\":\"Iron meets water and air. Then it rusts.\"},{\"type\":\"text\","
                              "\"text\":\"When does iron rust?\"}]}]}";

int main(void) {
    membrane_t *m = NULL;
    membrane_call *call = NULL;
    membrane_error *err = NULL;
    const membrane_event *event = NULL;
    int failed = 1;
    if (membrane_open(NULL, &m, &err) != 0 ||
        membrane_call_start(m, request, sizeof request - 1, NULL, &call, &err) != 0) {
        fprintf(stderr, "%s: %s\n", membrane_error_kind(err), membrane_error_message(err));
        goto out;
    }
    while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        if (membrane_event_type(event) == MEMBRANE_EVENT_TEXT) {
            fputs(membrane_event_text(event, NULL), stdout);
            fflush(stdout);
        } else if (membrane_event_type(event) == MEMBRANE_EVENT_ERROR) {
            const membrane_error *error = membrane_event_error(event);
            fprintf(stderr, "\n%s: %s\n", membrane_error_kind(error), membrane_error_message(error));
        } else if (membrane_event_type(event) == MEMBRANE_EVENT_DONE) {
            const membrane_result *result = membrane_call_result(call);
            printf("\n(%s/%s, %lld ms)\n", membrane_result_str(result, "target.provider"),
                   membrane_result_str(result, "target.model"),
                   (long long)membrane_result_int(result, "timing.total_ms", -1));
            failed = 0;
        }
    }
out:
    membrane_error_free(err);
    membrane_call_free(call);
    membrane_close(m, 1000);
    return failed;
}
