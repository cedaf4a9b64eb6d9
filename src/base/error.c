// SPDX-License-Identifier: MIT
// Errors own all their texts. The one that says "out of memory" is static and read-only, so that it can always be
// given.
#include "base/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"

typedef struct row {
    int code;
    const char *kind, *text;
    int retryable, trips_breaker, exit_code;
    const char *orch_name;
} row;

static const row ROWS[] = {{MEMBRANE_OK, "ok", "no error", 0, 0, 0, "OK"},
#define ERROR_ROW(name, code, kind, text, retryable, breaker, exit_code, orch)                                         \
    {MEMBRANE_##name, kind, text, retryable, breaker, exit_code, orch},
                           MEMBRANE_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};

static const row UNKNOWN = {0, "unknown", "an unknown error", 0, 0, 1, "INTERNAL"};

static const membrane_error no_memory = {
    .code = MEMBRANE_ENOMEM, .retry_after_ms = -1, .message = (char *)"out of memory"};

static const char NO_MEMORY_JSON[] = "{\"kind\":\"out_of_memory\",\"message\":\"out of memory\",\"retryable\":false}";

static const row *row_of(int status) {
    for (size_t i = 0; i < MB_COUNT(ROWS); i++)
        if (ROWS[i].code == status) return &ROWS[i];
    return &UNKNOWN;
}

const char *membrane_status_kind(int status) { return row_of(status)->kind; }
const char *membrane_status_text(int status) { return row_of(status)->text; }
int membrane_status_retryable(int status) { return row_of(status)->retryable; }
int membrane_status_exit_code(int status) { return row_of(status)->exit_code; }
int mb_status_trips_breaker(int status) { return row_of(status)->trips_breaker; }
const char *mb_status_orch_name(int status) { return row_of(status)->orch_name; }

int mb_status_from_kind(const char *kind) {
    for (size_t i = 0; kind && i < MB_COUNT(ROWS); i++)
        if (strcmp(ROWS[i].kind, kind) == 0) return ROWS[i].code;
    return 0;
}

// ---- making --------------------------------------------------------------------------------------------------------

// Text of any length and any bytes, made fit to be shown: well formed, and cut at the limit.
static char *clean_text(const char *text, size_t len) {
    mb_buf out = MB_BUF(3 * MB_LIMIT_ERROR_TEXT); // each bad byte may become three
    mb_utf8_put_clean(&out, text, mb_utf8_prefix(text, len, MB_LIMIT_ERROR_TEXT));
    return mb_buf_take(&out, NULL);
}

static char *format_text(const char *format, va_list args) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_buf_vputf(&out, format, args);
    char *text = mb_buf_ok(&out) ? clean_text(mb_buf_text(&out), out.len) : NULL;
    mb_buf_free(&out);
    return text;
}

int mb_error_no_memory(membrane_error **ret) {
    if (ret) {
        membrane_error_free(*ret);
        *ret = (membrane_error *)&no_memory;
    }
    return MEMBRANE_ENOMEM;
}

int mb_error_set(membrane_error **ret, int code, const char *format, ...) {
    if (!ret) return code;
    if (code == MEMBRANE_ENOMEM) return mb_error_no_memory(ret);
    membrane_error *error = mb_calloc(1, sizeof *error);
    if (error) {
        va_list args;
        va_start(args, format); // the arguments may be texts of the older error, which lives until here
        error->message = format_text(format, args);
        va_end(args);
    }
    if (!error || !error->message) {
        mb_free(error);
        mb_error_no_memory(ret);
        return code;
    }
    error->code = code;
    error->retry_after_ms = -1;
    membrane_error_free(*ret);
    *ret = error;
    return code;
}

int mb_error_is_static(const membrane_error *error) { return error == &no_memory; }

int mb_error_hint(membrane_error *error, const char *format, ...) {
    if (!error || mb_error_is_static(error)) return membrane_error_code(error);
    va_list args;
    va_start(args, format);
    char *hint = format_text(format, args);
    va_end(args);
    mb_free(error->hint);
    error->hint = hint; // an error without its hint is still an error
    return error->code;
}

void mb_error_field(membrane_error *error, char **field, const char *text) {
    if (!error || mb_error_is_static(error)) return;
    char *copy = text ? clean_text(text, strlen(text)) : NULL;
    mb_free(*field);
    *field = copy;
}

static bool copy_text(char **to, const char *from) {
    *to = mb_strdup(from);
    return *to || !from;
}

