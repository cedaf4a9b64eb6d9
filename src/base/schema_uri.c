// SPDX-License-Identifier: MIT
// A reference against a base, as RFC 3986 §5.2 resolves it; the fragment is left out. Nothing here opens a URI: they
// are only names by which parts of one document find each other.
#include <string.h>

#include "base/schema_parts.h"

typedef struct part {
    const char *at; // NULL: absent
    size_t len;
} part;

typedef struct uri {
    part scheme, authority, path, query;
} uri;

static size_t span_until(const char *text, size_t len, const char *stops) {
    size_t n = 0;
    while (n < len && !strchr(stops, text[n])) n++;
    return n;
}

static bool is_scheme(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'))) return false;
    }
    return len > 0;
}

static uri split(const char *text, size_t len) {
    uri u = {0};
    len = span_until(text, len, "#");
    size_t n = span_until(text, len, ":/?");
    if (n < len && text[n] == ':' && is_scheme(text, n)) {
        u.scheme = (part){text, n};
        text += n + 1;
        len -= n + 1;
    }
    if (len >= 2 && text[0] == '/' && text[1] == '/') {
        n = span_until(text + 2, len - 2, "/?");
        u.authority = (part){text + 2, n};
        text += n + 2;
        len -= n + 2;
    }
    n = span_until(text, len, "?");
    u.path = (part){text, n};
    if (n < len) u.query = (part){text + n + 1, len - n - 1};
    return u;
}

// Takes "." and ".." out of the path text[from…len]. Returns the new length.
static size_t without_dots(char *text, size_t from, size_t len) {
    size_t out = from;
    for (size_t at = from; at < len;) {
        size_t n = span_until(text + at, len - at, "/");
        bool last = at + n == len;
        if (n == 2 && text[at] == '.' && text[at + 1] == '.') {
            if (out > from) out--; // the slash before
            while (out > from && text[out - 1] != '/') out--;
        } else if (!(n == 1 && text[at] == '.')) {
            memmove(text + out, text + at, n + !last);
            out += n + !last;
        }
        at += n + !last;
    }
    return out;
}

static size_t put(char *out, size_t at, const char *before, part p, const char *behind) {
    size_t n = strlen(before), m = strlen(behind);
    if (!p.at) return at;
    memcpy(out + at, before, n);
    if (p.len) memcpy(out + at + n, p.at, p.len);
    memcpy(out + at + n + p.len, behind, m);
    return at + n + p.len + m;
}

char *mb_schema_uri(mb_arena *arena, const char *base, const char *ref, size_t len) {
    uri b = split(base, strlen(base)), r = split(ref, len);
    bool own = r.scheme.at != NULL, has_authority = own || r.authority.at, has_path = has_authority || r.path.len;
    char *out = mb_arena_alloc(arena, strlen(base) + len + 8);
    if (!out) return NULL;
    size_t n = put(out, 0, "", own ? r.scheme : b.scheme, ":"), from;
    n = put(out, n, "//", has_authority ? r.authority : b.authority, "");
    from = n;
    if (has_path && !has_authority && *r.path.at != '/') { // merge
        size_t folder = b.path.len;
        while (folder && b.path.at[folder - 1] != '/') folder--;
        if (b.authority.at && b.path.len == 0) out[n++] = '/';
        n = put(out, n, "", (part){b.path.at, folder}, "");
    }
    n = put(out, n, "", has_path ? r.path : b.path, "");
    if (n > from && out[from] == '/') from++;
    n = without_dots(out, from, n);
    n = put(out, n, "?", has_path || r.query.at ? r.query : b.query, "");
    out[n] = '\0';
    return out;
}
