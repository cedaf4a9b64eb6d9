// SPDX-License-Identifier: MIT
#include "runtime/exchange.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "route/classify.h"

// ---- what is kept for the next call
// ---------------------------------------------------------------------------------

#ifdef MB_ARENA_MALLOC // so that a use after the end is seen
enum { IDLE_BUFS = 0 };
#else
enum { IDLE_BUFS = MB_COUNT(((mb_engine_room *)0)->idle_bufs) };
#endif
enum { KEPT_BUF = 16384 };

mb_buf mb_room_take_buf(mb_engine_room *room, size_t max) {
    mb_buf buf = MB_BUF(max);
    if (room->idle_buf_count == 0) return buf;
    buf = room->idle_bufs[--room->idle_buf_count];
    buf.max = max;
    return buf;
}

void mb_room_give_buf(mb_engine_room *room, mb_buf *buf) {
    if (!buf->data || buf->cap > KEPT_BUF || room->idle_buf_count >= IDLE_BUFS) {
        mb_buf_free(buf);
        return;
    }
    mb_buf_reset(buf);
    room->idle_bufs[room->idle_buf_count++] = *buf;
    *buf = MB_BUF(buf->max);
}

static mb_sse *take_frames(mb_engine_room *room, mb_frames_kind kind) {
    if (room->idle_count == 0) return mb_sse_new(kind, MB_LIMIT_STREAM_EVENT);
    mb_sse *frames = room->idle_frames[--room->idle_count];
    mb_sse_reset(frames, kind);
    return frames;
}

static void give_frames_back(mb_exchange *x) {
    mb_engine_room *room = x->room;
    if (!x->frames) return;
    if (room->idle_count < (int)MB_COUNT(room->idle_frames))
        room->idle_frames[room->idle_count++] = x->frames;
    else
        mb_sse_free(x->frames);
    x->frames = NULL;
}

// ---- the end
// -----------------------------------------------------------------------------------------------------------

static void stop(mb_exchange *x) {
    x->is_running = false;
    mb_io_timer_clear(x->room->io, &x->timer);
    mb_io_timer_clear(x->room->io, &x->total_timer);
    give_frames_back(x);
}

static void end(mb_exchange *x, int code, membrane_error *error) {
    stop(x);
    const mb_provider *p = x->plan.provider;
    x->transfer = NULL;
    if (code && error) mb_error_field(error, &error->provider, p->name);
    mb_secret_strike_all(error, p->secrets);
    for (size_t i = 0; error && x->plan.extra_headers && x->plan.extra_headers[i]; i++)
        mb_secret_strike_header(error, x->plan.extra_headers[i]);
    x->plan.done(x->plan.user, code, error);
}

void mb_exchange_cancel(mb_exchange *x) {
    if (!x->is_running) return;
    mb_transfer *transfer = x->transfer;
    stop(x);
    x->transfer = NULL;
    if (transfer) mb_http_cancel(transfer);
}

void mb_exchange_free(mb_exchange *x) {
    mb_exchange_cancel(x);
    mb_headers_free(x->own_headers);
    x->own_headers = NULL;
    mb_buf_free(&x->wire.headers);
    if (!x->room) return; // nothing was ever sent
    mb_room_give_buf(x->room, &x->wire.url);
    mb_room_give_buf(x->room, &x->wire.body);
    mb_room_give_buf(x->room, &x->body);
}

void mb_exchange_excerpt(const char *bytes, size_t len, char *out, size_t size) {
    mb_buf clean = MB_BUF(4096);
    mb_utf8_put_clean(&clean, bytes, mb_utf8_prefix(bytes, len, 200));
    const char *text = mb_buf_text(&clean);
    size_t at = 0;
    for (size_t i = 0; text[i] && at + 1 < size; i++)
        if ((unsigned char)text[i] >= 0x20 || (at && out[at - 1] != ' '))
            out[at++] = (unsigned char)text[i] < 0x20 ? ' ' : text[i];
    out[at] = '\0';
    mb_buf_free(&clean);
}

// A stream whose answer is complete may take this long to end; then its connection is given up.
enum { AFTER_END_MS = 1000 };

// ---- time
// --------------------------------------------------------------------------------------------------------------

