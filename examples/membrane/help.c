// SPDX-License-Identifier: MIT
// The verb help, and what --help shows.
#include "help.h"

#include <string.h>

#include "output.h"

void option_put(cli_text *t, const option_row *option) {
    if (option->letter) text_format(t, "-%c, ", option->letter);
    text_format(t, "--%s", option->name);
    if (option->choices) {
        text_str(t, option->takes == TAKES_VALUE ? " " : " [");
        for (const char *const *at = option->choices; *at; at++)
            text_format(t, "%s%s", at == option->choices ? "" : "|", *at);
        if (option->takes == TAKES_SPAN) text_format(t, "|%s", option->value);
        if (option->takes != TAKES_VALUE) text_str(t, "]");
    } else if (option->value) {
        text_format(t, " %s", option->value);
    }
}

// Text in lines of at most 78 columns, each after indent blanks (the first one stands at the column already).
static void put_wrapped(cli_text *t, const char *str, int indent) {
    size_t room = (size_t)(78 - indent), used = 0;
    while (*str) {
        size_t word = strcspn(str, " \n");
        if (used && used + 1 + word > room) text_format(t, "\n%*s", indent, ""), used = 0;
        if (used) text_str(t, " "), used++;
        text_put(t, str, word);
        used += word;
        str += word;
        if (str[0] == '\n' && str[1] == '\n') text_format(t, "\n\n%*s", indent, ""), used = 0;
        str += strspn(str, " \n");
    }
    text_str(t, "\n");
}

static void put_pair(cli_text *t, const char *left, const char *right) {
    text_format(t, "  %-26s", left);
    if (strlen(left) > 25) text_format(t, "\n%28s", "");
    put_wrapped(t, right, 28);
}

static void put_program(cli_text *t) {
    text_str(t, "usage: membrane [OPTIONS] WORDS...\n       membrane VERB [OPTIONS]\n\n"
                "Asks a language model, wherever one is: on this machine, in the house, or in the cloud.\n\nVerbs:\n");
    for (const verb_row *verb = verb_table; verb->name; verb++) put_pair(t, verb->name, verb->summary);
    text_str(t, "\nExamples:\n");
    for (const example_row *at = verb_table->examples; at->command; at++) text_format(t, "  %s\n", at->command);
    text_str(t, "\nmembrane help VERB shows the options of a verb; man membrane has all of it.\n");
}

static void put_verb(cli_text *t, const verb_row *verb) {
    text_format(t, "usage: membrane %s%s%s [OPTIONS]\n\n", verb->name, *verb->words ? " " : "", verb->words);
    text_format(t, "%s.\n", verb->summary);
    if (*verb->about) text_str(t, "\n"), put_wrapped(t, verb->about, 0);
    if (verb->actions) text_str(t, "\nActions:\n");
    for (const action_row *at = verb->actions; at && at->name; at++) {
        cli_text left = {0};
        text_format(&left, "%s %s", at->name, at->words);
        if (left.data) put_pair(t, left.data, at->help);
        text_free(&left);
    }
    text_str(t, "\nOptions:\n");
    for (const option_id *at = verb->options; *at != OPT_COUNT; at++) {
        cli_text left = {0};
        if (option_table[*at].hidden) continue;
        option_put(&left, &option_table[*at]);
        if (left.data) put_pair(t, left.data, option_table[*at].help);
        text_free(&left);
    }
    text_str(t, "\nExamples:\n");
    for (const example_row *at = verb->examples; at->command; at++)
        text_format(t, "  %s\n      %s\n", at->command, at->help);
}

static void put_option_json(cli_text *t, const option_row *option) {
    text_str(t, "{\"name\":");
    text_json(t, option->name);
    if (option->letter) text_format(t, ",\"letter\":\"%c\"", option->letter);
    text_str(t, ",\"value\":");
    text_json(t, option->value);
    text_str(t, ",\"help\":");
    text_json(t, option->help);
    text_str(t, "}");
}

static void put_json(cli_text *t, const verb_row *only) {
    bool is_first = true;
    text_str(t, only ? "" : "{\"items\":[");
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        if (only && verb != only) continue;
        if (!is_first) text_str(t, ",");
        is_first = false;
        text_str(t, "{\"name\":");
        text_json(t, verb->name);
        text_str(t, ",\"summary\":");
        text_json(t, verb->summary);
        text_str(t, ",\"options\":[");
        for (const option_id *at = verb->options; *at != OPT_COUNT; at++) {
            if (option_table[*at].hidden) continue;
            if (t->data && t->data[t->len - 1] == '}') text_str(t, ",");
            put_option_json(t, &option_table[*at]);
        }
        text_str(t, "]}");
    }
    text_str(t, only ? "" : "]}");
}

int help_show(cli_app *app, const verb_row *verb) {
    cli_text t = {0};
    if (app->json)
        put_json(&t, verb);
    else if (verb)
        put_verb(&t, verb);
    else
        put_program(&t);
    if (app->json) text_str(&t, "\n");
    if (t.data && !t.failed) out_text(app, t.data, t.len);
    text_free(&t);
    return 0;
}

int help_main(cli_app *app) {
    const char *name = app->args.word_count ? app->args.words[0] : NULL;
    const verb_row *verb = name ? verb_find(name) : NULL;
    cli_text t = {0};
    int code = check_words(app, 1);
    if (code) return code;
    if (name && !verb) {
        const char *near = nearest_name(name, verb_names);
        return fail(app, MEMBRANE_EINVAL, NULL, "unknown verb \"%s\"%s%s%s", name, near ? " (did you mean \"" : "",
                    near ? near : "", near ? "\"?)" : "");
    }
    if (!app->args.given[OPT_MAN]) return help_show(app, verb);
    man_put(&t, verb);
    if (t.data) out_text(app, t.data, t.len);
    text_free(&t);
    return 0;
}
