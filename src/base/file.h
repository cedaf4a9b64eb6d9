// SPDX-License-Identifier: MIT
// A whole file into a bounded buffer.
#ifndef MB_BASE_FILE_H
#define MB_BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

// 0, or MEMBRANE_EIO: not there, no regular file (a pipe would block), larger than out->max. MEMBRANE_ENOMEM.
int mb_file_read(const char *path, mb_buf *out, membrane_error **err);

#endif
