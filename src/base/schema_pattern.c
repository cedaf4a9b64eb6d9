// SPDX-License-Identifier: MIT
// Regular expressions of schemas are ECMA-262's; what means something else to PCRE2 is rewritten: \d and \s, $ and the
// dot, \u escapes, the long names of Unicode's categories, and everything that only PCRE2 knows is refused.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/pattern.h"
#include "base/schema_parts.h"

#define SPACES                                                                                                         \
    "\\t\\n\\x{0b}\\f\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NOT_SPACES                                                                                                     \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}"   \
    "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

// Long names of general categories, each before its short one.
static const char *const CATEGORIES[] = {
    "Letter",
    "L",
    "Cased_Letter",
    "L&",
    "Uppercase_Letter",
    "Lu",
    "Lowercase_Letter",
    "Ll",
    "Titlecase_Letter",
    "Lt",
    "Modifier_Letter",
    "Lm",
    "Other_Letter",
    "Lo",
    "Mark",
    "M",
    "Combining_Mark",
    "M",
    "Nonspacing_Mark",
    "Mn",
    "Spacing_Mark",
    "Mc",
    "Enclosing_Mark",
    "Me",
    "Number",
    "N",
    "Decimal_Number",
    "Nd",
    "digit",
    "Nd",
    "Letter_Number",
    "Nl",
    "Other_Number",
    "No",
    "Symbol",
    "S",
    "Math_Symbol",
    "Sm",
    "Currency_Symbol",
    "Sc",
    "Modifier_Symbol",
    "Sk",
    "Other_Symbol",
    "So",
    "Punctuation",
    "P",
    "punct",
    "P",
    "Connector_Punctuation",
    "Pc",
    "Dash_Punctuation",
    "Pd",
    "Open_Punctuation",
    "Ps",
    "Close_Punctuation",
    "Pe",
    "Initial_Punctuation",
    "Pi",
    "Final_Punctuation",
    "Pf",
    "Other_Punctuation",
    "Po",
    "Separator",
    "Z",
    "Space_Separator",
    "Zs",
    "Line_Separator",
    "Zl",
    "Paragraph_Separator",
    "Zp",
    "Other",
    "C",
    "Control",
    "Cc",
    "cntrl",
    "Cc",
    "Format",
    "Cf",
    "Surrogate",
    "Cs",
    "Private_Use",
    "Co",
    "Unassigned",
    "Cn",
    "LC",
    "L&",
};

typedef struct source {
    const char *at, *end;
    mb_buf *out;
    const char *wrong; // the first thing that is no ECMA pattern
    bool in_class;
} source;

static void refuse(source *s, const char *what) {
    if (!s->wrong) s->wrong = what;
}

// Hexadecimal digits, exactly n of them; false (nothing taken) where they are not there.
static bool read_hex(source *s, int n, unsigned long *ret) {
    unsigned long code = 0;
    if (s->end - s->at < n) return false;
    for (int i = 0; i < n; i++) {
        char c = s->at[i];
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0) return false;
        code = code << 4 | (unsigned long)digit;
    }
    s->at += n;
    *ret = code;
    return true;
}

// \uXXXX, a pair of surrogates so written, or \u{X…}; the u is taken already.
static void unicode_escape(source *s) {
    unsigned long code = 0, low;
    if (s->at < s->end && *s->at == '{') {
        const char *close = memchr(s->at, '}', (size_t)(s->end - s->at));
        int n = close ? (int)(close - s->at) - 1 : 0;
        s->at++;
        if (n < 1 || n > 8 || !read_hex(s, n, &code)) return refuse(s, "\\u{…}");
        s->at++;
    } else if (!read_hex(s, 4, &code)) {
        return refuse(s, "\\u without four digits");
    }
    if (code >= 0xD800 && code < 0xDC00 && s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u') {
        s->at += 2;
        if (!read_hex(s, 4, &low) || low < 0xDC00 || low > 0xDFFF) return refuse(s, "half a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00));
    }
    mb_buf_putf(s->out, "\\x{%lx}", code);
}

// \p{Name}, \p{gc=Name}, \p{Script=Name}; the p or P is taken already.
static void property_escape(source *s, char p) {
    const char *close = s->at < s->end && *s->at == '{' ? memchr(s->at, '}', (size_t)(s->end - s->at)) : NULL;
    if (!close) return refuse(s, "\\p without {Name}");
    const char *name = s->at + 1, *equals = memchr(name, '=', (size_t)(close - name));
    if (equals) name = equals + 1;
    size_t len = (size_t)(close - name);
    for (size_t i = 0; i < MB_COUNT(CATEGORIES); i += 2)
        if (strlen(CATEGORIES[i]) == len && memcmp(CATEGORIES[i], name, len) == 0) {
            name = CATEGORIES[i + 1];
            len = strlen(name);
            break;
        }
    mb_buf_putf(s->out, "\\%c{%.*s}", p, (int)len, name);
    s->at = close + 1;
}

static void put_class(source *s, const char *inside, const char *outside) {
    mb_buf_puts(s->out, s->in_class ? inside : outside);
}

static void control_escape(source *s) {
    if (s->at == s->end || (*s->at | 0x20) < 'a' || (*s->at | 0x20) > 'z') return refuse(s, "\\c without a letter");
    mb_buf_putf(s->out, "\\x{%x}", *s->at++ & 0x1f);
}

// What follows a backslash.
static void escape(source *s) {
    unsigned long code;
    if (s->at == s->end) return refuse(s, "a backslash at its end");
    char c = *s->at++;
    switch (c) {
    case 'd': return put_class(s, "0-9", "[0-9]");
    case 's': return put_class(s, SPACES, "[" SPACES "]");
    case 'S': return put_class(s, NOT_SPACES, "[" NOT_SPACES "]");
    case 'v': return mb_buf_puts(s->out, "\\x{b}");
    case '0': return mb_buf_puts(s->out, "\\x{0}");
    case 'c': return control_escape(s);
    case 'u': return unicode_escape(s);
    case 'x':
        return read_hex(s, 2, &code) ? mb_buf_putf(s->out, "\\x{%lx}", code) : refuse(s, "\\x without two digits");
    case 'p':
    case 'P': return property_escape(s, c);
    default: break;
    }
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter && !strchr("DwWbBfnrtk", c)) return refuse(s, "an escape that ECMA-262 does not know");
    if (!((unsigned char)c & 0x80)) mb_buf_putc(s->out, '\\');
    mb_buf_putc(s->out, c);
}

