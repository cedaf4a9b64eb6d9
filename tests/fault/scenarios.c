// SPDX-License-Identifier: MIT
// Every public function once, each scenario from open to close. What goes wrong is handed on as a code and nothing
// else: the caller knows whether an allocation was made to fail.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "sweep.h"

static char config[4096], log_path[64];
static const char *log_file; // of the handle that is opened next, or NULL

void scenarios_prepare(void) {
    snprintf(
        config, sizeof config,
        "version: 1\nproviders:\n"
        "  o: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\", api_key: " FAULT_KEY "}\n"
        "  l: {kind: ollama, base_url: \"http://127.0.0.1:%d\", headers: {X-More: yes please}}\n"
        "  one: {kind: llamacpp, base_url: \"http://127.0.0.1:%d/v1\", limits: {parallel: 1, rpm: 6000, tpm: 600000}}\n"
        "  paid: {kind: openai, base_url: \"http://127.0.0.1:%d/v1\", api_keys: [" FAULT_KEY ", " FAULT_KEY "2]}\n"
        "budgets: [{scope: key, match: paid, period: day, usd_micros: 5000000}, {scope: model, match: paid/*, period: total, "
        "usd_micros: 9000000}]\n"
        "models:\n"
        "  hedged: {policy: latency, sticky: true, targets: [o/late--60, l/good], hedge: 10ms}\n"
        "  queued: {targets: [one/late--5], max_wait: 3s}\n"
        "  again: {targets: [o/stall-cut--20, l/good], on_cut: restart, retries: 0}\n"
        "  on: {targets: [o/stall-cut--20, one/goes-on], on_cut: continue, retries: 0}\n"
        "  priced: {targets: [paid/gpt-4o-mini, l/good]}\n"
        "  both: {targets: [{target: o/status--429-json}, {target: l/good}], fallbacks: {error: [o/good]}}\n"
        "probes: {interval: 0}\n",
        fault_at.port, fault_at.port, fault_at.port, fault_at.port);
    snprintf(log_path, sizeof log_path, "/tmp/membrane-fault-%d.db", (int)getpid());
}

static int open_it(membrane_t **ret) {
    membrane_options o;
    membrane_error *err = NULL;
    membrane_options_init(&o, sizeof o);
    o.config_text = config;
    o.flags = MEMBRANE_NO_DISCOVERY;
    o.log_path = log_file;
    int code = membrane_open(&o, ret, &err);
    if (code) membrane_error_json(err);
    membrane_error_free(err);
    return code;
}

static int with_handle(int (*body)(membrane_t *m)) {
    membrane_t *m;
    int code = open_it(&m);
    if (code) return code;
    code = body(m);
    int closed = membrane_close(m, 10000);
    return code ? code : closed;
}

static int shown(int code, membrane_result *r, membrane_error *err) {
    if (r && !membrane_result_json(r, NULL) && code == 0) code = MEMBRANE_ENOMEM;
    if (r) membrane_result_str(r, "items.0.name");
    if (err) membrane_error_json(err);
    membrane_result_free(r);
    membrane_error_free(err);
    return code;
}

static int finish(membrane_call *call) {
    const membrane_event *e;
    int code, ended = 0;
    while ((code = membrane_call_next(call, 3000, &e, NULL)) == 0) {
        membrane_event_json(e, NULL);
        membrane_event_text(e, NULL);
        if (membrane_event_type(e) == MEMBRANE_EVENT_ERROR) {
            ended = membrane_error_code(membrane_event_error(e));
            membrane_error_json(membrane_event_error(e));
        }
    }
    const membrane_result *r = membrane_call_result(call);
    if (r) {
        membrane_result_json(r, NULL);
        membrane_result_text(r, NULL);
        membrane_result_int(r, "usage.output", 0);
    }
    membrane_call_free(call);
    return code == MEMBRANE_EDONE ? ended : code;
}

static int ask(membrane_t *m, const char *request) {
    membrane_call_options o;
    membrane_call *call;
    membrane_error *err = NULL;
    membrane_call_options_init(&o, sizeof o);
    o.retries = 0;
    o.session = "s";
    int code = membrane_call_start(m, request, strlen(request), &o, &call, &err);
    membrane_error_free(err);
    return code ? code : finish(call);
}

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}"
static int o_stream(membrane_t *m) { return ask(m, "{\"model\":\"o/good\",\"stream\":true," USER); }
static int o_whole(membrane_t *m) { return ask(m, "{\"model\":\"o/good\",\"stream\":false," USER); }
static int l_stream(membrane_t *m) { return ask(m, "{\"model\":\"l/good\",\"stream\":true," USER); }
static int l_whole(membrane_t *m) { return ask(m, "{\"model\":\"l/good\",\"stream\":false," USER); }
static int calls(membrane_t *m) { return ask(m, "{\"model\":\"o/calls--3\",\"stream\":true," USER); }
static int fallback(membrane_t *m) { return ask(m, "{\"model\":\"both\",\"stream\":true," USER); }
static int hedged(membrane_t *m) { return ask(m, "{\"model\":\"hedged\",\"stream\":true," USER); }
static int again(membrane_t *m) { return ask(m, "{\"model\":\"again\",\"stream\":true," USER); }
static int goes_on(membrane_t *m) { return ask(m, "{\"model\":\"on\",\"stream\":true," USER); }
static int priced(membrane_t *m) { return ask(m, "{\"model\":\"priced\",\"max_tokens\":50," USER); }

