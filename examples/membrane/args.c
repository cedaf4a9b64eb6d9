// SPDX-License-Identifier: MIT
// The parser: which verb is meant is found first, since it decides which options there are.
#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "output.h"

#define COST_MAX INT64_C(1000000000000) // a million dollars

static option_id find_long(const char *name, size_t len) {
    for (int id = 0; id < OPT_COUNT; id++)
        if (strlen(option_table[id].name) == len && memcmp(option_table[id].name, name, len) == 0) return (option_id)id;
    return OPT_COUNT;
}

static option_id find_letter(char letter) {
    for (int id = 0; id < OPT_COUNT; id++)
        if (option_table[id].letter == letter) return (option_id)id;
    return OPT_COUNT;
}

static bool is_choice(const option_row *option, const char *word) {
    for (const char *const *at = option->choices; word && at && *at; at++)
        if (strcmp(*at, word) == 0) return true;
    return false;
}

// Whether word may be the value of an option that needs none.
static bool may_follow(const option_row *option, const char *word) {
    int64_t ignored;
    if (option->takes == TAKES_SPAN && word && duration_parse(word, &ignored)) return true;
    return option->takes != TAKES_NOTHING && option->takes != TAKES_VALUE && is_choice(option, word);
}

// Edit distance where swapping two neighbours costs one: that is how words are mistyped.
static size_t distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b), row[3][40];
    if (n >= 39 || m >= 39) return 99;
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            size_t *cell = &row[i % 3][j];
            if (i == 0 || j == 0) {
                *cell = i + j;
                continue;
            }
            size_t best = row[(i - 1) % 3][j - 1] + (a[i - 1] != b[j - 1]);
            if (row[(i - 1) % 3][j] + 1 < best) best = row[(i - 1) % 3][j] + 1;
            if (row[i % 3][j - 1] + 1 < best) best = row[i % 3][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && row[(i - 2) % 3][j - 2] + 1 < best)
                best = row[(i - 2) % 3][j - 2] + 1;
            *cell = best;
        }
    }
    return row[n % 3][m];
}

const char *nearest_name(const char *word, const char *const *names) {
    size_t len = strlen(word), best = (len < 4 ? 1 : len < 6 ? 2 : 3) + 1; // fewer letters, fewer slips
    const char *found = NULL;
    for (; *names; names++) {
        size_t d = distance(word, *names);
        if (d < best && d < strlen(*names)) best = d, found = *names;
    }
    return found;
}

static int unknown_option(cli_app *app, const verb_row *verb, const char *word) {
    const char *names[OPT_COUNT + 1], *name = word + strspn(word, "-");
    char plain[64];
    size_t count = 0, len = strcspn(name, "=");
    for (const option_id *at = verb->options; *at != OPT_COUNT; at++)
        if (!option_table[*at].hidden) names[count++] = option_table[*at].name;
    names[count] = NULL;
    plain[0] = '\0';
    if (word[1] == '-' && len < sizeof plain) memcpy(plain, name, len), plain[len] = '\0';
    const char *near = plain[0] ? nearest_name(plain, names) : NULL;
    if (near) return fail(app, MEMBRANE_EINVAL, NULL, "unknown option %s (did you mean --%s?)", word, near);
    return fail(app, MEMBRANE_EINVAL, NULL, "unknown option %s; see: membrane help %s", word, verb->name);
}

static bool keep_value(cli_args *args, option_id id, const char *text) {
    if (id == OPT_STREAM) args->given[OPT_NO_STREAM] = false;
    if (id == OPT_NO_STREAM) args->given[OPT_STREAM] = false;
    args->given[id] = true;
    args->value[id] = text;
    args->values[args->value_count++] = (args_value){id, text};
    return true;
}

