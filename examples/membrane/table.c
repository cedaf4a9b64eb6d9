// SPDX-License-Identifier: MIT
// The table itself: every verb, action, option and example there is, each said once.
#include "table.h"

#include <string.h>

#include "cli.h"

static const char *const think_levels[] = {"low", "medium", "high", "off", NULL};
static const char *const policies[] = {"ordered", "weighted", "least_busy", "latency", "cheapest", "usage", NULL};
static const char *const hedges[] = {"p95", "off", NULL};
static const char *const cuts[] = {"restart", "continue", NULL};
static const char *const outcomes[] = {"ok", "error", "cancelled", NULL};
static const char *const sums[] = {"day", "model", "provider", "session", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};

#define FLAG(id, name, letter, help)         [id] = {name, letter, TAKES_NOTHING, NULL, NULL, help, false}
#define VALUE(id, name, letter, value, help) [id] = {name, letter, TAKES_VALUE, value, NULL, help, false}

const option_row option_table[OPT_COUNT] = {
    VALUE(OPT_MODEL, "model", 'm', "MODEL", "The model: a name of the configuration, or provider/model"),
    VALUE(OPT_SYSTEM, "system", 's', "TEXT", "The system prompt"),
    VALUE(OPT_ATTACH, "attach", 'a', "FILE", "Attach a text file or an image (png, jpeg, gif, webp); may be repeated"),
    VALUE(OPT_SCHEMA, "schema", 0, "FILE", "Ask for JSON that fits this JSON schema"),
    FLAG(OPT_STREAM, "stream", 0, "Show the answer as it comes (default); with --json one event a line"),
    FLAG(OPT_NO_STREAM, "no-stream", 0, "Ask for the answer in one piece"),
    FLAG(OPT_DRY_RUN, "dry-run", 0, "Show which target would be asked and what would be sent; send nothing"),
    FLAG(OPT_LOCAL, "local", 0, "Only targets on this machine or a private network"),
    FLAG(OPT_NO_FALLBACK, "no-fallback", 0, "Only the first target"),
    VALUE(OPT_SESSION, "session", 0, "ID", "The session that the call belongs to"),
    VALUE(OPT_REQUEST_ID, "request-id", 0, "ID", "The id of the call; one is made without"),
    VALUE(OPT_DEADLINE, "deadline", 0, "TIME", "Give up after this time (30s, 500ms, 2m), with exit code 124"),
    VALUE(OPT_VIA, "via", 0, "NAMES", "Comma-separated hops that the request came through; they are not asked again"),
    VALUE(OPT_PROVIDER, "provider", 'p', "NAME", "Only this provider"),
    [OPT_POLICY] = {"policy", 0, TAKES_VALUE, "NAME", policies,
                    "How the targets of the model share calls, whatever is configured", false},
    VALUE(OPT_RETRIES, "retries", 0, "N", "Further attempts on one target (2)"),
    VALUE(OPT_MAX_ATTEMPTS, "max-attempts", 0, "N", "At most this many attempts on all targets together"),
    VALUE(OPT_MAX_WAIT, "max-wait", 0, "TIME", "Wait at most this long for limits of our own; 0: not at all"),
    VALUE(OPT_MAX_COST, "max-cost", 0, "AMOUNT",
          "The call may cost this much: dollars (0.05, $0.05) or millionths of one (50000u)"),
    [OPT_HEDGE] = {"hedge", 0, TAKES_SPAN, "TIME", hedges,
                   "Ask a second target when the first one says nothing for this time, or for longer than 95 of 100 "
                   "first tokens took (p95, as without a value)",
                   false},
    [OPT_ON_CUT] = {"on-cut", 0, TAKES_VALUE, "WAY", cuts,
                    "What happens when an answer breaks off, instead of an error", false},
    VALUE(OPT_MAX_TOKENS, "max-tokens", 0, "N", "At most this many tokens of answer"),
    VALUE(OPT_TEMPERATURE, "temperature", 't', "NUMBER", "Sampling temperature, 0 to 5"),
    VALUE(OPT_SEED, "seed", 0, "N", "Seed of the sampling, where the model has one"),
    VALUE(OPT_STOP, "stop", 0, "TEXT", "Stop before this text; may be repeated"),
    [OPT_THINK] = {"think", 0, TAKES_CHOICE, "LEVEL", think_levels,
                   "Let the model think first, how hard, or not at all", false},
    FLAG(OPT_LOG_PROMPT, "log-prompt", 0, "Keep prompt and answer of this call in the call log"),
    VALUE(OPT_KEEP_ALIVE, "keep-alive", 0, "TIME",
          "How long the engine keeps the model after its last use; -1 for good"),
    FLAG(OPT_NO_PROBE, "no-probe", 0, "Do not ask the providers, show what is configured"),
    VALUE(OPT_TIMEOUT, "timeout", 0, "TIME", "Wait at most this long for the providers"),
    FLAG(OPT_FOLLOW, "follow", 'f', "Go on with new rows as they come"),
    VALUE(OPT_LINES, "lines", 'n', "N", "How many rows (20)"),
    [OPT_OUTCOME] = {"outcome", 0, TAKES_VALUE, "OUTCOME", outcomes, "Only calls that ended so", false},
    VALUE(OPT_MATCH, "match", 0, "REGEX", "Only calls whose request id, session, target or error matches"),
    VALUE(OPT_SINCE, "since", 0, "WHEN", "Only calls since then: 2h ago as 2h, or 2026-01-31, or 2026-01-31T12:00"),
    [OPT_BY] = {"by", 0, TAKES_VALUE, "WHAT", sums, "What the sums are of (day)", false},
    FLAG(OPT_ORIGIN, "origin", 0, "Say for each value where it comes from"),
    VALUE(OPT_FILE, "file", 0, "FILE", "Take the value from this file"),
    FLAG(OPT_PASSPHRASE, "passphrase", 0, "Seal a new key ring with a passphrase, typed at the terminal"),
    VALUE(OPT_OUTPUT, "output", 'o', "FILE", "Write into this file, which must not be there yet"),
    FLAG(OPT_FORCE, "force", 0, "Replace a file that is there"),
    FLAG(OPT_WITH_KEYS, "with-keys", 0, "Put keys that stand in the file into the key ring"),
    [OPT_MAN] = {"man", 0, TAKES_NOTHING, NULL, NULL, "Write the manual page (roff)", true},
    VALUE(OPT_CONFIG, "config", 0, "FILE", "Read this configuration too; it wins over the user's"),
    VALUE(OPT_LOG, "log", 0, "FILE", "The call log's SQLite file"),
    FLAG(OPT_JSON, "json", 0, "One JSON object on stdout, for errors too; lists are {\"items\":[...]}"),
    FLAG(OPT_QUIET, "quiet", 'q', "No notes on stderr"),
    FLAG(OPT_HELP, "help", 'h', "Show the help of the verb"),
    [OPT_VERSION] = {"version", 'V', TAKES_NOTHING, NULL, NULL, "Show the version", true},
};

