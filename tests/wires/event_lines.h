// SPDX-License-Identifier: MIT
// Amazon's event stream written as text, for tests: a line "contentBlockDelta {…}" is an event, "!throttlingException
// {…}" an exception, "!!InternalError some words" an error without payload, "chunk {…}" an event that holds its JSON in
// base64 as InvokeModel's do, and "?" a message whose checksum is wrong. Blank lines are nothing.
#ifndef TESTS_WIRES_EVENT_LINES_H
#define TESTS_WIRES_EVENT_LINES_H

#include <string.h>

#include "base/buf.h"
#include "net/eventstream.h"

static void event_number(mb_buf *out, size_t n) {
    char bytes[4] = {(char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n};
    mb_buf_put(out, bytes, 4);
}

static void event_header(mb_buf *out, const char *name, const char *value, size_t len) {
    mb_buf_putc(out, (char)strlen(name));
    mb_buf_puts(out, name);
    mb_buf_putc(out, 7);
    mb_buf_putc(out, (char)(len >> 8));
    mb_buf_putc(out, (char)len);
    mb_buf_put(out, value, len);
}

static void event_message(mb_buf *out, const mb_buf *headers, const char *payload, size_t len, bool is_wrong) {
    size_t start = out->len;
    event_number(out, 16 + headers->len + len);
    event_number(out, headers->len);
    if (!mb_buf_ok(out)) return;
    event_number(out, mb_crc32(out->data + start, 8));
    mb_buf_put(out, mb_buf_text(headers), headers->len);
    mb_buf_put(out, payload, len);
    if (mb_buf_ok(out)) event_number(out, mb_crc32(out->data + start, out->len - start) ^ is_wrong);
}

static void event_base64(mb_buf *out, const char *text, size_t len) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) bits = bits << 8 | (i + k < len ? (unsigned char)text[i + k] : 0);
        for (size_t k = 0; k < 4; k++) mb_buf_putc(out, i + k > len ? '=' : DIGITS[bits >> (18 - 6 * k) & 63]);
    }
}

static void event_line(mb_buf *out, const char *line, size_t len) {
    const char *blank = memchr(line, ' ', len);
    size_t name = blank ? (size_t)(blank - line) : len, rest = blank ? len - name - 1 : 0;
    const char *payload = blank ? blank + 1 : line + len;
    mb_buf headers = MB_BUF(1 << 20), packed = MB_BUF(1 << 26);
    if (name > 2 && line[0] == '!' && line[1] == '!') {
        event_header(&headers, ":message-type", "error", 5);
        event_header(&headers, ":error-code", line + 2, (name - 2) & 0xffff);
        event_header(&headers, ":error-message", payload, rest & 0xffff);
        rest = 0;
    } else if (line[0] == '!') {
        event_header(&headers, ":exception-type", line + 1, (name - 1) & 0xffff);
        event_header(&headers, ":message-type", "exception", 9);
    } else {
        event_header(&headers, ":event-type", line, name & 0xffff);
        event_header(&headers, ":message-type", "event", 5);
    }
    if (name == 5 && memcmp(line, "chunk", 5) == 0) {
        mb_buf_puts(&packed, "{\"bytes\":\"");
        event_base64(&packed, payload, rest);
        mb_buf_puts(&packed, "\",\"p\":\"abcdefgh\"}");
        payload = mb_buf_text(&packed);
        rest = packed.len;
    }
    event_message(out, &headers, payload, rest, line[0] == '?');
    if (headers.failed || packed.failed) out->failed = headers.failed ? headers.failed : packed.failed;
    mb_buf_free(&headers);
    mb_buf_free(&packed);
}

static inline void event_lines(mb_buf *out, const char *text, size_t len) {
    for (size_t at = 0, next; at < len; at = next + 1) {
        const char *end = memchr(text + at, '\n', len - at);
        next = end ? (size_t)(end - text) : len;
        if (next > at) event_line(out, text + at, next - at);
    }
}

#endif
