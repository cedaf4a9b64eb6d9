// SPDX-License-Identifier: MIT
// What must never be said: each provider's secrets are noted while the configuration is compiled, and struck out of
// every error that its exchanges end with, since some servers say what they were sent.
#ifndef MB_RUNTIME_SECRET_H
#define MB_RUNTIME_SECRET_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

typedef struct mb_secret {
    const char *text;
    const struct mb_secret *next;
} mb_secret;

// Puts text in front of *list, in the arena; NULL and "" are none. false: out of memory.
bool mb_secret_note(mb_arena *arena, const char *text, const mb_secret **list);
// User name and password of a URL: as they stand there, decoded, and as Basic writes them.
bool mb_secret_note_login(mb_arena *arena, const char *url, const mb_secret **list);
// Covers a secret with asterisks, or what is left of it where the text was cut. Of less than 6 bytes nothing is
// covered: that cannot be told from words.
void mb_secret_strike(membrane_error *error, const char *secret);
void mb_secret_strike_all(membrane_error *error, const mb_secret *list);
// The value of a header line "Name: value".
void mb_secret_strike_header(membrane_error *error, const char *line);

#endif
