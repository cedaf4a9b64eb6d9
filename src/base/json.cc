// SPDX-License-Identifier: MIT
// simdjson's tape turned into our nodes; the only file that knows simdjson. The tape is one array of words in the order
// of the text ('{' and '[' say how many children they have), so one pass without recursion fills the nodes:
//
//     tape     r { "a" 1 "b" [ x y ] } r          nodes    {…} | a: 1 | b: […] | x | y
//                                                            └─────▲─────┘ └────▲
// The children of a container are reserved, one after another, when its bracket is met. Strings stay where simdjson
// put them (or, for a tree in an arena, in one copy of all of them).
#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <new>

extern "C" {
#include "base/alloc.h"
#include "base/json.h"
#include "base/json_parts.h"
#include "base/limits.h"
}

namespace {

using simdjson::error_code;

constexpr size_t MAX_TEXT = UINT32_MAX - 64; // simdjson's offsets have 32 bits
constexpr size_t FIRST_CAPACITY = 4096;
constexpr size_t KEPT_CAPACITY = MB_MIB;  // a parser that has grown past this shrinks at the next small text
constexpr uint32_t COUNT_FULL = 0xFFFFFF; // the tape's counts stop here

constexpr uint64_t payload(uint64_t word) { return word & 0x00FFFFFFFFFFFFFFu; }
constexpr uint32_t lower(uint64_t word) { return static_cast<uint32_t>(word); }
constexpr char kind(uint64_t word) { return static_cast<char>(word >> 56); }

size_t tape_length(const uint64_t *tape) { return payload(tape[0]) - 1; } // without the closing root word

// The index behind the value at tape[at].
size_t after(const uint64_t *tape, size_t at) {
    switch (kind(tape[at])) {
    case '{':
    case '[': return lower(tape[at]);
    case 'l':
    case 'u':
    case 'd': return at + 2;
    default: return at + 1;
    }
}

// For containers whose count the tape could not hold.
uint32_t walk_children(const uint64_t *tape, size_t at) {
    bool in_object = kind(tape[at]) == '{';
    size_t end = lower(tape[at]) - 1;
    uint32_t count = 0;
    for (size_t i = at + 1; i < end; i = after(tape, in_object ? i + 1 : i)) count++;
    return count;
}

inline uint32_t count_children(const uint64_t *tape, size_t at) {
    uint32_t count = lower(tape[at] >> 32) & COUNT_FULL;
    return mb_likely(count < COUNT_FULL) ? count : walk_children(tape, at);
}

// What a tree needs: nodes, and bytes of the string buffer.
struct size_of_tree {
    size_t nodes, string_bytes;
};

size_of_tree measure(const uint64_t *tape, const uint8_t *strings) {
    size_of_tree size = {1, 0};
    size_t last_string = 0, end = tape_length(tape);
    bool any = false;
    for (size_t at = 1; at < end; at++) {
        char k = kind(tape[at]);
        if (k == '{' || k == '[') size.nodes += count_children(tape, at);
        if (k == 'l' || k == 'u' || k == 'd') at++;
        if (k == '"') last_string = payload(tape[at]), any = true;
    }
    if (any) { // the strings lie in the order of the tape: length, bytes, NUL
        uint32_t len;
        memcpy(&len, strings + last_string, sizeof len);
        size.string_bytes = last_string + sizeof len + len + 1;
    }
    return size;
}

// The numbers that a repair has written as strings (json_parts.h).
struct marked {
    const uint32_t *marks;
    size_t count;
    uint32_t strings; // met so far
    bool misplaced;   // one stands where a key must: the text was never JSON
    bool next_is_marked() {
        if (count == 0 || *marks != strings++) return false;
        marks++;
        count--;
        return true;
    }
};

// A string of the buffer: its length in four bytes, the bytes, a NUL.
inline const char *string_at(const uint8_t *strings, uint64_t word, uint32_t *len) {
    memcpy(len, strings + payload(word), sizeof *len);
    return reinterpret_cast<const char *>(strings + payload(word) + sizeof *len);
}

// Fills node (the root) and what is below it; children go to free_nodes. Repaired: some strings are numbers.
template <bool repaired>
void build(const uint64_t *tape, const uint8_t *strings, mb_json *node, mb_json *free_nodes, marked *numbers) {
    struct level {
        mb_json *next;
        bool in_object;
    } outer[MB_LIMIT_JSON_DEPTH + 2], *top = outer;
    bool in_object = false;
    for (const uint64_t *at = tape + 1, *end = tape + tape_length(tape); at < end; at++) {
        char k = kind(*at);
        if (k == '}' || k == ']') {
            --top;
            node = top->next;
            in_object = top->in_object;
            continue;
        }
        *node = {};
        if (in_object) {
            node->key = string_at(strings, *at, &node->key_len);
            if (repaired && numbers->next_is_marked()) numbers->misplaced = true;
            k = kind(*++at);
        }
        if (k == '"') {
            uint32_t len;
            node->type = MB_JSON_STRING;
            node->str = string_at(strings, *at, &len);
            node->len = len;
            if (repaired && numbers->next_is_marked()) node->type = MB_JSON_NUMTEXT;
        } else if (k == '{' || k == '[') {
            node->type = k == '{' ? MB_JSON_OBJECT : MB_JSON_ARRAY;
            node->count = count_children(tape, at - tape);
            node->children = free_nodes;
            *top++ = {node + 1, in_object};
            in_object = k == '{';
            mb_json *first = free_nodes;
            free_nodes += node->count;
            node = first;
            continue;
        } else if (k == 'l' || k == 'u' || k == 'd') {
            node->type = k == 'l' ? MB_JSON_INT : k == 'u' ? MB_JSON_UINT : MB_JSON_DOUBLE;
            node->uinteger = *++at; // the bits of whichever it is
        } else {
            node->type = k == 'n' ? MB_JSON_NULL : MB_JSON_BOOL;
            node->boolean = k == 't';
        }
        node++;
    }
}

} // namespace

