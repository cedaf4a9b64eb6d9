// SPDX-License-Identifier: MIT
// The verb completion: scripts for three shells, written from the table.
#include <string.h>

#include "output.h"

static bool is_file(const option_row *option) { return option->value && strcmp(option->value, "FILE") == 0; }

static void put_list(cli_text *t, const char *const *names) {
    for (const char *const *at = names; *at; at++) text_format(t, "%s%s", at == names ? "" : " ", *at);
}

static void put_options_list(cli_text *t, const verb_row *verb) {
    for (const option_id *at = verb->options; *at != OPT_COUNT; at++) {
        const option_row *option = &option_table[*at];
        if (option->hidden) continue;
        text_format(t, "--%s ", option->name);
        if (option->letter) text_format(t, "-%c ", option->letter);
    }
}

// What may stand as the verb's first word.
static void put_words(cli_text *t, const verb_row *verb) {
    for (const action_row *at = verb->actions; at && at->name; at++) text_format(t, "%s ", at->name);
    if (verb->choices) put_list(t, verb->choices);
}

static void put_bash_value(cli_text *t, const option_row *option) {
    text_format(t, "    --%s", option->name);
    if (option->letter) text_format(t, "|-%c", option->letter);
    if (is_file(option)) {
        text_str(t,
                 ") compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n");
    } else if (option->choices) {
        text_str(t, ") mapfile -t COMPREPLY < <(compgen -W \"");
        put_list(t, option->choices);
        text_str(t, "\" -- \"$cur\"); return ;;\n");
    } else {
        text_str(t, ") return ;;\n");
    }
}

static void put_bash(cli_text *t) {
    text_str(t,
             "# bash completion for membrane\n_membrane() {\n"
             "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=run word options words=\n"
             "    COMPREPLY=()\n    case $prev in\n");
    for (int id = 0; id < OPT_COUNT; id++)
        if (option_table[id].takes != TAKES_NOTHING) put_bash_value(t, &option_table[id]);
    text_str(t, "    esac\n    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        case $word in\n        ");
    for (size_t i = 0; verb_names[i]; i++) text_format(t, "%s%s", i ? "|" : "", verb_names[i]);
    text_str(t, ") verb=$word; break ;;\n        esac\n    done\n    case $verb in\n");
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        text_format(t, "    %s) options=\"", verb->name);
        put_options_list(t, verb);
        text_str(t, "\" words=\"");
        put_words(t, verb);
        text_str(t, "\" ;;\n");
    }
    text_str(t, "    esac\n    if [[ $cur == -* ]]; then\n"
                "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
                "    elif ((COMP_CWORD == 1)); then\n        mapfile -t COMPREPLY < <(compgen -W \"");
    put_list(t, verb_names);
    text_str(t, "\" -- \"$cur\")\n    elif [[ $verb == config ]] && ((COMP_CWORD > 2)); then\n"
                "        compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                "    else\n        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n    fi\n}\n"
                "complete -F _membrane membrane\n");
}

// Inside single quotes of zsh's _arguments: quotes, brackets and colons mean something there.
static void put_zsh_text(cli_text *t, const char *str) {
    for (; *str; str++) {
        if (*str == '\'')
            text_str(t, "'\\''");
        else if (strchr("[]:\\", *str))
            text_format(t, "\\%c", *str);
        else
            text_put(t, str, 1);
    }
}

static void put_zsh_option(cli_text *t, const option_row *option, const char *dashed) {
    text_format(t, "        '*%s[", dashed);
    put_zsh_text(t, option->help);
    text_str(t, "]");
    if (option->takes != TAKES_NOTHING) {
        text_format(t, "%s%s:", option->takes == TAKES_VALUE ? ":" : "::", option->value);
        if (is_file(option)) text_str(t, "_files");
        if (option->choices) text_str(t, "("), put_list(t, option->choices), text_str(t, ")");
    }
    text_str(t, "' \\\n");
}

