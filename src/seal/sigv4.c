// SPDX-License-Identifier: MIT
// Four steps, each a text: the canonical request, the text to be signed, the day's key, the header line.
#include "seal/sigv4.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "membrane/error.h"
#include "seal/hash.h"

enum { LINES_MAX = 64, TEXT_MAX = 1 << 20 };

typedef struct span {
    const char *text;
    size_t len;
} span;

typedef struct address {
    span host, path, query; // host with its port, unless the scheme's own
} address;

typedef struct line {
    span name, value;
} line;

// ---- the parts of the URL ------------------------------------------------------------------------------------------

static bool ends_in(span text, const char *end) {
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.text + text.len - len, end, len) == 0;
}

static bool read_url(const char *url, address *ret) {
    const char *host = strstr(url, "://");
    if (!host) return false;
    host += 3;
    const char *path = host + strcspn(host, "/?#"), *query = path + strcspn(path, "?#");
    const char *end = query + strcspn(query, "#");
    ret->host = (span){host, (size_t)(path - host)};
    ret->path = (span){path, (size_t)(query - path)};
    ret->query = (span){*query == '?' ? query + 1 : query, 0};
    ret->query.len = (size_t)(end - ret->query.text);
    const char *own_port = strncasecmp(url, "https:", 6) == 0 ? ":443" : ":80";
    if (ends_in(ret->host, own_port)) ret->host.len -= strlen(own_port);
    return ret->host.len > 0;
}

static void put_escaped(mb_buf *out, span text) {
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.text[i];
        if (isascii(c) && (isalnum(c) || strchr("-._~", c))) {
            mb_buf_putc(out, (char)c);
        } else {
            char hex[3] = {'%', HEX[c >> 4], HEX[c & 15]};
            mb_buf_put(out, hex, sizeof hex);
        }
    }
}

// Without empty, "." and ".." segments, each of the others escaped (again).
static void put_path(mb_buf *out, span path) {
    size_t start = out->len;
    for (size_t at = 0, next; at < path.len; at = next + 1) {
        const char *slash = memchr(path.text + at, '/', path.len - at);
        next = slash ? (size_t)(slash - path.text) : path.len;
        span segment = {path.text + at, next - at};
        if (segment.len == 0 || (segment.len == 1 && *segment.text == '.')) continue;
        if (segment.len == 2 && memcmp(segment.text, "..", 2) == 0) {
            while (out->len > start && out->data[out->len - 1] != '/') mb_buf_cut(out, out->len - 1);
            if (out->len > start) mb_buf_cut(out, out->len - 1);
            continue;
        }
        mb_buf_putc(out, '/');
        put_escaped(out, segment);
    }
    if (out->len == start || path.text[path.len - 1] == '/') mb_buf_putc(out, '/');
}

// ---- sorting -------------------------------------------------------------------------------------------------------

static int compare_spans(span a, span b, int (*compare)(const char *, const char *, size_t)) {
    int order = compare(a.text, b.text, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_bytes(const char *a, const char *b, size_t len) { return memcmp(a, b, len); }

// Headers by their names without case; of one name in the order given.
static bool header_after(const line *a, const line *b) { return compare_spans(a->name, b->name, strncasecmp) > 0; }

static bool parameter_after(const line *a, const line *b) {
    int order = compare_spans(a->name, b->name, compare_bytes);
    return order ? order > 0 : compare_spans(a->value, b->value, compare_bytes) > 0;
}

static void sort(line *lines, size_t count, bool (*after)(const line *, const line *)) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && after(&lines[j - 1], &lines[j]); j--) {
            line other = lines[j];
            lines[j] = lines[j - 1];
            lines[j - 1] = other;
        }
}

// ---- the canonical request -----------------------------------------------------------------------------------------

