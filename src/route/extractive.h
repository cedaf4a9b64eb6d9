// SPDX-License-Identifier: MIT
// builtin/extractive: an answer without a model. The sentences of the conversation's documents and tool results are
// ranked by BM25 against the words of the last question; the best few come out in reading order, each with its file and
// line. Pure: two passes over the text, constant memory beside the answer.
#ifndef MB_ROUTE_EXTRACTIVE_H
#define MB_ROUTE_EXTRACTIVE_H

#include "route/turn.h"

#define MB_EXTRACTIVE_SENTENCES 5

// Answers a canonical chat or completion request into the turn: text piece by piece, usage (words and marks of all
// texts: its own way of counting), finish, the wire's end. 0, MEMBRANE_EUNSUPPORTED for what only a model can do (other
// kinds, structured output, a forced tool call; with drop_unsupported a warning instead), or what the turn answered.
int mb_extractive_answer(const mb_json *request, mb_turn *turn, membrane_error **err);

#endif
