// SPDX-License-Identifier: MIT
#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "membrane/error.h"
#include "net/sse.h"

// Frames as one text: "event|data|id|retry;" each.
typedef struct record {
    mb_buf text;
    int stop_at; // the answer at the n-th frame is 42; 0: never
    int frames;
} record;

static int on_frame(void *user, const mb_frame *f) {
    record *r = user;
    mb_buf_putf(&r->text, "%s|", f->event);
    mb_buf_put(&r->text, f->data, f->len);
    mb_buf_putf(&r->text, "|%s|%lld;", f->id, (long long)f->retry_ms);
    ck_assert_int_eq(f->data[f->len], 0);
    const volatile char *padding = f->data + f->len; // the sanitizer objects if it is not there
    for (int i = 0; i < MB_BUF_PADDING; i++) (void)padding[i];
    return ++r->frames == r->stop_at ? 42 : 0;
}

static void check(mb_frames_kind kind, const char *bytes, size_t len, bool want_last, const char *expected) {
    for (size_t cut = 0; cut <= len; cut++) {
        record r = {MB_BUF(100000), 0, 0};
        mb_sse *s = mb_sse_new(kind, 1000);
        ck_assert_int_eq(mb_sse_feed(s, bytes, cut, on_frame, &r), 0);
        ck_assert_int_eq(mb_sse_feed(s, bytes + cut, len - cut, on_frame, &r), 0);
        ck_assert_int_eq(mb_sse_finish(s, want_last, on_frame, &r), 0);
        ck_assert_msg(strcmp(mb_buf_text(&r.text), expected) == 0, "cut at %zu: %s", cut, mb_buf_text(&r.text));
        mb_sse_free(s);
        mb_buf_free(&r.text);
    }
}

static void check_sse(const char *text, const char *expected) {
    check(MB_FRAMES_SSE, text, strlen(text), false, expected);
}

START_TEST(the_three_line_ends_may_be_mixed) {
    check_sse("data: a\r\n\r\ndata: b\n\ndata: c\r\rdata: d\r\ndata: e\r\n\n",
              "message|a||-1;message|b||-1;message|c||-1;message|d\ne||-1;");
}
END_TEST

START_TEST(comments_and_unknown_fields_give_nothing) { check_sse(": ping\n\n:\nfoo: bar\ndatax: 1\nDATA: 1\n\n", ""); }
END_TEST

START_TEST(fields_say_what_the_standard_says) {
    check_sse("event: e\nid: 7\nretry: 90\ndata:x\ndata:  y\ndata\n\ndata: z\n\n", "e|x\n y\n|7|90;message|z|7|90;");
    check_sse("id: 7\n\nid\ndata: x\n\n", "message|x||-1;");
    check_sse("event: lost\n\ndata: x\n\n", "message|x||-1;");
    check_sse("retry: 1x\nretry:\ndata: x\n\n", "message|x||-1;");
    check(MB_FRAMES_SSE, "id: a\0b\nid: 3\nid: \0\ndata: x\n\n", 29, false, "message|x|3|-1;");
}
END_TEST

START_TEST(a_byte_order_mark_is_dropped_at_the_start_only) {
    check_sse("\xEF\xBB\xBF"
              "data: x\n\n",
              "message|x||-1;");
    check_sse("data: x\n\n\xEF\xBB\xBF"
              "data: y\n\n",
              "message|x||-1;");
}
END_TEST

START_TEST(bad_bytes_become_replacement_characters) {
    check_sse("data: \xff\xE2\x82\ndata: \xF0\x9F\x98\x80\n\n",
              "message|\xEF\xBF\xBD\xEF\xBF\xBD\n\xF0\x9F\x98\x80||-1;");
    check_sse("event: \xff\ndata: x\n\n", "\xEF\xBF\xBD|x||-1;");
}
END_TEST

START_TEST(the_last_event_without_its_blank_line_is_given_only_if_wanted) {
    const char *text = "data: a\n\ndata: b\ndata: c";
    check(MB_FRAMES_SSE, text, strlen(text), false, "message|a||-1;");
    check(MB_FRAMES_SSE, text, strlen(text), true, "message|a||-1;message|b\nc||-1;");
    check(MB_FRAMES_SSE, "event: x\n", 9, true, "");
}
END_TEST

START_TEST(ndjson_gives_one_frame_a_line) {
    const char *text = "\xEF\xBB\xBF{\"a\":1}\n\n  \r\n{\"b\":2}\r\n{\"c\":\r3}\n{\"d\":4}";
    check(MB_FRAMES_NDJSON, text, strlen(text), false,
          "|{\"a\":1}||-1;|{\"b\":2}||-1;|{\"c\":\r3}||-1;|{\"d\":4}||-1;");
}
END_TEST

START_TEST(an_id_counts_when_its_event_is_complete) {
    record r = {MB_BUF(1000), 0, 0};
    mb_sse *s = mb_sse_new(MB_FRAMES_SSE, 1000);
    mb_sse_feed(s, "id: 1\n\nid: 2\n", 13, on_frame, &r);
    ck_assert_str_eq(mb_sse_last_id(s), "1");
    mb_sse_feed(s, "\n", 1, on_frame, &r);
    ck_assert_str_eq(mb_sse_last_id(s), "2");
    mb_sse_free(s);
    mb_buf_free(&r.text);
}
END_TEST

