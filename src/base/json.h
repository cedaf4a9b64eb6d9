// SPDX-License-Identifier: MIT
// JSON: one read-only tree for everything (wires, configuration, requests), filled by simdjson (json.cc, the only file
// that knows it) or by libyaml (yaml.c). Writing is ours: text goes straight into a bounded buffer.
//
// A tree lives in an arena, or, for stream chunks, in a reusable parser until its next parse. Object members keep the
// order of the text; a repeated key is kept, and mb_json_get finds the last one. Depth is limited (MB_LIMIT_JSON_DEPTH)
// and nothing recurses past it. A number that fits neither int64, uint64 nor double is kept as MB_JSON_NUMTEXT.
#ifndef MB_BASE_JSON_H
#define MB_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    MB_JSON_NULL,
    MB_JSON_BOOL,
    MB_JSON_INT,
    MB_JSON_UINT, // above INT64_MAX
    MB_JSON_DOUBLE,
    MB_JSON_NUMTEXT, // str holds the digits
    MB_JSON_STRING,
    MB_JSON_ARRAY,
    MB_JSON_OBJECT,
} mb_json_type;

typedef struct mb_json mb_json;
struct mb_json {
    uint8_t type;   // mb_json_type
    uint32_t line;  // where it stands in its file, from 1; 0 where nobody counted
    uint32_t count; // children of an array or object
    uint32_t key_len;
    const char *key; // the member's name inside an object, NUL-terminated; NULL elsewhere
    union {
        bool boolean;
        int64_t integer;
        uint64_t uinteger;
        double number;
        const mb_json *children; // count of them, one after another
        const char *str;         // len bytes and a NUL; may hold NULs inside
    };
    size_t len; // of str
};

typedef struct mb_json_parser mb_json_parser;

// ---- reading -------------------------------------------------------------------------------------------------------

// Parses len bytes into the arena. 0, MEMBRANE_ENOMEM or MEMBRANE_ERESPONSE with a message that gives the byte
// position where known. Bad UTF-8 and lone surrogates are refused (mb_json_parse_lenient repairs them).
int mb_json_parse(mb_arena *arena, const char *text, size_t len, const mb_json **ret, membrane_error **err);
// The same, but what simdjson refuses for a lone surrogate, a bad UTF-8 byte or a number out of range is repaired in a
// copy (U+FFFD; the number kept as text) and parsed once more: for bytes that came over a wire.
int mb_json_parse_lenient(mb_arena *arena, const char *text, size_t len, const mb_json **ret, membrane_error **err);
// mb_json_parse with the working memory of a parser that is kept: no allocation but the arena's. The tree lives in the
// arena alone.
int mb_json_parse_with(mb_json_parser *parser, mb_arena *arena, const char *text, size_t len, const mb_json **ret,
                       membrane_error **err);
// Fills in the lines of a tree that mb_json_parse made from this very text (for configuration files).
void mb_json_number_lines(const mb_json *root, const char *text, size_t len);

// A parser, used again and again. The tree of mb_json_parser_parse is valid until the next parse. Lenient. text must be
// followed by MB_BUF_PADDING readable bytes if padded is true (as in an mb_buf), else it is copied.
mb_json_parser *mb_json_parser_new(void); // NULL: out of memory
void mb_json_parser_free(mb_json_parser *parser);
// 0, MEMBRANE_ENOMEM or MEMBRANE_EMALFORMED; no error object, since it stands on the hot path.
int mb_json_parser_parse(mb_json_parser *parser, const char *text, size_t len, bool padded, const mb_json **ret);

const mb_json *mb_json_get_n(const mb_json *object, const char *key, size_t len);
// NULL if absent or object is no object (or NULL). Inline, so that the length of a literal is known.
static inline const mb_json *mb_json_get(const mb_json *object, const char *key) {
    return mb_json_get_n(object, key, strlen(key));
}
const mb_json *mb_json_at(const mb_json *array, size_t index);      // NULL if there is none
const mb_json *mb_json_path(const mb_json *root, const char *path); // "choices.0.message"; keys hold no dots
static inline bool mb_json_is(const mb_json *v, mb_json_type type) { return v && v->type == type; }
static inline bool mb_json_is_number(const mb_json *v) {
    return v && (v->type == MB_JSON_INT || v->type == MB_JSON_UINT || v->type == MB_JSON_DOUBLE);
}
const char *mb_json_str(const mb_json *v);                           // NULL unless it is a string
const char *mb_json_get_str(const mb_json *object, const char *key); // NULL unless it is a string
bool mb_json_str_is(const mb_json *v, const char *text);
int64_t mb_json_int(const mb_json *v, int64_t fallback); // whole doubles too; clamped
double mb_json_double(const mb_json *v, double fallback);
bool mb_json_bool(const mb_json *v, bool fallback);
bool mb_json_equal(const mb_json *a, const mb_json *b);         // as data: member order does not matter, 1 equals 1.0
const mb_json *mb_json_copy(mb_arena *arena, const mb_json *v); // deep; NULL: out of memory
const char *mb_json_type_name(const mb_json *v); // "object", "array", "string", "integer", "number", "boolean", "null"

// ---- writing -------------------------------------------------------------------------------------------------------
// mb_jw writes one value after another and puts the commas. Numbers are written so that they read back exactly.
//     mb_jw w = mb_jw_to(&buf);
//     mb_jw_object(&w); mb_jw_key(&w, "model"); mb_jw_str(&w, "tiny"); mb_jw_end_object(&w);
typedef struct mb_jw {
    mb_buf *out;
    bool comma; // the next value or key is not the first of its container
} mb_jw;

static inline mb_jw mb_jw_to(mb_buf *out) {
    mb_jw w = {out, false};
    return w;
}
void mb_jw_object(mb_jw *w);
void mb_jw_end_object(mb_jw *w);
void mb_jw_array(mb_jw *w);
void mb_jw_end_array(mb_jw *w);
void mb_jw_key(mb_jw *w, const char *key);
void mb_jw_str(mb_jw *w, const char *text);              // NULL writes null
void mb_jw_strn(mb_jw *w, const char *text, size_t len); // any bytes: bad UTF-8 becomes U+FFFD
void mb_jw_int(mb_jw *w, int64_t n);
void mb_jw_uint(mb_jw *w, uint64_t n);
void mb_jw_double(mb_jw *w, double n); // NaN and infinities are written as null
void mb_jw_bool(mb_jw *w, bool b);
void mb_jw_null(mb_jw *w);
void mb_jw_value(mb_jw *w, const mb_json *v);           // a whole tree; NULL writes null
void mb_jw_raw(mb_jw *w, const char *json, size_t len); // text that is JSON already
// key and value in one; the _if ones write nothing for NULL
void mb_jw_kstr(mb_jw *w, const char *key, const char *text);
void mb_jw_kstr_if(mb_jw *w, const char *key, const char *text);
void mb_jw_kint(mb_jw *w, const char *key, int64_t n);
void mb_jw_kbool(mb_jw *w, const char *key, bool b);
void mb_jw_kvalue_if(mb_jw *w, const char *key, const mb_json *v);

#ifdef __cplusplus
}
#endif
#endif
