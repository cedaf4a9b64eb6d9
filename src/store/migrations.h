// SPDX-License-Identifier: MIT
// The shape of the database, one step a version. A step that shipped never changes; new ones are added at the end.
#ifndef MB_STORE_MIGRATIONS_H
#define MB_STORE_MIGRATIONS_H

#include "store/sqlite.h"

#define MB_APPLICATION_ID 0x4d42524e // "MBRN", in the file's header beside the version

// Brings the database to the newest version in one transaction; does nothing when it is there.
int mb_migrate(mb_db *db, membrane_error **err);
// MEMBRANE_ENEWER with a sentence if version is above the newest that we know; else 0.
int mb_migrations_refuse(const char *name, int64_t version, membrane_error **err);

#endif
