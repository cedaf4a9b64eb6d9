// SPDX-License-Identifier: MIT
// A stand-in for a model that calls get_weather once and then answers, and the quoting of a JSON string.
#ifndef TOY_H
#define TOY_H

#include <membrane/membrane.h>
#include <string.h>

static int toy_start(void *user, const char *request, size_t len, membrane_push *push, void **ret_state) {
    static const char answer[] = "It rains in Paris: take one.", city[] = "{\"city\":\"Paris\"}";
    (void)user, (void)len;
    *ret_state = NULL;
    if (strstr(request, "tool_call_id")) {
        membrane_push_text(push, answer, sizeof answer - 1);
        return membrane_push_done(push, "stop");
    }
    membrane_push_tool_call(push, NULL, "get_weather", city, sizeof city - 1);
    return membrane_push_done(push, "tool_calls");
}

static int toy_add(membrane_t *m) {
    membrane_provider_table table = {sizeof table, MEMBRANE_PROVIDER_VERSION, 1, toy_start, NULL, NULL};
    return membrane_provider_add(m, "toy", &table, NULL, NULL);
}

// The text as a JSON string; cut if it does not fit (a program of one's own would use its JSON library).
static void toy_quote(const char *text, char *out, size_t cap) {
    size_t at = 0;
    out[at++] = '"';
    for (; *text && at + 4 < cap; text++) {
        if (*text == '"' || *text == '\\') out[at++] = '\\';
        out[at++] = *text;
    }
    out[at++] = '"';
    out[at] = '\0';
}

#endif