static int queued(membrane_t *m) {
    static const char REQUEST[] = "{\"model\":\"queued\"," USER;
    membrane_call *calls[3] = {NULL};
    int code = 0;
    for (int i = 0; i < 3 && code == 0; i++) code = membrane_call_start(m, REQUEST, 0, NULL, &calls[i], NULL);
    for (int i = 0; i < 3; i++) {
        int ended = calls[i] ? finish(calls[i]) : 0;
        if (code == 0) code = ended;
    }
    return code;
}

static int metrics(membrane_t *m) {
    char *text = NULL;
    int code = ask(m, "{\"model\":\"both\"," USER);
    if (code == 0) code = membrane_metrics(m, &text, NULL);
    membrane_string_free(text);
    return code;
}

static int extractive(membrane_t *m) {
    return ask(m,
               "{\"model\":\"builtin/extractive\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\","
               "\"name\":\"a.md\",\"text\":\"The sky is blue. Grass is green.\"},{\"type\":\"text\",\"text\":\"What is "
               "the sky?\"}]}]}");
}
static int schema(membrane_t *m) {
    int code =
        ask(m, "{\"model\":\"o/good\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\","
               "\"schema\":{\"type\":\"object\"}}}," USER);
    return code == MEMBRANE_ESCHEMA ? 0 : code; // the server's answer is no object
}
static int embed(membrane_t *m) { return ask(m, "{\"kind\":\"embed\",\"model\":\"o/good\",\"input\":[\"a\",\"b\"]}"); }
static int refused(membrane_t *m) {
    int code = ask(m, "{\"model\":\"o/status--401-json\",\"stream\":true," USER);
    return code == MEMBRANE_EAUTH ? 0 : code;
}
static int cut(membrane_t *m) {
    int code = ask(m, "{\"model\":\"l/cut-close\",\"stream\":true," USER);
    return code == MEMBRANE_ETRUNCATED ? 0 : code;
}
static int bad_request(membrane_t *m) {
    int code = ask(m, "{\"model\":\"o/good\",\"temprature\":1," USER);
    return code == MEMBRANE_EINVAL ? 0 : code;
}

static int text(membrane_t *m) {
    static const char REQUEST[] = "{\"model\":\"l/good\"," USER;
    char *answer = NULL;
    membrane_error *err = NULL;
    int code = membrane_call_text(m, REQUEST, 0, NULL, &answer, &err);
    membrane_error_free(err);
    membrane_string_free(answer);
    return code;
}

static int read_lines(membrane_t *m) {
    static const char REQUEST[] = "{\"model\":\"o/good\",\"stream\":true," USER;
    char buf[4096];
    size_t len;
    membrane_call *call;
    int code = membrane_call_start(m, REQUEST, 0, NULL, &call, NULL), ended = 0;
    if (code) return code;
    for (int none = 0; none < 3;) { // MEMBRANE_ENOMEM loses nothing: the next read goes on
        code = membrane_call_read(call, buf, sizeof buf - 1, &len, 3000);
        if (code == 0) buf[len] = '\0';
        if (code == 0 && strstr(buf, "\"type\":\"error\"")) ended = MEMBRANE_ENOMEM;
        none += code != 0;
        if (code == MEMBRANE_EDONE) break;
    }
    membrane_call_free(call);
    return code == MEMBRANE_EDONE ? ended : code;
}

static int plan(membrane_t *m) {
    static const char REQUEST[] = "{\"model\":\"both\"," USER;
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    int code = membrane_call_plan(m, REQUEST, 0, NULL, &r, &err);
    return shown(code, r, err);
}

static int descriptor(membrane_t *m) {
    membrane_call *ready;
    int fd = membrane_fd(m);
    int code = fd < 0 ? fd : membrane_ready(m, &ready);
    return code == MEMBRANE_EAGAIN ? 0 : code;
}

static int configuration(membrane_t *m) {
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    int code = membrane_config_show(m, &r, &err);
    code = shown(code, r, err);
    r = NULL, err = NULL;
    if (code == 0) code = shown(membrane_config_reload(m, &err), NULL, err);
    err = NULL;
    if (code == 0) code = shown(membrane_config_check("a.yaml", config, 0, &err), NULL, err);
    err = NULL;
    if (code == 0) code = membrane_config_check("a.yaml", "version: 1\nprovdiers: {}\n", 0, &err);
    code = shown(code == MEMBRANE_ECONFIG ? 0 : code, NULL, err);
    err = NULL;
    if (code == 0) {
        code = membrane_config_paths(NULL, &r, &err);
        code = shown(code, r, err);
    }
    return code;
}

static int models(membrane_t *m) {
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    int code = membrane_model_list(m, NULL, 2000, &r, &err);
    return shown(code, r, err);
}

