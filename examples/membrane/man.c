// SPDX-License-Identifier: MIT
// Manual pages: the table written as roff.
#include <ctype.h>
#include <string.h>

#include "help.h"
#include "membrane/membrane.h"

// Text for roff: its own characters escaped, so that dashes can be copied and dots begin no request.
static void put_roff(cli_text *t, const char *str) {
    for (bool is_start = true; *str; str++) {
        if (*str == '\\')
            text_str(t, "\\e");
        else if (*str == '-')
            text_str(t, "\\-");
        else if (*str == '\'' || (is_start && *str == '.'))
            text_str(t, *str == '\'' ? "\\(aq" : "\\&.");
        else if (str[0] == '\n' && str[1] == '\n')
            text_str(t, "\n.PP"); // the second one ends the line
        else
            text_put(t, str, 1);
        is_start = *str == '\n';
    }
}

static void put_options(cli_text *t, const verb_row *verb) {
    text_str(t, ".SH OPTIONS\n");
    for (const option_id *at = verb->options; *at != OPT_COUNT; at++) {
        const option_row *option = &option_table[*at];
        cli_text left = {0};
        if (option->hidden) continue;
        option_put(&left, option);
        text_str(t, ".TP\n.B ");
        put_roff(t, left.data ? left.data : "");
        text_str(t, "\n");
        put_roff(t, option->help);
        text_str(t, ".\n");
        text_free(&left);
    }
}

static void put_examples(cli_text *t, const verb_row *verb) {
    text_str(t, ".SH EXAMPLES\n");
    for (const example_row *at = verb->examples; at->command; at++) {
        if (at != verb->examples) text_str(t, ".PP\n");
        put_roff(t, at->help);
        text_str(t, ":\n.PP\n.RS 4\n.nf\n");
        put_roff(t, at->command);
        text_str(t, "\n.fi\n.RE\n");
    }
}

static void put_exit_codes(cli_text *t) {
    static const struct {
        const char *code, *meaning;
    } rows[] = {{"0", "All went well"},
                {"1", "Another error"},
                {"2", "Usage or configuration"},
                {"3", "Transient: trying again later may help"},
                {"4", "A key was refused, or the account has no credit"},
                {"5", "Forbidden by a policy or a budget"},
                {"6", "No such model, provider or file"},
                {"124", "The time of --deadline was up"},
                {"130", "Interrupted"}};
    text_str(t, ".SH \"EXIT STATUS\"\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        text_format(t, ".TP\n.B %s\n", rows[i].code);
        put_roff(t, rows[i].meaning);
        text_str(t, ".\n");
    }
}

static void put_program(cli_text *t) {
    text_str(
        t,
        ".SH SYNOPSIS\n.B membrane\n[\\fIOPTIONS\\fR] \\fIWORDS\\fR...\n.br\n.B membrane\n\\fIVERB\\fR [\\fIOPTIONS\\fR]\n");
    text_str(t, ".SH DESCRIPTION\nAsks a language model, wherever one is: on this machine, in the house, or in the "
                "cloud.\nWithout a verb it is\n.BR membrane\\-run (1).\n.SH VERBS\n");
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        text_format(t, ".TP\n.BR membrane\\-%s (1)\n", verb->name);
        put_roff(t, verb->summary);
        text_str(t, ".\n");
    }
}

static void put_verb(cli_text *t, const verb_row *verb) {
    text_format(t, ".SH SYNOPSIS\n.B membrane %s\n", verb->name);
    if (*verb->words) text_str(t, "\\fI"), put_roff(t, verb->words), text_str(t, "\\fR ");
    text_str(t, "[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
    put_roff(t, verb->summary);
    text_str(t, ".\n");
    if (*verb->about) text_str(t, ".PP\n"), put_roff(t, verb->about), text_str(t, "\n");
    if (verb->actions) text_str(t, ".SH ACTIONS\n");
    for (const action_row *at = verb->actions; at && at->name; at++) {
        text_format(t, ".TP\n.B %s %s\n", at->name, at->words);
        put_roff(t, at->help);
        text_str(t, ".\n");
    }
    put_options(t, verb);
}

void man_put(cli_text *t, const verb_row *verb) {
    text_str(t, ".TH MEMBRANE");
    if (verb) text_str(t, "\\-");
    for (const char *c = verb ? verb->name : ""; *c; c++) text_format(t, "%c", toupper((unsigned char)*c));
    text_format(t, " 1 \"2026-11-21\" \"membrane %s\" \"User Commands\"\n.SH NAME\n", MEMBRANE_VERSION_STRING);
    text_format(t, "membrane%s%s \\- ", verb ? "\\-" : "", verb ? verb->name : "");
    put_roff(t, verb ? verb->summary : "ask a language model");
    text_str(t, "\n");
    if (verb)
        put_verb(t, verb);
    else
        put_program(t);
    put_exit_codes(t);
    text_str(t, ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nNo colours, if it is set and not empty.\n"
                ".TP\n.B XDG_CONFIG_HOME\nWhere membrane/config.yaml is looked for (~/.config).\n"
                ".TP\n.BR OLLAMA_HOST \", \" OPENAI_API_KEY \" and the like\"\nProviders that are found without "
                "configuration.\n");
    put_examples(t, verb ? verb : verb_table);
    text_str(t, ".SH \"SEE ALSO\"\n");
    text_str(t, verb ? ".BR membrane (1)\n" : ".BR membrane\\-run (1),\n.BR membrane\\-config (1)\n");
}
