/* SPDX-License-Identifier: MIT */
/**
 * @file options.h
 * @brief Opening and closing the library, and waiting for many calls at once.
 *
 * A membrane_t holds the configuration, the connections and the call log. Opening starts no thread, opens no socket and
 * no database and reads neither environment nor file, unless an option says so. The first call starts one I/O thread
 * (all signals blocked); no signal handler is ever installed.
 *
 * @code
 * membrane_options o;
 * membrane_t *m = NULL;
 * membrane_error *err = NULL;
 * membrane_options_init(&o, sizeof o);
 * o.flags = MEMBRANE_USER_CONFIG;
 * if (membrane_open(&o, &m, &err) != 0) { … }
 * …
 * membrane_close(m, 1000);
 * @endcode
 *
 * Threads: a membrane_t may be used from any thread. Fork: safe until the first call; after that the child gets
 * MEMBRANE_EFORKED from everything but membrane_close and membrane_unref, which then only release memory.
 */
#ifndef MEMBRANE_OPTIONS_H
#define MEMBRANE_OPTIONS_H

#include "membrane/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct membrane_handle membrane_t;
typedef struct membrane_call membrane_call;

/** The value of an option that was not set, where 0 already means something. */
#define MEMBRANE_UNSET (-2147483647 - 1)
/** As a time in milliseconds: wait as long as it takes. */
#define MEMBRANE_FOREVER (-1)

enum membrane_open_flags {
    /** Read what a person at a terminal has: system, user and (trusted) project files, then the environment. */
    MEMBRANE_USER_CONFIG = 1u << 0,
    /** Never look for local engines at the usual ports when nothing is configured. */
    MEMBRANE_NO_DISCOVERY = 1u << 1
};

/** How to open. Fill with membrane_options_init first; pointers are read only during membrane_open. */
typedef struct membrane_options {
    uint32_t struct_size;    /**< set by membrane_options_init */
    uint32_t flags;          /**< membrane_open_flags */
    const char *config_path; /**< a configuration file (YAML or JSON) to read, or NULL */
    const char *config_text; /**< configuration as text (YAML or JSON), or NULL; wins over every file */
    size_t config_len;       /**< bytes of config_text; 0 means up to its NUL */
    const char
        *project_dir; /**< where .membrane/config.yaml is looked for with MEMBRANE_USER_CONFIG; NULL: here and above */
    const char *log_path;   /**< the call log's SQLite file; NULL: as configured, else in memory (with
                               MEMBRANE_USER_CONFIG: the user's state folder) */
    const char *passphrase; /**< of the key ring, where the configuration names sealed keys; NULL: with
                               MEMBRANE_USER_CONFIG that of MEMBRANE_PASSPHRASE (keys.h) */
} membrane_options;

/** Fills *options (size bytes, sizeof the caller's struct) with the defaults. */
MEMBRANE_API void membrane_options_init(membrane_options *options, size_t size);

/**
 * Opens the library. options may be NULL for the defaults (no configuration, builtin/extractive only).
 * @param ret_m  the handle, to be closed with membrane_close (or dropped with membrane_unref).
 * Errors: MEMBRANE_ECONFIG (with file and line), MEMBRANE_EIO, MEMBRANE_ENEWER, MEMBRANE_EINVAL, MEMBRANE_ENOMEM,
 * MEMBRANE_EAUTH (a sealed key is named, and the key ring's passphrase or master key is missing or wrong).
 */
MEMBRANE_API int membrane_open(const membrane_options *options, membrane_t **ret_m, membrane_error **err);

/**
 * Cancels every running call, waits for the I/O thread (for at most deadline_ms, or MEMBRANE_FOREVER), writes the rest
 * of the call log and drops the caller's reference. Calls, events and results that the program still holds stay valid
 * until they are freed. Takes NULL. Returns 0, or MEMBRANE_ETIMEOUT if the thread was still busy: memory is then
 * released when it ends.
 */
MEMBRANE_API int membrane_close(membrane_t *m, int64_t deadline_ms);

/** Another reference to the same handle. */
MEMBRANE_API membrane_t *membrane_ref(membrane_t *m);
/** Drops a reference without waiting; the last one closes as membrane_close(m, 0) does. Takes NULL. */
MEMBRANE_API void membrane_unref(membrane_t *m);

/**
 * A descriptor for poll, epoll, kqueue loops: level-triggered, readable while some call has an event. It belongs to the
 * library: never read or close it (dup it if a loop wants to own one). Negative: MEMBRANE_EFORKED, MEMBRANE_EIO.
 */
MEMBRANE_API int membrane_fd(membrane_t *m);

/**
 * A call that has events, without waiting: 0 with *ret_call (still owned by whoever started it), MEMBRANE_EAGAIN if
 * none has. Calls come in turn, so that a busy one cannot hide the others. A call whose terminal event was given is
 * not reported any more. Only for programs in which no other thread frees calls meanwhile.
 */
MEMBRANE_API int membrane_ready(membrane_t *m, membrane_call **ret_call);

/** Frees a text that a function gave to its caller (those say so). Takes NULL. */
MEMBRANE_API void membrane_string_free(char *text);

#ifdef __cplusplus
}
#endif
#endif
