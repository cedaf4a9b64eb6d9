// SPDX-License-Identifier: MIT
// What the files of the tgi wire share: tgi_write.c writes requests, tgi.c decodes.
#ifndef MB_ROUTE_TGI_H
#define MB_ROUTE_TGI_H

#include "route/adapter.h"

int mb_tgi_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);

#endif
