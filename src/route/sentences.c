// SPDX-License-Identifier: MIT
// A text is read line by line; only ordinary lines go on:
//
//     line start ──fence──▶ skipped, code until the same fence     ──blank, rule──▶ skipped
//         │─────heading, table row, code──▶ the line is a sentence
//         └─────ordinary, list item──▶ sentences up to . ! ? or to a line that starts something else
//
// A line is looked at at most three times: as the line after another one, as a line, as text.
#include "route/sentences.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/utf8.h"

typedef enum { BLANK, FENCE, RULE, HEADING, ROW, ITEM, ORDINARY } line_kind;

typedef struct line_view {
    line_kind kind;
    size_t end;   // of the line, at its newline or the text's end
    size_t start; // of what is said, behind the marker
} line_view;

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

mb_sentences mb_sentences_of(const char *name, const char *text, size_t len) {
    static const char *const CODE[] = {"c",    "h",    "cc",  "cpp", "hpp",  "py",  "go",   "rs",   "js",
                                       "ts",   "java", "rb",  "sh",  "yaml", "yml", "json", "toml", "ini",
                                       "conf", "cfg",  "csv", "tsv", "log",  "sql", "xml"};
    mb_sentences s = {.text = text, .len = len, .line = 1};
    const char *dot = name ? strrchr(name, '.') : NULL;
    for (size_t i = 0; dot && i < MB_COUNT(CODE); i++)
        if (strcasecmp(dot + 1, CODE[i]) == 0) s.is_code = true;
    return s;
}

// ---- what a line is ------------------------------------------------------------------------------------------------

static size_t run_of(const char *p, size_t len, char c) {
    size_t n = 0;
    while (n < len && p[n] == c) n++;
    return n;
}

// Three or more - * _ = and nothing else but spaces, or a table's |---|---|.
static bool is_rule(const char *p, size_t len) {
    size_t strokes = 0;
    for (size_t i = 0; i < len; i++) {
        if (strchr("-*_=", p[i]) && p[i])
            strokes++;
        else if (!is_space(p[i]) && p[i] != '|' && p[i] != ':')
            return false;
    }
    return strokes >= 3;
}

// The length of "- ", "* ", "+ ", "12. ", "3) ", 0 for none.
static size_t item_marker(const char *p, size_t len) {
    size_t n = 0;
    if (len > 1 && strchr("-*+", p[0]) && p[0]) n = 1;
    if (n == 0) {
        while (n < len && n < 9 && p[n] >= '0' && p[n] <= '9') n++;
        if (n == 0 || n >= len || (p[n] != '.' && p[n] != ')')) return 0;
        n++;
    }
    return n < len && is_space(p[n]) ? n + 1 : 0;
}

static line_view look_at_line(const mb_sentences *s, size_t at) {
    const char *newline = memchr(s->text + at, '\n', s->len - at);
    line_view v = {.end = newline ? (size_t)(newline - s->text) : s->len, .kind = ORDINARY};
    while (at < v.end && (is_space(s->text[at]) || s->text[at] == '>')) at++;
    const char *p = s->text + at;
    size_t len = v.end - at, hashes = run_of(p, len, '#'), marker = item_marker(p, len);
    v.start = at;
    if (len == 0)
        v.kind = BLANK;
    else if (run_of(p, len, '`') >= 3 || run_of(p, len, '~') >= 3)
        v.kind = FENCE;
    else if (is_rule(p, len))
        v.kind = RULE;
    else if (hashes >= 1 && hashes <= 6 && hashes < len && is_space(p[hashes]))
        v.kind = HEADING, v.start += hashes + 1;
    else if (p[0] == '|')
        v.kind = ROW;
    else if (marker)
        v.kind = ITEM, v.start += marker;
    return v;
}

// ---- where a sentence ends -----------------------------------------------------------------------------------------

// Whether the point at text[at] belongs to a shortened word. Before numbers some more words are shortened ("No. 5").
static bool is_abbreviation(const char *text, size_t start, size_t at, bool before_number) {
    static const char *const ALWAYS[] = {"e.g",  "i.e", "cf",  "vs",  "mr",  "mrs",  "ms",  "dr",  "prof", "approx",
                                         "resp", "z.b", "d.h", "u.a", "bzw", "evtl", "ggf", "vgl", "incl", "st"};
    static const char *const NUMBERED[] = {"no", "nr", "fig", "vol", "p", "pp", "ch", "sec", "art", "ca", "eq", "v"};
    size_t from = at;
    while (from > start && at - from < 8 && !is_space(text[from - 1]) && !strchr("([\"'*_`", text[from - 1])) from--;
    size_t len = at - from;
    if (len == 1 && text[from] >= 'A' && text[from] <= 'Z') return true; // J. Smith
    for (size_t i = 0; i < MB_COUNT(ALWAYS); i++)
        if (strlen(ALWAYS[i]) == len && strncasecmp(ALWAYS[i], text + from, len) == 0) return true;
    for (size_t i = 0; before_number && i < MB_COUNT(NUMBERED); i++)
        if (strlen(NUMBERED[i]) == len && strncasecmp(NUMBERED[i], text + from, len) == 0) return true;
    return false;
}

static size_t behind_closers(const char *text, size_t at, size_t end) {
    while (at < end) {
        if (strchr(")]\"'*_`", text[at]) && text[at])
            at++;
        else if (end - at >= 3 && (memcmp(text + at, "”", 3) == 0 || memcmp(text + at, "’", 3) == 0))
            at += 3;
        else
            break;
    }
    return at;
}

