// SPDX-License-Identifier: MIT
// What the files of the triton wire share: triton_write.c writes requests, triton.c decodes generations and tensors,
// triton_server.c what the server says about itself and its models.
#ifndef MB_ROUTE_TRITON_H
#define MB_ROUTE_TRITON_H

#include "route/adapter.h"

int mb_triton_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);
// A body that answers a question about models or the server; 0 or negative.
int mb_triton_server_body(mb_decode *d, const char *text, size_t len);
// A server that is not ready says so by its status alone; one without a model repository knows no such address.
int mb_triton_refused(mb_decode *d, int status, const char *text, size_t len);

#endif
