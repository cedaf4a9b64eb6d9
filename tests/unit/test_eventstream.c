// SPDX-License-Identifier: MIT
// A message of AWS's own test data, and made ones whose checksums are computed here by the definition, bit by bit.
#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "membrane/error.h"
#include "net/eventstream.h"
#include "net/sse.h"

static uint32_t slow_crc(const char *bytes, size_t len) {
    uint32_t c = ~0u;
    for (size_t i = 0; i < len; i++) {
        c ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
    }
    return ~c;
}

static void put4(mb_buf *out, size_t n) {
    char bytes[4] = {(char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n};
    mb_buf_put(out, bytes, 4);
}

static void put_header(mb_buf *out, const char *name, char type, const char *value, size_t len) {
    mb_buf_putc(out, (char)strlen(name));
    mb_buf_puts(out, name);
    mb_buf_putc(out, type);
    if (type == 6 || type == 7) {
        mb_buf_putc(out, (char)(len >> 8));
        mb_buf_putc(out, (char)len);
    }
    mb_buf_put(out, value, len);
}

static void put_text_header(mb_buf *out, const char *name, const char *value) {
    put_header(out, name, 7, value, strlen(value));
}

static void put_message(mb_buf *out, const mb_buf *headers, const char *payload, size_t len) {
    size_t start = out->len;
    put4(out, 16 + headers->len + len);
    put4(out, headers->len);
    put4(out, slow_crc(out->data + start, 8));
    mb_buf_put(out, mb_buf_text(headers), headers->len);
    mb_buf_put(out, payload, len);
    put4(out, slow_crc(out->data + start, out->len - start));
}

static void put_event(mb_buf *out, const char *message_type, const char *name, const char *value, const char *payload) {
    mb_buf headers = MB_BUF(70000);
    put_text_header(&headers, ":message-type", message_type);
    put_text_header(&headers, name, value);
    put_message(out, &headers, payload, strlen(payload));
    mb_buf_free(&headers);
}

// Frames as one text: "event|data;" each.
static int on_frame(void *user, const mb_frame *f) {
    mb_buf *out = user;
    mb_buf_putf(out, "%s|", f->event);
    mb_buf_put(out, f->data, f->len);
    mb_buf_putc(out, ';');
    ck_assert_int_eq(f->data[f->len], 0);
    const volatile char *padding = f->data + f->len; // the sanitizer objects if it is not there
    for (int i = 0; i < MB_BUF_PADDING; i++) (void)padding[i];
    return 0;
}

static void check_stream(const mb_buf *bytes, size_t max, int status, const char *expected) {
    for (size_t cut = 0; cut <= bytes->len; cut++) {
        mb_buf seen = MB_BUF(100000);
        mb_sse *s = mb_sse_new(MB_FRAMES_SSE, max);
        mb_sse_reset(s, MB_FRAMES_EVENTSTREAM); // what was made for one kind serves another
        int answer = mb_sse_feed(s, mb_buf_text(bytes), cut, on_frame, &seen);
        if (answer == 0) answer = mb_sse_feed(s, mb_buf_text(bytes) + cut, bytes->len - cut, on_frame, &seen);
        ck_assert_int_eq(answer, status);
        ck_assert_int_eq(mb_sse_finish(s, true, on_frame, &seen), status);
        ck_assert_msg(strcmp(mb_buf_text(&seen), expected) == 0, "cut at %zu: %s", cut, mb_buf_text(&seen));
        mb_sse_free(s);
        mb_buf_free(&seen);
    }
}

START_TEST(the_checksum_is_crc32) {
    char bytes[300];
    ck_assert_uint_eq(mb_crc32("123456789", 9), 0xCBF43926u);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 37 + i / 7);
    for (size_t len = 0; len <= sizeof bytes; len++) ck_assert_uint_eq(mb_crc32(bytes, len), slow_crc(bytes, len));
}
END_TEST

