// SPDX-License-Identifier: MIT
// A conversation at a terminal: libedit reads a line, the answer is printed, both stay in the messages.
#include <editline/readline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "pump.h"
#include "request.h"
#include "run.h"

// One turn: the prompt joins the messages, and so does the answer if it came whole.
static int turn(cli_app *app, membrane_t *m, cli_text *messages, const char *prompt, bool is_first) {
    pump p = {.app = app, .m = m, .shows_text = true};
    membrane_call_options options;
    membrane_call *call = NULL;
    cli_text request = {0};
    size_t kept = messages->len;
    if (kept) text_str(messages, ",");
    text_str(messages, "{\"role\":\"user\",\"content\":");
    int code = put_content(app, messages, prompt, is_first);
    text_str(messages, "}");
    text_format(&request, "{\"stream\":true,\"messages\":[%s]", messages->data);
    if (!code) code = put_request_options(app, &request);
    text_str(&request, "}");
    if (!code) code = call_options(app, &options);
    if (!code) code = pump_call(&p, &request, &options, &call);
    if (!code) {
        text_str(messages, ",{\"role\":\"assistant\",\"content\":");
        text_json_n(messages, p.answer.data ? p.answer.data : "", p.answer.len);
        text_str(messages, "}");
        show_figures(app, membrane_call_result(call));
    } else {
        messages->len = kept;
        if (messages->data) messages->data[kept] = '\0';
    }
    pump_free(&p);
    text_free(&request);
    membrane_call_free(call);
    return code;
}

int chat_main(cli_app *app) {
    cli_text messages = {0};
    const char *system = app->args.value[OPT_SYSTEM];
    membrane_t *m = NULL;
    bool is_first = true;
    int code = cli_open(app, &m);
    if (code) return code;
    if (system)
        text_str(&messages, "{\"role\":\"system\",\"content\":"), text_json(&messages, system),
            text_str(&messages, "}");
    note(app, "A conversation; an empty line or Ctrl-D ends it.");
    for (;;) {
        char *line = readline("> ");
        if (!line || !*line || utf8_prefix(line, strlen(line)) < strlen(line)) {
            free(line);
            break;
        }
        add_history(line);
        // A failed turn is told and forgotten; the next one may do better. The verb's own usage errors end it.
        code = turn(app, m, &messages, line, is_first);
        is_first = is_first && code != 0;
        free(line);
        if (code == 2) break;
    }
    membrane_close(m, 2000);
    text_free(&messages);
    return code == 130 ? 0 : code;
}
