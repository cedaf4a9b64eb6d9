/* SPDX-License-Identifier: MIT */
/**
 * @file event.h
 * @brief What a call tells while it runs.
 *
 * Order: ATTEMPT* (TEXT | THINKING | TOOL_CALL | TOOL_RESULT | APPROVAL | STEP | RESET | ATTEMPT)* USAGE? (DONE |
 * ERROR): exactly one terminal event, DONE or ERROR, and nothing after it. An event is lent by its call and valid until
 * the next membrane_call_next, membrane_call_read or membrane_call_free on that call.
 *
 * @code
 * size_t len;
 * const char *text = membrane_event_text(event, &len);
 * if (membrane_event_type(event) == MEMBRANE_EVENT_TEXT) fwrite(text, 1, len, stdout);
 * @endcode
 */
#ifndef MEMBRANE_EVENT_H
#define MEMBRANE_EVENT_H

#include "membrane/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct membrane_event membrane_event;

/** Kinds of events. The numbers never change; a program passes over kinds that it does not know. */
enum membrane_event_type {
    MEMBRANE_EVENT_ATTEMPT = 1,     /**< a target is being tried: provider, model, the reason */
    MEMBRANE_EVENT_TEXT = 2,        /**< a piece of the answer */
    MEMBRANE_EVENT_THINKING = 3,    /**< a piece of the model's thinking */
    MEMBRANE_EVENT_TOOL_CALL = 4,   /**< one whole tool call: id, name, arguments */
    MEMBRANE_EVENT_TOOL_RESULT = 5, /**< what a tool answered (tool loop) */
    MEMBRANE_EVENT_APPROVAL = 6,    /**< a tool call waits for a person (tool loop) */
    MEMBRANE_EVENT_STEP = 7,        /**< one round of the tool loop is over */
    MEMBRANE_EVENT_RESET = 8,       /**< forget the text so far: the call starts again elsewhere (opt-in) */
    MEMBRANE_EVENT_USAGE = 9,       /**< tokens, as far as known */
    MEMBRANE_EVENT_DONE = 10,       /**< the call ended well; membrane_call_result has everything */
    MEMBRANE_EVENT_ERROR = 11       /**< the call failed; membrane_event_error says how */
};

/** One of enum membrane_event_type. */
MEMBRANE_API int membrane_event_type(const membrane_event *event);
/** The type's name: "attempt", "text", … Static. */
MEMBRANE_API const char *membrane_event_type_name(const membrane_event *event);
/**
 * TEXT, THINKING: the piece (UTF-8, whole characters). TOOL_CALL: the arguments as the model wrote them (JSON, or not).
 * DONE: the finish reason. Others: "". *ret_len (may be NULL) gets the bytes; a NUL follows.
 */
MEMBRANE_API const char *membrane_event_text(const membrane_event *event, size_t *ret_len);
/** TOOL_CALL: the id that its result must carry. NULL for others. */
MEMBRANE_API const char *membrane_event_tool_id(const membrane_event *event);
/** TOOL_CALL: the tool's name. NULL for others. */
MEMBRANE_API const char *membrane_event_tool_name(const membrane_event *event);
/** ERROR: the error, lent with the event. NULL for others. */
MEMBRANE_API const membrane_error *membrane_event_error(const membrane_event *event);
/** The whole event as one line of JSON, {"type":…}; NULL when memory is out. */
MEMBRANE_API const char *membrane_event_json(const membrane_event *event, size_t *ret_len);

#ifdef __cplusplus
}
#endif
#endif
