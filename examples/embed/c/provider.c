// SPDX-License-Identifier: MIT
// A provider of the program's own: one function that answers, behind the same router as every other model.
#include <membrane/membrane.h>
#include <stdio.h>
#include <string.h>

// Runs on the library's thread and must not block: a slow model would answer from a thread of its own, with push.
static int start(void *user, const char *request_json, size_t len, membrane_push *push, void **ret_state) {
    const char *answer = user;
    (void)request_json, (void)len;
    *ret_state = NULL;
    membrane_push_text(push, answer, strlen(answer));
    membrane_push_usage(push, 5, -1, 3, -1);
    return membrane_push_done(push, "stop");
}

int main(void) {
    static const char request[] =
        "{\"model\":\"mine/parrot\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello?\"}]}";
    membrane_provider_table table = {sizeof table, MEMBRANE_PROVIDER_VERSION, 1, start, NULL, NULL};
    static char greeting[] = "Polly says hello.";
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    char *answer = NULL;
    int status = membrane_open(NULL, &m, &err);
    if (status == 0) status = membrane_provider_add(m, "mine", &table, greeting, &err);
    if (status == 0) status = membrane_call_text(m, request, sizeof request - 1, NULL, &answer, &err);
    if (status == 0)
        puts(answer);
    else
        fprintf(stderr, "%s: %s\n", membrane_error_kind(err), membrane_error_message(err));
    membrane_string_free(answer);
    membrane_error_free(err);
    membrane_close(m, 1000);
    return status != 0;
}