static int put_query(mb_buf *out, span query) {
    line parameters[LINES_MAX];
    size_t count = 0;
    for (size_t at = 0, next; at < query.len; at = next + 1) {
        if (count == LINES_MAX) return MEMBRANE_EINVAL;
        const char *text = query.text + at, *end = memchr(text, '&', query.len - at);
        next = end ? (size_t)(end - query.text) : query.len;
        const char *equals = memchr(text, '=', next - at);
        line *p = &parameters[count++];
        p->name = (span){text, equals ? (size_t)(equals - text) : next - at};
        p->value = (span){equals ? equals + 1 : "", equals ? next - at - p->name.len - 1 : 0};
    }
    sort(parameters, count, parameter_after);
    for (size_t i = 0; i < count; i++) {
        if (i) mb_buf_putc(out, '&');
        mb_buf_put(out, parameters[i].name.text, parameters[i].name.len);
        mb_buf_putc(out, '=');
        mb_buf_put(out, parameters[i].value.text, parameters[i].value.len);
    }
    return 0;
}

static int add_lines(line *lines, size_t *count, const char *text) {
    for (const char *next; text && *text; text = next) {
        size_t len = strcspn(text, "\n"), name = strcspn(text, ":\n");
        next = text + len + (text[len] == '\n');
        if (name >= len) continue;
        if (*count == LINES_MAX) return MEMBRANE_EINVAL;
        lines[(*count)++] = (line){{text, name}, {text + name + 1, len - name - 1}};
    }
    return 0;
}

static void put_small(mb_buf *out, span name) {
    for (size_t i = 0; i < name.len; i++) mb_buf_putc(out, (char)tolower((unsigned char)name.text[i]));
}

// Runs of blanks as one, none around.
static void put_value(mb_buf *out, span value) {
    bool blank = false, begun = false;
    for (size_t i = 0; i < value.len; i++) {
        if (isspace((unsigned char)value.text[i])) {
            blank = begun;
            continue;
        }
        if (blank) mb_buf_putc(out, ' ');
        mb_buf_putc(out, value.text[i]);
        begun = true;
        blank = false;
    }
}

static bool same_name(const line *a, const line *b) {
    return a->name.len == b->name.len && strncasecmp(a->name.text, b->name.text, a->name.len) == 0;
}

static void put_headers(mb_buf *out, const line *lines, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool more = i + 1 < count && same_name(&lines[i], &lines[i + 1]);
        if (i == 0 || !same_name(&lines[i - 1], &lines[i])) {
            put_small(out, lines[i].name);
            mb_buf_putc(out, ':');
        }
        put_value(out, lines[i].value);
        mb_buf_putc(out, more ? ',' : '\n');
    }
}

static void put_names(mb_buf *out, const line *lines, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (i && same_name(&lines[i - 1], &lines[i])) continue;
        if (i) mb_buf_putc(out, ';');
        put_small(out, lines[i].name);
    }
}

static int put_hash(mb_buf *out, const void *data, size_t len) {
    unsigned char hash[MB_SHA256_SIZE];
    char hex[MB_HASH_HEX_SIZE];
    int status = mb_sha256(data, len, hash);
    mb_hash_put_hex(hash, hex);
    mb_buf_puts(out, hex);
    return status;
}

static int put_request(mb_buf *out, const mb_sigv4_request *r, const address *at, const line *lines, size_t count) {
    mb_buf_puts(out, r->method);
    mb_buf_putc(out, '\n');
    put_path(out, at->path);
    mb_buf_putc(out, '\n');
    int status = put_query(out, at->query);
    mb_buf_putc(out, '\n');
    put_headers(out, lines, count);
    mb_buf_putc(out, '\n');
    put_names(out, lines, count);
    mb_buf_putc(out, '\n');
    return status ? status : put_hash(out, r->body ? r->body : "", r->body_len);
}

// ---- the signature -------------------------------------------------------------------------------------------------

typedef struct stamp {
    char time[32]; // "20150830T123600Z"; room for any number
    char day[32];  // "20150830"
    mb_buf scope;  // day/region/service/aws4_request
} stamp;

