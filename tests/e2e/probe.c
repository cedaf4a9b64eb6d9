// SPDX-License-Identifier: MIT
// The C API from the outside, for the end-to-end tests: a configuration file, a request on standard input, events and
// results as JSON lines on standard output.
//
//   probe CONFIG [--idle MS] [--first MS] [--deadline MS] [--retries N] [--cancel-after EVENTS]
//   probe CONFIG --flight N [--metrics FILE]   requests one a line, N at a time: a line for each call as it ends, then
//                                              the call log in one line; FILE gets the page of metrics
//   probe CONFIG --lines                       a line is a request, or a text that a record of the running log is
//                                              waited for; one line of output each
#include <membrane/membrane.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    membrane_call_options call;
    int cancel_after, flight, lines;
    const char *metrics;
} settings;

typedef struct crowd {
    membrane_t *m;
    const settings *set;
    pthread_mutex_t in, out;
} crowd;

static char *read_all(FILE *in) {
    size_t len = 0, cap = 1 << 20;
    char *text = malloc(cap);
    for (size_t n; text && (n = fread(text + len, 1, cap - len - 1, in)) > 0;) {
        len += n;
        if (cap - len < 2) text = realloc(text, cap *= 2);
    }
    if (text) text[len] = '\0';
    return text;
}

static int number(char **argv, int *i) { return argv[*i + 1] ? atoi(argv[++*i]) : 0; }

static settings read_settings(char **argv) {
    settings s = {0};
    membrane_call_options_init(&s.call, sizeof s.call);
    for (int i = 2; argv[i]; i++) {
        if (!strcmp(argv[i], "--idle"))
            s.call.idle_timeout_ms = number(argv, &i);
        else if (!strcmp(argv[i], "--first"))
            s.call.first_token_timeout_ms = number(argv, &i);
        else if (!strcmp(argv[i], "--deadline"))
            s.call.deadline_ms = number(argv, &i);
        else if (!strcmp(argv[i], "--retries"))
            s.call.retries = number(argv, &i);
        else if (!strcmp(argv[i], "--cancel-after"))
            s.cancel_after = number(argv, &i);
        else if (!strcmp(argv[i], "--flight"))
            s.flight = number(argv, &i);
        else if (!strcmp(argv[i], "--lines"))
            s.lines = 1;
        else if (!strcmp(argv[i], "--metrics") && argv[i + 1])
            s.metrics = argv[++i];
        else
            exit(2);
    }
    return s;
}

static int one_call(membrane_t *m, const settings *s, const char *request) {
    membrane_call *call = NULL;
    membrane_error *err = NULL;
    const membrane_event *event;
    int pieces = 0;
    if (membrane_call_start(m, request, 0, &s->call, &call, &err) != 0) {
        printf("{\"refused\":%s}\n", membrane_error_json(err));
        membrane_error_free(err);
        return 1;
    }
    while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        puts(membrane_event_json(event, NULL));
        fflush(stdout);
        if (s->cancel_after && ++pieces == s->cancel_after) membrane_call_cancel(call);
    }
    printf("{\"result\":%s}\n", membrane_result_json(membrane_call_result(call), NULL));
    membrane_call_free(call);
    return 0;
}

// One line: what the caller was handed, and the result.
static void counted_call(crowd *c, const char *request) {
    membrane_call *call = NULL;
    membrane_error *err = NULL;
    const membrane_event *event;
    size_t handed = 0, len, ends = 0;
    char text[65536] = "";
    if (membrane_call_start(c->m, request, 0, &c->set->call, &call, &err) != 0) {
        pthread_mutex_lock(&c->out);
        printf("{\"refused\":%s}\n", membrane_error_json(err));
        fflush(stdout);
        pthread_mutex_unlock(&c->out);
        membrane_error_free(err);
        return;
    }
    while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        int type = membrane_event_type(event);
        const char *piece = membrane_event_text(event, &len);
        if (type == MEMBRANE_EVENT_TEXT && handed + len < sizeof text)
            memcpy(text + handed, piece, len + 1), handed += len;
        ends += type == MEMBRANE_EVENT_DONE || type == MEMBRANE_EVENT_ERROR;
    }
    pthread_mutex_lock(&c->out);
    printf("{\"ends\":%zu,\"handed_bytes\":%zu,\"matches\":%s,\"result\":%s}\n", ends, handed,
           strcmp(text, membrane_result_text(membrane_call_result(call), NULL)) == 0 ? "true" : "false",
           membrane_result_json(membrane_call_result(call), NULL));
    fflush(stdout);
    pthread_mutex_unlock(&c->out);
    membrane_call_free(call);
}

