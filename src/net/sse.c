// SPDX-License-Identifier: MIT
// Bytes into lines, lines into frames. A line that lies whole inside the fed bytes is read there and its data copied
// once; only a line that a cut goes through is gathered first. Characters need no care of their own: a wrong one never
// reaches over the end of a line, so it is mended when its line is whole. Messages of Amazon's event stream are handled
// likewise: whole ones in place, cut ones gathered in `line`.
#include "net/sse.h"

#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "membrane/error.h"
#include "net/eventstream.h"

//             feed                        a line ends in CR, the last byte fed
//   AT_START ─────▶ IN_LINES ────────────────────────────────────────────▶ AFTER_CR
//                    │  │  ▲───────────────────── feed (drops one LF) ─────────┘
//                    │  └── an error ──▶ BROKEN
//                    └───── finish ────▶ ENDED          reset: from everywhere to AT_START
typedef enum {
    AT_START, // Nothing but perhaps a part of the first line has come: that line may begin with a byte order mark.
    IN_LINES, // Lines come and go; the part of the last one that was cut waits in `line`.
    AFTER_CR, // The bytes so far end in CR, whose line is done: one LF, if it comes next, belongs to it.
    BROKEN,   // A limit was passed or memory ran out: every feed gives the same answer until reset.
    ENDED,    // finish was called; only reset leads on.
} state;

enum {
    LONGEST_FIELD = 16,   // what a line may hold beside the data: a byte order mark, "data: ", a CR
    FIRST_SIZE = 4096,    // of the data buffer
    LONGEST_NAME = 65536, // of an event's name or id; a longer one breaks the stream
};

struct mb_sse {
    state state;
    int failure; // in BROKEN
    mb_frames_kind kind;
    bool has_data;   // a data line of the present event was seen, if only an empty one
    bool has_new_id; // next_id is to be put in force
    int64_t retry_ms;
    mb_buf line;    // of a cut line or message, what has come so far
    mb_buf data;    // of the present event
    mb_buf event;   // its name
    mb_buf next_id; // the id that the next blank line puts in force
    mb_buf id;      // the id in force
    mb_frame_fn fn; // of this feed
    void *user;
};

mb_sse *mb_sse_new(mb_frames_kind kind, size_t max_event) {
    mb_sse *s = mb_calloc(1, sizeof *s);
    if (!s) return NULL;
    s->data = MB_BUF(max_event);
    s->event = s->next_id = s->id = MB_BUF(LONGEST_NAME);
    if (!mb_buf_grow(&s->data, max_event < FIRST_SIZE ? max_event : FIRST_SIZE)) {
        mb_sse_free(s);
        return NULL;
    }
    mb_sse_reset(s, kind);
    return s;
}

void mb_sse_free(mb_sse *s) {
    if (!s) return;
    mb_buf *all[] = {&s->line, &s->data, &s->event, &s->next_id, &s->id};
    for (size_t i = 0; i < MB_COUNT(all); i++) mb_buf_free(all[i]);
    mb_free(s);
}

void mb_sse_reset(mb_sse *s, mb_frames_kind kind) {
    mb_buf *all[] = {&s->line, &s->data, &s->event, &s->next_id, &s->id};
    for (size_t i = 0; i < MB_COUNT(all); i++) mb_buf_reset(all[i]);
    size_t around = kind == MB_FRAMES_EVENTSTREAM ? MB_EVENTSTREAM_HEADERS + MB_EVENTSTREAM_AROUND : LONGEST_FIELD;
    if (!mb_size_add(s->data.max, around, &s->line.max)) s->line.max = SIZE_MAX;
    s->state = AT_START;
    s->failure = 0;
    s->kind = kind;
    s->has_data = s->has_new_id = false;
    s->retry_ms = -1;
}

const char *mb_sse_last_id(const mb_sse *s) { return mb_buf_text(&s->id); }

// ---- what a line means ---------------------------------------------------------------------------------------------

// Appends text with its bad bytes replaced. 0 or why not.
static int put_text(mb_buf *out, const char *text, size_t len) {
    if (mb_likely(mb_utf8_valid(text, len)))
        mb_buf_put(out, text, len);
    else
        mb_utf8_put_clean(out, text, len);
    if (mb_likely(mb_buf_ok(out))) return 0;
    return out->failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
}

static int set_text(mb_buf *out, const char *text, size_t len) {
    mb_buf_reset(out);
    return put_text(out, text, len);
}

static int add_data(mb_sse *s, const char *value, size_t len) {
    if (s->has_data) mb_buf_putc(&s->data, '\n');
    s->has_data = true;
    return put_text(&s->data, value, len);
}

static int give(mb_sse *s, const char *event) {
    mb_frame frame = {event, s->data.data, s->data.len, mb_buf_text(&s->id), s->retry_ms};
    return s->fn(s->user, &frame);
}

