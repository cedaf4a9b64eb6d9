// SPDX-License-Identifier: MIT
// Canonical history may come from anywhere: cut, merged, half answered. Servers refuse a call without its result and a
// result without its call, so results are looked up from the calls and written directly after them.
#include <string.h>

#include "base/limits.h"
#include "route/write.h"

static const mb_json *calls_of(const mb_json *message) {
    const mb_json *calls = mb_json_get(message, "tool_calls");
    return mb_json_is(calls, MB_JSON_ARRAY) && calls->count ? calls : NULL;
}

static bool is_tool(const mb_json *message) { return mb_json_str_is(mb_json_get(message, "role"), "tool"); }

const char *mb_call_name(const mb_json *call) {
    const char *name = mb_json_get_str(mb_json_get(call, "function"), "name");
    return name ? name : "";
}

// The first call that has no result yet and that the message answers; -1 without.
static int answered_by(const mb_json *calls, const bool *answered, const mb_json *message) {
    const char *id = mb_json_get_str(message, "tool_call_id");
    for (uint32_t i = 0; id && i < calls->count; i++)
        if (!answered[i] && mb_json_str_is(mb_json_get(&calls->children[i], "id"), id)) return (int)i;
    return -1;
}

// All results of the calls of message at: those of the history up to the next message with calls, in its order, then
// the missing ones. Adds to *used the tool messages it found.
static int each_result(const mb_json *messages, uint32_t at, uint32_t *used, mb_history_fn fn, void *user) {
    const mb_json *calls = calls_of(&messages->children[at]);
    bool answered[MB_LIMIT_TOOL_CALLS] = {false};
    int status = 0;
    for (uint32_t i = at + 1; i < messages->count && status == 0; i++) {
        const mb_json *m = &messages->children[i];
        if (calls_of(m)) break;
        int call = is_tool(m) ? answered_by(calls, answered, m) : -1;
        if (call < 0) continue;
        answered[call] = true;
        (*used)++;
        status = fn(user, m, &calls->children[call]);
    }
    for (uint32_t i = 0; i < calls->count && status == 0; i++)
        if (!answered[i]) status = fn(user, NULL, &calls->children[i]);
    return status;
}

static void warn_orphans(const mb_ask *ask, uint32_t orphans) {
    if (orphans == 0 || !ask->warnings) return;
    if (ask->warnings->len) mb_buf_putc(ask->warnings, ',');
    mb_buf_putf(ask->warnings, "\"%u tool results without a call were left out\"", (unsigned)orphans);
}

int mb_history_each(const mb_ask *ask, mb_history_fn fn, void *user) {
    const mb_json *messages = mb_json_get(ask->request, "messages");
    uint32_t results = 0, used = 0;
    int status = 0;
    for (uint32_t i = 0; messages && i < messages->count && status == 0; i++) {
        const mb_json *m = &messages->children[i];
        if (is_tool(m)) {
            results++; // written after its call
            continue;
        }
        status = fn(user, m, NULL);
        if (status == 0 && calls_of(m)) status = each_result(messages, i, &used, fn, user);
    }
    if (status == 0) warn_orphans(ask, results - used);
    return status;
}
