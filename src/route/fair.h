// SPDX-License-Identifier: MIT
// Those who wait, in fair order: sessions take turns, and within a session who came first goes first. A session that
// queues a thousand calls delays another one's by one.
//
//     ring:  session a ─▶ session b ─▶ session c ─▶ (a)
//              a1 a2 a3      b1            c1 c2          order: a1 b1 c1 a2 c2 a3
//
// Who had its turn elsewhere already stands before the ring, in the order of coming, and takes no turn from anybody.
#ifndef MB_ROUTE_FAIR_H
#define MB_ROUTE_FAIR_H

#include "base/map.h"

typedef struct mb_fair_session mb_fair_session;
typedef struct mb_waiter mb_waiter;

typedef struct mb_fair {
    mb_waiter *front, *front_last; // before all sessions
    mb_fair_session *turn;         // whose turn it is; NULL: nobody waits but in front
    mb_map sessions;               // by name
    size_t count;                  // of those who wait
} mb_fair;

// Stands in one queue at a time; belongs to who waits. All zeros: stands in none.
struct mb_waiter {
    mb_waiter *next, *prev;
    mb_fair_session *session; // NULL: it stands in front
    mb_fair *fair;            // NULL: it waits nowhere
    int64_t cost;             // what it asks for (tokens)
    void *user;
};

// session may be NULL. in_front: it comes after others in front and before all the rest. False: out of memory.
bool mb_fair_add(mb_fair *fair, mb_waiter *waiter, const char *session, bool in_front);
mb_waiter *mb_fair_first(const mb_fair *fair); // whose turn it is; NULL: nobody waits
void mb_fair_remove(mb_waiter *waiter);        // the turn passes on if it was its turn; harmless if it waits nowhere
void mb_fair_free(mb_fair *fair);              // nobody may wait any more

#endif
