// SPDX-License-Identifier: MIT
// The verb keys: names go in by the command line, values never do.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "request.h"
#include "ring.h"
#include "typed.h"

static bool is_state(const cli_ring *r, const char *state) {
    const char *str = membrane_result_str(r->status, "state");
    return str && strcmp(str, state) == 0;
}

int ring_open(cli_app *app, cli_ring *r, bool needs_it) {
    membrane_error *err = NULL;
    bool wants_new = false;
    membrane_keys_options_init(&r->options, sizeof r->options);
    r->options.flags = MEMBRANE_KEYS_ENVIRONMENT;
    if (membrane_keys_status(&r->options, &r->status, &err) != 0) return fail_free(app, err);
    if (app->args.given[OPT_PASSPHRASE] && !getenv("MEMBRANE_PASSPHRASE")) {
        wants_new = is_state(r, "none");
        if (is_state(r, "ok"))
            return fail(app, MEMBRANE_EINVAL, "remove the file and set the keys anew, to have a passphrase",
                        "the key ring is sealed with a key file already");
    }
    if (!wants_new && !(needs_it && is_state(r, "locked") && can_be_asked())) return 0;
    int code = read_passphrase(app, wants_new, &r->passphrase);
    r->options.passphrase = r->passphrase.data;
    return code;
}

void ring_close(cli_ring *r) {
    text_forget(&r->passphrase);
    membrane_result_free(r->status);
}

// From a file, a pipe or the terminal; the newline at its end is nobody's.
static int read_value(cli_app *app, const char *name, cli_text *ret_value) {
    const char *path = app->args.value[OPT_FILE];
    char prompt[256];
    snprintf(prompt, sizeof prompt, "Value of %.100s (it is not shown): ", name);
    int code = path                   ? read_file(app, path, ret_value)
               : isatty(STDIN_FILENO) ? read_typed(app, prompt, ret_value)
                                      : read_stdin(app, ret_value);
    while (!code && ret_value->len && strchr(" \t\r\n", ret_value->data[ret_value->len - 1])) ret_value->len--;
    if (!code && ret_value->len == 0)
        code = fail(app, MEMBRANE_EINVAL, "type it at a terminal, send it through a pipe, or name its --file",
                    "there is no value for the key \"%s\"", name);
    return code;
}

static void say_done(cli_app *app, const cli_ring *r, const char *name, const char *what) {
    cli_text t = {0};
    const char *path = membrane_result_str(r->status, "path");
    if (app->json) {
        text_str(&t, "{\"ok\":true,\"name\":");
        text_json(&t, name);
        if (path) text_str(&t, ",\"path\":"), text_json(&t, path);
        text_str(&t, "}");
        if (!t.failed) out_json(t.data, t.len);
        text_free(&t);
    } else {
        out_format(app, path ? "%s %s; a configuration names it so: api_key: sealed:%s\n" : "%s %s\n", name, what,
                   name);
    }
    if (is_state(r, "none") && !r->passphrase.len && !getenv("MEMBRANE_PASSPHRASE"))
        note(app, "membrane: made %s and master.key beside it, which opens it: keep a copy of both", path ? path : "");
}

static int set(cli_app *app, const char *name) {
    cli_ring r = {0};
    cli_text value = {0};
    membrane_error *err = NULL;
    int code = ring_open(app, &r, true);
    if (!code) code = read_value(app, name, &value);
    if (!code && membrane_keys_set(&r.options, name, value.data, value.len, &err) != 0) code = fail_free(app, err);
    if (!code) say_done(app, &r, name, "is sealed");
    text_forget(&value);
    ring_close(&r);
    return code;
}

static int take_away(cli_app *app, const char *name) {
    cli_ring r = {0};
    membrane_error *err = NULL;
    int code = ring_open(app, &r, true);
    if (!code && membrane_keys_remove(&r.options, name, &err) != 0) code = fail_free(app, err);
    if (!code) {
        membrane_result_free(r.status);
        r.status = NULL;
        say_done(app, &r, name, "is removed");
    }
    ring_close(&r);
    return code;
}

static void cell_changed(cli_text *t, cli_json item) { put_time(t, json_int(json_get(item, "changed_ms"), 0)); }

static int list(cli_app *app) {
    static const cli_column columns[] = {{"NAME", "name", NULL, false}, {"SET", "", cell_changed, false}};
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    cli_ring r = {0};
    size_t len = 0;
    int code = ring_open(app, &r, false);
    if (!code && membrane_keys_list(&r.options, &result, &err) != 0) code = fail_free(app, err);
    if (!code) {
        const char *str = membrane_result_json(result, &len);
        cli_json items = json_get(json_root(str, len), "items");
        if (app->json)
            out_result(result);
        else if (json_count(items) == 0)
            note(app, "membrane: the key ring is empty; membrane keys set NAME puts a key into it");
        else
            out_table(app, items, columns, 2);
    }
    membrane_result_free(result);
    ring_close(&r);
    return code;
}

int keys_main(cli_app *app) {
    const cli_args *args = &app->args;
    const char *action = args->word_count ? args->words[0] : "list",
               *name = args->word_count > 1 ? args->words[1] : NULL;
    bool is_list = strcmp(action, "list") == 0;
    // A third word may be a key that somebody is about to give away: it is not repeated.
    if (args->word_count > 2)
        return fail(app, MEMBRANE_EINVAL, "pipe it in, type it when asked, or name its --file",
                    "keys: one word too many; a value is never an argument, where others could read it");
    int code = check_action(app, is_list ? 1 : 2);
    if (!code && !is_list && !name)
        code = fail(app, MEMBRANE_EINVAL, "membrane keys list", "keys %s needs a name", action);
    if (code) return code;
    if (is_list) return list(app);
    return strcmp(action, "set") == 0 ? set(app, name) : take_away(app, name);
}