struct mb_json_parser {
    simdjson::dom::parser simd;
    mb_json *nodes = nullptr; // the pool of the tree
    size_t node_capacity = 0;
    mb_buf copy = {nullptr, 0, 0, MAX_TEXT, 0};     // of a text without padding
    mb_buf repaired = {nullptr, 0, 0, MAX_TEXT, 0}; // of a text that had to be mended
    mb_buf marks = {nullptr, 0, 0, MAX_TEXT, 0};    // its numbers that became strings

    ~mb_json_parser() { release(); }
    void release();
    void shrink(size_t len);
    bool fit(size_t len);
    error_code read(const char *text, size_t len);
    error_code read_or_repair(const char *text, size_t len, bool padded, bool lenient);
    bool fill(mb_json *root, mb_json *rest, const uint8_t *strings);
};

void mb_json_parser::release() {
    simd = simdjson::dom::parser();
    mb_free(nodes);
    nodes = nullptr;
    node_capacity = 0;
    mb_buf_free(&copy);
    mb_buf_free(&repaired);
    mb_buf_free(&marks);
}

// Before a small text: gives back what a huge one needed (some fourteen times its length).
void mb_json_parser::shrink(size_t len) {
    if (mb_unlikely(simd.doc.capacity() > KEPT_CAPACITY && len <= KEPT_CAPACITY / 16)) release();
}

// Room for a text of this length; in steps, since simdjson itself would grow to each length exactly.
bool mb_json_parser::fit(size_t len) {
    if (mb_likely(len <= simd.doc.capacity() && len <= simd.capacity())) return true;
    size_t wanted = FIRST_CAPACITY;
    while (wanted < len && wanted < KEPT_CAPACITY) wanted *= 2;
    if (wanted < len) wanted = len + len / 8;
    if (wanted > MAX_TEXT) wanted = MAX_TEXT;
    bool fits = simd.doc.allocate(wanted) == simdjson::SUCCESS &&
                simd.allocate(wanted, MB_LIMIT_JSON_DEPTH) == simdjson::SUCCESS;
    if (mb_unlikely(!fits)) simd = simdjson::dom::parser(); // half of it may be there, and would be taken for all of it
    return fits;
}

// From padded text to the tape.
error_code mb_json_parser::read(const char *text, size_t len) {
    if (len > MAX_TEXT) return simdjson::CAPACITY;
    if (!fit(len)) return simdjson::MEMALLOC;
    return simd.parse(text, len, false).error();
}

