// SPDX-License-Identifier: MIT
// Any bytes as Amazon's event stream. The first byte chooses between bytes as they are and messages whose lengths and
// checksums are put right, of headers and payload as they are; the second where to cut. What must hold: whole, in bytes
// and in pieces, the frames and the answer are the same; frames are UTF-8, within the limit, and padded.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../wires/event_lines.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "net/sse.h"

enum { MAX_EVENT = 200 };

static int on_frame(void *user, const mb_frame *f) {
    mb_buf *out = user;
    assert(f->len <= 3 * MAX_EVENT && f->data[f->len] == '\0'); // a bad byte may become three
    assert(mb_utf8_valid(f->data, f->len) && mb_utf8_valid(f->event, strlen(f->event)));
    const volatile char *padding = f->data + f->len;
    for (int i = 0; i < MB_BUF_PADDING; i++) (void)padding[i];
    mb_buf_putf(out, "%s|%zu|", f->event, f->len);
    mb_buf_put(out, f->data, f->len);
    return 0;
}

static void run(mb_sse *s, const char *bytes, size_t len, size_t piece, mb_buf *out) {
    int status = 0;
    mb_sse_reset(s, MB_FRAMES_EVENTSTREAM);
    for (size_t at = 0; at < len && status == 0; at += piece)
        status = mb_sse_feed(s, bytes + at, len - at < piece ? len - at : piece, on_frame, out);
    mb_buf_putf(out, "|%d %d", status, mb_sse_finish(s, true, on_frame, out));
    assert(mb_buf_ok(out));
}

// Each message: a byte for the length of its headers, one for its payload's, then both.
static void put_messages(mb_buf *out, const char *bytes, size_t len) {
    while (len >= 2) {
        size_t head = (unsigned char)bytes[0], tail = (unsigned char)bytes[1];
        bytes += 2;
        len -= 2;
        if (head > len) head = len;
        if (tail > len - head) tail = len - head;
        mb_buf headers = MB_BUF(1000);
        mb_buf_put(&headers, bytes, head);
        event_message(out, &headers, bytes + head, tail, false);
        mb_buf_free(&headers);
        bytes += head + tail;
        len -= head + tail;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (len < 2) return 0;
    mb_buf stream = MB_BUF(MB_LIMIT_RESPONSE), whole = MB_BUF(MB_LIMIT_RESPONSE), other = MB_BUF(MB_LIMIT_RESPONSE);
    if (bytes[0] & 1)
        put_messages(&stream, (const char *)bytes + 2, len - 2);
    else
        mb_buf_put(&stream, bytes + 2, len - 2);
    const size_t pieces[] = {1, bytes[1] % 7 + 1, bytes[1] + 1};
    mb_sse *s = mb_sse_new(MB_FRAMES_EVENTSTREAM, MAX_EVENT);
    run(s, mb_buf_text(&stream), stream.len, stream.len + 1, &whole);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        mb_buf_reset(&other);
        run(s, mb_buf_text(&stream), stream.len, pieces[i], &other);
        assert(whole.len == other.len && memcmp(whole.data, other.data, whole.len) == 0);
    }
    mb_sse_free(s);
    mb_buf_free(&stream);
    mb_buf_free(&whole);
    mb_buf_free(&other);
    return 0;
}