static int providers(membrane_t *m) {
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    int code = membrane_provider_list(m, 1, 2000, &r, &err);
    return shown(code, r, err);
}

static int warm(membrane_t *m) {
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    int code = membrane_model_warm(m, "l/good", 2000, &r, &err);
    return shown(code, r, err);
}

static int load_all(membrane_t *m) {
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    int code = membrane_model_load(m, "both", MEMBRANE_FOREVER, 2000, &r, &err);
    return shown(code, r, err);
}

static int doctor(membrane_t *m) {
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    int code = membrane_doctor(m, 2000, &r, &err);
    return shown(code, r, err);
}

static int logs(membrane_t *m) {
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    char buf[8192];
    size_t len;
    int code = membrane_log_read(m, "debug", buf, sizeof buf, &len, NULL, 0);
    if (code == MEMBRANE_EAGAIN) code = 0;
    if (code == 0) code = extractive(m);
    if (code == 0) code = membrane_log_read(m, "debug", buf, sizeof buf, &len, NULL, 0);
    if (code == MEMBRANE_EAGAIN) code = 0;
    if (code == 0) code = shown(membrane_log_flush(m, &err), NULL, err);
    err = NULL;
    if (code == 0) {
        code = membrane_log_calls(m, "{\"limit\":5,\"outcome\":\"ok\",\"match\":\"a|b\"}", &r, &err);
        code = shown(code, r, err);
    }
    r = NULL, err = NULL;
    if (code == 0) {
        code = membrane_usage_sum(m, "model", 0, &r, &err);
        code = shown(code, r, err);
    }
    return code;
}

static int budgets(membrane_t *m) {
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    int code = shown(membrane_budget_set(m, "key", "x#1", "day", 5, &err), NULL, err);
    err = NULL;
    if (code == 0) {
        code = membrane_budget_list(m, &r, &err);
        code = shown(code, r, err);
    }
    err = NULL;
    if (code == 0) code = shown(membrane_budget_remove(m, "key", "x#1", "day", &err), NULL, err);
    return code;
}

static int push_start(void *user, const char *request, size_t len, membrane_push *push, void **ret_state) {
    (void)user, (void)request, (void)len;
    *ret_state = NULL;
    int code = membrane_push_text(push, "Hello.", 6);
    if (code == 0) code = membrane_push_tool_call(push, NULL, "look", "{}", 2);
    if (code == 0) code = membrane_push_usage(push, 1, 0, 2, 0);
    return code ? code : membrane_push_done(push, "tool_calls");
}

static int host(membrane_t *m) {
    static const membrane_provider_table TABLE = {sizeof TABLE, MEMBRANE_PROVIDER_VERSION, 1, push_start, NULL, NULL};
    membrane_error *err = NULL;
    int code = membrane_provider_add(m, "mine", &TABLE, NULL, &err);
    membrane_error_free(err);
    return code ? code : ask(m, "{\"model\":\"mine/x\",\"stream\":true," USER);
}

static int nothing(membrane_t *m) {
    (void)m;
    return 0;
}

#define SCENARIO(name)                                                                                                 \
    static int run_##name(void) { return with_handle(name); }
SCENARIO(nothing)
SCENARIO(o_stream)
SCENARIO(o_whole)
SCENARIO(l_stream)
SCENARIO(l_whole)
SCENARIO(calls)
SCENARIO(fallback)
SCENARIO(hedged)
SCENARIO(again)
SCENARIO(goes_on)
SCENARIO(priced)
SCENARIO(queued)
SCENARIO(metrics)
SCENARIO(extractive)
SCENARIO(schema)
SCENARIO(embed)
SCENARIO(refused)
SCENARIO(cut)
SCENARIO(bad_request)
SCENARIO(text)
SCENARIO(read_lines)
SCENARIO(plan)
SCENARIO(descriptor)
SCENARIO(configuration)
SCENARIO(models)
SCENARIO(providers)
SCENARIO(warm)
SCENARIO(load_all)
SCENARIO(doctor)
SCENARIO(logs)
SCENARIO(budgets)
SCENARIO(host)

static int run_logs_in_a_file(void) {
    log_file = log_path;
    int code = with_handle(logs);
    log_file = NULL;
    unlink(log_path);
    return code;
}

#define ROW(name)                                                                                                      \
    { #name, run_##name }
const scenario SCENARIOS[] = {
    ROW(nothing),     ROW(o_stream),       ROW(o_whole),    ROW(l_stream),   ROW(l_whole), ROW(calls),
    ROW(fallback),    ROW(schema),         ROW(extractive), ROW(embed),      ROW(refused), ROW(cut),
    ROW(bad_request), ROW(text),           ROW(plan),       ROW(read_lines), ROW(models),  ROW(descriptor),
    ROW(providers),   ROW(configuration),  ROW(warm),       ROW(load_all),   ROW(doctor),  ROW(logs),
    ROW(host),        ROW(logs_in_a_file), ROW(budgets),    ROW(hedged),     ROW(again),   ROW(goes_on),
    ROW(priced),      ROW(queued),         ROW(metrics),
};
const size_t SCENARIO_COUNT = COUNT(SCENARIOS);
