// SPDX-License-Identifier: MIT
// Any bytes as an event stream or as NDJSON. The first byte chooses the kind, the second where to cut. What must hold:
// whole, in bytes, in pieces and in two, the frames, the answer and the last id are the same; frames are UTF-8, within
// the limit, and padded.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "net/sse.h"

enum { MAX_EVENT = 200 };

static int on_frame(void *user, const mb_frame *f) {
    static const char zeros[1];
    mb_buf *out = user;
    assert(f->len <= MAX_EVENT && f->data[f->len] == *zeros);
    assert(mb_utf8_valid(f->data, f->len) && mb_utf8_valid(f->event, strlen(f->event)) &&
           mb_utf8_valid(f->id, strlen(f->id)));
    const volatile char *padding = f->data + f->len;
    for (int i = 0; i < MB_BUF_PADDING; i++) (void)padding[i];
    mb_buf_putf(out, "%s|%s|%lld|%zu|", f->event, f->id, (long long)f->retry_ms, f->len);
    mb_buf_put(out, f->data, f->len);
    return 0;
}

// Everything that can be seen of a stream fed in pieces, as one text.
static void run(mb_sse *s, mb_frames_kind kind, const char *bytes, size_t len, size_t first, size_t piece, bool last,
                mb_buf *out) {
    int status = 0;
    mb_sse_reset(s, kind);
    for (size_t at = 0, n; at < len && status == 0; at += n) {
        n = at == 0 && first > 0 ? first : piece;
        if (n > len - at) n = len - at;
        status = mb_sse_feed(s, bytes + at, n, on_frame, out);
    }
    int end = mb_sse_finish(s, last, on_frame, out);
    mb_buf_putf(out, "|%d %d %s", status, end, mb_sse_last_id(s));
    assert(mb_buf_ok(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (len < 2) return 0;
    mb_frames_kind kind = bytes[0] & 1 ? MB_FRAMES_NDJSON : MB_FRAMES_SSE;
    bool last = bytes[0] & 2;
    const char *text = (const char *)bytes + 2;
    size_t cut = bytes[1], rest = len - 2;
    mb_sse *s = mb_sse_new(kind, MAX_EVENT);
    mb_buf whole = MB_BUF(MB_LIMIT_RESPONSE), other = MB_BUF(MB_LIMIT_RESPONSE);
    run(s, kind, text, rest, 0, rest, last, &whole);
    const size_t ways[][2] = {{0, 1}, {cut, rest}, {0, cut % 7 + 1}, {0, cut + 1}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        mb_buf_reset(&other);
        run(s, kind, text, rest, ways[i][0], ways[i][1], last, &other);
        assert(whole.len == other.len && memcmp(whole.data, other.data, whole.len) == 0);
    }
    mb_buf_free(&whole);
    mb_buf_free(&other);
    mb_sse_free(s);
    return 0;
}
