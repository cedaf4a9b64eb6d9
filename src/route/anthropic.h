// SPDX-License-Identifier: MIT
// What the files of the anthropic wire share: anthropic_write.c writes requests, anthropic.c decodes generations,
// anthropic_server.c what is said about models and tokens.
#ifndef MB_ROUTE_ANTHROPIC_H
#define MB_ROUTE_ANTHROPIC_H

#include "route/adapter.h"

int mb_anthropic_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);
// A body that is no generation: a list of models, one model, a count of tokens. 0, MEMBRANE_ENOMEM, MEMBRANE_ERESPONSE.
int mb_anthropic_server(mb_decode *d, const mb_json *root);

#endif
