// SPDX-License-Identifier: MIT
// Most lists are no proof that a model is not there: a server that holds one model answers to any name, others load
// what they do not list. Only where the row of its kind says so (lists_all), or where the list tells of each model
// whether it is loaded, as routers do, is what is not in it absent.
#include "route/presence.h"

#include <string.h>
#include <strings.h>

#include "membrane/error.h"

// ---- the server ----------------------------------------------------------------------------------------------------

static bool is_silence(int code) {
    switch (code) {
    case MEMBRANE_EOVERLOADED:
    case MEMBRANE_ESERVER:
    case MEMBRANE_EGATEWAY:
    case MEMBRANE_EDNS:
    case MEMBRANE_ETLS:
    case MEMBRANE_ETIMEOUT: return true;
    default: return false;
    }
}

// Anything else that a server says is an answer: it does not know the question, wants another key, or is no server of
// the kind that was meant, which calls will tell better.
static bool is_answer(int code) {
    return code == 0 || code == MEMBRANE_ENOTFOUND || code == MEMBRANE_ERESPONSE ||
           (code <= MEMBRANE_EAUTH && code >= MEMBRANE_ERATE && code != MEMBRANE_EUNSUPPORTED);
}

mb_health mb_presence_health(mb_health was, int code, bool is_loading, int *silences) {
    const bool is_silent = !is_loading && is_silence(code);
    if (is_silent && *silences < MB_PRESENCE_SILENCES) ++*silences;
    if (is_silent) return *silences < MB_PRESENCE_SILENCES ? was : MB_HEALTH_DOWN;
    if (code == MEMBRANE_ECONNECT) return MB_HEALTH_DOWN;
    if (!is_loading && !is_answer(code)) return was; // a matter of our own
    *silences = 0;
    return is_loading ? MB_HEALTH_LOADING : MB_HEALTH_UP;
}

// ---- its models ----------------------------------------------------------------------------------------------------

static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && text[len - end_len - 1] == '/' && strcasecmp(text + len - end_len, end) == 0;
}

// Where names have tags: "llama3" is "llama3:latest", and "registry.ollama.ai/library/llama3" as well. Better one too
// many than one that is passed over for the way its name is written.
static bool is_named(const mb_quirks *q, const char *listed, const char *wanted) {
    char whole[512];
    if (strcmp(listed, wanted) == 0) return true;
    if (!q->default_tag) return false;
    const char *last = strrchr(wanted, '/');
    const bool has_tag = strchr(last ? last : wanted, ':');
    size_t len = strlen(wanted), tag = strlen(q->default_tag);
    if (len + tag + 2 > sizeof whole) return false;
    memcpy(whole, wanted, len + 1);
    if (!has_tag) whole[len] = ':', memcpy(whole + len + 1, q->default_tag, tag + 1);
    return strcasecmp(listed, whole) == 0 || ends_with(listed, whole) || ends_with(whole, listed);
}

static const mb_json *find(const mb_quirks *q, const mb_json *list, const char *model) {
    if (!mb_json_is(list, MB_JSON_ARRAY)) return NULL;
    for (uint32_t i = 0; i < list->count; i++) {
        const char *listed = mb_json_get_str(&list->children[i], "model");
        if (listed && is_named(q, listed, model)) return &list->children[i];
    }
    return NULL;
}

static bool is_router(const mb_quirks *q, const mb_json *list) {
    if (!q->load_path) return false; // its one model is always loaded
    for (uint32_t i = 0; i < list->count; i++)
        if (!mb_json_get(&list->children[i], "loaded")) return false;
    return list->count > 0;
}

// Ollama passes those on to its own cloud, and lists them only if they were pulled.
static bool is_elsewhere(const char *model) {
    const char *at = strrchr(model, ':');
    size_t len = at ? strlen(at) : 0;
    return len >= 6 && strcasecmp(at + len - 5, "cloud") == 0;
}

mb_model_state mb_presence_model(const mb_quirks *q, const mb_json *models, const mb_json *loaded, const char *model) {
    const mb_json *found = find(q, models, model);
    if (find(q, loaded, model)) return MB_MODEL_LOADED;
    if (found) return mb_json_bool(mb_json_get(found, "loaded"), false) ? MB_MODEL_LOADED : MB_MODEL_THERE;
    if (!mb_json_is(models, MB_JSON_ARRAY) || is_elsewhere(model)) return MB_MODEL_UNKNOWN;
    return q->lists_all || is_router(q, models) ? MB_MODEL_ABSENT : MB_MODEL_UNKNOWN;
}

// Where a server holds several models, what it says of itself is that of none of them.
int64_t mb_presence_window(const mb_quirks *q, const mb_json *models, const mb_json *shown, const char *model) {
    int64_t listed = mb_json_int(mb_json_get(find(q, models, model), "context_window"), 0);
    const bool has_one = mb_json_is(models, MB_JSON_ARRAY) && models->count == 1 && !is_router(q, models);
    if (listed > 0 || !has_one) return listed > 0 ? listed : 0;
    int64_t said = mb_json_int(mb_json_get(shown, "context_window"), 0);
    return said > 0 ? said : 0;
}

int mb_presence_busy_elsewhere(const mb_json *slots, int ours) {
    int busy = 0;
    if (!mb_json_is(slots, MB_JSON_ARRAY)) return 0;
    for (uint32_t i = 0; i < slots->count; i++) busy += mb_json_bool(mb_json_get(&slots->children[i], "busy"), false);
    return busy > ours ? busy - ours : 0;
}