#define OPENS  OPT_CONFIG, OPT_LOG
#define COMMON OPT_JSON, OPT_QUIET, OPT_HELP, OPT_COUNT

#define WAY                                                                                                            \
    OPT_LOCAL, OPT_NO_FALLBACK, OPT_SESSION, OPT_REQUEST_ID, OPT_DEADLINE, OPT_VIA, OPT_PROVIDER, OPT_POLICY,          \
        OPT_RETRIES, OPT_MAX_ATTEMPTS, OPT_MAX_WAIT, OPT_MAX_COST, OPT_HEDGE

static const option_id run_options[] = {
    OPT_MODEL,      OPT_SYSTEM,      OPT_ATTACH, OPT_SCHEMA, OPT_STREAM, OPT_NO_STREAM,  OPT_DRY_RUN, WAY,   OPT_ON_CUT,
    OPT_MAX_TOKENS, OPT_TEMPERATURE, OPT_SEED,   OPT_STOP,   OPT_THINK,  OPT_LOG_PROMPT, OPENS,       COMMON};
static const option_id models_options[] = {OPT_PROVIDER, OPT_KEEP_ALIVE, OPT_TIMEOUT, OPENS, COMMON};
static const option_id providers_options[] = {OPT_NO_PROBE, OPT_TIMEOUT, OPENS, COMMON};
static const option_id embed_options[] = {OPT_MODEL, OPT_ATTACH, WAY, OPENS, COMMON};
static const option_id logs_options[] = {OPT_FOLLOW, OPT_LINES,      OPT_SESSION, OPT_OUTCOME, OPT_MATCH,
                                         OPT_SINCE,  OPT_REQUEST_ID, OPT_MODEL,   OPENS,       COMMON};