static int64_t limit_in_force(const mb_exchange *x, const char **ret_phase) {
    bool first = !x->has_progress && x->wire.stream;
    *ret_phase = first ? "first_token" : "idle";
    if (x->has_end) return AFTER_END_MS;
    if (!x->has_progress && !x->wire.stream) return 0;
    return first ? x->plan.first_token_ms : x->plan.idle_ms;
}

static void arm(mb_exchange *x) {
    const char *phase;
    int64_t limit = limit_in_force(x, &phase);
    // Only an earlier time moves the timer: what is later is seen when it fires.
    if (limit > 0 && (!x->timer.is_set || x->last_ms + limit < x->timer.due_ms))
        mb_io_timer_set(x->room->io, &x->timer, x->last_ms + limit);
}

static int refused(mb_exchange *x, membrane_error **error);

// What has come may be enough all the same: an answer that is complete by its wire's rule, or an error's status.
static void time_is_up(mb_exchange *x, const char *phase, int64_t limit) {
    membrane_error *error = NULL;
    mb_transfer *transfer = x->transfer;
    const bool may_be_whole = x->kind == MB_BODY_FRAMES && (x->has_end || x->plan.turn->has_finish);
    int code = may_be_whole                         ? x->plan.provider->adapter->end(&x->decode)
               : mb_http_status(x->transfer) >= 400 ? refused(x, &error)
                                                    : MEMBRANE_ETIMEOUT;
    if (code && !error)
        code = mb_error_set(&error, MEMBRANE_ETIMEOUT, "%s: nothing came for %lld ms (%s timeout)",
                            x->plan.provider->name, (long long)limit, phase);
    if (code == MEMBRANE_ETIMEOUT && error && !mb_error_is_static(error) && !error->phase) error->phase = phase;
    x->transfer = NULL;
    if (transfer) mb_http_cancel(transfer);
    end(x, code, error);
}

// The timer is not moved at each piece: when it fires, it looks how long ago the last one really came.
static void timer_fired(mb_timer *timer) {
    mb_exchange *x = (mb_exchange *)((char *)timer - offsetof(mb_exchange, timer));
    const char *phase;
    int64_t limit = limit_in_force(x, &phase), now = mb_io_now(x->room->io);
    if (x->is_paused || limit == 0) return;
    if (now < x->last_ms + limit)
        mb_io_timer_set(x->room->io, timer, x->last_ms + limit);
    else
        time_is_up(x, phase, limit);
}

static void total_fired(mb_timer *timer) {
    mb_exchange *x = (mb_exchange *)((char *)timer - offsetof(mb_exchange, total_timer));
    time_is_up(x, "total", x->plan.total_ms);
}

// ---- the answer
// --------------------------------------------------------------------------------------------------------

static bool begins(const char *text, const char *prefix) {
    return text && strncasecmp(text, prefix, strlen(prefix)) == 0;
}

// Servers are careless about the type of a stream; what names something that can be none is taken at its word.
static bool may_be_frames(const char *type) {
    static const char *const other[] = {"application/json", "text/html",       "image/",         "audio/",
                                        "video/",           "application/pdf", "application/zip"};
    for (size_t i = 0; i < MB_COUNT(other); i++)
        if (begins(type, other[i])) return begins(type, "application/json-seq");
    return true;
}

static int on_first_bytes(mb_exchange *x) {
    int status = mb_http_status(x->transfer);
    const char *type = mb_http_content_type(x->transfer);
    if (status < 200 || status > 299) {
        x->kind = MB_BODY_REFUSAL;
        x->body.max = MB_LIMIT_ERROR_BODY;
        return 0;
    }
    const bool is_frames = x->wire.stream && may_be_frames(type) && !mb_http_refused(x->transfer);
    x->kind = is_frames ? MB_BODY_FRAMES : MB_BODY_WHOLE;
    if (begins(type, "application/x-ndjson")) x->wire.frames = MB_FRAMES_NDJSON;
    if (x->kind != MB_BODY_FRAMES || x->frames) return 0;
    x->frames = take_frames(x->room, x->wire.frames);
    return x->frames ? 0 : MEMBRANE_ENOMEM;
}

static int on_frame(void *user, const mb_frame *frame) {
    mb_exchange *x = user;
    if (x->has_end) return 0;
    x->decode.says_nothing = false;
    int code = x->plan.provider->adapter->frame(&x->decode, frame);
    if (!x->decode.says_nothing) {
        x->has_progress = true; // comments never come this far
        x->last_ms = mb_io_now(x->room->io);
    }
    if (code > 0) {
        x->has_end = true;
        mb_io_timer_clear(x->room->io, &x->timer); // armed anew, with the shorter limit
    }
    return code < 0 ? code : 0;
}

