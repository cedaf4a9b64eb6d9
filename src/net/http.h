// SPDX-License-Identifier: MIT
// HTTP for everything in the library, over libcurl (http.c is its only user), on the I/O thread. Two multis that share
// nothing: the operator's (URLs from configuration) and the fetch one (URLs that a model or a tool chose: every address
// is checked where its socket is opened, no proxy, no warm connection of the operator's).
// Redirects are never followed. Bodies are delivered as they come; one transfer can be paused.
#ifndef MB_NET_HTTP_H
#define MB_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "net/io.h"

typedef struct mb_http mb_http;
typedef struct mb_transfer mb_transfer;
typedef struct mb_headers mb_headers; // a list of header lines, made once and used by many transfers

typedef enum { MB_LANE_OPERATOR, MB_LANE_FETCH, MB_LANES } mb_lane;

enum { MB_HTTP_PAUSE = 1 };

typedef struct mb_http_done {
    int code;           // 0: a whole answer with some status; else MEMBRANE_E…
    const char *detail; // libcurl's words for a failure, NULL without
    const char *phase;  // for MEMBRANE_ETIMEOUT
    bool began;         // a whole header block had come
} mb_http_done;

typedef struct mb_http_request {
    mb_lane lane;
    const char *method; // "GET" or "POST"
    const char *url;
    const char *body; // lives until done; NULL for GET
    size_t body_len;
    const mb_headers *headers;
    int64_t connect_timeout_ms;
    uint64_t profile; // the same number promises the same values from login to http_version, and the same scheme; 0
                      // promises nothing
    const char *login, *password; // HTTP Basic, or NULL
    const char *proxy;            // NULL or "": none
    const char *no_proxy;         // hosts that are reached without it, or NULL
    const char *ca_file;          // NULL: the system's
    int http_version;             // 0: HTTP/2 where TLS agrees on it; 1: HTTP/1.1; 2: HTTP/2 without asking (h2c)
    // data: a piece of the body; 0, MB_HTTP_PAUSE (nothing was taken: the piece comes again after mb_http_resume), or a
    // negative code that ends the transfer. done: exactly once, unless mb_http_cancel came first; the transfer is gone
    // after it. Neither may call mb_http_cancel on its own transfer from data.
    int (*data)(void *user, const char *bytes, size_t len);
    void (*done)(void *user, const mb_http_done *done);
    void *user;
} mb_http_request;

int mb_http_global_init(membrane_error **err);                   // curl_global_init, once a process, guarded
int mb_http_new(mb_io *io, mb_http **ret, membrane_error **err); // sets the io's hooks; before its start
void mb_http_free(mb_http *http);                                // after the thread has ended
void mb_http_abandon(mb_http *http);                             // in a forked child: closes nothing of the parent's

mb_headers *mb_headers_add(mb_headers *headers,
                           const char *line);           // "Name: value"; NULL: out of memory (list unchanged)
mb_headers *mb_headers_copy(const mb_headers *headers); // NULL: out of memory
mb_headers *mb_headers_append(mb_headers *headers, const char *line); // as add, but frees the list when memory is out
void mb_headers_free(mb_headers *headers);

// On the I/O thread only.
int mb_http_send(mb_http *http, const mb_http_request *request, mb_transfer **ret, membrane_error **err);
void mb_http_cancel(mb_transfer *transfer);                          // no callback comes any more
void mb_http_resume(mb_transfer *transfer);                          // may call data and done before it returns
int mb_http_status(const mb_transfer *transfer);                     // 0 before the header has come
const char *mb_http_header(mb_transfer *transfer, const char *name); // of the answer; NULL without; lives until done
const char *mb_http_content_type(mb_transfer *transfer);
// What the header says that no answer to us may say (a compression, two lengths), in words; NULL: nothing. Such an
// answer's body is not handed over: the transfer ends with MEMBRANE_ERESPONSE where it begins.
const char *mb_http_refused(const mb_transfer *transfer);
const char *mb_http_version_text(void); // libcurl's version line

// Parts of a URL of the configuration, checked as libcurl would read them. MEMBRANE_EINVAL with what is wrong.
typedef struct mb_url {
    char *scheme, *host, *port, *path; // owned; port never NULL
    char *user, *password;             // decoded; NULL without
} mb_url;
int mb_url_parse(const char *text, mb_url *ret, membrane_error **err);
void mb_url_free(mb_url *url);
// The text of a URL, right or wrong, as it may be shown: without user name and password. Returns out, or text itself.
const char *mb_url_shown(const char *text, char *out, size_t size);
char *mb_url_decode(mb_arena *arena, const char *text); // %41 to A; NULL: out of memory

#endif