static void begin_event(mb_sse *s) {
    s->has_data = false;
    mb_buf_cut(&s->data, 0);
    mb_buf_cut(&s->event, 0);
}

// A blank line: the event, if there is one, is complete.
static int dispatch(mb_sse *s) {
    int answer = 0;
    if (s->has_new_id) answer = set_text(&s->id, mb_buf_text(&s->next_id), s->next_id.len);
    s->has_new_id = false;
    if (answer == 0 && s->has_data) answer = give(s, s->event.len ? s->event.data : "message");
    begin_event(s);
    return answer;
}

static int set_retry(mb_sse *s, const char *digits, size_t len) {
    int64_t ms = 0;
    if (len == 0) return 0;
    for (size_t i = 0; i < len; i++) {
        if (digits[i] < '0' || digits[i] > '9') return 0;
        ms = ms > (INT64_MAX - 9) / 10 ? INT64_MAX / 16 : ms * 10 + (digits[i] - '0');
    }
    s->retry_ms = ms;
    return 0;
}

static int set_id(mb_sse *s, const char *value, size_t len) {
    if (memchr(value, '\0', len)) return 0; // says the standard
    s->has_new_id = true;
    return set_text(&s->next_id, value, len);
}

static bool name_is(const char *line, size_t len, const char *name) {
    return len == strlen(name) && memcmp(line, name, len) == 0;
}

static int on_field(mb_sse *s, const char *line, size_t len) {
    if (mb_likely(len > 6 && memcmp(line, "data: ", 6) == 0)) return add_data(s, line + 6, len - 6); // nearly all
    const char *colon = memchr(line, ':', len), *value = colon ? colon + 1 : line + len, *end = line + len;
    size_t name_len = colon ? (size_t)(colon - line) : len;
    if (value < end && *value == ' ') value++;
    size_t value_len = (size_t)(end - value);
    if (name_is(line, name_len, "data")) return add_data(s, value, value_len);
    if (name_is(line, name_len, "event")) return set_text(&s->event, value, value_len);
    if (name_is(line, name_len, "retry")) return set_retry(s, value, value_len);
    if (name_is(line, name_len, "id")) return set_id(s, value, value_len);
    return 0; // a comment (its name is empty) or an unknown field
}

static int on_json_line(mb_sse *s, const char *line, size_t len) {
    while (len > 0 && strchr(" \t\r", line[len - 1]) && line[len - 1]) len--;
    if (len == 0) return 0;
    int answer = put_text(&s->data, line, len);
    if (answer == 0) answer = give(s, "");
    begin_event(s);
    return answer;
}

// A whole line without its end.
static int on_line(mb_sse *s, const char *line, size_t len) {
    if (mb_unlikely(s->state == AT_START)) {
        s->state = IN_LINES;
        if (len >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) {
            line += 3;
            len -= 3;
        }
    }
    if (s->kind == MB_FRAMES_NDJSON) return on_json_line(s, line, len);
    if (len == 0) return dispatch(s);
    return on_field(s, line, len);
}

// ---- lines out of bytes --------------------------------------------------------------------------------------------

static int broken(mb_sse *s, int why) {
    s->state = BROKEN;
    return s->failure = why;
}

// A line's last piece has come: with what was gathered before, it is whole.
static int end_line(mb_sse *s, const char *piece, size_t len) {
    if (mb_likely(s->line.len == 0)) {
        if (mb_unlikely(len > s->line.max)) return broken(s, MEMBRANE_EMALFORMED);
        return on_line(s, piece, len);
    }
    mb_buf_put(&s->line, piece, len);
    if (!mb_buf_ok(&s->line))
        return broken(s, s->line.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED);
    int answer = on_line(s, s->line.data, s->line.len);
    mb_buf_reset(&s->line);
    return answer;
}

static int keep_piece(mb_sse *s, const char *piece, size_t len) {
    mb_buf_put(&s->line, piece, len);
    if (mb_buf_ok(&s->line)) return 0;
    return broken(s, s->line.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED);
}

// The next byte of that value from at on; end if there is none. *next remembers it, so that the bytes are looked
// through once for LF and once for CR, whichever of them the stream uses.
static const char *find_next(char byte, const char *at, const char *end, const char **next) {
    if (*next >= at) return *next;
    const char *found = *at == byte ? at : memchr(at, byte, (size_t)(end - at));
    return *next = found ? found : end;
}

