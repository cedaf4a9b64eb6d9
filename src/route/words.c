// SPDX-License-Identifier: MIT
// Letters are found by ranges, not by tables of the whole of Unicode: what is not known to be a space or a mark is a
// letter. Lower case is the simple one-to-one mapping for Latin, Greek, Cyrillic, Armenian and full-width letters.
#include "route/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

typedef enum { SPACE, MARK, LETTER, ALONE } char_class; // ALONE: a word of its own

static const struct {
    uint32_t first, last;
    char_class is;
} RANGES[] = {
    // sorted; what stands in no range is a letter
    {0x80, 0xA0, SPACE},     {0xA1, 0xA9, MARK},      {0xAB, 0xB1, MARK},       {0xB4, 0xB4, MARK},
    {0xB6, 0xB8, MARK},      {0xBB, 0xBB, MARK},      {0xBF, 0xBF, MARK},       {0xD7, 0xD7, MARK},
    {0xF7, 0xF7, MARK},      {0x2000, 0x200B, SPACE}, {0x2010, 0x2027, MARK},   {0x2028, 0x202F, SPACE},
    {0x2030, 0x205E, MARK},  {0x205F, 0x206F, SPACE}, {0x2190, 0x2BFF, MARK},   {0x3000, 0x3000, SPACE},
    {0x3001, 0x3004, MARK},  {0x3008, 0x3020, MARK},  {0x3041, 0x30FF, ALONE},  {0x3400, 0x4DBF, ALONE},
    {0x4E00, 0x9FFF, ALONE}, {0xF900, 0xFAFF, ALONE}, {0xFE10, 0xFE6F, MARK},   {0xFF01, 0xFF0F, MARK},
    {0xFF1A, 0xFF20, MARK},  {0xFFFD, 0xFFFD, MARK},  {0x1F000, 0x1FAFF, MARK}, {0x20000, 0x3FFFF, ALONE},
};

static char_class class_of(uint32_t c) {
    if (c < 0x80) {
        if (c <= ' ' || c == 0x7F) return SPACE;
        bool letter = (c | 0x20) - 'a' < 26u || c - '0' < 10u;
        return letter ? LETTER : MARK;
    }
    for (size_t i = 0; i < MB_COUNT(RANGES) && RANGES[i].first <= c; i++)
        if (c <= RANGES[i].last) return RANGES[i].is;
    return LETTER;
}

static uint32_t lower(uint32_t c) {
    if (c < 0x80) return c - 'A' < 26u ? c + 32 : c;
    if ((c >= 0xC0 && c <= 0xDE) || (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F)) return c + 32;
    if (c >= 0x400 && c <= 0x40F) return c + 80;
    if (c == 0x130) return 'i';
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E)) return c + (c & 1);
    if (c == 0x178) return 0xFF;
    if ((c >= 0x100 && c <= 0x177) || (c >= 0x460 && c <= 0x52F) || (c >= 0x1E00 && c <= 0x1EFF)) return c | 1;
    if (c >= 0x531 && c <= 0x556) return c + 48;
    if (c >= 0xFF21 && c <= 0xFF3A) return c + 32;
    switch (c) { // Greek letters with an accent
    case 0x386: return 0x3AC;
    case 0x388:
    case 0x389:
    case 0x38A: return c + 37;
    case 0x38C: return 0x3CC;
    case 0x38E:
    case 0x38F: return c + 63;
    case 0x3C2: return 0x3C3; // final sigma
    default: return c;
    }
}

