// SPDX-License-Identifier: MIT
// Options of the command line as members of the canonical request (docs/schema/request.json).
#include "request.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "output.h"

// The schema goes in as it stands; its name is the file's, with what names may not hold as "_".
static int put_schema(cli_app *app, cli_text *t) {
    const char *path = app->args.value[OPT_SCHEMA], *slash = path ? strrchr(path, '/') : NULL;
    cli_text file = {0};
    char name[65] = "answer";
    if (!path) return 0;
    int code = read_file(app, path, &file);
    if (!code && !json_is_valid(file.data, file.len))
        code = fail(app, MEMBRANE_EINVAL, NULL, "%s: not one whole JSON value", path);
    if (!code) {
        snprintf(name, sizeof name, "%s", slash ? slash + 1 : path);
        name[strcspn(name, ".")] = '\0';
        for (char *c = name; *c; c++)
            if (!isalnum((unsigned char)*c) && *c != '-') *c = '_';
        text_str(t, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":");
        text_json(t, *name ? name : "answer");
        text_str(t, ",\"schema\":");
        text_put(t, file.data, file.len);
        text_str(t, "}}");
    }
    text_free(&file);
    return code;
}

static void put_stop(cli_app *app, cli_text *t) {
    const cli_args *args = &app->args;
    const char *before = ",\"stop\":[";
    for (size_t i = 0; i < args->value_count; i++) {
        if (args->values[i].id != OPT_STOP) continue;
        text_str(t, before);
        text_json(t, args->values[i].text);
        before = ",";
    }
    if (args->given[OPT_STOP]) text_str(t, "]");
}

// Without a level it is the model's own: not every model that thinks has levels.
static void put_thinking(cli_text *t, const char *level) {
    if (!level || strcmp(level, "off") == 0)
        text_format(t, ",\"thinking\":%s", level ? "false" : "true");
    else
        text_format(t, ",\"thinking\":\"%s\"", level);
}

// Words of the command line are bytes; JSON text must be UTF-8.
static int check_texts(cli_app *app) {
    for (size_t i = 0; i < app->args.value_count; i++) {
        const char *str = app->args.values[i].text;
        option_id id = app->args.values[i].id;
        if (str && utf8_prefix(str, strlen(str)) < strlen(str) && id != OPT_ATTACH && id != OPT_SCHEMA &&
            id != OPT_CONFIG && id != OPT_LOG)
            return fail(app, MEMBRANE_EINVAL, NULL, "--%s: not UTF-8 text", option_table[id].name);
    }
    return 0;
}

int put_request_options(cli_app *app, cli_text *t) {
    const cli_args *args = &app->args;
    int64_t number = 0;
    int code = check_texts(app);
    if (!code && args->value[OPT_MODEL]) text_str(t, ",\"model\":"), text_json(t, args->value[OPT_MODEL]);
    if (!code && args->value[OPT_REQUEST_ID])
        text_str(t, ",\"request_id\":"), text_json(t, args->value[OPT_REQUEST_ID]);
    if (!code && args->given[OPT_MAX_TOKENS]) {
        code = args_int(app, OPT_MAX_TOKENS, 1, INT32_MAX, &number);
        text_format(t, ",\"max_tokens\":%lld", (long long)number);
    }
    if (!code && args->given[OPT_TEMPERATURE]) {
        code = args_real(app, OPT_TEMPERATURE, 0, 5);
        text_format(t, ",\"temperature\":%s", args->value[OPT_TEMPERATURE]);
    }
    if (!code && args->given[OPT_SEED]) {
        code = args_int(app, OPT_SEED, INT64_MIN, INT64_MAX, &number);
        text_format(t, ",\"seed\":%lld", (long long)number);
    }
    if (!code && args->given[OPT_THINK]) put_thinking(t, args->value[OPT_THINK]);
    if (!code) put_stop(app, t);
    return code ? code : put_schema(app, t);
}

// A time whose zero means something.
static int read_span(cli_app *app, option_id id, int64_t *ret_ms) {
    const char *text = app->args.value[id];
    if (text && strcmp(text, "0") == 0) return *ret_ms = 0, 0;
    return text && duration_parse(text, ret_ms) ? 0 : args_duration(app, id, ret_ms);
}

static int read_hedge(cli_app *app, int64_t *ret_ms) {
    const char *text = app->args.value[OPT_HEDGE];
    if (!app->args.given[OPT_HEDGE]) return 0;
    *ret_ms = text && strcmp(text, "off") == 0 ? 0 : MEMBRANE_HEDGE_P95;
    bool is_word = !text || strcmp(text, "off") == 0 || strcmp(text, "p95") == 0;
    return is_word ? 0 : read_span(app, OPT_HEDGE, ret_ms);
}

static int read_bounds(cli_app *app, membrane_call_options *options) {
    int64_t retries = options->retries, attempts = options->max_attempts;
    int code = args_duration(app, OPT_DEADLINE, &options->deadline_ms);
    if (!code) code = args_int(app, OPT_RETRIES, 0, 1000000, &retries);
    if (!code) code = args_int(app, OPT_MAX_ATTEMPTS, 1, 64, &attempts);
    if (!code) code = read_span(app, OPT_MAX_WAIT, &options->max_wait_ms);
    if (!code) code = args_cost(app, OPT_MAX_COST, &options->max_cost_usd_micros);
    if (!code) code = read_hedge(app, &options->hedge_ms);
    options->retries = (int32_t)retries;
    options->max_attempts = (int32_t)attempts;
    return code;
}

int call_options(cli_app *app, membrane_call_options *options) {
    const cli_args *args = &app->args;
    const char *cut = args->value[OPT_ON_CUT];
    membrane_call_options_init(options, sizeof *options);
    if (args->given[OPT_LOCAL]) options->flags |= MEMBRANE_CALL_LOCAL_ONLY;
    if (args->given[OPT_NO_FALLBACK]) options->flags |= MEMBRANE_CALL_NO_FALLBACK;
    if (args->given[OPT_LOG_PROMPT]) options->flags |= MEMBRANE_CALL_LOG_PROMPT;
    if (cut) options->flags |= strcmp(cut, "restart") == 0 ? MEMBRANE_CALL_RESTART : MEMBRANE_CALL_CONTINUE;
    options->session = args->value[OPT_SESSION];
    options->via = args->value[OPT_VIA];
    options->policy = args->value[OPT_POLICY];
    options->provider = args->value[OPT_PROVIDER];
    return read_bounds(app, options);
}
