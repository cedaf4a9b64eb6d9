// SPDX-License-Identifier: MIT
#include "runtime/cut.h"

#include <string.h>

static bool broke_off(int code) {
    switch (code) {
    case MEMBRANE_ETRUNCATED:
    case MEMBRANE_EMALFORMED:
    case MEMBRANE_ESTREAM:
    case MEMBRANE_ESLOW:
    case MEMBRANE_ETIMEOUT:
    case MEMBRANE_ECONNECT:
    case MEMBRANE_EOVERLOADED:
    case MEMBRANE_ESERVER:
    case MEMBRANE_EGATEWAY:
    case MEMBRANE_ERESPONSE: return true;
    default: return false;
    }
}

// In the middle of a text, that is: what a model thinks or calls cannot be put into its mouth.
static bool can_continue(const membrane_call *call) {
    const mb_turn *turn = mb_call_turn(call);
    return turn && turn->text.len && turn->call_count == 0 && call->kind == MB_ASK_CHAT;
}

// Whoever was to mend it and said nothing has broken off nothing either: any failure of it is like that of a first
// attempt.
bool mb_cut_may_mend(membrane_call *call, int code) {
    if (call->way.on_cut == MB_CUT_ERROR || (call->runner->first_ms && !broke_off(code))) return false;
    if (call->way.on_cut == MB_CUT_RESTART) return true;
    if (!can_continue(call)) return false;
    for (size_t i = 0; i < call->route.count; i++)
        if (!call->targets[i].provider->quirks->prefill && !call->route_targets[i].passed_over)
            call->route_targets[i].passed_over = "it cannot go on in the middle of an answer";
    return true;
}

// Unless nothing has come since the last one.
static bool restart(membrane_call *call) {
    if (!call->runner->first_ms) return true;
    return mb_queue_push(&call->queue, MEMBRANE_EVENT_RESET, NULL, 0) != NULL;
}

// The request with what the caller has seen as the beginning of the answer.
static const mb_json *with_beginning(mb_arena *arena, const mb_json *request, const char *text, size_t len) {
    const mb_json *messages = mb_json_get(request, "messages");
    mb_json *root = mb_arena_alloc(arena, sizeof *root);
    mb_json *members = mb_arena_alloc(arena, request->count * sizeof *members);
    mb_json *list = messages ? mb_arena_alloc(arena, (messages->count + 1) * sizeof *list) : NULL;
    mb_json *fields = mb_arena_zalloc(arena, 2 * sizeof *fields);
    if (!root || !members || !list || !fields) return NULL;
    fields[0] = (mb_json){.type = MB_JSON_STRING, .key = "role", .key_len = 4, .str = "assistant", .len = 9};
    fields[1] = (mb_json){.type = MB_JSON_STRING, .key = "content", .key_len = 7, .str = text, .len = len};
    memcpy(list, messages->children, messages->count * sizeof *list);
    list[messages->count] = (mb_json){.type = MB_JSON_OBJECT, .count = 2, .children = fields};
    memcpy(members, request->children, request->count * sizeof *members);
    for (uint32_t i = 0; i < request->count; i++) {
        if (strcmp(members[i].key, "messages") != 0) continue;
        members[i].children = list;
        members[i].count = messages->count + 1;
    }
    *root = *request;
    root->children = members;
    return root;
}

static bool go_on(membrane_call *call) {
    const mb_turn *turn = mb_call_turn(call);
    const char *text = mb_buf_text(&turn->text);
    size_t len = turn->text.len;
    while (len && memchr(" \t\r\n", text[len - 1], 4)) len--;
    if (!len) return false;
    const char *partial = mb_arena_strndup(&call->arena, text, turn->text.len);
    if (!partial) return false;
    call->partial = partial;
    call->partial_len = turn->text.len;
    call->partial_cut = turn->text.len - len;
    call->continued = with_beginning(&call->arena, call->request, partial, len);
    return call->continued != NULL;
}

// The caller may have taken the part only when who comes next had been decided: that one may be unable to go on.
static bool is_able(const membrane_call *call, const mb_route_decision *d) {
    return d->what != MB_ROUTE_TRY || !call->route_targets[d->target].passed_over;
}

bool mb_cut_mend(membrane_call *call, int code, const mb_route_decision *d) {
    if (!mb_cut_may_mend(call, code)) return false;
    if (call->way.on_cut == MB_CUT_RESTART) return restart(call);
    return is_able(call, d) && go_on(call);
}