START_TEST(a_message_of_aws_is_read) {
    // "payload_no_headers" of AWS's event stream test data.
    static const char BYTES[] = "\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36";
    size_t len;
    mb_event_message m;
    ck_assert_int_eq(mb_eventstream_length(BYTES, 100, &len), 0);
    ck_assert_uint_eq(len, sizeof BYTES - 1);
    ck_assert_int_eq(mb_eventstream_read(BYTES, len, &m), 0);
    ck_assert_uint_eq(m.payload.len, 13);
    ck_assert_mem_eq(m.payload.text, "{'foo':'bar'}", 13);
    ck_assert_ptr_null(m.event_type.text);
}
END_TEST

START_TEST(events_exceptions_and_errors_are_frames) {
    mb_buf bytes = MB_BUF(100000), headers = MB_BUF(1000);
    put_event(&bytes, "event", ":event-type", "messageStart", "{\"role\":\"assistant\"}");
    put_event(&bytes, "exception", ":exception-type", "throttlingException", "{\"message\":\"slow down\"}");
    put_text_header(&headers, ":message-type", "error");
    put_text_header(&headers, ":error-code", "InternalError");
    put_text_header(&headers, ":error-message", "An internal error");
    put_message(&bytes, &headers, "", 0);
    put_event(&bytes, "event", ":event-type", "empty", "");
    check_stream(&bytes, 1000, 0,
                 "messageStart|{\"role\":\"assistant\"};error:throttlingException|{\"message\":\"slow down\"};"
                 "error:InternalError|An internal error;empty|;");
    mb_buf_free(&headers);
    mb_buf_free(&bytes);
}
END_TEST

START_TEST(headers_of_all_types_are_passed_over) {
    static const struct {
        char type;
        size_t size;
    } TYPES[] = {{0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 4}, {5, 8}, {6, 30}, {7, 300}, {8, 8}, {9, 16}};
    static const char zeros[300];
    mb_buf bytes = MB_BUF(100000), headers = MB_BUF(10000);
    for (size_t i = 0; i < MB_COUNT(TYPES); i++) put_header(&headers, "h", TYPES[i].type, zeros, TYPES[i].size);
    put_header(&headers, ":event-type", 4, "\0\0\0\1", 4); // known by name, but no text
    put_text_header(&headers, ":event-type", "x");
    put_message(&bytes, &headers, "p", 1);
    check_stream(&bytes, 1000, 0, "x|p;");
    mb_buf_free(&headers);
    mb_buf_free(&bytes);
}
END_TEST

static void check_headers(const char *raw, size_t len) {
    mb_buf bytes = MB_BUF(100000), headers = MB_BUF(10000);
    mb_buf_put(&headers, raw, len);
    put_message(&bytes, &headers, "p", 1);
    check_stream(&bytes, 1000, MEMBRANE_EMALFORMED, "");
    mb_buf_free(&headers);
    mb_buf_free(&bytes);
}

START_TEST(headers_that_do_not_end_break_the_stream) {
    check_headers("\0\7\0\0", 4);     // no name
    check_headers("\3ab", 3);         // the name ends outside
    check_headers("\2ab", 3);         // no type
    check_headers("\2ab\7", 4);       // no length
    check_headers("\2ab\7\0\2x", 7);  // the value ends outside
    check_headers("\2ab\5\0\0\0", 7); // likewise
    check_headers("\2ab\12", 4);      // a type that there is not
}
END_TEST

START_TEST(a_wrong_byte_anywhere_breaks_the_stream) {
    mb_buf bytes = MB_BUF(1000), seen = MB_BUF(1000);
    put_event(&bytes, "event", ":event-type", "x", "{}");
    for (size_t i = 0; i < bytes.len; i++) {
        mb_sse *s = mb_sse_new(MB_FRAMES_EVENTSTREAM, 1000);
        bytes.data[i] ^= 4;
        ck_assert_int_eq(mb_sse_feed(s, bytes.data, bytes.len, on_frame, &seen), MEMBRANE_EMALFORMED);
        ck_assert_int_eq(mb_sse_feed(s, "", 1, on_frame, &seen), MEMBRANE_EMALFORMED); // and for good
        bytes.data[i] ^= 4;
        mb_sse_reset(s, MB_FRAMES_EVENTSTREAM);
        ck_assert_int_eq(mb_sse_feed(s, bytes.data, bytes.len, on_frame, &seen), 0);
        ck_assert_str_eq(mb_buf_text(&seen), "x|{};");
        mb_buf_reset(&seen);
        mb_sse_free(s);
    }
    mb_buf_free(&bytes);
    mb_buf_free(&seen);
}
END_TEST

