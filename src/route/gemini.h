// SPDX-License-Identifier: MIT
// What the parts of the gemini adapter share.
#ifndef MB_ROUTE_GEMINI_H
#define MB_ROUTE_GEMINI_H

#include "route/adapter.h"

int mb_gemini_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);                 // gemini_write.c
int mb_gemini_put_config(const mb_ask *ask, mb_jw *w, bool has_tools, membrane_error **err); // gemini_config.c
// Where a question goes: the path below the base URL, "models/…", "publishers/…" and so on in the model's name heeded.
int mb_gemini_target(const mb_ask *ask, mb_wire *wire, const char *path, const char *what, membrane_error **err);
int mb_gemini_write_get(const mb_ask *ask, mb_wire *wire, membrane_error **err); // questions without a body
// Models since the third generation think in levels, not budgets, and insist on the signatures of their calls.
bool mb_gemini_has_levels(const char *model);
bool mb_gemini_is_vertex(const mb_ask *ask);

// ---- arguments in pieces (gemini_args.c) ---------------------------------------------------------------------------
// A call may be streamed as values with the path at which each belongs:
//     {"jsonPath": "$.recipe.steps[0]", "stringValue": "Boil", "willContinue": true}

typedef struct mb_gemini_args mb_gemini_args;

mb_gemini_args *mb_gemini_args_new(mb_arena *arena); // NULL: out of memory
// One piece. 0, MEMBRANE_ENOMEM, MEMBRANE_EMALFORMED (no such place, or a limit passed).
int mb_gemini_args_add(mb_gemini_args *args, const mb_json *said);
void mb_gemini_args_write(const mb_gemini_args *args, mb_jw *w); // as one object

#endif
