// SPDX-License-Identifier: MIT
// What is tried after a failure, told by the attempts of the result; and that no key of ours comes out anywhere.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

static membrane_t *m;

static const char MODELS[] =
    "  k: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\", api_keys: [sk-PLANTED-first-key, "
    "sk-PLANTED-second-key]}\n"
    "  e: {kind: llamacpp, base_url: \"http://127.0.0.1:%d/echo/v1\", api_key: sk-PLANTED-echoed-key}\n"
    "models:\n"
    "  limited: {targets: [{target: o/status--429-json}, {target: l/good}]}\n"
    "  unknown: {targets: [{target: o/status--404-json}, {target: l/good}]}\n"
    "  refused: {targets: [{target: o/status--403-json}, {target: l/good}]}\n"
    "  broken: {targets: [{target: o/status--500-json}, {target: l/good}], retries: 1}\n"
    "  wrong: {targets: [{target: o/status--400-json}, {target: l/good}], fallbacks: {error: [l/good]}}\n"
    "  long: {targets: [{target: o/error-code--400-context_length_exceeded}, {target: l/status--500-json}],\n"
    "    fallbacks: {context_overflow: [l/good]}}\n"
    "  rude: {targets: [{target: o/error-code--400-content_policy_violation}], fallbacks: {content_policy: [l/good]}}\n"
    "  down: {targets: [{target: o/reset-before}], fallbacks: {error: [l/good]}, retries: 0}\n"
    "  loads: {targets: [{target: \"o/loading--1000\"}, {target: l/good}]}\n"
    "  nothing: {targets: [{target: o/status--500-json}, {target: l/status--502-html}], retries: 0}\n"
    "  cut: {targets: [{target: o/cut-chunk}, {target: \"l/good#after-cut\"}], retries: 0}\n"
    "  stalled: {targets: [{target: o/stall}, {target: l/good}], retries: 2}\n"
    "  busy: {targets: [{target: k/status--429-json}, {target: l/good}]}\n";

static void the_handle_opens(void) {
    char text[4096];
    snprintf(text, sizeof text, MODELS, fault_at.port, fault_at.port);
    m = fault_open(text);
}
static void the_handle_closes(void) { CHECK(membrane_close(m, 2000) == 0, "the I/O thread was still busy"); }

static membrane_call_options patient(void) {
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = 6000;
    o.retries = MEMBRANE_UNSET;
    return o;
}

static void the_attempts_tell_the_story(void) {
    static const struct {
        const char *model;
        int code;
        const char *attempts;
        int least_ms, most_ms;
    } ROWS[] = {
        {"limited", 0, "o:rate_limit l:ok", 0, 200},
        {"unknown", 0, "o:model_not_found l:ok", 0, 200},
        {"refused", 0, "o:permission l:ok", 0, 200},
        {"broken", 0, "o:server o:server l:ok", 390, 1000},
        {"wrong", MEMBRANE_EBADREQUEST, "o:bad_request", 0, 200},
        {"long", 0, "o:context_overflow l:ok", 0, 200},
        {"rude", 0, "o:content_policy l:ok", 0, 200},
        {"down", 0, "o:connect l:ok", 0, 200},
        {"loads", 0, "o:overloaded l:ok", 0, 200},
        {"nothing", MEMBRANE_EGATEWAY, "o:server l:bad_gateway", 0, 200},
        {"busy", 0, "k:rate_limit k:rate_limit l:ok", 0, 200},
        {"k/first-key-refused", 0, "k:auth k:ok", 0, 200},
        {"k/status--401-json", MEMBRANE_EAUTH, "k:auth k:auth", 0, 200},
    };
    membrane_call_options o = patient();
    for (size_t i = 0; i < 2 * COUNT(ROWS); i++) {
        bool stream = i % 2;
        the_handle_closes(); // what a row has taught it is not the next one's business
        the_handle_opens();
        fault_outcome *got = fault_call(m, ROWS[i / 2].model, stream, &o);
        CHECK(got->code == ROWS[i / 2].code, "%s: %s %s", ROWS[i / 2].model, membrane_status_kind(got->code),
              got->message);
        CHECK(strcmp(got->attempts, ROWS[i / 2].attempts) == 0, "%s: %s", ROWS[i / 2].model, got->attempts);
        CHECK(got->ms >= ROWS[i / 2].least_ms && got->ms <= ROWS[i / 2].most_ms * FAULT_SLOW, "%s: %lld ms",
              ROWS[i / 2].model, (long long)got->ms);
    }
}