// An answer that is too long is none; of an error's body the beginning is enough, and the rest is not waited for.
static int too_long(mb_exchange *x) {
    if (mb_buf_ok(&x->body)) return 0;
    if (x->body.failed == MEMBRANE_ENOMEM) return MEMBRANE_ENOMEM;
    if (x->kind == MB_BODY_REFUSAL) x->body.failed = 0;
    return MEMBRANE_ERESPONSE;
}

static int on_data(void *user, const char *bytes, size_t len) {
    mb_exchange *x = user;
    int code = 0;
    if (x->plan.is_full && x->plan.is_full(x->plan.user)) {
        x->is_paused = true;
        return MB_HTTP_PAUSE;
    }
    if (x->kind == MB_BODY_UNKNOWN && (code = on_first_bytes(x)) != 0) return x->frame_code = code;
    if (x->kind == MB_BODY_FRAMES) {
        code = mb_sse_feed(x->frames, bytes, len, on_frame, x);
    } else {
        x->has_progress = true;
        x->last_ms = mb_io_now(x->room->io);
        mb_buf_put(&x->body, bytes, len);
        code = too_long(x);
    }
    arm(x);
    if (x->plan.progress) x->plan.progress(x->plan.user);
    return x->frame_code = code;
}

static int end_of_stream(mb_exchange *x) {
    int code = x->frame_code;
    if (code == 0 && !x->has_end) {
        code = mb_sse_finish(x->frames, true, on_frame, x);
        if (code == MEMBRANE_EMALFORMED) code = MEMBRANE_ETRUNCATED; // half a frame, cut where the stream was
    }
    if (code == 0) code = x->plan.provider->adapter->end(&x->decode);
    return code;
}

static int end_of_body(mb_exchange *x) {
    const char *type = mb_http_content_type(x->transfer), *text = mb_buf_text(&x->body);
    char excerpt[240];
    int code =
        begins(type, "text/html") ? MEMBRANE_ERESPONSE : x->plan.provider->adapter->body(&x->decode, text, x->body.len);
    if (code != MEMBRANE_ERESPONSE || x->plan.turn->error) return code;
    mb_exchange_excerpt(text, x->body.len, excerpt, sizeof excerpt);
    return mb_error_set(&x->plan.turn->error, code,
                        "%s answered %d with a body that is no %s answer (%s, %zu bytes): %s", x->plan.provider->name,
                        mb_http_status(x->transfer), x->plan.provider->adapter->name, type ? type : "no content type",
                        x->body.len, excerpt);
}

static int refused(mb_exchange *x, membrane_error **error) {
    static const char *const id_names[] = {"x-request-id", "request-id", "x-amzn-requestid", "apim-request-id"};
    const char *engine = x->plan.provider->quirks->kind, *id = NULL;
    int status = mb_http_status(x->transfer);
    for (size_t i = 0; i < MB_COUNT(id_names) && !id; i++) id = mb_http_header(x->transfer, id_names[i]);
    if (status < 200)
        return mb_error_set(error, MEMBRANE_ERESPONSE, "%s answered %d, another protocol, which was not asked for",
                            x->plan.provider->name, status);
    if (status >= 300 && status < 400) {
        const char *to = mb_http_header(x->transfer, "location");
        int code =
            mb_error_set(error, MEMBRANE_ERESPONSE, "%s answered %d, a redirect to %.200s, which is not followed",
                         x->plan.provider->name, status, to ? to : "nowhere");
        if (!mb_error_is_static(*error)) (*error)->http_status = status;
        mb_error_hint(*error, "set providers.%s.base_url to the address that answers", x->plan.provider->name);
        return code;
    }
    const mb_adapter *adapter = x->plan.provider->adapter;
    int code = adapter->refused ? adapter->refused(&x->decode, status, mb_buf_text(&x->body), x->body.len) : 0;
    if (code) {
        *error = x->plan.turn->error;
        x->plan.turn->error = NULL;
        return code;
    }
    char after_ms[64] = "", after[128] = "";
    const char *value = mb_http_header(x->transfer, "retry-after-ms");
    if (value) snprintf(after_ms, sizeof after_ms, "%s", value);
    value = mb_http_header(x->transfer, "retry-after");
    if (value) snprintf(after, sizeof after, "%s", value);
    int64_t wait = mb_retry_after_ms(after_ms[0] ? after_ms : NULL, after[0] ? after : NULL, mb_wall_ms());
    const char *type = mb_http_header(x->transfer, "x-amzn-errortype");
    return mb_classify_typed(engine, x->plan.provider->name, status, type, mb_buf_text(&x->body), x->body.len, id, wait,
                             error);
}

