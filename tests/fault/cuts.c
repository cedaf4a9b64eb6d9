// SPDX-License-Identifier: MIT
// A short answer of every wire, cut after each of its bytes: what came whole is told, what did not is an error, and
// there is nothing between. The server says where the frames of its stream end, so the right outcome of each cut is
// known. Every day the framing goes round with the bytes; in the soak each byte is cut in each framing.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

enum { AT_ONCE = 24, FRAMES_MAX = 16 };
static const char *const FRAMINGS[] = {"close", "length", "chunk"};

typedef struct frame_end {
    long at; // bytes that must have come
    int is_end;
    char text[64];
} frame_end;

typedef struct stream_plan {
    long stream_len, whole_len;
    frame_end frames[FRAMES_MAX];
    size_t count;
} stream_plan;

static membrane_t *m;

static stream_plan plan_of(const fault_wire *wire) {
    stream_plan p = {0};
    char path[64];
    snprintf(path, sizeof path, "/__frames?%s", wire->name);
    const char *line = fault_get(path);
    CHECK(sscanf(line, "%ld %ld", &p.stream_len, &p.whole_len) == 2, "no plan for %s", wire->name);
    while ((line = strchr(line, '\n')) && line[1] != '.' && p.count < FRAMES_MAX) {
        frame_end *f = &p.frames[p.count++];
        line++;
        int at = 0;
        sscanf(line, "%ld %d%n", &f->at, &f->is_end, &at);
        snprintf(f->text, sizeof f->text, "%.*s", (int)strcspn(line + at + 1, "\n"), line + at + 1);
    }
    return p;
}

// What must come of a stream that was cut after so many bytes.
static void expect_stream(const stream_plan *p, long cut, int *ret_code, const char **ret_text) {
    *ret_code = MEMBRANE_ETRUNCATED;
    *ret_text = "";
    for (size_t i = 0; i < p->count && p->frames[i].at <= cut; i++) {
        *ret_text = p->frames[i].text;
        if (p->frames[i].is_end) *ret_code = 0;
    }
}

static void check_stream(const stream_plan *p, const char *name, long cut, const fault_outcome *got) {
    int code;
    const char *text;
    char partial[96];
    expect_stream(p, cut, &code, &text);
    CHECK(got->code == code, "%s: %s, not %s: %s", name, membrane_status_kind(got->code), membrane_status_kind(code),
          got->message);
    snprintf(partial, sizeof partial, "\"partial\":\"%s\"", text);
    bool is_kept = code == 0 ? strcmp(got->text, text) == 0 : !text[0] || strstr(got->message, partial) != NULL;
    CHECK(is_kept, "%s: the text is \"%s\", not \"%s\": %s", name, got->text, text, got->message);
    CHECK(strncmp(got->text, text, strlen(got->text)) == 0, "%s: the text is \"%s\"", name, got->text);
}

typedef struct cut {
    membrane_call *call;
    char name[96];
    long at;
    const char *how;
} cut;

static void finish_cuts(const stream_plan *p, cut *cuts, size_t count, bool stream) {
    static fault_outcome got;
    for (size_t i = 0; i < count; i++) {
        fault_finish(cuts[i].call, &got);
        if (stream) {
            check_stream(p, cuts[i].name, cuts[i].at, &got);
            continue;
        }
        // Without its last chunk a body is not whole, even if all its bytes are there.
        bool is_whole = cuts[i].at == p->whole_len && strcmp(cuts[i].how, "chunk") != 0;
        CHECK(got.code == (is_whole ? 0 : MEMBRANE_ERESPONSE), "%s: %s %s", cuts[i].name,
              membrane_status_kind(got.code), got.message);
        CHECK(strcmp(got.text, is_whole ? "Hello from here." : "") == 0, "%s: the text is \"%s\"", cuts[i].name,
              got.text);
    }
}

static membrane_call_options patient(void) {
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = o.idle_timeout_ms = 30000;
    return o;
}

static long cut_everywhere(const fault_wire *wire, bool stream) {
    const bool soak = getenv("MEMBRANE_SOAK") != NULL;
    const long step = soak ? 1 : FAULT_SLOW; // sanitizers: a sample, the rest in the soak
    stream_plan p = plan_of(wire);
    membrane_call_options o = patient();
    cut cuts[AT_ONCE];
    size_t count = 0;
    long all = 0, len = stream ? p.stream_len : p.whole_len;
    for (long at = 0; at <= len; at += at + step > len && at < len ? len - at : step) {
        for (size_t i = 0; i < (soak ? COUNT(FRAMINGS) : 1); i++, all++) {
            cut *c = &cuts[count++];
            c->at = at;
            c->how = FRAMINGS[soak ? i : (size_t)(at % (long)COUNT(FRAMINGS))];
            snprintf(c->name, sizeof c->name, "%s/cut-at--%ld-%s", wire->provider, at, c->how);
            c->call = fault_start(m, c->name, stream, &o);
            if (count == AT_ONCE) finish_cuts(&p, cuts, count, stream), count = 0;
        }
    }
    finish_cuts(&p, cuts, count, stream);
    return all;
}

static void cut_all(bool stream) {
    for (size_t i = 0; i < FAULT_WIRE_COUNT; i++)
        printf("# %s %s: %ld cuts\n", FAULT_WIRES[i].name, stream ? "streamed" : "whole",
               cut_everywhere(&FAULT_WIRES[i], stream));
}

static void every_byte_of_a_stream(void) { cut_all(true); }
static void every_byte_of_a_body(void) { cut_all(false); }

// Half a header is no answer, whoever sends it: one wire stands for all.
static void every_byte_of_a_header(void) {
    membrane_call_options o = patient();
    fault_outcome *got;
    long at = 0;
    for (char name[64]; at < 80; at++) {
        snprintf(name, sizeof name, "o/cut-head--%ld", at);
        got = fault_call(m, name, at % 2, &o);
        CHECK(got->code == MEMBRANE_ECONNECT || got->code == MEMBRANE_ERESPONSE, "%s: %s %s", name,
              membrane_status_kind(got->code), got->message);
        CHECK(got->code == MEMBRANE_ECONNECT || at < 17, "%s: %s %s", name, membrane_status_kind(got->code),
              got->message);
    }
    printf("# %ld cuts\n", at);
}

static void the_handle_opens(void) { m = fault_open_wires(); }
static void the_handle_closes(void) {
    membrane_call_options o = patient();
    fault_outcome *got = fault_call(m, "o/good", true, &o);
    CHECK(got->code == 0, "afterwards: %s", got->message);
    CHECK(membrane_close(m, 2000) == 0, "the I/O thread was still busy");
}

int main(void) {
    static const fault_test TESTS[] = {
        {"the_handle_opens", the_handle_opens},         {"every_byte_of_a_stream", every_byte_of_a_stream},
        {"every_byte_of_a_body", every_byte_of_a_body}, {"every_byte_of_a_header", every_byte_of_a_header},
        {"the_handle_closes", the_handle_closes},
    };
    return fault_run(TESTS, COUNT(TESTS));
}