// If a sentence ends with the character at text[at], where the next may begin; else 0.
static size_t sentence_end(const char *text, size_t start, size_t at, size_t end) {
    if (text[at] == '\xE3' || text[at] == '\xEF') { // these need no space behind them
        static const char *const WIDE[] = {"。", "！", "？"};
        for (size_t i = 0; end - at >= 3 && i < MB_COUNT(WIDE); i++)
            if (memcmp(text + at, WIDE[i], 3) == 0) return at + 3;
        return 0;
    }
    if (text[at] != '.' && text[at] != '!' && text[at] != '?') return 0;
    size_t next = behind_closers(text, at + 1, end);
    if (next == end) return next;
    if (!is_space(text[next])) return 0;
    bool before_number = next + 1 < end && text[next + 1] >= '0' && text[next + 1] <= '9';
    return text[at] == '.' && is_abbreviation(text, start, at, before_number) ? 0 : next;
}

// Past MB_SENTENCE_BYTES the next space ends it, and if none comes soon, the next character does.
static size_t forced_end(const char *text, size_t start, size_t at) {
    if (at - start < MB_SENTENCE_BYTES) return 0;
    if (is_space(text[at])) return at;
    bool on_character = ((unsigned char)text[at] & 0xC0) != 0x80;
    return at - start >= MB_SENTENCE_BYTES + 200 && on_character ? at : 0;
}

// ---- going on ------------------------------------------------------------------------------------------------------

// Gives text[start … end) without the spaces around it; false if nothing is left.
static bool give(mb_sentences *s, size_t start, size_t end, mb_sentence *ret) {
    while (end > start && is_space(s->text[end - 1])) end--;
    *ret = (mb_sentence){s->text + start, end - start, s->line};
    return end > start;
}

// To the start of the next line.
static void pass_line(mb_sentences *s, size_t end) {
    s->at = end < s->len ? end + 1 : s->len;
    if (end < s->len) s->line++;
}

// The line has more: go on at stop.
static void stay_in_line(mb_sentences *s, size_t stop, size_t line_end) {
    s->at = stop;
    s->line_end = line_end;
}

// A sentence of ordinary text that starts at start, and may run on over the lines below.
static bool take_sentence(mb_sentences *s, size_t start, size_t end, mb_sentence *ret) {
    uint32_t newlines = 0;
    for (size_t at = start;;) {
        size_t stop = 0;
        while (at < end && !(stop = sentence_end(s->text, start, at, end)) && !(stop = forced_end(s->text, start, at)))
            at++;
        line_view next = !stop && end < s->len ? look_at_line(s, end + 1) : (line_view){.kind = BLANK};
        if (next.kind == ORDINARY) {
            newlines++;
            at = end + 1;
            end = next.end;
            continue;
        }
        bool some = give(s, start, stop ? stop : end, ret);
        s->line += newlines;
        if (stop)
            stay_in_line(s, stop, end);
        else
            pass_line(s, end);
        return some;
    }
}

// What stands on this line and no more: code, a heading, a row of a table.
static bool take_line(mb_sentences *s, size_t start, size_t end, mb_sentence *ret) {
    size_t at = start, stop = 0;
    while (at < end && !(stop = forced_end(s->text, start, at))) at++;
    bool some = give(s, start, stop ? stop : end, ret);
    if (stop)
        stay_in_line(s, stop, end);
    else
        pass_line(s, end);
    return some;
}

// The rest of a line of which something was given already.
static bool take_rest(mb_sentences *s, mb_sentence *ret) {
    size_t start = s->at, end = s->line_end;
    while (start < end && is_space(s->text[start])) start++;
    if (start < end) return s->is_code || s->fence ? take_line(s, start, end, ret) : take_sentence(s, start, end, ret);
    pass_line(s, end);
    return false;
}

// Opens or closes a fenced block; false if the line is only text of the block that is open.
static bool pass_fence(mb_sentences *s, const line_view *v) {
    const char *p = s->text + v->start;
    size_t run = run_of(p, v->end - v->start, p[0]);
    if (s->fence && (p[0] != s->fence || run < s->fence_len)) return false;
    s->fence = s->fence ? 0 : p[0];
    s->fence_len = run;
    return true;
}

// One step: true if it gave a sentence.
static bool step(mb_sentences *s, mb_sentence *ret) {
    if (s->at > 0 && s->text[s->at - 1] != '\n') return take_rest(s, ret);
    line_view v = look_at_line(s, s->at);
    bool is_fence = v.kind == FENCE && !s->is_code && pass_fence(s, &v), is_code = s->is_code || s->fence;
    if (is_fence || v.kind == BLANK || v.kind == RULE) {
        pass_line(s, v.end);
        return false;
    }
    if (is_code) { // no marker there: a # begins a comment
        for (v.start = s->at; is_space(s->text[v.start]);) v.start++;
        return take_line(s, v.start, v.end, ret);
    }
    bool is_prose = v.kind == ORDINARY || v.kind == ITEM;
    return is_prose ? take_sentence(s, v.start, v.end, ret) : take_line(s, v.start, v.end, ret);
}

bool mb_sentences_next(mb_sentences *s, mb_sentence *ret) {
    while (s->at < s->len)
        if (step(s, ret)) return true;
    return false;
}