// One character; a wrong byte is U+FFFD. Its length goes to *ret_len.
static uint32_t decode(const char *text, size_t len, size_t *ret_len) {
    static const unsigned char BITS[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    int n = mb_utf8_next(text, len);
    *ret_len = (size_t)abs(n);
    if (n < 0) return 0xFFFD;
    uint32_t c = (unsigned char)text[0] & BITS[n];
    for (int i = 1; i < n; i++) c = c << 6 | ((unsigned char)text[i] & 0x3F);
    return c;
}

// Past MB_WORD_BYTES nothing is added: whole characters only, so that no half one is compared.
static void add_char(mb_word *w, uint32_t c, bool *full) {
    char out[4];
    size_t n = 0;
    if (c < 0x80) {
        out[n++] = (char)c;
    } else if (c < 0x800) {
        out[n++] = (char)(0xC0 | c >> 6);
    } else if (c < 0x10000) {
        out[n++] = (char)(0xE0 | c >> 12);
        out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
    } else {
        out[n++] = (char)(0xF0 | c >> 18);
        out[n++] = (char)(0x80 | (c >> 12 & 0x3F));
        out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
    }
    if (c >= 0x80) out[n++] = (char)(0x80 | (c & 0x3F));
    if (w->len + n > MB_WORD_BYTES) *full = true;
    if (*full) return;
    memcpy(w->text + w->len, out, n);
    w->len = (uint8_t)(w->len + n);
}

bool mb_word_next(const char *text, size_t len, size_t *at, mb_word *ret) {
    bool full = false;
    ret->len = 0;
    ret->is_mark = false;
    while (*at < len) {
        size_t n;
        uint32_t c = decode(text + *at, len - *at, &n);
        char_class is = class_of(c);
        if (ret->len > 0 && is != LETTER) return true; // looked at again as the start of the next
        *at += n;
        if (is == SPACE) continue;
        ret->is_mark = is == MARK;
        if (is != MARK) add_char(ret, lower(c), &full);
        if (is != LETTER) return true;
    }
    return ret->len > 0;
}

// Sorted. Halves of shortened words ("don", "t") are among them, since an apostrophe ends a word.
static const char *const STOP[] = {
    "a",      "about", "after",  "all",    "also", "am",    "an",     "and",    "any",     "are",   "aren",  "as",
    "at",     "be",    "been",   "being",  "but",  "by",    "can",    "could",  "couldn",  "d",     "did",   "didn",
    "do",     "does",  "doesn",  "doing",  "don",  "done",  "each",   "for",    "from",    "get",   "had",   "has",
    "hasn",   "have",  "haven",  "having", "he",   "her",   "here",   "hers",   "him",     "his",   "how",   "i",
    "if",     "in",    "into",   "is",     "isn",  "it",    "its",    "just",   "ll",      "m",     "may",   "me",
    "might",  "more",  "most",   "must",   "my",   "no",    "not",    "of",     "on",      "one",   "or",    "other",
    "our",    "ours",  "please", "re",     "s",    "shall", "she",    "should", "shouldn", "so",    "some",  "such",
    "t",      "tell",  "than",   "that",   "the",  "their", "theirs", "them",   "then",    "there", "these", "they",
    "this",   "those", "to",     "too",    "us",   "ve",    "very",   "was",    "wasn",    "we",    "were",  "what",
    "when",   "where", "which",  "while",  "who",  "whom",  "whose",  "why",    "will",    "with",  "won",   "would",
    "wouldn", "you",   "your",   "yours",
};

static int compare_stop(const void *key, const void *row) {
    const mb_word *w = key;
    const char *stop = *(const char *const *)row;
    size_t n = strlen(stop);
    int order = memcmp(w->text, stop, w->len < n ? w->len : n);
    return order ? order : (int)w->len - (int)n;
}

bool mb_word_is_stop(const mb_word *word) {
    const unsigned char *s = (const unsigned char *)word->text;
    if (word->len == 3 && s[0] == 0xE3 && (s[1] == 0x81 || (s[1] == 0x82 && s[2] < 0xA0))) return true; // hiragana
    return bsearch(word, STOP, MB_COUNT(STOP), sizeof *STOP, compare_stop) != NULL;
}

size_t mb_word_count(const char *text, size_t len) {
    mb_word w;
    size_t count = 0;
    for (size_t at = 0; mb_word_next(text, len, &at, &w);) count++;
    return count;
}