static const option_id explain_options[] = {OPENS, COMMON};
static const option_id usage_options[] = {OPT_BY, OPT_SINCE, OPENS, COMMON};
static const option_id budgets_options[] = {OPENS, COMMON};
static const option_id config_options[] = {OPT_ORIGIN, OPT_OUTPUT, OPT_FORCE, OPT_WITH_KEYS, OPENS, COMMON};
static const option_id keys_options[] = {OPT_FILE, OPT_PASSPHRASE, COMMON};
static const option_id doctor_options[] = {OPT_TIMEOUT, OPENS, COMMON};
static const option_id plain_options[] = {COMMON};
static const option_id help_options[] = {OPT_MAN, COMMON};

static const action_row models_actions[] = {
    {"list", "[PROVIDER]", "The models that the providers tell of; logical models of the configuration first"},
    {"show", "PROVIDER/MODEL", "What its provider says of one model"},
    {"load", "PROVIDER/MODEL", "Load a model into its engine and say how long it took"},
    {"unload", "PROVIDER/MODEL", "Take a model out of its engine's memory"},
    {"warm", "PROVIDER/MODEL", "Load a model and let it answer one token"},
    {0}};
static const action_row config_actions[] = {
    {"show", "", "What is in force"},
    {"validate", "[FILE]", "Check a file, or what is in force; say file, line and the nearest known key"},
    {"path", "", "The files that are read, in order"},
    {"trust", "[PATH]", "Let a project's .membrane/config.yaml count from now on"},
    {"import", "FILE", "Make a configuration of a LiteLLM proxy's"},
    {0}};

static const action_row budgets_actions[] = {
    {"list", "", "The budgets that hold: what is spent, reserved and left of each"},
    {"set", "SCOPE [MATCH] PERIOD AMOUNT", "Set a budget, or its amount anew; the amount is dollars: 5, 0.25"},
    {"remove", "SCOPE [MATCH] PERIOD", "Remove a budget; what was spent stays counted"},
    {0}};

static const action_row keys_actions[] = {{"list", "", "The names of the keys and when they were set"},
                                          {"set", "NAME", "Seal a value under a name; it is read from a pipe or typed"},
                                          {"remove", "NAME", "Remove a key"},
                                          {0}};

static const example_row run_examples[] = {
    {"membrane why is the sky blue", "Ask; the first free target that fits answers"},
    {"membrane -m ollama/qwen2.5 -a main.c 'what does this do?'", "Ask one model about a file"},
    {"git diff | membrane -s 'Write a commit message.'", "A pipe is the prompt, or is put after it"},
    {"membrane --json --schema person.json 'Ada Lovelace, 36' | jq .text", "Structured output for a program"},
    {"membrane --dry-run -m cloud hello", "See where a call would go, and its body"},
    {0}};
static const example_row models_examples[] = {
    {"membrane models", "All models of all providers"},
    {"membrane models load ollama/qwen2.5 --keep-alive 30m", "Have a model ready for half an hour"},
    {"membrane models load chat", "Have all local targets of a model of the configuration ready"},
    {0}};