static bool follows(const source *s, const char *text) {
    size_t len = strlen(text);
    return (size_t)(s->end - s->at) >= len && memcmp(s->at, text, len) == 0;
}

// What follows an opening parenthesis.
static void group(source *s) {
    static const char *const KNOWN[] = {"?:", "?=", "?!", "?<"};
    mb_buf_putc(s->out, '(');
    if (follows(s, "*")) return refuse(s, "(*");
    if (!follows(s, "?")) return;
    for (size_t i = 0; i < MB_COUNT(KNOWN); i++)
        if (follows(s, KNOWN[i])) return;
    refuse(s, "(? with what ECMA-262 does not know");
}

static void open_class(source *s) {
    if (follows(s, "^]")) {
        mb_buf_puts(s->out, "(?s:.)");
        s->at += 2;
    } else if (follows(s, "]")) {
        mb_buf_puts(s->out, "(?!)");
        s->at++;
    } else {
        mb_buf_putc(s->out, '[');
        s->in_class = true;
        if (follows(s, "^")) mb_buf_putc(s->out, *s->at++);
    }
}

static void outside_class(source *s, char c) {
    switch (c) {
    case '.': return mb_buf_puts(s->out, "[^\\n\\r\\x{2028}\\x{2029}]");
    case '$': return mb_buf_puts(s->out, "\\z");
    case '(': return group(s);
    case '[': return open_class(s);
    default: return mb_buf_putc(s->out, c);
    }
}

static void inside_class(source *s, char c) {
    if (c == ']') s->in_class = false;
    if (c == '[') mb_buf_putc(s->out, '\\'); // no [:alpha:] in ECMA-262
    mb_buf_putc(s->out, c);
}

void mb_schema_from_ecma(mb_buf *out, const char *regex, size_t len, const char **ret_wrong) {
    source s = {.at = regex, .end = regex + len, .out = out};
    if (memchr(regex, '\0', len)) refuse(&s, "a NUL, which must be written \\u0000");
    while (s.at < s.end && !s.wrong) {
        char c = *s.at++;
        if (c == '\\')
            escape(&s);
        else if (s.in_class)
            inside_class(&s, c);
        else
            outside_class(&s, c);
    }
    *ret_wrong = s.wrong;
}

// ---- matching ------------------------------------------------------------------------------------------------------

static mb_pattern *compile(mb_schema_run *run, const char *regex, size_t len) {
    mb_pattern *pattern = NULL;
    membrane_error *err = NULL;
    const char *wrong = NULL;
    mb_buf text = MB_BUF(128 * MB_KIB);
    mb_schema_from_ecma(&text, regex, len, &wrong);
    int code = mb_buf_ok(&text) ? 0 : text.failed;
    if (code == 0 && !wrong) code = mb_pattern_new(mb_buf_text(&text), false, &pattern, &err);
    mb_buf_free(&text);
    if (code == MEMBRANE_ENOMEM)
        mb_schema_fault(run, code, "out of memory");
    else if (code || wrong)
        mb_schema_fault(run, MEMBRANE_EINVAL, "the pattern %.200s cannot be used: %s", regex,
                        wrong ? wrong
                        : err ? membrane_error_message(err)
                              : "it is too long");
    membrane_error_free(err);
    return pattern;
}

static mb_pattern *pattern_of(mb_schema_run *run, const char *regex, size_t len) {
    mb_pattern *pattern = mb_map_get_n(&run->patterns, regex, len);
    if (pattern || !(pattern = compile(run, regex, len))) return pattern;
    if (mb_map_put(&run->patterns, regex, pattern)) return pattern;
    mb_pattern_free(pattern);
    mb_schema_fault(run, MEMBRANE_ENOMEM, "out of memory");
    return NULL;
}

bool mb_schema_matches(mb_schema_run *run, const char *regex, size_t regex_len, const char *text, size_t len) {
    enum { AT_FIRST = 2000, AFTERWARDS = 1000000, DEAR = 30000 };
    if (!mb_schema_charge(run, 30 + len / 8)) return false;
    mb_pattern *pattern = pattern_of(run, regex, regex_len);
    if (!pattern) return false;
    // Few steps are enough for nearly every pattern and cost little; more are charged for what they can cost.
    mb_pattern_set_steps(pattern, AT_FIRST + 20 * (len < 100000 ? (unsigned)len : 100000));
    int n = mb_pattern_match(pattern, text, len);
    if (n == MEMBRANE_EDENIED && mb_schema_charge(run, DEAR)) {
        mb_pattern_set_steps(pattern, AFTERWARDS);
        n = mb_pattern_match(pattern, text, len);
    }
    if (n < 0)
        mb_schema_fault(run, n == MEMBRANE_ENOMEM ? n : MEMBRANE_EINVAL, "the pattern %.200s takes too many steps",
                        regex);
    return n == 1;
}
