// SPDX-License-Identifier: MIT
// The error object: made where something goes wrong, with everything that is known there. A function that fails calls
//     return mb_error_set(err, MEMBRANE_EIO, "cannot read %s: %s", path, strerror(errno));
// and its status is the return value. err may be NULL. When there is no memory for the object, *err is one static
// out-of-memory error, which membrane_error_free takes like any other.
#ifndef MB_BASE_ERROR_H
#define MB_BASE_ERROR_H

#include "membrane/error.h"

struct membrane_error {
    int code;
    int http_status;
    int64_t retry_after_ms; // -1: not said
    char *message;
    char *hint;
    char *provider;
    char *provider_message;
    char *provider_request_id;
    char *request_id;
    const char *phase; // static text
    char *partial;     // the text that came before it, for errors of a stream
    membrane_error *cause;
    char *json; // made when first asked for
};

// A new error in *ret (an older one there is freed); returns code.
int mb_error_set(membrane_error **ret, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
// The static one; returns MEMBRANE_ENOMEM.
int mb_error_no_memory(membrane_error **ret);
// What to do about it; does nothing on NULL or the static error. Returns the error's code (0 for NULL).
int mb_error_hint(membrane_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Copies text (may be NULL) into one of the char * fields: mb_error_field(e, &e->provider, name). Cleans UTF-8.
void mb_error_field(membrane_error *error, char **field, const char *text);
// A copy, with its causes; the static error if memory is out; NULL for NULL.
membrane_error *mb_error_copy(const membrane_error *error);
// Whether the error is the static one, whose fields nobody may set.
int mb_error_is_static(const membrane_error *error);
// The code with this kind name, 0 if there is none.
int mb_status_from_kind(const char *kind);
int mb_status_trips_breaker(int status);
const char *mb_status_orch_name(int status);

#endif