static void retry_after_is_honoured(void) {
    static const struct {
        const char *model;
        int code;
        int least_ms, most_ms;
    } ROWS[] = {
        {"o/retry--429-ms", 0, 140, 600},    {"o/retry--429-s", 0, 950, 1800},
        {"o/retry--429-date", 0, 300, 2500}, {"o/retry--503-s", 0, 950, 1800},
        {"o/retry--500-none", 0, 390, 1000}, {"o/retry--429-long", MEMBRANE_ERATE, 0, 300},
    };
    membrane_call_options o = patient();
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        fault_outcome *got = fault_call(m, ROWS[i].model, true, &o);
        CHECK(got->code == ROWS[i].code, "%s: %s %s", ROWS[i].model, membrane_status_kind(got->code), got->message);
        CHECK(got->ms >= ROWS[i].least_ms && got->ms <= ROWS[i].most_ms * FAULT_SLOW, "%s: %lld ms", ROWS[i].model,
              (long long)got->ms);
    }
}

static void an_engine_that_loads_is_polled(void) {
    membrane_call_options o = patient();
    fault_outcome *got = fault_call(m, "o/loading--4", true, &o);
    CHECK(got->code == 0, "%s", got->message);
    CHECK(strcmp(got->attempts, "o:overloaded o:overloaded o:overloaded o:overloaded o:ok") == 0, "%s", got->attempts);
    o.deadline_ms = 1000;
    got = fault_call(m, "o/loading--999", true, &o);
    CHECK(got->code != 0 && got->ms < 1300 * FAULT_SLOW, "%s after %lld ms", membrane_status_kind(got->code),
          (long long)got->ms);
}

static void retries_never_pass_the_deadline(void) {
    membrane_call_options o = patient();
    o.deadline_ms = 900;
    o.retries = 50;
    fault_outcome *got = fault_call(m, "o/status--500-empty", false, &o);
    CHECK(got->code == MEMBRANE_ESERVER || got->code == MEMBRANE_ETIMEOUT, "%s", got->message);
    CHECK(got->ms < 1200 * FAULT_SLOW, "%lld ms", (long long)got->ms);
}

static void what_was_not_handed_out_is_as_if_never_said(void) {
    membrane_call_options o = patient();
    fault_outcome got;
    membrane_call *call = fault_start(m, "cut", true, &o);
    int64_t until = fault_now_ms() + 5000;
    while (fault_log_of("good#after-cut").requests < 1 && fault_now_ms() < until) {}
    fault_finish(call, &got);
    CHECK(strcmp(got.text, "Hello from here.") == 0, "the text is \"%s\"", got.text);
    CHECK(strcmp(got.attempts, "o:stream_truncated l:ok") == 0, "%s", got.attempts);
}

static void after_the_first_text_nothing_is_replayed(void) {
    fault_outcome *got = fault_call(m, "stalled", true, NULL);
    CHECK(got->code == MEMBRANE_ETIMEOUT, "%s", got->message);
    CHECK(strcmp(got->attempts, "o:timeout") == 0, "%s", got->attempts);
    CHECK(strcmp(got->text, "Hello from ") == 0, "the text is \"%s\"", got->text);
}

// ---- secrets -------------------------------------------------------------------------------------------------------

static void clean(const char *what, const char *text) {
    CHECK(!text || !strstr(text, "PLANTED"), "a key stands in %s: %.600s", what, text);
}

