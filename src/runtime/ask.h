// SPDX-License-Identifier: MIT
// Questions about servers and models (lists, health, load …): one exchange each, many side by side, for discovery on
// the I/O thread and for functions that wait for the answers.
#ifndef MB_RUNTIME_ASK_H
#define MB_RUNTIME_ASK_H

#include "runtime/handle.h"

typedef struct mb_question {
    // what is asked
    const mb_provider *provider;
    mb_ask_kind kind;
    const char *model;
    int64_t keep_alive_ms;
    // what came; the turn's json is the answer
    int code;
    membrane_error *error;
    mb_turn turn;
    int64_t latency_ms;
    // inside
    mb_exchange exchange;
    struct mb_round *round;
    int64_t start_ms;
    bool is_open;
} mb_question;

// Some questions at once; done is called on the I/O thread when the last one is answered.
typedef struct mb_round {
    membrane_t *m;
    mb_question *questions;
    size_t count, open;
    int64_t timeout_ms;
    void (*done)(void *user);
    void *user;
    mb_task task;
} mb_round;

void mb_round_begin(mb_round *round);                     // on the I/O thread
int mb_round_wait(mb_round *round, membrane_error **err); // from any other thread: begins, and waits for all answers
void mb_round_cancel(mb_round *round);                    // on the I/O thread: done is not called; frees the questions
void mb_question_free(mb_question *question);
// The answer's JSON as a tree in the arena; NULL if there was none.
const mb_json *mb_question_json(const mb_question *question, mb_arena *arena);

#endif
