// SPDX-License-Identifier: MIT
// The loop over events: the library's descriptor and the signal pipe are waited for together, so that Ctrl-C stops the
// call at once and what came is kept.
#include "pump.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "interrupt.h"
#include "output.h"

static void end_lines(pump *p) {
    if (p->in_thinking) fputc('\n', stderr);
    if (p->has_open_line) fputc('\n', stdout);
    if (fflush(stdout) != 0) p->is_closed = true;
    p->in_thinking = p->has_open_line = false;
}

static void show_text(pump *p, const char *str, size_t len) {
    text_put(&p->answer, str, len);
    if (!p->shows_text || len == 0) return;
    if (p->in_thinking) end_lines(p);
    if (!out_text(p->app, str, len) || fflush(stdout) != 0) p->is_closed = true;
    p->has_open_line = str[len - 1] != '\n';
}

static void show_thinking(pump *p, const char *str, size_t len) {
    if (!p->shows_text || !p->app->err_tty || p->app->quiet) return;
    if (p->has_open_line) end_lines(p);
    note_text(p->app, str, len);
    p->in_thinking = true;
}

// Without -m the choice was not the caller's, so it is said aloud; later attempts interest a person who waits.
static void show_attempt(pump *p, const membrane_event *event) {
    size_t len = 0;
    const char *str = membrane_event_json(event, &len);
    cli_json json = json_root(str, len);
    bool was_chosen = ++p->attempts == 1 && !p->app->args.value[OPT_MODEL];
    if (p->app->json || (!was_chosen && (p->attempts == 1 || !p->app->err_tty))) return;
    cli_text line = {0};
    json_put(&line, json_get(json, "provider"));
    text_str(&line, "/");
    json_put(&line, json_get(json, "model"));
    if (json_is_text(json_get(json, "reason"))) text_str(&line, ": "), json_put(&line, json_get(json, "reason"));
    end_lines(p);
    if (line.data) note(p->app, "membrane: %s%s", p->attempts > 1 ? "trying " : "", line.data);
    text_free(&line);
}

static void show_event(pump *p, const membrane_event *event) {
    size_t len = 0;
    const char *str = membrane_event_text(event, &len);
    switch (membrane_event_type(event)) {
    case MEMBRANE_EVENT_ATTEMPT: show_attempt(p, event); break;
    case MEMBRANE_EVENT_TEXT: show_text(p, str, len); break;
    case MEMBRANE_EVENT_THINKING: show_thinking(p, str, len); break;
    case MEMBRANE_EVENT_TOOL_CALL:
        end_lines(p);
        if (!p->app->json) note(p->app, "membrane: the model calls %s(%s)", membrane_event_tool_name(event), str);
        break;
    case MEMBRANE_EVENT_RESET:
        end_lines(p);
        p->answer.len = 0;
        if (!p->app->json) note(p->app, "membrane: the answer starts again");
        break;
    default: break;
    }
    // The terminal event is told as {"result":…} or {"error":…} instead.
    int type = membrane_event_type(event);
    if (p->shows_events && type != MEMBRANE_EVENT_DONE && type != MEMBRANE_EVENT_ERROR) {
        str = membrane_event_json(event, &len);
        if (str && !out_json(str, len)) p->is_closed = true;
    }
}

static int end_with_error(pump *p, const membrane_error *error) {
    const char *phase = membrane_error_phase(error);
    end_lines(p);
    if (p->is_closed) return 1;
    text_put(&p->answer, "", 0);
    int sign = interrupt_signal(), code = 0;
    if (sign && membrane_error_code(error) == MEMBRANE_ECANCELLED && !p->app->json)
        code = 130;
    else
        code = fail_error(p->app, error, p->answer.data);
    if (sign && code == 130) return 128 + sign;
    bool is_deadline = p->deadline_ms && membrane_error_code(error) == MEMBRANE_ETIMEOUT && phase;
    return is_deadline && strcmp(phase, "total") == 0 ? 124 : code;
}

// One event, or a wait for it. Negative: go on; else what to exit with.
static int step(pump *p, membrane_call *call) {
    const membrane_event *event = NULL;
    membrane_error *err = NULL;
    int status = membrane_call_next(call, 0, &event, &err);
    if (status == MEMBRANE_EAGAIN) {
        membrane_error_free(err);
        if (interrupt_signal() || p->is_closed) membrane_call_cancel(call);
        interrupt_wait(p->m, p->is_closed ? 1000 : -1);
        if (interrupt_signal()) membrane_call_cancel(call);
        return -1;
    }
    if (status != 0) return fail_free(p->app, err);
    show_event(p, event);
    if (membrane_event_type(event) == MEMBRANE_EVENT_ERROR) return end_with_error(p, membrane_event_error(event));
    if (membrane_event_type(event) != MEMBRANE_EVENT_DONE) {
        if (interrupt_signal() || p->is_closed) membrane_call_cancel(call);
        return -1;
    }
    end_lines(p);
    return 0;
}

int pump_call(pump *p, const cli_text *request, const membrane_call_options *options, membrane_call **ret_call) {
    membrane_error *err = NULL;
    int code = -1;
    if (request->failed) return fail(p->app, MEMBRANE_ENOMEM, NULL, "out of memory");
    if (interrupt_catch() != 0) return fail(p->app, MEMBRANE_EIO, NULL, "pipe: %s", strerror(errno));
    p->deadline_ms = p->app->args.given[OPT_DEADLINE] ? options->deadline_ms : 0;
    membrane_fd(p->m); // before the call, so that nothing it does can come before somebody watches
    if (membrane_call_start(p->m, request->data, request->len, options, ret_call, &err) != 0) {
        interrupt_release();
        return fail_free(p->app, err);
    }
    while (code < 0) code = step(p, *ret_call);
    interrupt_release();
    return code;
}

void pump_free(pump *p) { text_free(&p->answer); }