static void *caller(void *user) {
    crowd *c = user;
    char *request = NULL;
    size_t cap = 0;
    for (;;) {
        pthread_mutex_lock(&c->in);
        ssize_t len = getline(&request, &cap, stdin);
        pthread_mutex_unlock(&c->in);
        if (len <= 0) break;
        counted_call(c, request);
    }
    free(request);
    return NULL;
}

static void write_metrics(membrane_t *m, const char *path) {
    char *page = NULL;
    FILE *f = fopen(path, "w");
    if (f && membrane_metrics(m, &page, NULL) == 0) fputs(page, f);
    if (f) fclose(f);
    membrane_string_free(page);
}

static void many_calls(membrane_t *m, const settings *s) {
    crowd c = {.m = m, .set = s};
    pthread_t threads[64];
    pthread_mutex_init(&c.in, NULL);
    pthread_mutex_init(&c.out, NULL);
    for (int i = 0; i < s->flight && i < 64; i++) pthread_create(&threads[i], NULL, caller, &c);
    for (int i = 0; i < s->flight && i < 64; i++) pthread_join(threads[i], NULL);
    if (s->metrics) write_metrics(m, s->metrics);
    membrane_result *log = NULL;
    if (membrane_log_calls(m, "{\"limit\":1000,\"decision\":true}", &log, NULL) == 0)
        printf("{\"log\":%s}\n", membrane_result_json(log, NULL));
    membrane_result_free(log);
}

// Records come in pieces; each is found once.
static void wait_for_record(membrane_t *m, const char *text) {
    static char heard[1 << 20];
    static size_t heard_len;
    char *at = NULL;
    for (int tries = 0; !(at = strstr(heard, text)) && tries < 300; tries++) {
        size_t len = 0;
        membrane_log_read(m, "info", heard + heard_len, sizeof heard - 1 - heard_len, &len, NULL, 100);
        heard[heard_len += len] = '\0';
    }
    if (at) *at = '~';
    printf("{\"told\":%s}\n", at ? "true" : "false");
    fflush(stdout);
}

static void lines(membrane_t *m, const settings *s) {
    char *line = NULL, none[64];
    size_t cap = 0, len;
    crowd c = {.m = m, .set = s};
    pthread_mutex_init(&c.out, NULL);
    membrane_log_read(m, "info", none, sizeof none, &len, NULL, 0); // nothing is kept before somebody reads
    while (getline(&line, &cap, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (*line == '{')
            counted_call(&c, line);
        else
            wait_for_record(m, line);
    }
    free(line);
}

int main(int argc, char **argv) {
    membrane_options o;
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    if (argc < 2) return 2;
    settings s = read_settings(argv);
    membrane_options_init(&o, sizeof o);
    o.config_path = argv[1];
    if (membrane_open(&o, &m, &err) != 0) {
        printf("{\"refused\":%s}\n", membrane_error_json(err));
        membrane_error_free(err);
        return 2;
    }
    char *request = s.flight || s.lines ? NULL : read_all(stdin);
    if (s.lines)
        lines(m, &s);
    else if (s.flight)
        many_calls(m, &s);
    else
        one_call(m, &s, request);
    membrane_close(m, 5000);
    free(request);
    return 0;
}
