// SPDX-License-Identifier: MIT
#include "runtime/config_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

// What a key's value is. ANY_TABLE: a table whose keys are the user's own names.
typedef enum {
    TEXT,
    NUMBER,
    COUNT,
    MONEY,
    REAL,
    SWITCH,
    TIME,
    SPAN, // a switch or a time
    TEXTS,
    TABLE,
    TABLES,
    NAMED_TABLES,
    ANY_TABLE,
    LATER
} shape_type;

typedef struct shape {
    const char *key;
    shape_type type;
    const struct shape *inner; // of TABLE, TABLES, NAMED_TABLES; ends with a NULL key
    bool needed;
} shape;

static const shape times[] = {{"connect", TIME}, {"first_token", TIME}, {"idle", TIME}, {"total", TIME}, {0}};
static const shape aws[] = {
    {"access_key_id", TEXT}, {"secret_access_key", TEXT}, {"session_token", TEXT}, {"region", TEXT}, {0}};
static const shape limits[] = {{"rpm", COUNT}, {"tpm", COUNT}, {"parallel", COUNT}, {0}};
static const shape provider[] = {{"kind", TEXT},
                                 {"base_url", TEXT},
                                 {"api_key", TEXT},
                                 {"api_keys", TEXTS},
                                 {"aws", TABLE, aws},
                                 {"headers", ANY_TABLE},
                                 {"quirks", ANY_TABLE},
                                 {"timeouts", TABLE, times},
                                 {"limits", TABLE, limits},
                                 {"tells_hops", SWITCH},
                                 {"proxy", TEXT},
                                 {"ca_file", TEXT},
                                 {"http", TEXT},
                                 {0}};
static const shape target[] = {{"target", TEXT, NULL, true}, {"weight", REAL}, {"limits", TABLE, limits}, {0}};
static const shape fallback[] = {{"target", TEXT, NULL, true}, {"limits", TABLE, limits}, {0}};
static const shape fallbacks[] = {
    {"error", TABLES, fallback}, {"context_overflow", TABLES, fallback}, {"content_policy", TABLES, fallback}, {0}};
static const shape model[] = {{"policy", TEXT},
                              {"targets", TABLES, target, true},
                              {"fallbacks", TABLE, fallbacks},
                              {"retries", NUMBER},
                              {"hedge", SPAN},
                              {"sticky", SPAN},
                              {"max_wait", TIME},
                              {"on_cut", TEXT},
                              {"warm", SWITCH},
                              {"min_tokens_per_s", REAL},
                              {"aliases", TEXTS},
                              {0}};
static const shape optimizer[] = {{"provider", TEXT, NULL, true}, {"prefix", TEXT}, {0}};
static const shape cost[] = {{"max_per_call_usd_micros", MONEY}, {"unknown", TEXT}, {0}};
static const shape probes[] = {{"interval", TIME}, {0}};
static const shape budget[] = {{"scope", TEXT, NULL, true},
                               {"match", TEXT},
                               {"period", TEXT, NULL, true},
                               {"usd_micros", LATER, NULL, true}, // config_budgets.c looks at these two
                               {"alerts", LATER},
                               {0}};
static const shape call_log[] = {{"path", TEXT}, {"keep_days", NUMBER}, {"prompts", SWITCH}, {0}};
static const shape root[] = {{"version", NUMBER},
                             {"providers", NAMED_TABLES, provider},
                             {"models", NAMED_TABLES, model},
                             {"optimizer", TABLE, optimizer},
                             {"hop", TEXT},
                             {"cost", TABLE, cost},
                             {"probes", TABLE, probes},
                             {"budgets", TABLES, budget},
                             {"log", TABLE, call_log},
                             {"prices", TEXT},
                             {"tools", LATER},
                             {"policy", LATER},
                             {"context", LATER},
                             {"placement", LATER},
                             {0}};

static const char *type_words(shape_type type) {
    switch (type) {
    case TEXT: return "a text";
    case NUMBER: return "a whole number, not negative";
    case COUNT: return "a whole number from 1 to 1000000000";
    case MONEY: return "a whole number from 1 to 1000000000000000";
    case REAL: return "a number from 0 to 1000000";
    case SWITCH: return "true or false";
    case TIME: return "a time (milliseconds, or \"500ms\", \"30s\", \"2m\")";
    case SPAN: return "true, false or a time (milliseconds, or \"500ms\", \"30s\", \"2m\")";
    case TEXTS: return "a list of texts";
    case TABLES: return "a list of tables";
    default: return "a table";
    }
}

const char *mb_config_found(const mb_json *value) {
    switch (value->type) {
    case MB_JSON_NULL: return "nothing";
    case MB_JSON_BOOL: return "true or false";
    case MB_JSON_STRING: return "a text";
    case MB_JSON_ARRAY: return "a list";
    case MB_JSON_OBJECT: return "a table";
    default: return "a number";
    }
}

static bool is_texts(const mb_json *v) {
    if (!mb_json_is(v, MB_JSON_ARRAY)) return false;
    for (uint32_t i = 0; i < v->count; i++)
        if (v->children[i].type != MB_JSON_STRING) return false;
    return true;
}

