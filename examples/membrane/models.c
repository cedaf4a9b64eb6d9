// SPDX-License-Identifier: MIT
// The verb models: what the providers have, and what their engines hold in memory.
#include <string.h>

#include "output.h"

typedef struct ask {
    int64_t timeout_ms, keep_alive_ms;
} ask;

static void cell_loaded(cli_text *t, cli_json item) {
    cli_json loaded = json_get(item, "loaded");
    if (loaded.at) text_str(t, json_is_true(loaded) ? "yes" : "no");
}

static void cell_bytes(cli_text *t, cli_json item) { put_bytes(t, json_int(json_get(item, "bytes"), -1)); }

static void cell_list(cli_text *t, cli_json item) {
    cli_json key = {0}, value = {0};
    for (bool is_first = true; json_next(json_get(item, "capabilities"), &key, &value); is_first = false) {
        if (!is_first) text_str(t, ",");
        json_put(t, value);
    }
}

static int list(cli_app *app, membrane_t *m, const char *name, const ask *how) {
    static const cli_column columns[] = {{"MODEL", "name", NULL, false},     {"KIND", "kind", NULL, false},
                                         {"LOADED", "", cell_loaded, false}, {"CONTEXT", "context_window", NULL, true},
                                         {"SIZE", "", cell_bytes, true},     {"CAN", "", cell_list, false}};
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    size_t len = 0;
    const char *provider = app->args.value[OPT_PROVIDER];
    if (membrane_model_list(m, provider ? provider : name, how->timeout_ms, &result, &err) != 0)
        return fail_free(app, err);
    const char *str = membrane_result_json(result, &len);
    cli_json root = json_root(str, len), key = {0}, item = {0};
    if (app->json) {
        out_result(result);
    } else {
        out_table(app, json_get(root, "items"), columns, 6);
        while (json_next(json_get(root, "errors"), &key, &item)) {
            cli_text line = {0};
            json_put(&line, json_get(item, "provider"));
            text_str(&line, ": ");
            json_put(&line, json_get(item, "kind"));
            text_str(&line, ": ");
            json_put(&line, json_get(item, "message"));
            if (line.data) note(app, "membrane: %s", line.data);
            text_free(&line);
        }
    }
    membrane_result_free(result);
    return 0;
}

// One line a member; what is nested below the others.
static void show_members(cli_app *app, const membrane_result *result) {
    size_t len = 0;
    const char *str = membrane_result_json(result, &len);
    cli_json root = json_root(str, len), key = {0}, value = {0};
    while (json_next(root, &key, &value)) {
        cli_text line = {0};
        json_put(&line, key);
        text_str(&line, ": ");
        if (*value.at == '{' || *value.at == '[')
            json_pretty(&line, value);
        else
            json_put(&line, value);
        text_str(&line, "\n");
        if (line.data) out_text(app, line.data, line.len);
        text_free(&line);
    }
}

static void cell_failure(cli_text *t, cli_json item) {
    cli_json note = json_get(item, "note"), message = json_get(item, "error.message");
    if (note.at) json_put(t, note);
    if (message.at) json_put(t, message);
}

static void cell_time(cli_text *t, cli_json item) { put_ms(t, json_int(json_get(item, "latency_ms"), -1)); }

// Of a logical model: a line a target.
static void show_targets(cli_app *app, const membrane_result *result) {
    static const cli_column columns[] = {{"TARGET", "name", NULL, false},
                                         {"STATE", "state", NULL, false},
                                         {"AFTER", "", cell_time, true},
                                         {"NOTE", "", cell_failure, false}};
    size_t len = 0;
    const char *str = membrane_result_json(result, &len);
    out_table(app, json_get(json_root(str, len), "targets"), columns, 4);
}

static bool has_targets(const membrane_result *result) {
    size_t len = 0;
    const char *str = membrane_result_json(result, &len);
    return json_get(json_root(str, len), "targets").at != NULL;
}

static int one(cli_app *app, membrane_t *m, const char *action, const char *name, const ask *how) {
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    int status = 0;
    if (strcmp(action, "show") == 0)
        status = membrane_model_show(m, name, how->timeout_ms, &result, &err);
    else if (strcmp(action, "load") == 0)
        status = membrane_model_load(m, name, how->keep_alive_ms, how->timeout_ms, &result, &err);
    else if (strcmp(action, "unload") == 0)
        status = membrane_model_unload(m, name, how->timeout_ms, &result, &err);
    else
        status = membrane_model_warm(m, name, how->timeout_ms, &result, &err);
    if (status != 0) return fail_free(app, err);
    if (app->json)
        out_result(result);
    else if (has_targets(result))
        show_targets(app, result);
    else
        show_members(app, result);
    membrane_result_free(result);
    return 0;
}

static int read_options(cli_app *app, const char *action, ask *how) {
    const char *keep = app->args.value[OPT_KEEP_ALIVE];
    // Reading weights from a disk takes minutes, a list does not.
    bool is_slow = strcmp(action, "load") == 0 || strcmp(action, "warm") == 0;
    *how = (ask){.timeout_ms = is_slow ? 600000 : 0};
    if (keep && strcmp(keep, "-1") == 0)
        how->keep_alive_ms = MEMBRANE_FOREVER;
    else if (keep && args_duration(app, OPT_KEEP_ALIVE, &how->keep_alive_ms))
        return 2;
    return args_duration(app, OPT_TIMEOUT, &how->timeout_ms);
}

int models_main(cli_app *app) {
    const cli_args *args = &app->args;
    const char *action = args->word_count ? args->words[0] : "list",
               *name = args->word_count > 1 ? args->words[1] : NULL;
    membrane_t *m = NULL;
    ask how;
    bool is_list = strcmp(action, "list") == 0;
    int code = check_action(app, 2);
    if (!code && !is_list && !name)
        code = fail(app, MEMBRANE_EINVAL, "membrane models",
                    "models %s needs a model: provider/model, or a name of the configuration", action);
    if (!code) code = read_options(app, action, &how);
    if (!code) code = cli_open(app, &m);
    if (!code) code = is_list ? list(app, m, name, &how) : one(app, m, action, name, &how);
    membrane_close(m, 1000);
    return code;
}