error_code mb_json_parser::read_or_repair(const char *text, size_t len, bool padded, bool lenient) {
    if (len > MAX_TEXT) return simdjson::CAPACITY;
    shrink(len);
    marks.len = 0;
    const char *at = text;
    if (!padded) {
        mb_buf_reset(&copy);
        mb_buf_put(&copy, text, len);
        if (!mb_buf_ok(&copy)) return simdjson::MEMALLOC;
        at = copy.data ? copy.data : "";
    }
    if (len == 0) return simdjson::EMPTY;
    error_code failed = read(at, len);
    if (mb_likely(!failed) || !lenient || failed == simdjson::MEMALLOC || failed == simdjson::DEPTH_ERROR)
        return failed;
    mb_buf_reset(&repaired);
    mb_buf_reset(&marks);
    bool any = mb_json_repair(text, len, &repaired, &marks);
    if (!mb_buf_ok(&marks) || !mb_buf_ok(&repaired)) return simdjson::MEMALLOC;
    if (!any || repaired.len == 0) return failed;
    return read(repaired.data, repaired.len);
}

// From the tape to nodes. False where a number stood as a key, which only a repair lets through.
bool mb_json_parser::fill(mb_json *root, mb_json *rest, const uint8_t *strings) {
    marked numbers = {reinterpret_cast<const uint32_t *>(marks.data), marks.len / sizeof(uint32_t), 0, false};
    const uint64_t *tape = simd.doc.tape.get();
    if (mb_likely(marks.len == 0))
        build<false>(tape, strings, root, rest, &numbers);
    else
        build<true>(tape, strings, root, rest, &numbers);
    return !numbers.misplaced;
}

mb_json_parser *mb_json_parser_new(void) {
    void *memory = mb_malloc(sizeof(mb_json_parser));
    return memory ? new (memory) mb_json_parser : nullptr;
}

void mb_json_parser_free(mb_json_parser *parser) {
    if (!parser) return;
    parser->~mb_json_parser();
    mb_free(parser);
}

int mb_json_parser_parse(mb_json_parser *p, const char *text, size_t len, bool padded, const mb_json **ret) {
    error_code failed = p->read_or_repair(text, len, padded, true);
    if (mb_unlikely(failed)) return failed == simdjson::MEMALLOC ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
    size_t words = tape_length(p->simd.doc.tape.get()); // no node without a word
    if (mb_unlikely(words > p->node_capacity)) {
        size_t capacity = words < 256 ? 256 : words + words / 2;
        mb_free(p->nodes);
        p->node_capacity = 0;
        p->nodes = static_cast<mb_json *>(mb_malloc(capacity * sizeof(mb_json)));
        if (!p->nodes) return MEMBRANE_ENOMEM;
        p->node_capacity = capacity;
    }
    if (!p->fill(p->nodes, p->nodes + 1, p->simd.doc.string_buf.get())) return MEMBRANE_EMALFORMED;
    *ret = p->nodes;
    return 0;
}

// ---- into an arena -------------------------------------------------------------------------------------------------

static int refuse(error_code failed, const char *text, size_t len, membrane_error **err) {
    const char *what = nullptr;
    if (failed == simdjson::MEMALLOC) return mb_error_no_memory(err);
    size_t at = err && len <= MAX_TEXT ? mb_json_fault(text, len, &what) : 0;
    if (what) return mb_error_set(err, MEMBRANE_ERESPONSE, "not JSON: %s, at byte %zu", what, at);
    return mb_error_set(err, MEMBRANE_ERESPONSE, "not JSON: %s", simdjson::error_message(failed));
}

static int parse(mb_json_parser &parser, mb_arena *arena, const char *text, size_t len, bool lenient,
                 const mb_json **ret, membrane_error **err) {
    error_code failed = parser.read_or_repair(text, len, false, lenient);
    if (failed) return refuse(failed, text, len, err);
    const uint8_t *strings = parser.simd.doc.string_buf.get();
    size_of_tree size = measure(parser.simd.doc.tape.get(), strings);
    size_t bytes;
    if (!mb_size_mul(size.nodes, sizeof(mb_json), &bytes)) return mb_error_no_memory(err);
    mb_json *nodes = static_cast<mb_json *>(mb_arena_alloc(arena, bytes));
    uint8_t *copy = static_cast<uint8_t *>(mb_arena_alloc(arena, size.string_bytes));
    if (!nodes || !copy) return mb_error_no_memory(err);
    memcpy(copy, strings, size.string_bytes);
    if (!parser.fill(nodes, nodes + 1, copy)) return refuse(simdjson::TAPE_ERROR, text, len, err);
    *ret = nodes;
    return 0;
}

