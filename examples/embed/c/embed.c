// SPDX-License-Identifier: MIT
// Two texts become vectors; their cosine says how near they are. Usage: embed provider/model
#include <math.h>
#include <membrane/membrane.h>
#include <stdio.h>

static double cosine(const float *a, const float *b, size_t dims) {
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < dims; i++) dot += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return dot / sqrt(aa * bb);
}

int main(int argc, char **argv) {
    membrane_options options;
    membrane_t *m = NULL;
    membrane_call *call = NULL;
    membrane_error *err = NULL;
    const membrane_event *event = NULL;
    char request[512];
    int failed = 1;
    int len =
        snprintf(request, sizeof request, "{\"kind\":\"embed\",\"model\":\"%s\",\"input\":[\"a cat\",\"a kitten\"]}",
                 argc > 1 ? argv[1] : "ollama/nomic-embed-text");
    membrane_options_init(&options, sizeof options);
    options.flags = MEMBRANE_USER_CONFIG; // providers and keys as the user has them
    if (membrane_open(&options, &m, &err) != 0 ||
        membrane_call_start(m, request, (size_t)len, NULL, &call, &err) != 0) {
        fprintf(stderr, "%s: %s\n", membrane_error_kind(err), membrane_error_message(err));
        goto out;
    }
    while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        if (membrane_event_type(event) == MEMBRANE_EVENT_ERROR) {
            fprintf(stderr, "%s\n", membrane_error_message(membrane_event_error(event)));
        } else if (membrane_event_type(event) == MEMBRANE_EVENT_DONE) {
            size_t dims = 0;
            const float *a = membrane_result_embedding(membrane_call_result(call), 0, &dims);
            const float *b = membrane_result_embedding(membrane_call_result(call), 1, &dims);
            if (a && b) printf("%zu dimensions, cosine %.4f\n", dims, cosine(a, b, dims));
            failed = !a || !b;
        }
    }
out:
    membrane_error_free(err);
    membrane_call_free(call);
    membrane_close(m, 1000);
    return failed;
}
