// SPDX-License-Identifier: MIT
// Questions through the public API for recorded.py. Three lines in: what is asked (call, models, show), a
// configuration, a request (or a model's name); one line out: {"result","error","vectors","dims","same"}. same: the
// events had the result's text.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "membrane/membrane.h"

typedef struct answer {
    membrane_result *owned;
    membrane_call *call;
    membrane_error *err;
    char *error;    // a call's, as JSON
    char *streamed; // the text of the events
    size_t len;
} answer;

static void ask(membrane_t *m, const char *request, answer *a) {
    membrane_call_options o;
    const membrane_event *e;
    size_t len;
    FILE *text = open_memstream(&a->streamed, &a->len);
    membrane_call_options_init(&o, sizeof o);
    o.retries = 0;
    o.deadline_ms = 20000;
    if (membrane_call_start(m, request, strlen(request), &o, &a->call, &a->err) == 0)
        while (membrane_call_next(a->call, MEMBRANE_FOREVER, &e, NULL) == 0) {
            const char *piece = membrane_event_text(e, &len);
            if (membrane_event_type(e) == MEMBRANE_EVENT_TEXT) fwrite(piece, 1, len, text);
            if (membrane_event_type(e) == MEMBRANE_EVENT_ERROR)
                a->error = strdup(membrane_error_json(membrane_event_error(e)));
        }
    fclose(text);
}

static void tell(const answer *a, const char *error) {
    size_t dims = 0, len = 0;
    const membrane_result *r = a->call ? membrane_call_result(a->call) : a->owned;
    const char *json = r ? membrane_result_json(r, &len) : NULL;
    const char *text = a->call && r ? membrane_result_str(r, "text") : NULL;
    size_t vectors = a->call && r ? membrane_result_embedding_count(r) : 0;
    if (vectors) membrane_result_embedding(r, 0, &dims);
    bool same = !text || error || strcmp(text, a->streamed) == 0;
    printf("{\"result\":%.*s,\"error\":%s,\"vectors\":%zu,\"dims\":%zu,\"same\":%s}\n", json ? (int)len : 4,
           json ? json : "null", error ? error : "null", vectors, dims, same ? "true" : "false");
    fflush(stdout);
}

static void answer_one(const char *what, const char *config, const char *request) {
    membrane_options o;
    membrane_t *m = NULL;
    answer a = {0};
    membrane_options_init(&o, sizeof o);
    o.flags = MEMBRANE_NO_DISCOVERY;
    o.config_text = config;
    if (membrane_open(&o, &m, &a.err) == 0) {
        if (strcmp(what, "models") == 0)
            membrane_model_list(m, "p", 5000, &a.owned, &a.err);
        else if (strcmp(what, "show") == 0)
            membrane_model_show(m, request, 5000, &a.owned, &a.err);
        else
            ask(m, request, &a);
    }
    tell(&a, a.error ? a.error : a.err ? membrane_error_json(a.err) : NULL);
    membrane_result_free(a.owned);
    membrane_error_free(a.err);
    membrane_call_free(a.call);
    free(a.error);
    free(a.streamed);
    membrane_close(m, MEMBRANE_FOREVER);
}

int main(void) {
    char *lines[3] = {0};
    size_t sizes[3] = {0};
    for (;;) {
        for (int i = 0; i < 3; i++) {
            if (getline(&lines[i], &sizes[i], stdin) <= 0) {
                for (int j = 0; j < 3; j++) free(lines[j]);
                return 0;
            }
            lines[i][strcspn(lines[i], "\n")] = '\0';
        }
        answer_one(lines[0], lines[1], lines[2]);
    }
}
