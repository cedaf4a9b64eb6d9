// SPDX-License-Identifier: MIT
// config import: a LiteLLM proxy's configuration on stdout or in a file, what was left out on stderr.
#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "request.h"
#include "ring.h"

static bool write_all(int fd, const char *str, size_t len) {
    while (len) {
        ssize_t n = write(fd, str, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        str += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0;
}

// Beside it first, so that it is there whole or not at all. Without force a file that is there stays.
static int write_file(cli_app *app, const char *path, const cli_text *t) {
    char *fresh = NULL;
    if (asprintf(&fresh, "%s.new", path) < 0) return fail(app, MEMBRANE_ENOMEM, NULL, "out of memory");
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    bool good = fd >= 0 && write_all(fd, t->data, t->len);
    int failed = errno;
    if (fd >= 0) close(fd);
    if (good) {
        good = app->args.given[OPT_FORCE] ? rename(fresh, path) == 0 : link(fresh, path) == 0;
        failed = errno;
    }
    if (fd >= 0) unlink(fresh);
    free(fresh);
    if (good) return 0;
    return failed == EEXIST ? fail(app, MEMBRANE_ECONFLICT, "--force replaces it", "%s is there already", path)
                            : fail(app, MEMBRANE_EIO, NULL, "cannot write %s: %s", path, strerror(failed));
}

static void show_warnings(cli_app *app, const char *path, cli_json warnings) {
    cli_json key = {0}, item = {0};
    while (json_next(warnings, &key, &item)) {
        cli_text line = {0};
        text_format(&line, "%s:%lld: ", path, (long long)json_int(json_get(item, "line"), 0));
        json_put(&line, json_get(item, "text"));
        if (line.data) note(app, "%s", line.data);
        text_free(&line);
    }
}

static int show(cli_app *app, const char *path, const membrane_result *result) {
    const char *output = app->args.value[OPT_OUTPUT];
    size_t len = 0;
    const char *str = membrane_result_json(result, &len);
    cli_json root = json_root(str, len);
    cli_text config = {0};
    int code = 0;
    json_put(&config, json_get(root, "config"));
    if (config.failed || !config.data) code = fail(app, MEMBRANE_ENOMEM, NULL, "out of memory");
    if (!code && output) code = write_file(app, output, &config);
    if (!code && app->json) {
        out_result(result);
    } else if (!code) {
        show_warnings(app, path, json_get(root, "warnings"));
        if (!output) out_text(app, config.data, config.len);
    }
    text_free(&config);
    return code;
}

int import_main(cli_app *app, const char *path) {
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    cli_text file = {0};
    cli_ring ring = {0};
    const char *output = app->args.value[OPT_OUTPUT];
    bool with_keys = app->args.given[OPT_WITH_KEYS];
    if (!path) return fail(app, MEMBRANE_EINVAL, "membrane config import config.yaml", "import needs a file");
    // Before keys are stored for a configuration that then has no place.
    if (output && !app->args.given[OPT_FORCE] && access(output, F_OK) == 0)
        return fail(app, MEMBRANE_ECONFLICT, "--force replaces it", "%s is there already", output);
    int code = read_file(app, path, &file);
    if (!code && file.len == 0) code = fail(app, MEMBRANE_ECONFIG, NULL, "%s is empty", path);
    if (!code && with_keys) code = ring_open(app, &ring, true);
    if (!code &&
        membrane_config_import(path, file.data, file.len, with_keys ? &ring.options : NULL, &result, &err) != 0)
        code = fail_free(app, err);
    if (!code) code = show(app, path, result);
    membrane_result_free(result);
    ring_close(&ring);
    text_free(&file);
    return code;
}