START_TEST(lengths_have_their_limits) {
    mb_buf bytes = MB_BUF(300000), none = MB_BUF(1);
    char payload[101];
    memset(payload, 'x', sizeof payload);
    put_message(&bytes, &none, payload, 101);
    check_stream(&bytes, 100, MEMBRANE_EMALFORMED, "");
    static const size_t LENGTHS[][2] = {{15, 0}, {16, 1}, {0, 0}, {200000, 131073}, {0xffffffff, 0}};
    for (size_t i = 0; i < MB_COUNT(LENGTHS); i++) {
        size_t len;
        mb_buf_reset(&bytes);
        put4(&bytes, LENGTHS[i][0]);
        put4(&bytes, LENGTHS[i][1]);
        put4(&bytes, slow_crc(bytes.data, 8));
        ck_assert_int_eq(mb_eventstream_length(bytes.data, 1000, &len), MEMBRANE_EMALFORMED);
        check_stream(&bytes, 1000, MEMBRANE_EMALFORMED, ""); // as soon as the prelude is there
    }
    mb_buf_free(&bytes);
}
END_TEST

START_TEST(a_cut_message_is_none) {
    mb_buf bytes = MB_BUF(1000);
    put_event(&bytes, "event", ":event-type", "x", "{}");
    size_t whole = bytes.len;
    put_event(&bytes, "event", ":event-type", "y", "{}");
    mb_buf_cut(&bytes, bytes.len - 1);
    check_stream(&bytes, 100, 0, "x|{};");
    mb_buf_cut(&bytes, whole + 5);
    check_stream(&bytes, 100, 0, "x|{};");
    mb_buf_free(&bytes);
}
END_TEST

START_TEST(bad_utf8_is_mended) {
    mb_buf bytes = MB_BUF(1000);
    put_event(&bytes, "event", ":event-type", "\xff", "\"\xc3\"");
    check_stream(&bytes, 100, 0, "\xEF\xBF\xBD|\"\xEF\xBF\xBD\";");
    mb_buf_free(&bytes);
}
END_TEST

static int feed_pieces(void *user) {
    const mb_buf *bytes = user;
    mb_buf seen = MB_BUF(100000);
    mb_sse *s = mb_sse_new(MB_FRAMES_EVENTSTREAM, 60000);
    int status = s ? 0 : MEMBRANE_ENOMEM;
    for (size_t at = 0; at < bytes->len && status == 0; at += 1000)
        status = mb_sse_feed(s, bytes->data + at, bytes->len - at < 1000 ? bytes->len - at : 1000, on_frame, &seen);
    if (status == 0 && seen.failed) status = MEMBRANE_ENOMEM; // the test's own buffer
    mb_sse_free(s);
    mb_buf_free(&seen);
    return status;
}

START_TEST(every_allocation_may_fail) {
    mb_buf bytes = MB_BUF(100000);
    static char payload[40001];
    memset(payload, 'x', sizeof payload - 1);
    put_event(&bytes, "event", ":event-type", "x", payload);
    unit_every_allocation_fails(feed_pieces, &bytes);
    mb_buf_free(&bytes);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, the_checksum_is_crc32);
    tcase_add_test(tc, a_message_of_aws_is_read);
    tcase_add_test(tc, events_exceptions_and_errors_are_frames);
    tcase_add_test(tc, headers_of_all_types_are_passed_over);
    tcase_add_test(tc, headers_that_do_not_end_break_the_stream);
    tcase_add_test(tc, a_wrong_byte_anywhere_breaks_the_stream);
    tcase_add_test(tc, lengths_have_their_limits);
    tcase_add_test(tc, a_cut_message_is_none);
    tcase_add_test(tc, bad_utf8_is_mended);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("eventstream", tests)
