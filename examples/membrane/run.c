// SPDX-License-Identifier: MIT
// The verb run: words, pipe and files become one request; its answer goes to stdout.
#include "run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "decision.h"
#include "pump.h"
#include "request.h"

static int read_prompt(cli_app *app, cli_text *prompt) {
    cli_text input = {0};
    text_put(prompt, "", 0);
    for (size_t i = 0; i < app->args.word_count; i++) {
        if (i) text_str(prompt, " ");
        text_str(prompt, app->args.words[i]);
    }
    if (utf8_prefix(prompt->data, prompt->len) < prompt->len)
        return fail(app, MEMBRANE_EINVAL, NULL, "the prompt is not UTF-8 text");
    int code = read_stdin(app, &input);
    if (!code && input.len) {
        if (prompt->len) text_str(prompt, "\n\n");
        // A NUL would end the text early, and no model wants one.
        for (size_t i = 0; i < input.len; i++)
            if (input.data[i] == '\0') input.data[i] = ' ';
        text_put(prompt, input.data, input.len);
    }
    text_free(&input);
    return code;
}

static int put_request(cli_app *app, const char *prompt, cli_text *t) {
    const char *system = app->args.value[OPT_SYSTEM];
    bool streams = app->json ? app->args.given[OPT_STREAM] : !app->args.given[OPT_NO_STREAM];
    text_format(t, "{\"stream\":%s,\"messages\":[", streams ? "true" : "false");
    if (system) text_str(t, "{\"role\":\"system\",\"content\":"), text_json(t, system), text_str(t, "},");
    text_str(t, "{\"role\":\"user\",\"content\":");
    int code = put_content(app, t, prompt, true);
    text_str(t, "}]");
    if (!code) code = put_request_options(app, t);
    text_str(t, "}");
    return code;
}

static void show_warnings(cli_app *app, cli_json root) {
    cli_json key = {0}, item = {0};
    while (json_next(json_get(root, "warnings"), &key, &item)) {
        cli_text t = {0};
        json_put(&t, item);
        if (t.data) note(app, "membrane: %s", t.data);
        text_free(&t);
    }
}

void show_figures(cli_app *app, const membrane_result *result) {
    cli_text t = {0};
    size_t len = 0;
    const char *str = membrane_result_json(result, &len), *finish = membrane_result_finish(result);
    int64_t out = membrane_result_int(result, "usage.output", -1), in = membrane_result_int(result, "usage.input", -1);
    int64_t first = membrane_result_int(result, "timing.first_token_ms", -1);
    int64_t total = membrane_result_int(result, "timing.total_ms", -1);
    cli_json root = json_root(str, len);
    size_t attempts = json_count(json_get(root, "attempts"));
    if (finish && strcmp(finish, "length") == 0) note(app, "membrane: the answer stopped at the limit of its length");
    if (finish && strcmp(finish, "content_filter") == 0) note(app, "membrane: a content filter stopped the answer");
    show_warnings(app, root);
    if (!app->err_tty || app->quiet) return;
    text_format(&t, "%s/%s", membrane_result_str(result, "target.provider"),
                membrane_result_str(result, "target.model"));
    if (in >= 0 && out >= 0) text_format(&t, ", %lld tokens in, %lld out", (long long)in, (long long)out);
    if (first >= 0) text_str(&t, ", first after "), put_ms(&t, first);
    if (out > 1 && first >= 0 && total > first)
        text_format(&t, ", %.1f tokens/s", (double)out * 1000 / (double)(total - first));
    if (attempts > 1) text_format(&t, ", %zu attempts", attempts);
    if (t.data) note(app, "%s", t.data);
    text_free(&t);
}

static void show_result(cli_app *app, const membrane_result *result) {
    cli_text t = {0};
    size_t len = 0;
    const char *str = membrane_result_json(result, &len);
    if (!app->json) {
        show_figures(app, result);
        return;
    }
    if (app->args.given[OPT_STREAM]) {
        text_str(&t, "{\"result\":");
        text_put(&t, str ? str : "{}", str ? len : 2);
        text_str(&t, "}");
        out_json(t.data ? t.data : "", t.len);
    } else {
        out_result(result);
    }
    text_free(&t);
}

static void show_plan(cli_app *app, const membrane_result *plan) {
    size_t len = 0;
    const char *str = membrane_result_json(plan, &len);
    cli_json root = json_root(str, len);
    cli_text t = {0};
    out_decision(app, root);
    if (json_count(json_get(root, "candidates")) > 1) {
        text_str(&t, "policy: ");
        json_put(&t, json_get(root, "policy"));
        text_str(&t, "\n");
    }
    if (json_get(root, "body").at) {
        text_str(&t, "request: ");
        json_put(&t, json_get(root, "method"));
        text_str(&t, " ");
        json_put(&t, json_get(root, "url"));
        text_str(&t, "\nbody: ");
        json_pretty(&t, json_get(root, "body"));
        text_str(&t, "\n");
    }
    if (t.data) out_text(app, t.data, t.len);
    text_free(&t);
}

static int plan(cli_app *app, membrane_t *m, const cli_text *request, const membrane_call_options *options) {
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    if (request->failed) return fail(app, MEMBRANE_ENOMEM, NULL, "out of memory");
    if (membrane_call_plan(m, request->data, request->len, options, &result, &err) != 0) return fail_free(app, err);
    if (app->json)
        out_result(result);
    else
        show_plan(app, result);
    membrane_result_free(result);
    return 0;
}

static int ask(cli_app *app, membrane_t *m, const cli_text *request, const membrane_call_options *options) {
    pump p = {.app = app, .m = m, .shows_text = !app->json, .shows_events = app->json && app->args.given[OPT_STREAM]};
    membrane_call *call = NULL;
    int code = pump_call(&p, request, options, &call);
    const membrane_result *result = code || p.is_closed ? NULL : membrane_call_result(call);
    if (result) show_result(app, result);
    if (p.is_closed && !code) code = 1;
    pump_free(&p);
    membrane_call_free(call);
    return code;
}

int run_main(cli_app *app) {
    cli_text prompt = {0}, request = {0};
    membrane_call_options options;
    membrane_t *m = NULL;
    int code = read_prompt(app, &prompt);
    bool is_empty = !code && prompt.len == 0 && !app->args.given[OPT_ATTACH];
    if (is_empty && isatty(STDIN_FILENO) && app->out_tty && !app->json && !app->args.given[OPT_DRY_RUN])
        code = chat_main(app);
    else if (is_empty)
        code = fail(app, MEMBRANE_EINVAL, "membrane help", "no prompt: give words, a pipe or a file");
    if (!code && !is_empty) code = call_options(app, &options);
    if (!code && !is_empty) code = put_request(app, prompt.data, &request);
    if (!code && !is_empty) code = cli_open(app, &m);
    if (m) code = app->args.given[OPT_DRY_RUN] ? plan(app, m, &request, &options) : ask(app, m, &request, &options);
    membrane_close(m, 2000);
    text_free(&prompt);
    text_free(&request);
    return code;
}
