// SPDX-License-Identifier: MIT
// JSON Schema (2020-12, and draft 7 where $schema says so): does a value fit? References inside the schema are
// followed, remote ones never fetched; a keyword that is an assertion and is not known makes the check fail rather than
// pass.
#ifndef MB_BASE_SCHEMA_H
#define MB_BASE_SCHEMA_H

#include "base/json.h"

// 0: it fits. MEMBRANE_ESCHEMA: it does not, with the first reason in *why ("/items/3/name: must be a string, is 12").
// MEMBRANE_EINVAL: the schema cannot be used (why says where). MEMBRANE_ENOMEM.
// A schema of NULL fits everything. Time and depth are bounded.
int mb_schema_check(const mb_json *schema, const mb_json *value, mb_buf *why);

#endif
