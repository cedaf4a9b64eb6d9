// SPDX-License-Identifier: MIT
// What is done with a whole answer before its caller gets it: the schema that was asked for is checked.
#ifndef MB_RUNTIME_ANSWER_H
#define MB_RUNTIME_ANSWER_H

#include "runtime/call.h"

int mb_answer_check(membrane_call *call, membrane_error **err); // 0 or MEMBRANE_ESCHEMA

#endif