static const example_row providers_examples[] = {
    {"membrane providers", "Who answers right now"}, {"membrane providers --no-probe", "What is configured"}, {0}};
static const example_row embed_examples[] = {
    {"membrane embed -m ollama/nomic-embed-text 'first text' 'second text'", "One vector a text"},
    {"membrane embed --json < lines.txt", "One vector a line"},
    {0}};
static const example_row logs_examples[] = {{"membrane logs -f", "Follow the calls of all programs with this log"},
                                            {"membrane logs --outcome error --since 1d", "What went wrong today"},
                                            {0}};
static const example_row explain_examples[] = {
    {"membrane explain last", "Why did the newest call go where it went?"},
    {"membrane explain req_1k8", "The call whose request id begins so; membrane logs shows the ids"},
    {0}};
static const example_row usage_examples[] = {
    {"membrane usage --since 7d", "Calls, tokens and cost of each of seven days"},
    {"membrane usage --by model --since 2026-01-01", "What each model came to"},
    {0}};
static const example_row budgets_examples[] = {
    {"membrane budgets", "How it stands"},
    {"membrane budgets set all month 50", "Fifty dollars a month for everything together"},
    {"membrane budgets set session total 0.50", "Half a dollar for each session"},
    {"membrane budgets set key 'cloud#1' day 5", "Five dollars a day for the first key of a provider"},
    {0}};
static const example_row config_examples[] = {
    {"membrane config show --origin", "Every value and the file, line or variable it comes from"},
    {"membrane config validate config.yaml", "Check a file before it is used"},
    {"membrane config import litellm.yaml -o config.yaml", "Take over a LiteLLM proxy's configuration"},
    {0}};
static const example_row keys_examples[] = {
    {"membrane keys set cloud", "Type a key; api_key: sealed:cloud names it"},
    {"membrane keys set cloud --file key.txt", "The same from a file"},
    {"pass show openai | membrane keys set cloud", "The same from another keeper of secrets"},
    {0}};
static const example_row doctor_examples[] = {{"membrane doctor", "One check a line, each failure with its cure"}, {0}};
static const example_row version_examples[] = {{"membrane version --json", "Version and libraries, for a program"},
                                               {0}};
static const example_row completion_examples[] = {
    {"membrane completion bash > ~/.local/share/bash-completion/completions/membrane", "Tab completion in bash"}, {0}};
static const example_row help_examples[] = {{"membrane help run", "All options of a verb"}, {0}};

