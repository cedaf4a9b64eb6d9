// SPDX-License-Identifier: MIT
// What the two halves of the call log share: the log's database with every row so far in it, for one question.
#ifndef MB_STORE_CALLS_DB_H
#define MB_STORE_CALLS_DB_H

#include "store/calls.h"
#include "store/sqlite.h"

// Writes what waits, opens the database if need be and locks it for the caller, who must give it back on success.
int mb_calls_take_db(mb_calls *calls, mb_db **ret, membrane_error **err);
void mb_calls_give_db(mb_calls *calls);

#endif
