// SPDX-License-Identifier: MIT
// InvokeModel of Amazon Bedrock: invoke_write.c writes requests, invoke.c decodes answers. What the two wires of
// Bedrock share stands in converse.h.
#ifndef MB_ROUTE_INVOKE_H
#define MB_ROUTE_INVOKE_H

#include "route/adapter.h"

int mb_invoke_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);

#endif
