// SPDX-License-Identifier: MIT
// The verb config: what is in force and why, checking, trusting, taking over somebody else's.
#include <stdlib.h>
#include <string.h>

#include "import.h"
#include "output.h"
#include "request.h"

// The origin of a path, out of {"a.b.c":"where"}; the keys hold dots, so this is no json_get.
static void put_origin(cli_text *t, cli_json origins, const char *path) {
    cli_json key = {0}, value = {0};
    while (json_next(origins, &key, &value)) {
        if (key.len != strlen(path) + 2 || memcmp(key.at + 1, path, key.len - 2) != 0) continue;
        text_str(t, "  # ");
        json_put(t, value);
        return;
    }
}

// One line a value: its path, the value, where it comes from.
static void put_flat(cli_text *t, cli_json node, const char *path, cli_json origins) {
    cli_json key = {0}, value = {0};
    size_t index = 0;
    if (*node.at == '{' || *node.at == '[') {
        while (json_next(node, &key, &value)) {
            cli_text below = {0};
            text_format(&below, "%s%s", path, *path ? "." : "");
            if (key.at)
                text_put(&below, key.at + 1, key.len - 2);
            else
                text_format(&below, "%zu", index++);
            if (below.data) put_flat(t, value, below.data, origins);
            text_free(&below);
        }
        return;
    }
    text_format(t, "%s = ", path);
    text_put(t, node.at, node.len);
    put_origin(t, origins, path);
    text_str(t, "\n");
}

static int show(cli_app *app, membrane_t *m) {
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    cli_text t = {0};
    size_t len = 0;
    if (membrane_config_show(m, &result, &err) != 0) return fail_free(app, err);
    const char *str = membrane_result_json(result, &len);
    cli_json root = json_root(str, len), tree = json_get(root, "config");
    if (app->json) {
        out_result(result);
    } else if (!tree.at || json_count(tree) == 0) {
        note(app, "membrane: nothing is configured");
    } else {
        if (app->args.given[OPT_ORIGIN])
            put_flat(&t, tree, "", json_get(root, "origin"));
        else
            json_pretty(&t, tree), text_str(&t, "\n");
        if (t.data) out_text(app, t.data, t.len);
    }
    text_free(&t);
    membrane_result_free(result);
    return 0;
}

// A file, or by opening the library what is in force.
static int validate(cli_app *app, const char *path) {
    membrane_error *err = NULL;
    cli_text file = {0};
    int code = 0;
    if (path) {
        code = read_file(app, path, &file);
        if (!code && file.len && membrane_config_check(path, file.data, file.len, &err) != 0)
            code = fail_free(app, err);
    } else {
        membrane_t *m = NULL;
        code = cli_open(app, &m);
        membrane_close(m, 0);
    }
    text_free(&file);
    if (!code && app->json) {
        cli_text t = {0};
        text_str(&t, "{\"ok\":true,\"path\":");
        text_json(&t, path);
        text_str(&t, "}");
        if (t.data) out_json(t.data, t.len);
        text_free(&t);
    } else if (!code) {
        out_format(app, "%s: ok\n", path ? path : "configuration");
    }
    return code;
}

static int paths(cli_app *app) {
    static const cli_column columns[] = {
        {"LEVEL", "level", NULL, false}, {"STATE", "state", NULL, false}, {"PATH", "path", NULL, false}};
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    size_t len = 0;
    if (membrane_config_paths(NULL, &result, &err) != 0) return fail_free(app, err);
    const char *str = membrane_result_json(result, &len);
    if (app->json)
        out_result(result);
    else
        out_table(app, json_get(json_root(str, len), "items"), columns, 3);
    membrane_result_free(result);
    return 0;
}

static int trust(cli_app *app, const char *path) {
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    if (membrane_config_trust(path, &result, &err) != 0) return fail_free(app, err);
    if (app->json)
        out_result(result);
    else {
        const char *trusted = membrane_result_str(result, "path");
        out_format(app, "%s counts from now on, until it is changed\n", trusted ? trusted : "the file");
    }
    membrane_result_free(result);
    return 0;
}

int config_main(cli_app *app) {
    const cli_args *args = &app->args;
    const char *action = args->word_count ? args->words[0] : "show",
               *path = args->word_count > 1 ? args->words[1] : NULL;
    membrane_t *m = NULL;
    bool is_import = strcmp(action, "import") == 0;
    bool takes_path = is_import || strcmp(action, "validate") == 0 || strcmp(action, "trust") == 0;
    int code = check_action(app, takes_path ? 2 : 1);
    if (code) return code;
    if (is_import) return import_main(app, path);
    if (strcmp(action, "path") == 0) return paths(app);
    if (strcmp(action, "trust") == 0) return trust(app, path);
    if (strcmp(action, "validate") == 0) return validate(app, path);
    code = cli_open(app, &m);
    if (!code) code = show(app, m);
    membrane_close(m, 0);
    return code;
}
