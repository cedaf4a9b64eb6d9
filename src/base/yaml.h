// SPDX-License-Identifier: MIT
// YAML into the same tree as JSON, every node with its line: libyaml's events; plain scalars are null, true and false
// as YAML 1.2's core schema spells them (null, ~ and nothing; true, True, TRUE), numbers as JSON writes them, and text
// otherwise (no, on, 007 and 1_000 are text). Anchors and aliases within bounds (a document may not grow past
// MB_LIMIT_YAML_NODES), no tags but the core ones, one document. A key is text; one that stands twice is an error.
#ifndef MB_BASE_YAML_H
#define MB_BASE_YAML_H

#include "base/json.h"

// 0, MEMBRANE_ENOMEM or MEMBRANE_ECONFIG with a message that begins "NAME:LINE: ". An empty text gives null.
int mb_yaml_parse(mb_arena *arena, const char *name, const char *text, size_t len, const mb_json **ret,
                  membrane_error **err);

#endif