static bool fits(const mb_json *v, shape_type type) {
    switch (type) {
    case TEXT: return v->type == MB_JSON_STRING;
    case NUMBER: return v->type == MB_JSON_INT && v->integer >= 0 && v->integer <= 1000000;
    case COUNT: return v->type == MB_JSON_INT && v->integer >= 1 && v->integer <= 1000000000;
    case MONEY: return v->type == MB_JSON_INT && v->integer >= 1 && v->integer <= INT64_C(1000000000000000);
    case REAL: return mb_json_is_number(v) && mb_json_double(v, -1) >= 0 && mb_json_double(v, -1) <= 1e6;
    case SWITCH: return v->type == MB_JSON_BOOL;
    case SPAN: return v->type == MB_JSON_BOOL || fits(v, TIME);
    case TIME: return v->type == MB_JSON_STRING || v->type == MB_JSON_INT;
    case TEXTS: return is_texts(v);
    case TABLES: return v->type == MB_JSON_ARRAY;
    case LATER: return true;
    default: return v->type == MB_JSON_OBJECT;
    }
}

static int check_table(const mb_config *config, const char *path, const mb_json *table, const shape *known,
                       membrane_error **err);

static int unknown_key(const mb_config *config, const char *path, const mb_json *value, const shape *known,
                       membrane_error **err) {
    const char *names[32];
    size_t count = 0;
    for (; known[count].key; count++) names[count] = known[count].key;
    const char *nearest = mb_nearest(value->key, names, count);
    return mb_config_error(config, err, value, "unknown key \"%s\"%s%s%s%s%s", value->key, path[0] ? " in " : "", path,
                           nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
}

static int check_tables(const mb_config *config, const char *path, const mb_json *value, const shape *row,
                        membrane_error **err) {
    for (uint32_t i = 0; i < value->count; i++) {
        char inner[640]; // a longer path is cut: it stands in a message only
        const mb_json *one = &value->children[i];
        if (row->type == TABLES)
            snprintf(inner, sizeof inner, "%.500s.%u", path, i);
        else
            snprintf(inner, sizeof inner, "%.500s.%.100s", path, one->key);
        if (row->type == TABLES && one->type == MB_JSON_STRING) continue; // "provider/model" for {target: …}
        if (one->type != MB_JSON_OBJECT) return mb_config_error(config, err, one, "%s must be a table", inner);
        int code = check_table(config, inner, one, row->inner, err);
        if (code) return code;
    }
    return 0;
}

static int check_value(const mb_config *config, const char *path, const mb_json *value, const shape *row,
                       membrane_error **err) {
    int64_t ignored;
    const bool is_number = row->type == NUMBER || row->type == COUNT || row->type == MONEY || row->type == REAL;
    const char *found = is_number && mb_json_is_number(value) ? NULL : mb_config_found(value);
    if (!fits(value, row->type))
        return mb_config_error(config, err, value, "%s must be %s%s%s", path, type_words(row->type),
                               found ? ", not " : "", found ? found : "");
    if (row->type == TIME) return mb_config_duration(config, value, &ignored, err);
    if (row->type == TABLE) return check_table(config, path, value, row->inner, err);
    if (row->type == TABLES || row->type == NAMED_TABLES) return check_tables(config, path, value, row, err);
    return 0;
}

static int check_table(const mb_config *config, const char *path, const mb_json *table, const shape *known,
                       membrane_error **err) {
    for (uint32_t i = 0; i < table->count; i++) {
        const mb_json *value = &table->children[i];
        const shape *row = known;
        char inner[512];
        while (row->key && strcmp(row->key, value->key) != 0) row++;
        if (!row->key) return unknown_key(config, path, value, known, err);
        snprintf(inner, sizeof inner, "%s%s%s", path, path[0] ? "." : "", value->key);
        int code = check_value(config, inner, value, row, err);
        if (code) return code;
    }
    for (const shape *row = known; row->key; row++)
        if (row->needed && !mb_json_get(table, row->key))
            return mb_config_error(config, err, table, "%s: \"%s\" is missing", path, row->key);
    return 0;
}

int mb_config_check_shape(const mb_config *config, membrane_error **err) {
    return check_table(config, "", config->tree, root, err);
}

// A file of thousands of lines may have thousands: the first ones are enough.
void mb_config_warn(mb_config *config, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (config->warnings.len > config->warnings.max / 2) return;
    if (config->warnings.len) mb_buf_putc(&config->warnings, ',');
    mb_jw w = mb_jw_to(&config->warnings);
    mb_jw_str(&w, text);
}

int mb_config_choice(const mb_config *config, const mb_json *value, const char *path, const char *const *words,
                     size_t count, int *ret, membrane_error **err) {
    char list[256] = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], value->str) == 0) return *ret = (int)i, 0;
        size_t len = strlen(list);
        snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", words[i]);
    }
    const char *nearest = mb_nearest(value->str, words, count);
    return mb_config_error(config, err, value, "%s: \"%.100s\" is none of %s%s%s%s", path, value->str, list,
                           nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
}

int mb_config_duration(const mb_config *config, const mb_json *value, int64_t *ret_ms, membrane_error **err) {
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}};
    int64_t limit = INT64_C(30) * 24 * 3600000, number = -1, factor = 1;
    if (value->type == MB_JSON_STRING) {
        char *end;
        number = strtol(value->str, &end, 10);
        if (end == value->str) number = -1;
        size_t i = 0;
        while (i < MB_COUNT(units) && strcmp(units[i].unit, end) != 0) i++;
        if (i == MB_COUNT(units))
            number = -1;
        else
            factor = units[i].factor;
    } else {
        number = mb_json_int(value, -1);
    }
    if (number < 0 || number > limit / factor)
        return mb_config_error(config, err, value, "%s must be %s", value->key ? value->key : "it", type_words(TIME));
    *ret_ms = number * factor;
    return 0;
}