static int wrong_choice(cli_app *app, const option_row *option, const char *value) {
    const char *near = nearest_name(value, option->choices);
    cli_text all = {0};
    for (const char *const *at = option->choices; *at; at++)
        text_format(&all, "%s%s", at == option->choices ? "one of " : ", ", *at);
    if (option->takes == TAKES_SPAN) text_str(&all, ", or a time as in 500ms or 2s");
    int code = fail(app, MEMBRANE_EINVAL, all.data, "--%s: \"%s\" is none of its values%s%s%s", option->name, value,
                    near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
    text_free(&all);
    return code;
}

// One option at argv[*at]; letters without values may stand together (-qf).
static int parse_option(cli_app *app, const verb_row *verb, char **argv, int *at) {
    const char *word = argv[*at], *value = NULL;
    bool is_long = word[1] == '-';
    size_t len = is_long ? strcspn(word + 2, "=") : 1;
    for (const char *letter = word + 1;; letter++) {
        option_id id = is_long ? find_long(word + 2, len) : find_letter(*letter);
        if (id == OPT_COUNT || (!verb_takes(verb, id) && id != OPT_VERSION)) return unknown_option(app, verb, word);
        const option_row *option = &option_table[id];
        if (is_long && word[2 + len] == '=') value = word + 3 + len;
        if (option->takes == TAKES_NOTHING && value)
            return fail(app, MEMBRANE_EINVAL, NULL, "--%s takes no value", option->name);
        if (option->takes == TAKES_VALUE && !value) {
            value = !is_long && letter[1] ? letter + 1 : argv[*at + 1] ? argv[++*at] : NULL;
            if (!value) return fail(app, MEMBRANE_EINVAL, NULL, "--%s needs a value: %s", option->name, option->value);
        }
        if (!value && may_follow(option, argv[*at + 1])) value = argv[++*at];
        if (option->choices && value && !is_choice(option, value) && !may_follow(option, value))
            return wrong_choice(app, option, value);
        keep_value(&app->args, id, value);
        if (is_long || option->takes != TAKES_NOTHING || !letter[1]) return 0;
    }
}

// How many further words the option at argv[at] takes, as far as any verb knows it.
static int values_after(char **argv, int at) {
    const char *word = argv[at];
    if (word[1] == '-') {
        size_t len = strcspn(word + 2, "=");
        option_id id = find_long(word + 2, len);
        if (id == OPT_COUNT || word[2 + len] == '=') return 0;
        return option_table[id].takes == TAKES_VALUE || may_follow(&option_table[id], argv[at + 1]);
    }
    for (const char *letter = word + 1; *letter; letter++) {
        option_id id = find_letter(*letter);
        if (id != OPT_COUNT && option_table[id].takes == TAKES_VALUE) return letter[1] == '\0';
    }
    return 0;
}

// The index of the word that is the verb, or 0 if there is none. Notes --json, so that errors can keep to it.
static int find_verb(cli_app *app, int argc, char **argv) {
    int found = 0;
    bool past_words = false;
    for (int at = 1; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (argv[at][0] == '-' && argv[at][1]) {
            if (strcmp(argv[at], "--json") == 0) app->json = true;
            at += values_after(argv, at);
        } else if (!past_words) {
            past_words = true;
            if (verb_find(argv[at])) found = at;
        }
    }
    return found;
}

// A lone word that is nearly a verb is a slip of the fingers, not a prompt worth a paid call.
static const char *mistyped_verb(const cli_args *args) {
    if (args->word_count != 1 || strlen(args->words[0]) < 3) return NULL;
    const char *near = nearest_name(args->words[0], verb_names);
    if (!near || strlen(near) < 4) return NULL;
    return distance(args->words[0], near) <= (strlen(near) < 6 ? 1u : 2u) ? near : NULL;
}

int args_parse(cli_app *app, int argc, char **argv) {
    cli_args *args = &app->args;
    int verb_at = find_verb(app, argc, argv);
    const verb_row *verb = verb_at ? verb_find(argv[verb_at]) : &verb_table[0];
    bool is_over = false, is_quoted = false;
    app->verb = verb;
    app->has_verb = verb_at != 0;
    // A cluster of letters (-qf) holds one option a letter, so the bytes of the command line bound the values.
    size_t bound = 1;
    for (int at = 1; at < argc; at++) bound += strlen(argv[at]);
    args->words = calloc((size_t)argc + 1, sizeof *args->words);
    args->values = calloc(bound, sizeof *args->values);
    if (!args->words || !args->values) return fail(app, MEMBRANE_ENOMEM, NULL, "out of memory");
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        if (at == verb_at) continue;
        if (!is_over && strcmp(word, "--") == 0) {
            is_over = is_quoted = true;
        } else if (is_over || word[0] != '-' || !word[1]) {
            args->words[args->word_count++] = word;
        } else {
            int code = parse_option(app, verb, argv, &at);
            if (code) return code;
        }
    }
    app->json = args->given[OPT_JSON];
    app->quiet = args->given[OPT_QUIET];
    const char *near = verb_at || is_quoted ? NULL : mistyped_verb(args);
    if (near)
        return fail(app, MEMBRANE_EINVAL, "to ask a model just this word: membrane run WORD",
                    "unknown verb \"%s\" (did you mean \"%s\"?)", args->words[0], near);
    return 0;
}

void args_free(cli_args *args) {
    free(args->words);
    free(args->values);
    *args = (cli_args){0};
}

int check_words(cli_app *app, size_t most) {
    if (app->args.word_count <= most) return 0;
    return fail(app, MEMBRANE_EINVAL, NULL, "%s: unexpected word \"%s\"; see: membrane help %s", app->verb->name,
                app->args.words[most], app->verb->name);
}

