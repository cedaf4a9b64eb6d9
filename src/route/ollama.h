// SPDX-License-Identifier: MIT
// What the files of the ollama wire share: ollama_write.c writes requests, ollama.c decodes.
#ifndef MB_ROUTE_OLLAMA_H
#define MB_ROUTE_OLLAMA_H

#include "route/adapter.h"

int mb_ollama_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);

#endif