static int feed_lines(mb_sse *s, const char *at, const char *end) {
    const char *lf = NULL, *cr = s->kind == MB_FRAMES_SSE ? NULL : end; // NDJSON: a CR is a blank
    while (at < end) {
        const char *stop = find_next('\n', at, end, &lf);
        if (find_next('\r', at, end, &cr) < stop) stop = cr;
        if (stop == end) return keep_piece(s, at, (size_t)(end - at));
        const char *next = stop + 1;
        int answer = end_line(s, at, (size_t)(stop - at));
        if (*stop == '\r') {
            if (next < end)
                next += *next == '\n';
            else if (s->state == IN_LINES)
                s->state = AFTER_CR;
        }
        if (answer != 0) return answer;
        at = next;
    }
    return 0;
}

// ---- messages out of bytes -----------------------------------------------------------------------------------------

static int put_event_name(mb_sse *s, const mb_event_message *m) {
    const mb_event_piece *name = m->exception_type.text ? &m->exception_type : &m->error_code;
    if (name->text)
        mb_buf_puts(&s->event, "error:");
    else
        name = &m->event_type;
    return name->text ? put_text(&s->event, name->text, name->len) : 0;
}

static int on_message(mb_sse *s, const char *bytes, size_t len) {
    mb_event_message m;
    int answer = mb_eventstream_read(bytes, len, &m);
    if (answer != 0) return broken(s, answer);
    const mb_event_piece *data = m.payload.len || !m.error_message.text ? &m.payload : &m.error_message;
    answer = put_event_name(s, &m);
    if (answer == 0) answer = put_text(&s->data, data->text, data->len);
    if (answer == 0) answer = give(s, mb_buf_text(&s->event));
    begin_event(s);
    return answer;
}

static int gather_up_to(mb_sse *s, size_t need, const char **at, const char *end) {
    size_t lacks = need - s->line.len, n = lacks < (size_t)(end - *at) ? lacks : (size_t)(end - *at);
    int answer = keep_piece(s, *at, n);
    *at += n;
    return answer;
}

// Adds to the gathered message what it lacks, its prelude first. 0 with *at moved on.
static int gather(mb_sse *s, const char **at, const char *end, bool *ret_whole) {
    size_t need = MB_EVENTSTREAM_PRELUDE;
    int answer = s->line.len < need ? gather_up_to(s, need, at, end) : 0;
    if (answer != 0 || s->line.len < need) return answer;
    answer = mb_eventstream_length(s->line.data, s->data.max, &need);
    if (answer != 0) return broken(s, answer);
    answer = gather_up_to(s, need, at, end);
    *ret_whole = s->line.len == need;
    return answer;
}

static int feed_messages(mb_sse *s, const char *at, const char *end) {
    int answer = 0;
    while (at < end && answer == 0) {
        size_t len = SIZE_MAX, left = (size_t)(end - at);
        bool whole = false;
        if (s->line.len == 0 && left >= MB_EVENTSTREAM_PRELUDE) answer = mb_eventstream_length(at, s->data.max, &len);
        if (answer != 0) return broken(s, answer);
        if (len <= left) {
            answer = on_message(s, at, len);
            at += len;
            continue;
        }
        answer = gather(s, &at, end, &whole);
        if (answer != 0 || !whole) continue;
        answer = on_message(s, s->line.data, s->line.len);
        mb_buf_reset(&s->line);
    }
    return answer;
}

// ---- feeding -------------------------------------------------------------------------------------------------------

// What our own buffers refuse (not what the callback answers) is final.
static int feed(mb_sse *s, const char *bytes, size_t len) {
    if (s->state == BROKEN) return s->failure;
    if (s->state == ENDED) return MEMBRANE_EINVAL;
    if (len == 0) return 0;
    if (s->state == AFTER_CR) {
        s->state = IN_LINES;
        if (*bytes == '\n') bytes++, len--;
    }
    int answer =
        s->kind == MB_FRAMES_EVENTSTREAM ? feed_messages(s, bytes, bytes + len) : feed_lines(s, bytes, bytes + len);
    if (!mb_buf_ok(&s->data) || !mb_buf_ok(&s->event) || !mb_buf_ok(&s->next_id) || !mb_buf_ok(&s->id))
        return broken(s, answer);
    return answer;
}

int mb_sse_feed(mb_sse *s, const char *bytes, size_t len, mb_frame_fn fn, void *user) {
    s->fn = fn;
    s->user = user;
    return feed(s, bytes, len);
}

int mb_sse_finish(mb_sse *s, bool want_last, mb_frame_fn fn, void *user) {
    s->fn = fn;
    s->user = user;
    if (s->state == BROKEN) return s->failure;
    if (s->state == ENDED) return 0;
    int answer = 0;
    const bool has_lines = s->kind != MB_FRAMES_EVENTSTREAM;
    if (s->line.len > 0 && has_lines && (want_last || s->kind == MB_FRAMES_NDJSON)) answer = end_line(s, "", 0);
    if (answer == 0 && want_last && s->kind == MB_FRAMES_SSE && s->has_data) answer = dispatch(s);
    if (s->state != BROKEN) s->state = ENDED;
    return answer;
}
