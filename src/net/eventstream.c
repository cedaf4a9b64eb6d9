// SPDX-License-Identifier: MIT
#include "net/eventstream.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "membrane/error.h"

// ---- the checksum --------------------------------------------------------------------------------------------------

// Eight bytes a step: row n holds what a byte comes to that n more bytes follow.
static uint32_t rows[8][256];
static pthread_once_t rows_once = PTHREAD_ONCE_INIT;

static void fill_rows(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
        rows[0][i] = c;
    }
    for (int n = 1; n < 8; n++)
        for (uint32_t i = 0; i < 256; i++) rows[n][i] = rows[0][rows[n - 1][i] & 255] ^ rows[n - 1][i] >> 8;
}

uint32_t mb_crc32(const char *bytes, size_t len) {
    const unsigned char *p = (const unsigned char *)bytes;
    uint32_t c = ~0u;
    pthread_once(&rows_once, fill_rows);
    for (; len >= 8; p += 8, len -= 8) {
        c ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        c = rows[7][c & 255] ^ rows[6][c >> 8 & 255] ^ rows[5][c >> 16 & 255] ^ rows[4][c >> 24] ^ rows[3][p[4]] ^
            rows[2][p[5]] ^ rows[1][p[6]] ^ rows[0][p[7]];
    }
    for (; len; p++, len--) c = rows[0][(c ^ *p) & 255] ^ c >> 8;
    return ~c;
}

// ---- numbers -------------------------------------------------------------------------------------------------------

static uint32_t number4(const char *bytes) {
    const unsigned char *p = (const unsigned char *)bytes;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static size_t number2(const char *bytes) {
    const unsigned char *p = (const unsigned char *)bytes;
    return (size_t)p[0] << 8 | p[1];
}

// ---- the message ---------------------------------------------------------------------------------------------------

int mb_eventstream_length(const char prelude[MB_EVENTSTREAM_PRELUDE], size_t max_payload, size_t *ret_len) {
    const size_t total = number4(prelude), headers = number4(prelude + 4);
    if (mb_crc32(prelude, 8) != number4(prelude + 8)) return MEMBRANE_EMALFORMED;
    if (headers > MB_EVENTSTREAM_HEADERS || total < MB_EVENTSTREAM_AROUND + headers) return MEMBRANE_EMALFORMED;
    if (total - MB_EVENTSTREAM_AROUND - headers > max_payload) return MEMBRANE_EMALFORMED;
    *ret_len = total;
    return 0;
}

// How many bytes the value takes that begins at bytes; more than left where its length is not there.
static size_t value_size(unsigned char type, const char *bytes, size_t left) {
    static const unsigned char SIZES[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16}; // true, false, byte … timestamp, UUID
    if (type == 6 || type == 7) return left < 2 ? SIZE_MAX : 2 + number2(bytes);
    return type < sizeof SIZES ? SIZES[type] : SIZE_MAX;
}

static void take_header(mb_event_message *m, const char *name, size_t name_len, mb_event_piece value) {
    const struct {
        const char *name;
        mb_event_piece *to;
    } known[] = {{":message-type", &m->message_type},
                 {":event-type", &m->event_type},
                 {":exception-type", &m->exception_type},
                 {":error-code", &m->error_code},
                 {":error-message", &m->error_message}};
    for (size_t i = 0; i < MB_COUNT(known); i++)
        if (strlen(known[i].name) == name_len && memcmp(known[i].name, name, name_len) == 0) *known[i].to = value;
}

static int read_headers(mb_event_message *m, const char *at, const char *end) {
    while (at < end) {
        size_t name_len = (unsigned char)*at++;
        if (name_len == 0 || (size_t)(end - at) <= name_len) return MEMBRANE_EMALFORMED;
        const char *name = at;
        at += name_len;
        unsigned char type = (unsigned char)*at++;
        size_t left = (size_t)(end - at), size = value_size(type, at, left);
        if (size > left) return MEMBRANE_EMALFORMED;
        if (type == 7) take_header(m, name, name_len, (mb_event_piece){at + 2, size - 2});
        at += size;
    }
    return 0;
}

int mb_eventstream_read(const char *bytes, size_t len, mb_event_message *ret) {
    const size_t headers = number4(bytes + 4);
    const char *payload = bytes + MB_EVENTSTREAM_PRELUDE + headers;
    *ret = (mb_event_message){.payload = {payload, len - MB_EVENTSTREAM_AROUND - headers}};
    if (mb_crc32(bytes, len - 4) != number4(bytes + len - 4)) return MEMBRANE_EMALFORMED;
    return read_headers(ret, bytes + MB_EVENTSTREAM_PRELUDE, payload);
}
