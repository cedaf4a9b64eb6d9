// SPDX-License-Identifier: MIT
// What an event says to its reader.
#include <string.h>

#include "base/json.h"
#include "runtime/call.h"

static const char *const type_names[] = {"unknown",  "attempt", "text",  "thinking", "tool_call", "tool_result",
                                         "approval", "step",    "reset", "usage",    "done",      "error"};

int membrane_event_type(const membrane_event *event) { return event ? (int)event->type : 0; }

const char *membrane_event_type_name(const membrane_event *event) { return type_names[event ? event->type : 0]; }

const char *membrane_event_text(const membrane_event *event, size_t *ret_len) {
    if (ret_len) *ret_len = event ? event->len : 0;
    return event ? mb_event_text(event) : "";
}

const char *membrane_event_tool_id(const membrane_event *event) {
    return event && event->type == MEMBRANE_EVENT_TOOL_CALL ? mb_event_more(event)->id : NULL;
}

const char *membrane_event_tool_name(const membrane_event *event) {
    return event && event->type == MEMBRANE_EVENT_TOOL_CALL ? mb_event_more(event)->name : NULL;
}

const membrane_error *membrane_event_error(const membrane_event *event) {
    const mb_event_extra *more = mb_event_more(event);
    return more ? more->error : NULL;
}

static void write_body(mb_jw *w, const membrane_event *e) {
    const mb_event_extra *more = mb_event_more(e);
    switch (e->type) {
    case MEMBRANE_EVENT_ATTEMPT:
        mb_jw_kstr(w, "provider", more->name);
        mb_jw_kstr(w, "model", more->id);
        mb_jw_kstr_if(w, "engine", more->engine);
        mb_jw_kint(w, "n", e->number);
        mb_jw_kstr_if(w, "reason", more->reason);
        break;
    case MEMBRANE_EVENT_TOOL_CALL:
        mb_jw_kstr(w, "id", more->id);
        mb_jw_kstr(w, "name", more->name);
        mb_jw_key(w, "arguments");
        mb_jw_strn(w, mb_event_text(e), e->len);
        mb_jw_kbool(w, "whole", e->flag);
        break;
    case MEMBRANE_EVENT_USAGE:
        mb_jw_key(w, "usage");
        mb_render_usage(w, &more->usage, e->flag);
        break;
    case MEMBRANE_EVENT_DONE: mb_jw_kstr(w, "finish", mb_event_text(e)); break;
    case MEMBRANE_EVENT_ERROR: {
        const char *json = membrane_error_json(more->error);
        mb_jw_key(w, "error");
        mb_jw_raw(w, json, strlen(json));
        break;
    }
    default: mb_jw_key(w, "text"); mb_jw_strn(w, mb_event_text(e), e->len);
    }
}

const char *membrane_event_json(const membrane_event *event, size_t *ret_len) {
    if (!event) return NULL;
    mb_buf *out = &event->queue->json;
    mb_buf_reset(out);
    mb_jw w = mb_jw_to(out);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "type", membrane_event_type_name(event));
    write_body(&w, event);
    mb_jw_end_object(&w);
    if (!mb_buf_ok(out)) return NULL;
    if (ret_len) *ret_len = out->len;
    return out->data;
}
