// SPDX-License-Identifier: MIT
// A result: JSON text, made when it is first asked for where it comes from a call, and read by path.
#ifndef MB_RUNTIME_RESULT_H
#define MB_RUNTIME_RESULT_H

#include "base/json.h"
#include "membrane/call.h"
#include "membrane/result.h"

struct membrane_result {
    const membrane_call *call; // lent by it; NULL: owned by whoever asked
    mb_buf json;
    mb_arena arena;
    const mb_json *tree; // read when a path is first asked for
};

// From finished JSON in *json (taken over, also on failure).
int mb_result_from(mb_buf *json, membrane_result **ret, membrane_error **err);
membrane_result *mb_result_of_call(const membrane_call *call); // NULL: out of memory

#endif
