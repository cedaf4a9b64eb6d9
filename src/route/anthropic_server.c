// SPDX-License-Identifier: MIT
// What the Messages API says about its models and about the size of a prompt. Hosts that imitate it list their models
// in the same shape with less in it.
#include "base/alloc.h"
#include "route/anthropic.h"

static int out_status(const mb_turn *turn) {
    if (mb_buf_ok(&turn->json)) return 0;
    return turn->json.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_ERESPONSE;
}

// "capabilities": {"image_input": {"supported": true}, …}: what is not said is not claimed, but for what every model
// of this wire can do.
static void put_capabilities(mb_jw *w, const mb_json *capabilities) {
    static const struct {
        const char *theirs, *ours;
    } NAMES[] = {{"image_input", "vision"}, {"thinking", "thinking"}, {"structured_outputs", "structured_output"}};
    if (!mb_json_is(capabilities, MB_JSON_OBJECT)) return;
    mb_jw_key(w, "capabilities");
    mb_jw_array(w);
    mb_jw_str(w, "completion");
    mb_jw_str(w, "tools");
    for (size_t i = 0; i < MB_COUNT(NAMES); i++)
        if (mb_json_bool(mb_json_get(mb_json_get(capabilities, NAMES[i].theirs), "supported"), false))
            mb_jw_str(w, NAMES[i].ours);
    mb_jw_end_array(w);
}

static void put_model(mb_jw *w, const mb_json *model, bool raw) {
    int64_t window = mb_json_int(mb_json_get(model, "max_input_tokens"), 0);
    mb_jw_object(w);
    mb_jw_kstr(w, "model", mb_json_get_str(model, "id"));
    if (window > 0) mb_jw_kint(w, "context_window", window);
    put_capabilities(w, mb_json_get(model, "capabilities"));
    if (raw) mb_jw_kvalue_if(w, "raw", model);
    mb_jw_end_object(w);
}

static int models(mb_decode *d, const mb_json *root) {
    const mb_json *list = mb_json_get(root, "data");
    if (!mb_json_is(list, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    mb_jw w = mb_jw_to(&d->turn->json);
    mb_jw_array(&w);
    for (uint32_t i = 0; i < list->count; i++)
        if (mb_json_get_str(&list->children[i], "id")) put_model(&w, &list->children[i], false);
    mb_jw_end_array(&w);
    return out_status(d->turn);
}

static int show(mb_decode *d, const mb_json *root) {
    if (!mb_json_get_str(root, "id")) return MEMBRANE_ERESPONSE;
    mb_jw w = mb_jw_to(&d->turn->json);
    put_model(&w, root, true);
    return out_status(d->turn);
}

static int tokens(mb_decode *d, const mb_json *root) {
    int64_t count = mb_json_int(mb_json_get(root, "input_tokens"), -1);
    if (count < 0) return MEMBRANE_ERESPONSE;
    d->turn->usage.input = count;
    mb_buf_putf(&d->turn->json, "{\"tokens\":%lld}", (long long)count);
    return out_status(d->turn);
}

int mb_anthropic_server(mb_decode *d, const mb_json *root) {
    d->turn->has_end = true;
    switch (d->ask->kind) {
    case MB_ASK_MODELS: return models(d, root);
    case MB_ASK_SHOW: return show(d, root);
    case MB_ASK_COUNT_TOKENS: return tokens(d, root);
    default: mb_buf_puts(&d->turn->json, "{\"state\":\"ok\"}"); return out_status(d->turn);
    }
}