// Takes the places, not what stands in them: arguments are evaluated in any order, this one perhaps before the call.
static void clean_result(const char *what, int code, membrane_result **r, membrane_error **err) {
    CHECK(code == 0, "%s: %s", what, membrane_error_message(*err));
    CHECK(*r != NULL, "%s: no result", what);
    if (*r) clean(what, membrane_result_json(*r, NULL));
    clean(what, *err ? membrane_error_json(*err) : NULL);
    membrane_result_free(*r);
    membrane_error_free(*err);
    *r = NULL, *err = NULL;
}

static void keys_come_out_nowhere(void) {
    static const char *const NAMES[] = {"echo-key--400",    "echo-key--401", "echo-key--500",    "echo-key--429",
                                        "echo-key--stream", "echo-key-html", "status--401-json", "silent"};
    static char records[1 << 20];
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    size_t len;
    membrane_log_read(m, "debug", records, sizeof records, &len, NULL, 0);
    for (size_t i = 0; i < 6 * COUNT(NAMES); i++) {
        static const char PROVIDERS[] = "olk";
        char name[64];
        snprintf(name, sizeof name, "%c/%s", PROVIDERS[i % 3], NAMES[i / 6]);
        membrane_call_options o = fault_options();
        o.deadline_ms = 400;
        fault_outcome *got = fault_call(m, name, i / 3 % 2, &o);
        CHECK(got->code != 0, "%s went well", name);
        clean(name, got->message);
        clean(name, got->json);
        clean(name, got->text);
    }
    clean_result("the call log", membrane_log_calls(m, "{\"limit\":1000}", &r, &err), &r, &err);
    while (membrane_log_read(m, "debug", records, sizeof records - 1, &len, NULL, 0) == 0) {
        records[len] = '\0';
        clean("the running log", records);
    }
    const char *request = fault_request("o/good", true);
    r = NULL, err = NULL;
    clean_result("the plan", membrane_call_plan(m, request, strlen(request), NULL, &r, &err), &r, &err);
    r = NULL, err = NULL;
    clean_result("the configuration", membrane_config_show(m, &r, &err), &r, &err);
    r = NULL, err = NULL;
    clean_result("the providers", membrane_provider_list(m, 1, 500, &r, &err), &r, &err);
    r = NULL, err = NULL;
    clean_result("the models", membrane_model_list(m, NULL, 500, &r, &err), &r, &err);
    r = NULL, err = NULL;
    CHECK(membrane_model_list(m, "e", 500, &r, &err) == MEMBRANE_EAUTH, "a server that refuses");
    clean("the error of a question", membrane_error_json(err));
    membrane_error_free(err);
    r = NULL, err = NULL;
    clean_result("the doctor", membrane_doctor(m, 500, &r, &err), &r, &err);
}

static void the_key_goes_to_its_provider(void) {
    CHECK(strstr(fault_log_of("good").keys, FAULT_KEY) != NULL, "the server got %s", fault_log_of("good").keys);
    CHECK(fault_log_of("good").trapped == 0, "somebody knocked at the trap");
}

int main(void) {
    static const fault_test TESTS[] = {
        {"the_handle_opens", the_handle_opens},
        {"the_attempts_tell_the_story", the_attempts_tell_the_story},
        {"retry_after_is_honoured", retry_after_is_honoured},
        {"an_engine_that_loads_is_polled", an_engine_that_loads_is_polled},
        {"retries_never_pass_the_deadline", retries_never_pass_the_deadline},
        {"what_was_not_handed_out_is_as_if_never_said", what_was_not_handed_out_is_as_if_never_said},
        {"after_the_first_text_nothing_is_replayed", after_the_first_text_nothing_is_replayed},
        {"keys_come_out_nowhere", keys_come_out_nowhere},
        {"the_key_goes_to_its_provider", the_key_goes_to_its_provider},
        {"the_handle_closes", the_handle_closes},
    };
    return fault_run(TESTS, COUNT(TESTS));
}
