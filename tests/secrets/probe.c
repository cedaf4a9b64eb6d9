// SPDX-License-Identifier: MIT
// Everything that the public functions say about a configuration and its calls, on stdout: CONFIG LOG REQUEST…
// secrets.py looks for what must not stand there.
#include <stdio.h>
#include <string.h>

#include "membrane/membrane.h"

static void say(const char *what, const char *text) { printf("%s: %s\n", what, text ? text : "(none)"); }

static void say_error(const membrane_error *err) {
    for (; err; err = membrane_error_cause(err)) {
        say("message", membrane_error_message(err));
        say("hint", membrane_error_hint(err));
        say("provider", membrane_error_provider(err));
        say("provider message", membrane_error_provider_message(err));
        say("provider request id", membrane_error_provider_request_id(err));
        say("json", membrane_error_json(err));
    }
}

static void say_result(const char *what, int code, membrane_result *result, membrane_error *err) {
    printf("%s %d\n", what, code);
    if (code == 0) say(what, membrane_result_json(result, NULL));
    say_error(err);
    membrane_result_free(result);
    membrane_error_free(err);
}

#define SAY(what, ...)                                                                                                 \
    do {                                                                                                               \
        membrane_result *result_ = NULL;                                                                               \
        membrane_error *err_ = NULL;                                                                                   \
        int code_ = (__VA_ARGS__);                                                                                     \
        say_result(what, code_, result_, err_);                                                                        \
    } while (0)

static void one_call(membrane_t *m, const char *request) {
    membrane_call_options o;
    membrane_call *call = NULL;
    membrane_error *err = NULL;
    const membrane_event *event;
    membrane_call_options_init(&o, sizeof o);
    o.retries = 0;
    o.deadline_ms = 10000;
    SAY("plan", membrane_call_plan(m, request, strlen(request), &o, &result_, &err_));
    if (membrane_call_start(m, request, strlen(request), &o, &call, &err) != 0) {
        say_error(err);
        membrane_error_free(err);
        return;
    }
    while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        say("event", membrane_event_json(event, NULL));
        say_error(membrane_event_error(event));
    }
    say("result", membrane_result_json(membrane_call_result(call), NULL));
    membrane_call_free(call);
}

static void say_records(membrane_t *m) {
    char buf[65536];
    size_t len;
    while (membrane_log_read(m, "debug", buf, sizeof buf, &len, NULL, 0) == 0) printf("record: %.*s\n", (int)len, buf);
}

static void say_provider(membrane_t *m, const char *name) {
    char model[128];
    snprintf(model, sizeof model, "%s/refused", name);
    SAY("models", membrane_model_list(m, name, 3000, &result_, &err_));
    SAY("show", membrane_model_show(m, model, 3000, &result_, &err_));
    SAY("load", membrane_model_load(m, model, 1000, 3000, &result_, &err_));
    SAY("unload", membrane_model_unload(m, model, 3000, &result_, &err_));
    SAY("warm", membrane_model_warm(m, model, 3000, &result_, &err_));
}

int main(int argc, char **argv) {
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    membrane_options o;
    if (argc < 3) return 2;
    membrane_options_init(&o, sizeof o);
    o.flags = MEMBRANE_USER_CONFIG | MEMBRANE_NO_DISCOVERY;
    o.config_path = argv[1];
    o.log_path = argv[2];
    if (membrane_open(&o, &m, &err) != 0) {
        say_error(err);
        membrane_error_free(err);
        return 1;
    }
    say_records(m); // from now on they are kept
    for (int i = 3; i < argc; i++) {
        if (argv[i][0] == '{')
            one_call(m, argv[i]);
        else
            say_provider(m, argv[i]);
    }
    SAY("config", membrane_config_show(m, &result_, &err_));
    SAY("reload", membrane_config_reload(m, &err_));
    SAY("paths", membrane_config_paths(NULL, &result_, &err_));
    SAY("providers", membrane_provider_list(m, 1, 3000, &result_, &err_));
    SAY("keys", membrane_keys_list(NULL, &result_, &err_));
    SAY("key status", membrane_keys_status(NULL, &result_, &err_));
    SAY("doctor", membrane_doctor(m, 3000, &result_, &err_));
    SAY("calls", membrane_log_calls(m, "{\"limit\":1000}", &result_, &err_));
    say_records(m);
    return membrane_close(m, 5000) == 0 ? 0 : 1;
}