const verb_row verb_table[] = {
    {"run", run_main, "[WORDS...]", "Ask a model; this is the verb when none is given",
     "Sends the words as one message and writes the answer to standard output; everything else goes to standard error. "
     "Standard input is read only when it is a pipe or a file: it is put after the words, or is the prompt when there "
     "are none. With no words at a terminal it asks for prompts, one after the other, and keeps the conversation.\n\n"
     "Without -m and without configuration the first of these answers: a chat model of a local engine (a loaded one "
     "first), a provider whose key is in the environment, and at last builtin/extractive, which only quotes the "
     "attached files. Which one it was, and why, stands on standard error.\n\n"
     "The first interrupt (Ctrl-C) stops the call and keeps what came; the second one ends the program at once.",
     NULL, run_options, run_examples, NULL},
    {"models", models_main, "[list|show|load|unload|warm] [MODEL]", "List, show, load, unload and warm models",
     "Asks the providers over the network. A provider that does not answer is named on standard error and does not "
     "hide the others.",
     models_actions, models_options, models_examples, NULL},
    {"providers", providers_main, "", "Show the providers, whether they answer, and how their last call ended",
     "Every provider is asked now, unless --no-probe is given. Keys are never shown, only whether they are there.",
     NULL, providers_options, providers_examples, NULL},
    {"embed", embed_main, "[TEXTS...]", "Turn texts into vectors",
     "Each word of the command line, each line of standard input (a pipe or a file) and each attached file is one "
     "text. One line a text: its dimensions, a tab, its numbers.",
     NULL, embed_options, embed_examples, NULL},
    {"logs", logs_main, "", "Show the call log",
     "One line a call, oldest first. --json gives the whole rows; with -f one row a line.", NULL, logs_options,
     logs_examples, NULL},
    {"explain", explain_main, "REQUEST_ID|last", "Explain a past call: who could have been asked, and what happened",
     "Shows from the call log what was decided and why, every attempt, and what it came to. The beginning of a request "
     "id is enough where no other one begins so; last is the newest call.",
     NULL, explain_options, explain_examples, NULL},
    {"usage", usage_main, "", "Sum up calls, tokens and cost",
     "Sums over the call log, one line a day (UTC), model, provider or session, and a total. Calls whose price nobody "
     "knows are counted, not guessed. At a terminal a bar compares the lines: by cost, or by tokens where no cost is "
     "known.",
     NULL, usage_options, usage_examples, NULL},
    {"budgets", budgets_main, "[list|set|remove] [SCOPE] [MATCH] [PERIOD] [AMOUNT]", "Show, set and remove budgets",
     "SCOPE is key, model, session or all; PERIOD is day, month (both of UTC) or total. MATCH is a glob, and all that match "
     "share one amount; without it each key, model or session has an amount of its own. A key is PROVIDER#N, or PROVIDER "
     "for all its keys; a model is PROVIDER/MODEL, or a name of the configuration.\n\n"
     "Budgets that are set here stand in the call log's file and hold for every program that uses it, beside those of the "
     "configuration; of two amounts for the same budget the smaller one holds.",
     budgets_actions, budgets_options, budgets_examples, NULL},
    {"config", config_main, "[show|validate|path|trust|import] [PATH]", "Show, check, trust and import configuration",
     "Secrets are shown as the reference they come from, or as ***. What an import cannot take over is said line by line "
     "on standard error; keys that stand in its file are left there unless --with-keys is given.",
     config_actions, config_options, config_examples, NULL},
    {"keys", keys_main, "[list|set|remove] [NAME]", "Keep API keys sealed in the user's key ring",
     "A value is read from a pipe, from --file, or typed at the terminal without being shown; it is never an argument, "
     "and nothing ever shows it again. The ring is opened by the file master.key beside it, or by a passphrase "
     "(--passphrase when the first key is set; later it is asked for, or taken from MEMBRANE_PASSPHRASE).",
     keys_actions, keys_options, keys_examples, NULL},
    {"doctor", doctor_main, "", "Check that everything is as it should be",
     "Exits with 1 if a check failed. Each failure comes with the line that mends it.", NULL, doctor_options,
     doctor_examples, NULL},
    {"version", version_main, "", "Show the version and what it is built with", "", NULL, plain_options,
     version_examples, NULL},
    {"completion", completion_main, "bash|zsh|fish", "Write the completions for a shell", "", NULL, plain_options,
     completion_examples, shells},
    {"help", help_main, "[VERB]", "Show the help of a verb", "", NULL, help_options, help_examples, verb_names},
    {0}};

const char *const verb_names[] = {"run",     "models",  "providers",  "embed",  "logs",
                                  "explain", "usage",   "budgets",    "config", "keys",
                                  "doctor",  "version", "completion", "help",   NULL};

const verb_row *verb_find(const char *name) {
    for (const verb_row *verb = verb_table; verb->name; verb++)
        if (strcmp(verb->name, name) == 0) return verb;
    return NULL;
}

bool verb_takes(const verb_row *verb, option_id id) {
    for (const option_id *at = verb->options; *at != OPT_COUNT; at++)
        if (*at == id) return true;
    return false;
}

const action_row *action_find(const verb_row *verb, const char *name) {
    for (const action_row *action = verb->actions; action && action->name; action++)
        if (strcmp(action->name, name) == 0) return action;
    return NULL;
}