static membrane_error *copy_one(const membrane_error *from) {
    if (mb_error_is_static(from)) return (membrane_error *)&no_memory;
    membrane_error *e = mb_calloc(1, sizeof *e);
    if (!e) return NULL;
    e->code = from->code;
    e->http_status = from->http_status;
    e->retry_after_ms = from->retry_after_ms;
    e->phase = from->phase;
    if (copy_text(&e->message, from->message) && copy_text(&e->hint, from->hint) &&
        copy_text(&e->provider, from->provider) && copy_text(&e->provider_message, from->provider_message) &&
        copy_text(&e->provider_request_id, from->provider_request_id) && copy_text(&e->request_id, from->request_id) &&
        copy_text(&e->partial, from->partial))
        return e;
    membrane_error_free(e);
    return NULL;
}

membrane_error *mb_error_copy(const membrane_error *error) {
    membrane_error *first = NULL, **next = &first;
    for (; error; error = error->cause) {
        *next = copy_one(error);
        if (!*next) {
            membrane_error_free(first);
            return (membrane_error *)&no_memory;
        }
        if (mb_error_is_static(*next)) break;
        next = &(*next)->cause;
    }
    return first;
}

// ---- the public view -----------------------------------------------------------------------------------------------

int membrane_error_code(const membrane_error *e) { return e ? e->code : 0; }
const char *membrane_error_kind(const membrane_error *e) { return row_of(membrane_error_code(e))->kind; }
const char *membrane_error_message(const membrane_error *e) { return e ? e->message : row_of(0)->text; }
const char *membrane_error_hint(const membrane_error *e) { return e ? e->hint : NULL; }
const char *membrane_error_provider(const membrane_error *e) { return e ? e->provider : NULL; }
const char *membrane_error_provider_message(const membrane_error *e) { return e ? e->provider_message : NULL; }
const char *membrane_error_provider_request_id(const membrane_error *e) { return e ? e->provider_request_id : NULL; }
const char *membrane_error_request_id(const membrane_error *e) { return e ? e->request_id : NULL; }
const char *membrane_error_phase(const membrane_error *e) { return e ? e->phase : NULL; }
int membrane_error_http_status(const membrane_error *e) { return e ? e->http_status : 0; }
int membrane_error_retryable(const membrane_error *e) { return row_of(membrane_error_code(e))->retryable; }
int64_t membrane_error_retry_after_ms(const membrane_error *e) { return e ? e->retry_after_ms : -1; }
const membrane_error *membrane_error_cause(const membrane_error *e) { return e ? e->cause : NULL; }

// All of one error but its cause, its object left open.
static void write_one(mb_jw *w, const membrane_error *e) {
    mb_jw_object(w);
    mb_jw_kstr(w, "kind", membrane_error_kind(e));
    mb_jw_kstr(w, "message", e->message);
    mb_jw_kstr_if(w, "hint", e->hint);
    mb_jw_kstr_if(w, "provider", e->provider);
    mb_jw_kstr_if(w, "provider_message", e->provider_message);
    mb_jw_kstr_if(w, "provider_request_id", e->provider_request_id);
    mb_jw_kstr_if(w, "request_id", e->request_id);
    mb_jw_kstr_if(w, "phase", e->phase);
    if (e->http_status) mb_jw_kint(w, "status", e->http_status);
    mb_jw_kbool(w, "retryable", membrane_error_retryable(e) != 0);
    if (e->retry_after_ms >= 0) mb_jw_kint(w, "retry_after_ms", e->retry_after_ms);
    mb_jw_kstr_if(w, "partial", e->partial);
}

const char *membrane_error_json(const membrane_error *error) {
    if (!error) return "{\"kind\":\"ok\",\"message\":\"no error\",\"retryable\":false}";
    if (mb_error_is_static(error)) return NO_MEMORY_JSON;
    if (error->json) return error->json;
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    int open = 0;
    for (const membrane_error *e = error; e; e = e->cause, open++) {
        if (e != error) mb_jw_key(&w, "cause");
        write_one(&w, e);
    }
    while (open-- > 0) mb_jw_end_object(&w);
    char *json = mb_buf_take(&out, NULL);
    ((membrane_error *)error)->json = json; // a cache, so const for those who look
    return json ? json : NO_MEMORY_JSON;
}

void membrane_error_free(membrane_error *error) {
    while (error && !mb_error_is_static(error)) {
        membrane_error *cause = error->cause;
        char *texts[] = {
            error->message,    error->hint,    error->provider, error->provider_message, error->provider_request_id,
            error->request_id, error->partial, error->json};
        for (size_t i = 0; i < MB_COUNT(texts); i++) mb_free(texts[i]);
        mb_free(error);
        error = cause;
    }
}
