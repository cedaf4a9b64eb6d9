// SPDX-License-Identifier: MIT
// What the writers of all wires share: where a request goes, which of its fields the wire can say, content as plain
// text, and the canonical history in the order that servers insist on.
#ifndef MB_ROUTE_WRITE_H
#define MB_ROUTE_WRITE_H

#include "route/adapter.h"
#include "route/request.h"

// ---- where ---------------------------------------------------------------------------------------------------------

// method and URL: base_url + path, or, from_root, the base without its last "/v1". "{model}" in the path becomes the
// model's name. MEMBRANE_EUNSUPPORTED if the row has no such path; what names the question in the message.
int mb_write_target(const mb_ask *ask, mb_wire *wire, const char *method, const char *path, bool from_root,
                    const char *what, membrane_error **err);
int mb_write_done(mb_wire *wire, membrane_error **err); // the buffers' verdict

// ---- fields --------------------------------------------------------------------------------------------------------

// The wire cannot say field: an error, or with drop_unsupported a warning and 0.
int mb_write_unsupported(const mb_ask *ask, membrane_error **err, const char *field, const char *why);
// Asks that for every field of the request that the row calls unsupported.
int mb_write_check(const mb_ask *ask, membrane_error **err);
// A field of the request; NULL if it is absent, unsupported there, or meant to be left out.
const mb_json *mb_write_get(const mb_ask *ask, const char *key);
// key and value as they are, unless extra_body has the key too.
void mb_write_copy(mb_jw *w, const mb_ask *ask, const char *key, const char *as);
bool mb_write_has_extra(const mb_ask *ask, const char *key);
// All members of extra_body except one (NULL: none).
void mb_write_extra(mb_jw *w, const mb_ask *ask, const char *except);
// The request's "thinking" in the way of the row's thinking_key.
int mb_write_thinking(mb_jw *w, const mb_ask *ask, membrane_error **err);

// ---- content -------------------------------------------------------------------------------------------------------

bool mb_content_has_image(const mb_json *content);
// Refuses (mb_write_unsupported) what plain text with images beside it cannot say: documents as bytes or by URL, and
// parts in a provider's own words.
int mb_write_check_plain(const mb_ask *ask, const mb_json *content, membrane_error **err);
// A string, or the text and document parts of an array one below the other; null is "".
void mb_content_put_text(mb_buf *out, const mb_json *content);
void mb_content_put_thinking(mb_buf *out, const mb_json *content);
// One part as a JSON string: a text, or a document under its heading.
void mb_write_part_text(mb_jw *w, const mb_json *part);
// A part's data as a JSON string: "data:TYPE;base64,…".
void mb_write_data_url(mb_jw *w, const mb_json *part);
// Where the bytes of such a URL begin; NULL: it is none (or NULL).
const char *mb_data_url_bytes(const char *url);
void mb_write_text(mb_jw *w, const mb_json *content); // the same as a JSON string
// The member key with the call's id, or, where the row's own server takes none so long, with another made of it.
void mb_write_call_id(mb_jw *w, const mb_ask *ask, const char *key, const mb_json *call);
void mb_write_call_arguments(mb_jw *w, const mb_json *call, bool as_text); // {} where the history holds bad ones

// ---- history -------------------------------------------------------------------------------------------------------

// Called for each message in the order in which it is to be written. For the result of a tool call, call is what it
// answers, and message is NULL where the history holds no result: one is to be made up.
typedef int (*mb_history_fn)(void *user, const mb_json *message, const mb_json *call);
#define MB_NO_RESULT "No result: the call was not run."
// The member "content" of a tool's result as plain text; message NULL: what is made up.
void mb_write_result(mb_jw *w, const mb_json *message);

// Every tool call gets exactly one result, directly after its message; results of no call are left out with a warning.
int mb_history_each(const mb_ask *ask, mb_history_fn fn, void *user);
const char *mb_call_name(const mb_json *call);

// ---- names of tools ------------------------------------------------------------------------------------------------

#define MB_WIRE_NAME_MAX 64

// The name that a tool has on a wire that allows only [A-Za-z0-9_-]{1,64}. Names that fit are kept; others have their
// odd characters replaced, and a hash added where two would become one.
void mb_tool_wire_name(const mb_json *tools, const char *name, char ret[MB_WIRE_NAME_MAX + 1]);
// The other way: our name, NULL if no tool of the request has this wire name under another name.
const char *mb_tool_own_name(const mb_json *tools, const char *wire_name);
// The calls of an answer get the names that the request gave its tools. 0 or MEMBRANE_ENOMEM.
int mb_tool_map_names(mb_decode *d);
// MEMBRANE_EINVAL if two tools still have one name.
int mb_tool_names_check(const mb_json *tools, membrane_error **err);

#endif
