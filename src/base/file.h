// SPDX-License-Identifier: MIT
// A whole file into a bounded buffer, and back onto the disk so that it is never half there.
#ifndef MB_BASE_FILE_H
#define MB_BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

// 0, or MEMBRANE_EIO: not there, no regular file (a pipe would block), larger than out->max. MEMBRANE_ENOMEM.
int mb_file_read(const char *path, mb_buf *out, membrane_error **err);
// The same of a file that only its owner, this user or root, may read or write; else MEMBRANE_ECONFIG.
int mb_file_read_private(const char *path, mb_buf *out, membrane_error **err);

// Makes the folders that stand in path and are not there yet, for this user alone. 0, or MEMBRANE_EIO.
int mb_file_make_folders(const char *path, membrane_error **err);
// Writes PATH.new (0600) and renames it to path: whoever reads sees the old file or the new one, and when this returns
// the new one is on the disk. Writers must take turns. 0, or MEMBRANE_EIO: nothing changed.
int mb_file_replace(const char *path, const void *data, size_t len, membrane_error **err);

#endif