int mb_json_parse(mb_arena *arena, const char *text, size_t len, const mb_json **ret, membrane_error **err) {
    mb_json_parser parser;
    return parse(parser, arena, text, len, false, ret, err);
}

int mb_json_parse_lenient(mb_arena *arena, const char *text, size_t len, const mb_json **ret, membrane_error **err) {
    mb_json_parser parser;
    return parse(parser, arena, text, len, true, ret, err);
}

int mb_json_parse_with(mb_json_parser *parser, mb_arena *arena, const char *text, size_t len, const mb_json **ret,
                       membrane_error **err) {
    return parse(*parser, arena, text, len, false, ret, err);
}

// ---- numbers -------------------------------------------------------------------------------------------------------

// How a number's text is built, by the grammar of RFC 8259.
namespace {
struct number_shape {
    bool is_number, is_whole;
    int64_t magnitude; // where the first digit that counts stands: above 0 left of the point, the exponent applied
};
} // namespace

static const char *digits_end(const char *at, const char *end) {
    while (at < end && *at >= '0' && *at <= '9') at++;
    return at;
}

// The exponent behind 'e', bounded. Writes where it ends; an end equal to at means that there is none.
static int64_t exponent_at(const char *at, const char *end, const char **ret_end) {
    bool negative = at < end && *at == '-';
    const char *first = at + (at < end && (*at == '-' || *at == '+')), *last = digits_end(first, end);
    int64_t exponent = 0;
    for (const char *d = first; d < last && exponent < INT32_MAX; d++) exponent = exponent * 10 + (*d - '0');
    *ret_end = last > first ? last : at;
    return negative ? -exponent : exponent;
}

static number_shape shape_of(const char *at, const char *end) {
    number_shape shape = {false, true, 0};
    if (at < end && *at == '-') at++;
    const char *first = at;
    at = digits_end(first, end);
    if (at == first || (at - first > 1 && *first == '0')) return shape;
    if (*first != '0') shape.magnitude = at - first;
    if (at < end && *at == '.') {
        const char *fraction = at + 1, *zeros = fraction;
        at = digits_end(fraction, end);
        if (at == fraction) return shape;
        while (zeros < at && *zeros == '0') zeros++;
        if (*first == '0') shape.magnitude = fraction - zeros;
        shape.is_whole = false;
    }
    if (at < end && (*at | 0x20) == 'e') {
        const char *exponent = at + 1;
        shape.magnitude += exponent_at(exponent, end, &at);
        if (at == exponent) return shape;
        shape.is_whole = false;
    }
    shape.is_number = at == end;
    return shape;
}

bool mb_json_number(const char *text, size_t len, mb_json *ret) {
    const char *end = text + len;
    number_shape shape = shape_of(text, end);
    if (!shape.is_number) return false;
    int64_t integer;
    uint64_t uinteger;
    double number;
    if (shape.is_whole && std::from_chars(text, end, integer).ec == std::errc()) {
        ret->type = MB_JSON_INT;
        ret->integer = integer;
    } else if (shape.is_whole && std::from_chars(text, end, uinteger).ec == std::errc()) {
        ret->type = MB_JSON_UINT;
        ret->uinteger = uinteger;
    } else if (!shape.is_whole && std::from_chars(text, end, number).ec == std::errc()) {
        ret->type = MB_JSON_DOUBLE;
        ret->number = number;
    } else if (!shape.is_whole && shape.magnitude <= 0) { // too near to zero for a double
        ret->type = MB_JSON_DOUBLE;
        ret->number = 0;
    } else {
        ret->type = MB_JSON_NUMTEXT;
        ret->str = text;
        ret->len = len;
    }
    return true;
}

size_t mb_json_double_text(double n, char text[32]) {
    double size = std::fabs(n);
    auto format = size == 0 || (size >= 1e-5 && size < 1e17) ? std::chars_format::fixed : std::chars_format::scientific;
    char *end = std::to_chars(text, text + 28, n, format).ptr;
    if (!memchr(text, '.', end - text) && !memchr(text, 'e', end - text)) {
        *end++ = '.';
        *end++ = '0';
    }
    *end = '\0';
    return end - text;
}