// What the transport says, where the adapter has nothing better.
static int transport_error(mb_exchange *x, const mb_http_done *done, int code, membrane_error **error) {
    const char *name = x->plan.provider->name, *url = x->plan.provider->root_url;
    const char *detail = done->detail ? done->detail : membrane_status_text(code);
    if (code == MEMBRANE_ENOMEM) return mb_error_no_memory(error);
    if (code == MEMBRANE_ETRUNCATED)
        code = mb_error_set(error, code, "%s: the stream ended before the answer was complete%s%s", name,
                            done->detail ? ": " : "", done->detail ? done->detail : "");
    else if (code == MEMBRANE_EMALFORMED)
        code = mb_error_set(error, code,
                            "%s: a part of the stream is not what the %s wire allows, or longer than %zu bytes", name,
                            x->plan.provider->adapter->name, MB_LIMIT_STREAM_EVENT);
    else if (code == MEMBRANE_ERESPONSE && !mb_buf_ok(&x->body))
        code = mb_error_set(error, code, "%s: the answer is longer than %zu bytes", name, x->body.max);
    else
        code = mb_error_set(error, code, "%s (%s): %s", name, url, detail);
    if (!mb_error_is_static(*error)) {
        (*error)->phase = done->phase;
        (*error)->http_status = mb_http_status(x->transfer);
    }
    if (code == MEMBRANE_ECONNECT && x->plan.provider->local)
        mb_error_hint(*error, "is the engine running? membrane doctor shows what answers");
    return code;
}

static int outcome(mb_exchange *x, const mb_http_done *done, membrane_error **error) {
    int code = done->code;
    mb_turn *turn = x->plan.turn;
    if (done->began && x->kind == MB_BODY_UNKNOWN && on_first_bytes(x) != 0) return mb_error_no_memory(error);
    if (!done->began) return transport_error(x, done, x->frame_code ? x->frame_code : code, error);
    if (x->kind == MB_BODY_FRAMES) {
        // The adapter knows whether what came is whole, whatever then happened to the connection.
        x->decode.is_cut = code != 0;
        code = x->frame_code == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : end_of_stream(x);
    } else if (x->kind == MB_BODY_REFUSAL && (code == 0 || code == MEMBRANE_ERESPONSE)) {
        return refused(x, error); // the status says enough, even if its body was cut, or is longer than anybody reads
    } else if (code == 0) {
        code = end_of_body(x);
    }
    if (code == 0) return 0;
    if (!turn->error || turn->error->code != code) return transport_error(x, done, code, error);
    *error = turn->error;
    turn->error = NULL;
    return code;
}

static void on_done(void *user, const mb_http_done *done) {
    mb_exchange *x = user;
    membrane_error *error = NULL;
    int code = outcome(x, done, &error);
    if (code && error && !mb_error_is_static(error) && !error->http_status)
        error->http_status = mb_http_status(x->transfer);
    end(x, code, error);
}

// ---- the start
// ---------------------------------------------------------------------------------------------------------

// From here on libcurl would wait for a "100 Continue" that many servers never send.
enum { EXPECTS_FROM = 1000000 };

static const mb_headers *header_list(mb_exchange *x) {
    const mb_provider *p = x->plan.provider;
    const mb_headers *shared = p->headers[x->plan.key < p->key_count ? x->plan.key : 0];
    bool is_long = x->wire.body.len > EXPECTS_FROM;
    bool has_own = is_long || (x->plan.extra_headers && x->plan.extra_headers[0]) || x->wire.headers.len;
    if (!has_own) return shared;
    x->own_headers = mb_headers_copy(shared);
    if (is_long && x->own_headers) x->own_headers = mb_headers_append(x->own_headers, "Expect:");
    for (size_t i = 0; x->own_headers && x->plan.extra_headers && x->plan.extra_headers[i]; i++)
        x->own_headers = mb_headers_append(x->own_headers, x->plan.extra_headers[i]);
    char *line = x->wire.headers.len ? x->wire.headers.data : NULL;
    for (char *next; x->own_headers && line && *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next) *next++ = '\0';
        x->own_headers = mb_headers_append(x->own_headers, line);
    }
    return x->own_headers;
}