int check_action(cli_app *app, size_t most) {
    const char *names[16], *word = app->args.word_count ? app->args.words[0] : NULL;
    size_t count = 0;
    if (!word || action_find(app->verb, word)) return check_words(app, most);
    for (const action_row *at = app->verb->actions; at->name && count < 15; at++) names[count++] = at->name;
    names[count] = NULL;
    const char *near = nearest_name(word, names);
    return fail(app, MEMBRANE_EINVAL, NULL, "%s: unknown action \"%s\"%s%s%s", app->verb->name, word,
                near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

int args_int(cli_app *app, option_id id, int64_t min, int64_t max, int64_t *ret_value) {
    const char *text = app->args.value[id];
    char *end = NULL;
    if (!text) return 0;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        return fail(app, MEMBRANE_EINVAL, NULL, "--%s: \"%s\" is no whole number from %lld to %lld",
                    option_table[id].name, text, (long long)min, (long long)max);
    *ret_value = value;
    return 0;
}

int args_real(cli_app *app, option_id id, double min, double max) {
    const char *text = app->args.value[id];
    char *end = NULL;
    if (!text) return 0;
    double value = strtod(text, &end);
    // The text itself goes into the request, so it must be a JSON number: digits, sign, point, exponent.
    if (end == text || *end || !isfinite(value) || value < min || value > max ||
        strspn(text, "0123456789.eE+-") != strlen(text) || text[0] == '.' || text[0] == '+' || end[-1] == '.' ||
        (text[0] == '0' && text[1] >= '0' && text[1] <= '9'))
        return fail(app, MEMBRANE_EINVAL, NULL, "--%s: \"%s\" is no number from %g to %g", option_table[id].name, text,
                    min, max);
    return 0;
}

bool duration_parse(const char *text, int64_t *ret_ms) {
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') return false;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].name) != 0) continue;
        value *= units[i].ms;
        if (!isfinite(value) || value > 1e15) return false;
        *ret_ms = (int64_t)(value + 0.5);
        return true;
    }
    return false;
}

// A decimal number as a whole number of millionths; false where it has digits beyond those, or is too large.
static bool read_millionths(const char *text, const char **ret_end, int64_t *ret) {
    int64_t value = 0;
    int places = -1; // none before the point
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && places < 0); text++) {
        if (*text != '.') value = value * 10 + (*text - '0');
        if (*text == '.' || places >= 0) places++;
        if (places > 6 || value > COST_MAX) return false;
    }
    for (int i = places < 0 ? 0 : places; i < 6; i++) value *= 10;
    *ret_end = text;
    *ret = value;
    return places != 0; // "1."
}

int args_cost(cli_app *app, option_id id, int64_t *ret_usd_micros) {
    const char *text = app->args.value[id], *end = NULL;
    int64_t value = 0;
    if (!text) return 0;
    const char *digits = *text == '$' ? text + 1 : text;
    bool is_good = *digits >= '0' && *digits <= '9' && read_millionths(digits, &end, &value);
    if (is_good && digits == text && strcmp(end, "u") == 0) {
        is_good = value % 1000000 == 0;
        value /= 1000000;
    } else {
        is_good = is_good && !*end;
    }
    if (!is_good || value < 1 || value > COST_MAX)
        return fail(app, MEMBRANE_EINVAL, "write dollars, as in 0.05 or $0.05, or millionths of one, as in 50000u",
                    "--%s: \"%s\" is no amount", option_table[id].name, text);
    *ret_usd_micros = value;
    return 0;
}

int args_duration(cli_app *app, option_id id, int64_t *ret_ms) {
    const char *text = app->args.value[id];
    int64_t ms = 0;
    if (!text) return 0;
    if (!duration_parse(text, &ms) || ms < 1)
        return fail(app, MEMBRANE_EINVAL, "write a number and a unit, as in 30s, 500ms or 2m",
                    "--%s: \"%s\" is no time", option_table[id].name, text);
    *ret_ms = ms;
    return 0;
}

int args_since(cli_app *app, option_id id, int64_t *ret_ms) {
    const char *str = app->args.value[id], *rest = NULL;
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    int64_t ago = 0;
    if (!str) return 0;
    if (duration_parse(str, &ago)) {
        *ret_ms = (int64_t)time(NULL) * 1000 - ago;
        return 0;
    }
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct tm parts = {.tm_isdst = -1};
        rest = strptime(str, formats[i], &parts);
        if (!rest || *rest) continue;
        *ret_ms = (int64_t)mktime(&parts) * 1000;
        return 0;
    }
    return fail(app, MEMBRANE_EINVAL, "2h, 1d, 2026-01-31 or 2026-01-31T12:00", "--%s: \"%s\" is no time",
                option_table[id].name, str);
}