// The answer of a stream fed in pieces, with a limit of ten bytes.
static int limited(const char *text, size_t piece) {
    record r = {MB_BUF(1000), 0, 0};
    mb_sse *s = mb_sse_new(MB_FRAMES_SSE, 10);
    int status = 0;
    for (size_t at = 0, len = strlen(text); at < len && status == 0; at += piece)
        status = mb_sse_feed(s, text + at, piece < len - at ? piece : len - at, on_frame, &r);
    if (status != 0) ck_assert_int_eq(mb_sse_feed(s, "\n", 1, on_frame, &r), status); // for good
    mb_sse_reset(s, MB_FRAMES_SSE);
    ck_assert_int_eq(mb_sse_feed(s, "data: x\n\n", 9, on_frame, &r), 0); // until reset
    mb_sse_free(s);
    mb_buf_free(&r.text);
    return status;
}

START_TEST(the_limit_holds_wherever_the_cuts_are) {
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        {"data: 0123456789\n\n", 0},
        {"data: 0123456789a\n\n", MEMBRANE_EMALFORMED},
        {"data: 01234\ndata: 5678\n\n", 0},
        {"data: 01234\ndata: 56789\n\n", MEMBRANE_EMALFORMED},
        {": a comment longer than any line may be\n", MEMBRANE_EMALFORMED},
    };
    for (size_t i = 0; i < MB_COUNT(rows); i++)
        for (size_t piece = 1; piece < 30; piece++) ck_assert_int_eq(limited(rows[i].text, piece), rows[i].status);
}
END_TEST

START_TEST(the_callbacks_answer_stops_the_feed) {
    record r = {MB_BUF(1000), 2, 0};
    mb_sse *s = mb_sse_new(MB_FRAMES_SSE, 1000);
    ck_assert_int_eq(mb_sse_feed(s, "data: a\n\ndata: b\n\ndata: c\n\n", 27, on_frame, &r), 42);
    ck_assert_str_eq(r.text.data, "message|a||-1;message|b||-1;");
    mb_sse_free(s);
    mb_buf_free(&r.text);
}
END_TEST

START_TEST(reset_forgets_the_stream_before) {
    record r = {MB_BUF(1000), 0, 0};
    mb_sse *s = mb_sse_new(MB_FRAMES_NDJSON, 1000);
    mb_sse_reset(s, MB_FRAMES_SSE);
    mb_sse_feed(s, "id: 1\nretry: 5\n\nevent: e\ndata: a\nda", 35, on_frame, &r);
    mb_sse_reset(s, MB_FRAMES_SSE);
    ck_assert_str_eq(mb_sse_last_id(s), "");
    mb_sse_feed(s, "data: b\n\n", 9, on_frame, &r);
    mb_sse_finish(s, true, on_frame, &r);
    ck_assert_str_eq(r.text.data, "message|b||-1;");
    ck_assert_int_eq(mb_sse_feed(s, "x", 1, on_frame, &r), MEMBRANE_EINVAL); // after the end
    mb_sse_free(s);
    mb_buf_free(&r.text);
}
END_TEST

START_TEST(a_long_stream_of_carriage_returns_takes_no_time) {
    static char text[1 << 20];
    record r = {MB_BUF(1000), 0, 0};
    mb_sse *s = mb_sse_new(MB_FRAMES_SSE, 1000);
    memset(text, '\r', sizeof text);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(mb_sse_feed(s, text, sizeof text, on_frame, &r), 0);
    mb_sse_free(s);
    mb_buf_free(&r.text);
}
END_TEST

static int count_only(void *user, const mb_frame *f) { return 0; }

static int use_all(void *unused) {
    static char big[9000];
    mb_sse *s = mb_sse_new(MB_FRAMES_SSE, MB_LIMIT_STREAM_EVENT);
    if (!s) return -1;
    memset(big, 'x', sizeof big);
    int status = mb_sse_feed(s, "id: 5\nevent: e\ndata: ", 21, count_only, NULL);
    if (status == 0) status = mb_sse_feed(s, big, sizeof big, count_only, NULL);
    if (status == 0) status = mb_sse_feed(s, "\xff\n\n", 3, count_only, NULL);
    if (status == 0) status = mb_sse_feed(s, "data: z", 7, count_only, NULL);
    if (status == 0) status = mb_sse_finish(s, true, count_only, NULL);
    ck_assert(status == 0 || status == MEMBRANE_ENOMEM);
    mb_sse_free(s);
    return status;
}

START_TEST(without_memory_it_says_so_and_nothing_leaks) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, the_three_line_ends_may_be_mixed);
    tcase_add_test(tc, comments_and_unknown_fields_give_nothing);
    tcase_add_test(tc, fields_say_what_the_standard_says);
    tcase_add_test(tc, a_byte_order_mark_is_dropped_at_the_start_only);
    tcase_add_test(tc, bad_bytes_become_replacement_characters);
    tcase_add_test(tc, the_last_event_without_its_blank_line_is_given_only_if_wanted);
    tcase_add_test(tc, ndjson_gives_one_frame_a_line);
    tcase_add_test(tc, an_id_counts_when_its_event_is_complete);
    tcase_add_test(tc, the_limit_holds_wherever_the_cuts_are);
    tcase_add_test(tc, the_callbacks_answer_stops_the_feed);
    tcase_add_test(tc, reset_forgets_the_stream_before);
    tcase_add_test(tc, a_long_stream_of_carriage_returns_takes_no_time);
    tcase_add_test(tc, without_memory_it_says_so_and_nothing_leaks);
}
UNIT_MAIN("sse", tests)