// The signature is the last thing to be written, since it covers the rest: the request as the adapter wrote it, with
// the headers that AWS wants signed.
static int sign(mb_exchange *x, membrane_error **err) {
    const mb_provider *p = x->plan.provider;
    mb_buf headers = MB_BUF(131072);
    if (!p->aws) return 0;
    mb_buf_puts(&headers, "Content-Type: application/json\n");
    mb_buf_puts(&headers, mb_buf_text(&x->wire.headers));
    for (size_t i = 0; x->plan.extra_headers && x->plan.extra_headers[i]; i++)
        if (begins(x->plan.extra_headers[i], "x-amz")) mb_buf_putf(&headers, "%s\n", x->plan.extra_headers[i]);
    const mb_sigv4_request request = {.method = x->wire.method,
                                      .url = mb_buf_text(&x->wire.url),
                                      .headers = mb_buf_text(&headers),
                                      .body = mb_buf_text(&x->wire.body),
                                      .body_len = x->wire.body.len,
                                      .service = "bedrock",
                                      .time_s = mb_wall_ms() / 1000};
    int code = headers.failed ? headers.failed : mb_sigv4_sign(p->aws, &request, &x->wire.headers);
    mb_buf_free(&headers);
    if (code == MEMBRANE_ENOMEM) return mb_error_no_memory(err);
    return code ? mb_error_set(err, code, "%s: the request could not be signed", p->name) : 0;
}

int mb_exchange_start(mb_exchange *x, mb_engine_room *room, const mb_exchange_plan *plan, membrane_error **err) {
    *x = (mb_exchange){.room = room, .plan = *plan, .timer.fire = timer_fired, .total_timer.fire = total_fired};
    x->wire.url = mb_room_take_buf(room, 65536);
    x->wire.body = mb_room_take_buf(room, MB_LIMIT_REQUEST);
    x->wire.headers = MB_BUF(65536);
    x->body = mb_room_take_buf(room, MB_LIMIT_RESPONSE);
    x->decode = (mb_decode){.ask = &x->plan.ask, .turn = plan->turn, .parser = room->parser};
    x->wire.frames = plan->provider->adapter->frames;
    int code = plan->provider->adapter->write(&x->plan.ask, &x->wire, err);
    if (code == 0 && x->wire.body.failed == MEMBRANE_EINVAL)
        code = mb_error_set(err, MEMBRANE_EINVAL, "the request is larger than %zu bytes as %s wants it",
                            x->wire.body.max, plan->provider->name);
    else if (code == 0 && (x->wire.body.failed || x->wire.url.failed))
        code = mb_error_no_memory(err);
    if (code == 0) code = sign(x, err);
    if (code) return code;
    const mb_headers *headers = header_list(x);
    if (!headers) return mb_error_no_memory(err);
    const mb_provider *p = plan->provider;
    const bool has_body = x->wire.body.len > 0 || strcmp(x->wire.method, "GET") != 0;
    mb_http_request request = {.method = x->wire.method,
                               .url = mb_buf_text(&x->wire.url),
                               .body = has_body ? mb_buf_text(&x->wire.body) : NULL,
                               .body_len = x->wire.body.len,
                               .headers = headers,
                               .connect_timeout_ms = plan->connect_ms,
                               .profile = p->profile,
                               .login = p->user,
                               .password = p->password,
                               .proxy = p->proxy,
                               .no_proxy = p->no_proxy,
                               .ca_file = p->ca_file,
                               .http_version = p->http_version,
                               .data = on_data,
                               .done = on_done,
                               .user = x};
    code = mb_http_send(room->http, &request, &x->transfer, err);
    if (code) return code;
    x->is_running = true;
    x->start_ms = x->last_ms = mb_io_now(room->io);
    arm(x);
    if (plan->total_ms > 0) mb_io_timer_set(room->io, &x->total_timer, x->start_ms + plan->total_ms);
    return 0;
}

void mb_exchange_resume(mb_exchange *x) {
    if (!x->is_running || !x->is_paused) return;
    x->is_paused = false;
    x->last_ms = mb_io_now(x->room->io); // the time that we paused is not the server's
    arm(x);
    mb_http_resume(x->transfer);
}