static void put_zsh(cli_text *t) {
    text_str(t, "#compdef membrane\n# zsh completion for membrane\n_membrane() {\n    local verb=run word\n"
                "    for word in \"${(@)words[2,CURRENT-1]}\"; do\n        case $word in\n        (");
    for (size_t i = 0; verb_names[i]; i++) text_format(t, "%s%s", i ? "|" : "", verb_names[i]);
    text_str(t, ") verb=$word; break ;;\n        esac\n    done\n    local -a verbs\n    verbs=(\n");
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        text_format(t, "        '%s:", verb->name);
        put_zsh_text(t, verb->summary);
        text_str(t, "'\n");
    }
    text_str(t, "    )\n    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n        _describe verb verbs\n"
                "        return\n    fi\n    case $verb in\n");
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        text_format(t, "    (%s) _arguments -s \\\n", verb->name);
        for (const option_id *at = verb->options; *at != OPT_COUNT; at++) {
            const option_row *option = &option_table[*at];
            char letter[3] = {'-', option->letter, '\0'}, name[40] = "--";
            if (option->hidden) continue;
            strncat(name, option->name, sizeof name - 3);
            put_zsh_option(t, option, name);
            if (option->letter) put_zsh_option(t, option, letter);
        }
        text_str(t, "        '*:word:");
        if (verb->actions || verb->choices) text_str(t, "("), put_words(t, verb), text_str(t, ")");
        text_str(t, "' ;;\n");
    }
    text_str(
        t,
        "    esac\n}\nif [[ $funcstack[1] == _membrane ]]; then _membrane \"$@\"; else compdef _membrane membrane; fi\n");
}

static void put_fish_text(cli_text *t, const char *str) {
    for (; *str; str++) {
        if (*str == '\'' || *str == '\\') text_str(t, "\\");
        text_put(t, str, 1);
    }
}

static void put_fish_option(cli_text *t, const verb_row *verb, const option_row *option) {
    if (verb == verb_table)
        text_str(t, "complete -c membrane -n __membrane_runs");
    else
        text_format(t, "complete -c membrane -n '__fish_seen_subcommand_from %s'", verb->name);
    text_format(t, " -l %s", option->name);
    if (option->letter) text_format(t, " -s %c", option->letter);
    if (option->takes == TAKES_VALUE) text_str(t, is_file(option) ? " -r -F" : " -x");
    if (option->choices) text_str(t, " -a '"), put_list(t, option->choices), text_str(t, "'");
    text_str(t, " -d '");
    put_fish_text(t, option->help);
    text_str(t, "'\n");
}

static void put_fish(cli_text *t) {
    text_str(t, "# fish completion for membrane\ncomplete -c membrane -f\nfunction __membrane_runs\n"
                "    not __fish_seen_subcommand_from");
    for (size_t i = 1; verb_names[i]; i++) text_format(t, " %s", verb_names[i]);
    text_str(t, "\nend\n");
    for (const verb_row *verb = verb_table; verb->name; verb++) {
        text_format(t, "complete -c membrane -n __fish_use_subcommand -a %s -d '", verb->name);
        put_fish_text(t, verb->summary);
        text_str(t, "'\n");
        if (verb->actions || verb->choices) {
            text_format(t, "complete -c membrane -n '__fish_seen_subcommand_from %s' -a '", verb->name);
            put_words(t, verb);
            text_str(t, "'\n");
        }
        for (const option_id *at = verb->options; *at != OPT_COUNT; at++)
            if (!option_table[*at].hidden) put_fish_option(t, verb, &option_table[*at]);
    }
}

int completion_main(cli_app *app) {
    const char *shell = app->args.word_count ? app->args.words[0] : "";
    cli_text t = {0}, line = {0};
    int code = check_words(app, 1);
    if (code) return code;
    if (strcmp(shell, "bash") == 0)
        put_bash(&t);
    else if (strcmp(shell, "zsh") == 0)
        put_zsh(&t);
    else if (strcmp(shell, "fish") == 0)
        put_fish(&t);
    else
        return fail(app, MEMBRANE_EINVAL, "membrane completion bash", "completion for which shell? bash, zsh or fish");
    if (app->json) {
        text_str(&line, "{\"shell\":");
        text_json(&line, shell);
        text_str(&line, ",\"text\":");
        text_json_n(&line, t.data ? t.data : "", t.len);
        text_str(&line, "}");
        if (line.data) out_json(line.data, line.len);
    } else if (t.data) {
        out_text(app, t.data, t.len);
    }
    text_free(&t);
    text_free(&line);
    return 0;
}
