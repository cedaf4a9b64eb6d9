// SPDX-License-Identifier: MIT
// What the library and its helper say to each other: arguments at the start, then messages over descriptor 3, a socket
// that keeps their bounds.
//     helper VERSION TIMEOUT_MS MEMORY_BYTES CPU_SECONDS FILE_BYTES CWD PROGRAM [ARGUMENT …]      CWD may be empty
//     library → helper: one byte, MB_SPAWN_KILL; the end of the socket means the same
//     helper → library: mb_spawn_message, STARTED or NOT_STARTED first, ENDED once nothing of the program runs
#ifndef MB_NET_SPAWN_WIRE_H
#define MB_NET_SPAWN_WIRE_H

#include <stdint.h>

#define MB_SPAWN_VERSION "1"
#define MB_SPAWN_CONTROL 3 // the descriptor
#define MB_SPAWN_KILL    'K'

enum { MB_SPAWN_ARGUMENTS = 7 }; // before PROGRAM

typedef enum {
    MB_SPAWN_STARTED = 1, // the program was executed
    MB_SPAWN_NOT_STARTED, // code is an errno
    MB_SPAWN_ENDED,
} mb_spawn_what;

typedef struct mb_spawn_message {
    int32_t what;      // mb_spawn_what
    int32_t code;      // exit status, -1 for a signal
    int32_t signal;    // 0 for none
    int32_t timed_out; // 0 or 1
} mb_spawn_message;

#endif
