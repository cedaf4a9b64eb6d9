// SPDX-License-Identifier: MIT
// What the answers to probes say: whether a server is there, and which of its models. Pure.
#ifndef MB_ROUTE_PRESENCE_H
#define MB_ROUTE_PRESENCE_H

#include "route/board.h"
#include "route/quirks.h"

enum { MB_PRESENCE_SILENCES = 2 }; // in a row, that make a server one that is away

// How a question about its health ended: code, and whether it says that it loads. A refused connection counts at once;
// what could be a moment's affair (no answer in time, 5xx) when it was so twice. *silences is kept between questions.
mb_health mb_presence_health(mb_health was, int code, bool is_loading, int *silences);

// models, loaded: the answers to MB_ASK_MODELS and MB_ASK_LOADED (NULL: none).
mb_model_state mb_presence_model(const mb_quirks *quirks, const mb_json *models, const mb_json *loaded,
                                 const char *model);

// shown: the answer to MB_ASK_SHOW. The tokens that fit into the model, 0: nobody says.
int64_t mb_presence_window(const mb_quirks *quirks, const mb_json *models, const mb_json *shown, const char *model);
// slots: the answer to MB_ASK_SLOTS. How many of them others keep busy, where so many attempts are ours.
int mb_presence_busy_elsewhere(const mb_json *slots, int ours);

#endif
