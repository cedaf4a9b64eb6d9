// SPDX-License-Identifier: MIT
// The local targets of a logical model into the memory of their engines: because somebody asks for it, or in the
// background because the model is to be warm. An engine loads one at a time, whoever asks.
#ifndef MB_RUNTIME_LOAD_H
#define MB_RUNTIME_LOAD_H

#include "runtime/call.h"

typedef struct mb_load mb_load;

// All local targets of its main list; kind: MB_ASK_LOAD or MB_ASK_UNLOAD. Waits for them, timeout_ms each. Fails only
// where nothing came of any of them. Takes the configuration.
int mb_load_model(membrane_t *m, mb_config *config, const mb_model *model, mb_ask_kind kind, int64_t keep_alive_ms,
                  int64_t timeout_ms, membrane_result **ret, membrane_error **err);
// On the I/O thread: the first call of a model that is to be warm has taken one target; the others are loaded.
void mb_load_warm(membrane_call *call);

#endif
