// SPDX-License-Identifier: MIT
// The canonical request: what it may hold (docs/schema/request.json says the same to programs), checked before anything
// is done with it. Unknown keys are errors, with the path and the nearest known key.
#ifndef MB_ROUTE_REQUEST_H
#define MB_ROUTE_REQUEST_H

#include "base/error.h"
#include "base/json.h"
#include "route/adapter.h"

// 0 with the kind, or MEMBRANE_EINVAL: "messages.2.content.0.type: …".
int mb_request_check(const mb_json *request, mb_ask_kind *ret_kind, membrane_error **err);

// A document part as plain text for wires that have no documents: a heading line with its name, then the text between
// fences longer than any fence inside. Used by every wire of that sort.
void mb_request_put_document(mb_buf *out, const mb_json *part);

#endif
