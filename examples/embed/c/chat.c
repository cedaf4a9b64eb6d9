// SPDX-License-Identifier: MIT
// The shortest program: ask about a text, print the answer. builtin/extractive needs no model and only quotes; without
// "model" in the request, whichever model is there answers.
#include <membrane/membrane.h>
#include <stdio.h>

static const char request[] = "{\"model\":\"builtin/extractive\",\"messages\":[{\"role\":\"user\","
                              "\"content\":[{\"type\":\"document\",\"name\":\"sky.txt\","
                              "\"text\":\"Air scatters short waves most. So the sky looks blue.\"},"
                              "{\"type\":\"text\",\"text\":\"Why is the sky blue?\"}]}]}";

int main(void) {
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    char *answer = NULL;
    int status = membrane_open(NULL, &m, &err);
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
