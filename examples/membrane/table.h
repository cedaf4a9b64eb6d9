// SPDX-License-Identifier: MIT
// The one table of verbs and options: parser, help, man pages and completions are all made from it.
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct cli_app;

typedef enum {
    OPT_MODEL,
    OPT_SYSTEM,
    OPT_ATTACH,
    OPT_SCHEMA,
    OPT_STREAM,
    OPT_NO_STREAM,
    OPT_DRY_RUN,
    OPT_LOCAL,
    OPT_NO_FALLBACK,
    OPT_SESSION,
    OPT_REQUEST_ID,
    OPT_DEADLINE,
    OPT_VIA,
    OPT_PROVIDER,
    OPT_POLICY,
    OPT_RETRIES,
    OPT_MAX_ATTEMPTS,
    OPT_MAX_WAIT,
    OPT_MAX_COST,
    OPT_HEDGE,
    OPT_ON_CUT,
    OPT_MAX_TOKENS,
    OPT_TEMPERATURE,
    OPT_SEED,
    OPT_STOP,
    OPT_THINK,
    OPT_LOG_PROMPT,
    OPT_KEEP_ALIVE,
    OPT_NO_PROBE,
    OPT_TIMEOUT,
    OPT_FOLLOW,
    OPT_LINES,
    OPT_OUTCOME,
    OPT_MATCH,
    OPT_SINCE,
    OPT_BY,
    OPT_ORIGIN,
    OPT_FILE,
    OPT_PASSPHRASE,
    OPT_OUTPUT,
    OPT_FORCE,
    OPT_WITH_KEYS,
    OPT_MAN,
    OPT_CONFIG,
    OPT_LOG,
    OPT_JSON,
    OPT_QUIET,
    OPT_HELP,
    OPT_VERSION,
    OPT_COUNT
} option_id;

typedef enum {
    TAKES_NOTHING,
    TAKES_VALUE,
    TAKES_CHOICE, // a value may follow, if it is one of the choices; else the option's default holds
    TAKES_SPAN,   // the same, and a time may follow too
} option_takes;

typedef struct option_row {
    const char *name; // without dashes
    char letter;      // 0: none
    option_takes takes;
    const char *value;          // what the value is called; "FILE" completes file names
    const char *const *choices; // the values there are, or NULL
    const char *help;           // one sentence, no full stop
    bool hidden;
} option_row;

typedef struct action_row {
    const char *name, *words, *help;
} action_row;

typedef struct example_row {
    const char *command, *help;
} example_row;

typedef struct verb_row {
    const char *name;
    int (*main)(struct cli_app *app);
    const char *words;         // what stands after it, for the usage line
    const char *summary;       // one line
    const char *about;         // paragraphs, separated by a blank line
    const action_row *actions; // what its first word may be; the first row is the default; ends with a NULL name
    const option_id *options;  // ends with OPT_COUNT
    const example_row *examples;
    const char *const *choices; // what its word may be, for completions; or NULL
} verb_row;

extern const option_row option_table[OPT_COUNT];
extern const verb_row verb_table[]; // ends with a NULL name; the first row is the default verb
extern const char *const verb_names[];

const verb_row *verb_find(const char *name);
bool verb_takes(const verb_row *verb, option_id id);
const action_row *action_find(const verb_row *verb, const char *name);

#endif
