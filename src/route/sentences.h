// SPDX-License-Identifier: MIT
// A text's sentences one after another, each with the line on which it starts. Knows enough of Markdown: headings,
// list items and table rows are sentences of their own, fence markers and rules are none, a line of code is one. Pure;
// linear in the text, whatever it holds; keeps no memory.
#ifndef MB_ROUTE_SENTENCES_H
#define MB_ROUTE_SENTENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MB_SENTENCE_BYTES 1000 // what goes on longer is cut between two words

typedef struct mb_sentences {
    const char *text;
    size_t len, at;
    size_t line_end; // of the line in which at stands, once something of that line was given
    uint32_t line;   // of at, from 1
    bool is_code;    // every line is a sentence
    char fence;      // '`' or '~' inside a fenced block, else 0
    size_t fence_len;
} mb_sentences;

typedef struct mb_sentence {
    const char *text; // as it stands there: it may run over several lines
    size_t len;
    uint32_t line;
} mb_sentence;

// name (may be NULL): a file's name; that of a program's source makes every line a sentence.
mb_sentences mb_sentences_of(const char *name, const char *text, size_t len);
bool mb_sentences_next(mb_sentences *s, mb_sentence *ret); // false at the end

#endif
