// SPDX-License-Identifier: MIT
// The verb embed: each text becomes one vector, one line each.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "pump.h"
#include "request.h"

static int put_text(cli_app *app, cli_text *t, const char *str, size_t len, const char *what, size_t *count) {
    size_t good = utf8_prefix(str, len);
    if (good < len) return fail(app, MEMBRANE_EINVAL, NULL, "%s: byte %zu is not UTF-8 text", what, good + 1);
    if ((*count)++) text_str(t, ",");
    text_json_n(t, str, len);
    return 0;
}

static int put_lines(cli_app *app, cli_text *t, size_t *count) {
    cli_text input = {0};
    int code = read_stdin(app, &input);
    for (size_t at = 0; !code && at < input.len;) {
        const char *line = input.data + at, *end = memchr(line, '\n', input.len - at);
        size_t len = end ? (size_t)(end - line) : input.len - at;
        at += len + 1;
        if (len && line[len - 1] == '\r') len--;
        if (len) code = put_text(app, t, line, len, "standard input", count);
    }
    text_free(&input);
    return code;
}

static int put_inputs(cli_app *app, cli_text *t, size_t *count) {
    const cli_args *args = &app->args;
    int code = 0;
    for (size_t i = 0; !code && i < args->word_count; i++)
        code = put_text(app, t, args->words[i], strlen(args->words[i]), "the command line", count);
    for (size_t i = 0; !code && i < args->value_count; i++) {
        cli_text file = {0};
        if (args->values[i].id != OPT_ATTACH) continue;
        code = read_file(app, args->values[i].text, &file);
        if (!code) code = put_text(app, t, file.data, file.len, args->values[i].text, count);
        text_free(&file);
    }
    if (!code) code = put_lines(app, t, count);
    if (!code && *count == 0)
        code = fail(app, MEMBRANE_EINVAL, "membrane help embed", "no text: give words, lines or files");
    return code;
}

static void put_vector(cli_text *t, const char *separator, const float *vector, size_t dims) {
    // Nine digits bring every float back as it was.
    for (size_t i = 0; i < dims; i++) text_format(t, "%s%.9g", i ? separator : "", (double)vector[i]);
}

static void show_vectors(const membrane_result *result) {
    size_t count = membrane_result_embedding_count(result), dims = 0;
    for (size_t i = 0; i < count; i++) {
        cli_text t = {0};
        const float *vector = membrane_result_embedding(result, i, &dims);
        text_format(&t, "%zu\t", dims);
        put_vector(&t, " ", vector, dims);
        text_str(&t, "\n");
        if (t.data) fwrite(t.data, 1, t.len, stdout);
        text_free(&t);
    }
}

int embed_main(cli_app *app) {
    cli_text request = {0};
    membrane_call_options options;
    membrane_call *call = NULL;
    membrane_t *m = NULL;
    size_t count = 0;
    int code = call_options(app, &options);
    text_str(&request, "{\"kind\":\"embed\",\"input\":[");
    if (!code) code = put_inputs(app, &request, &count);
    text_str(&request, "]");
    if (!code) code = put_request_options(app, &request);
    text_str(&request, "}");
    if (!code) code = cli_open(app, &m);
    pump p = {.app = app, .m = m};
    if (!code) code = pump_call(&p, &request, &options, &call);
    const membrane_result *result = code ? NULL : membrane_call_result(call);
    if (result && app->json)
        out_result(result);
    else if (result)
        show_vectors(result);
    pump_free(&p);
    membrane_call_free(call);
    membrane_close(m, 2000);
    text_free(&request);
    return code;
}
