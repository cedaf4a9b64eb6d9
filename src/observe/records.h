// SPDX-License-Identifier: MIT
// The running log: structured records in a bounded queue that a host pulls (membrane_log_read). Nothing is kept before
// somebody reads for the first time, so that a record costs one load where nobody does. Secrets never come here:
// records are made of names, numbers and our own texts.
#ifndef MB_OBSERVE_RECORDS_H
#define MB_OBSERVE_RECORDS_H

#include "base/buf.h"
#include "base/error.h"

typedef enum { MB_LEVEL_DEBUG, MB_LEVEL_INFO, MB_LEVEL_WARN, MB_LEVEL_ERROR } mb_level;

typedef struct mb_records mb_records;

typedef struct mb_record {
    mb_level level;
    const char *msg;
    const char *request_id, *session, *provider, *model, *outcome; // NULL: not there
    int64_t tokens, latency_ms;                                    // -1: not there
} mb_record;

mb_records *mb_records_new(void);             // NULL: out of memory
void mb_records_abandon(mb_records *records); // in a forked child: waits for no thread, none is there
void mb_records_free(mb_records *records);
int mb_level_from_name(const char *name); // -1: no level
bool mb_records_wants(const mb_records *records, mb_level level);
void mb_records_add(mb_records *records, const mb_record *record); // any thread; a full queue counts a drop
// See membrane_log_read.
int mb_records_read(mb_records *records, mb_level level, char *buf, size_t cap, size_t *ret_len, uint64_t *ret_dropped,
                    int64_t timeout_ms);

#endif
