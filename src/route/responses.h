// SPDX-License-Identifier: MIT
// What the files of the openai-responses wire share: responses_write.c writes requests, responses.c decodes answers.
#ifndef MB_ROUTE_RESPONSES_H
#define MB_ROUTE_RESPONSES_H

#include "route/adapter.h"

int mb_responses_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);

#endif