static int stamp_of(int64_t time_s, const mb_aws_credentials *c, const char *service, stamp *ret) {
    time_t t = (time_t)time_s;
    struct tm tm;
    if (!gmtime_r(&t, &tm)) return MEMBRANE_EINVAL;
    strftime(ret->time, sizeof ret->time, "%Y%m%dT%H%M%SZ", &tm);
    strftime(ret->day, sizeof ret->day, "%Y%m%d", &tm);
    ret->scope = MB_BUF(TEXT_MAX);
    mb_buf_putf(&ret->scope, "%s/%s/%s/aws4_request", ret->day, c->region, service);
    return 0;
}

// Day, region and service are hashed into the secret one after the other; the last key signs.
static int put_signature(mb_buf *out, const mb_aws_credentials *c, const stamp *s, const char *service,
                         const mb_buf *text) {
    unsigned char key[MB_SHA256_SIZE] = {0}, next[MB_SHA256_SIZE];
    char hex[MB_HASH_HEX_SIZE];
    mb_buf first = MB_BUF(TEXT_MAX);
    mb_buf_puts(&first, "AWS4");
    mb_buf_puts(&first, c->secret_access_key);
    const span steps[] = {{s->day, strlen(s->day)},
                          {c->region, strlen(c->region)},
                          {service, strlen(service)},
                          {"aws4_request", 12},
                          {mb_buf_text(text), text->len}};
    int status = first.failed;
    for (size_t i = 0; i < MB_COUNT(steps) && status == 0; i++) {
        status = mb_hmac_sha256(i ? (const void *)key : first.data, i ? sizeof key : first.len, steps[i].text,
                                steps[i].len, next);
        memcpy(key, next, sizeof key);
    }
    mb_hash_put_hex(key, hex);
    mb_buf_puts(out, hex);
    if (first.data) mb_forget(first.data, first.len);
    mb_forget(key, sizeof key);
    mb_forget(next, sizeof next);
    mb_buf_free(&first);
    return status;
}

static int put_authorization(mb_buf *out, const mb_aws_credentials *c, const mb_sigv4_request *r, const stamp *s,
                             const address *at, const line *lines, size_t count) {
    mb_buf request = MB_BUF(TEXT_MAX), text = MB_BUF(TEXT_MAX);
    int status = put_request(&request, r, at, lines, count);
    mb_buf_putf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n", s->time, mb_buf_text(&s->scope));
    if (status == 0) status = put_hash(&text, mb_buf_text(&request), request.len);
    if (status == 0) status = request.failed ? request.failed : text.failed;
    mb_buf_putf(out, "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", c->access_key_id,
                mb_buf_text(&s->scope));
    put_names(out, lines, count);
    mb_buf_puts(out, ", Signature=");
    if (status == 0) status = put_signature(out, c, s, r->service, &text);
    mb_buf_putc(out, '\n');
    mb_buf_free(&request);
    mb_buf_free(&text);
    return status;
}

int mb_sigv4_sign(const mb_aws_credentials *c, const mb_sigv4_request *r, mb_buf *headers) {
    line lines[LINES_MAX];
    size_t count = 0;
    address at;
    stamp s;
    if (!read_url(r->url, &at)) return MEMBRANE_EINVAL;
    int status = stamp_of(r->time_s, c, r->service, &s);
    if (status != 0) return status;
    lines[count++] = (line){{"host", 4}, at.host};
    lines[count++] = (line){{"x-amz-date", 10}, {s.time, strlen(s.time)}};
    if (c->session_token)
        lines[count++] = (line){{"x-amz-security-token", 20}, {c->session_token, strlen(c->session_token)}};
    status = add_lines(lines, &count, r->headers);
    if (status == 0) {
        sort(lines, count, header_after);
        mb_buf_putf(headers, "X-Amz-Date: %s\n", s.time);
        if (c->session_token) mb_buf_putf(headers, "X-Amz-Security-Token: %s\n", c->session_token);
        status = put_authorization(headers, c, r, &s, &at, lines, count);
    }
    if (status == 0) status = s.scope.failed ? s.scope.failed : headers->failed;
    mb_buf_free(&s.scope);
    return status;
}
