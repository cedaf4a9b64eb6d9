// SPDX-License-Identifier: MIT
// Reading an error answer: find its words whatever its shape, then let the tables decide.
#include "route/classify.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/pattern.h"
#include "route/classify_table.h"

#define PHRASE_MAX 1024 // how much of a message is compared
#define QUOTE_MAX  80   // a longer quotation is somebody's prompt, no name

typedef struct told {
    const char *message, *type, *code, *request_id, *param;
    int status;           // the status inside the body, 0 without
    const char *wait;     // how long to wait, as Google says it ("34.5s"), NULL without
    char amazon_type[80]; // type without its namespace: what Amazon's servers say of an error
} told;

// ---- what the body says --------------------------------------------------------------------------------------------

static int as_status(const mb_json *v) {
    int64_t n = mb_json_int(v, 0);
    const char *text = mb_json_str(v);
    if (text && strspn(text, "0123456789") == strlen(text)) n = strtol(text, NULL, 10);
    return n >= 400 && n <= 599 ? (int)n : 0;
}

static const char *first_str(const mb_json *v, const char *const *keys, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *text = mb_json_get_str(v, keys[i]);
        if (text && *text) return text;
    }
    return NULL;
}

// detail of FastAPI may be a list of {"msg", "loc"}.
static const char *detail_text(const mb_json *detail) {
    if (mb_json_is(detail, MB_JSON_STRING)) return detail->str;
    if (mb_json_is(detail, MB_JSON_ARRAY)) detail = mb_json_at(detail, 0);
    static const char *const KEYS[] = {"msg", "message", "error"};
    return first_str(detail, KEYS, MB_COUNT(KEYS));
}

// "com.amazon.coral.service#AccessDeniedException", "AccessDeniedException:http://internal.amazon.com/…"
static void read_amazon_type(const char *type, told *t) {
    const char *name = type ? strrchr(type, '#') : NULL;
    name = name ? name + 1 : type;
    if (!name || t->amazon_type[0]) return;
    snprintf(t->amazon_type, sizeof t->amazon_type, "%.*s", (int)strcspn(name, ":"), name);
}

static void read_object(const mb_json *v, told *t) {
    static const char *const MESSAGES[] = {"message", "Message", "error", "detail", "msg", "error_message"};
    static const char *const IDS[] = {"request_id", "requestId", "requestID"};
    static const char *const STATUSES[] = {"status_code", "code", "status", "http_status"};
    if (!mb_json_is(v, MB_JSON_OBJECT)) return;
    if (!t->message) t->message = first_str(v, MESSAGES, MB_COUNT(MESSAGES));
    if (!t->message) t->message = detail_text(mb_json_get(v, "detail"));
    if (!t->type) t->type = mb_json_get_str(v, "type");
    if (!t->type) t->type = mb_json_get_str(v, "error_type"); // Text Generation Inference
    read_amazon_type(mb_json_get_str(v, "__type"), t);
    if (!t->code) t->code = mb_json_get_str(v, "code");
    if (!t->code) t->code = mb_json_get_str(v, "status"); // Google's word
    if (!t->param) t->param = mb_json_get_str(v, "param");
    if (!t->request_id) t->request_id = first_str(v, IDS, MB_COUNT(IDS));
    for (size_t i = 0; i < MB_COUNT(STATUSES) && !t->status; i++) t->status = as_status(mb_json_get(v, STATUSES[i]));
}

// Google says in the body, not in a header, when to come again.
static const char *wait_of(const mb_json *error) {
    const mb_json *details = mb_json_get(error, "details");
    const char *wait = NULL;
    for (uint32_t i = 0; mb_json_is(details, MB_JSON_ARRAY) && i < details->count && !wait; i++)
        wait = mb_json_get_str(&details->children[i], "retryDelay");
    return wait;
}

static told read_body(const mb_json *root) {
    told t = {0};
    if (mb_json_is(root, MB_JSON_ARRAY)) root = mb_json_at(root, 0);
    const mb_json *error = mb_json_get(root, "error");
    if (mb_json_is(error, MB_JSON_OBJECT)) {
        read_object(error, &t);
        t.wait = wait_of(error);
        const char *raw = mb_json_get_str(mb_json_get(error, "metadata"), "raw"); // OpenRouter: what its provider said
        if (raw && t.message && strcmp(t.message, "Provider returned error") == 0) t.message = raw;
    }
    read_object(root, &t);
    return t;
}

// ---- the verdict ---------------------------------------------------------------------------------------------------

static bool opens_quote(const char *text, const char *p) {
    if (*p == '"' || *p == '`') return true;
    return *p == '\'' && (p == text || !isalnum((unsigned char)p[-1])); // else an apostrophe
}

// The message in small letters, without quotations too long to be names.
static void phrase_of(const char *message, char out[PHRASE_MAX]) {
    size_t n = 0;
    const char *plain = message; // inside a short quotation nothing opens another
    for (const char *p = message; *p && n + 1 < PHRASE_MAX; p++) {
        out[n++] = (char)tolower((unsigned char)*p);
        if (p < plain || !opens_quote(message, p)) continue;
        const char *close = strchr(p + 1, *p);
        if (!close) continue;
        if (close - p > QUOTE_MAX) p = close;
        plain = close + 1;
    }
    out[n] = '\0';
}

static int by_word(const char *word, int status) {
    for (size_t i = 0; word && i < MB_COUNT(CODE_ROWS); i++) {
        const mb_code_row *r = &CODE_ROWS[i];
        if (status >= r->from && status <= r->to && strcasecmp(r->word, word) == 0) return r->code;
    }
    return 0;
}

static int by_phrase(const char *message, int status) {
    char phrase[PHRASE_MAX];
    if (!message) return 0;
    phrase_of(message, phrase);
    for (size_t i = 0; i < MB_COUNT(PHRASE_ROWS); i++) {
        const mb_phrase_row *r = &PHRASE_ROWS[i];
        if (status < r->from || status > r->to || !mb_pattern_glob(r->glob, phrase)) continue;
        if (!r->unless || !strstr(phrase, r->unless)) return r->code;
    }
    return 0;
}

// Statuses that need no words; 0 for those that do.
static int by_status(int status) {
    switch (status) {
    case 401: return MEMBRANE_EAUTH;
    case 402: return MEMBRANE_EFUNDS;
    case 529: return MEMBRANE_EOVERLOADED;
    default: return 0;
    }
}

// What a status comes to when no words were known.
static int by_class(int status) {
    switch (status) {
    case 403: return MEMBRANE_EPERMISSION;
    case 404: return MEMBRANE_EMODEL;
    case 408: return MEMBRANE_ETIMEOUT;
    case 429: return MEMBRANE_ERATE;
    case 501: return MEMBRANE_EUNSUPPORTED;
    case 502:
    case 504: return MEMBRANE_EGATEWAY;
    case 503: return MEMBRANE_EOVERLOADED;
    default: break;
    }
    if (status >= 500) return MEMBRANE_ESERVER;
    return status >= 400 ? MEMBRANE_EBADREQUEST : MEMBRANE_ESTREAM;
}

static int verdict(const told *t, int status) {
    int code = by_status(status);
    if (!code) code = by_word(t->code, status);
    if (!code) code = by_word(t->type, status);
    if (!code) code = by_word(t->amazon_type, status);
    if (!code && status == 429) code = MEMBRANE_ERATE; // whatever it says beside its codes
    if (!code) code = by_phrase(t->message, status);
    bool is_invalid = strcasecmp(t->amazon_type, "ValidationException") == 0 ||
                      (t->type && strcmp(t->type, "validation") == 0); // Text Generation Inference
    if (!code && status < 300 && is_invalid) code = MEMBRANE_EBADREQUEST;
    return code ? code : by_class(status);
}

static void add_hint(membrane_error *e, int code, int status) {
    if (code == MEMBRANE_EAUTH)
        mb_error_hint(e, "check the provider's key");
    else if (code == MEMBRANE_EMODEL && status == 404)
        mb_error_hint(e, "check the model's name, and the path of base_url");
    else if (code == MEMBRANE_ECONTEXT)
        mb_error_hint(e, "shorten the prompt, or use a model with a larger context window");
}

static int64_t wait_ms(const char *text) {
    char number[24];
    size_t len = text ? strlen(text) : 0;
    if (len < 2 || len >= sizeof number || text[len - 1] != 's') return -1;
    memcpy(number, text, len - 1);
    number[len - 1] = '\0';
    return mb_retry_after_ms(NULL, number, 0);
}

static int make_error(const char *engine, const char *provider, int status, const told *t,
                      const char *header_request_id, int64_t retry_after_ms, membrane_error **err) {
    int inner = status >= 200 && status < 300 && t->status ? t->status : status;
    int code = verdict(t, inner);
    const char *type = t->type ? t->type : t->amazon_type[0] ? t->amazon_type : "no explanation";
    const char *words = t->message ? t->message : t->code ? t->code : type;
    membrane_error *e = NULL;
    if (strcmp(engine, provider) == 0)
        mb_error_set(&e, code, "%s: %s (HTTP %d)", provider, words, inner);
    else
        mb_error_set(&e, code, "%s (%s): %s (HTTP %d)", provider, engine, words, inner);
    if (e && !mb_error_is_static(e)) {
        e->http_status = inner;
        e->retry_after_ms = retry_after_ms < 0 ? wait_ms(t->wait) : retry_after_ms;
        mb_error_field(e, &e->provider, provider);
        mb_error_field(e, &e->provider_message, t->message);
        mb_error_field(e, &e->provider_request_id, header_request_id ? header_request_id : t->request_id);
        add_hint(e, code, inner);
    }
    if (err) {
        membrane_error_free(*err);
        *err = e;
    } else {
        membrane_error_free(e);
    }
    return code;
}

int mb_classify_json(const char *engine, const char *provider, int status, const mb_json *body, membrane_error **err) {
    told t = read_body(body);
    return make_error(engine, provider, status, &t, NULL, -1, err);
}

// ---- bodies that are no JSON ---------------------------------------------------------------------------------------

// The title of a page, or the first line of a text, into out.
static void plain_words(const char *body, size_t len, char *out, size_t size) {
    const char *from = body, *to = body + len, *title = NULL;
    for (const char *p = body; p + 7 < to && !title; p++)
        if (strncasecmp(p, "<title>", 7) == 0) title = p + 7;
    if (title) from = title;
    while (from < to && isspace((unsigned char)*from)) from++;
    const char *at = from;
    while (at < to && *at != '\n' && *at != '\r' && *at != '\0' && !(title && *at == '<')) at++;
    size_t n = (size_t)(at - from) < size - 1 ? (size_t)(at - from) : size - 1;
    memcpy(out, from, n);
    out[n] = '\0';
}

// Triton refuses a stream in a stream's own frame: "data: {…}".
static void unframe(const char **body, size_t *len) {
    static const char FIELD[] = "data: ";
    const size_t n = sizeof FIELD - 1;
    if (*len <= n || memcmp(*body, FIELD, n) != 0) return;
    const char *end = memchr(*body + n, '\n', *len - n);
    *len = end ? (size_t)(end - *body) - n : *len - n;
    *body += n;
}

int mb_classify_typed(const char *engine, const char *provider, int status, const char *type, const char *body,
                      size_t len, const char *header_request_id, int64_t retry_after_ms, membrane_error **err) {
    mb_arena arena = {0};
    const mb_json *root = NULL;
    char words[400];
    told t = {0};
    unframe(&body, &len);
    if (len && mb_json_parse_lenient(&arena, body, len, &root, NULL) == 0 && root->type >= MB_JSON_STRING) {
        t = read_body(root);
        if (root->type == MB_JSON_STRING) t.message = root->str;
    }
    if (!t.message && !t.code && len) {
        plain_words(body, len, words, sizeof words);
        if (*words) t.message = words;
    }
    read_amazon_type(type, &t);
    int code = make_error(engine, provider, status, &t, header_request_id, retry_after_ms, err);
    mb_arena_free(&arena);
    return code;
}

int mb_classify(const char *engine, const char *provider, int status, const char *body, size_t len,
                const char *header_request_id, int64_t retry_after_ms, membrane_error **err) {
    return mb_classify_typed(engine, provider, status, NULL, body, len, header_request_id, retry_after_ms, err);
}

// ---- waiting -------------------------------------------------------------------------------------------------------

static int64_t capped(double ms) {
    if (!(ms >= 0)) return -1;
    return ms > MB_TIME_RETRY_AFTER_MAX ? MB_TIME_RETRY_AFTER_MAX : (int64_t)ms;
}

static bool read_number(const char *text, double *ret) {
    char *end;
    size_t digits = strspn(text, "0123456789.");
    if (digits == 0 || digits > 18 || text[digits] != '\0') return false;
    *ret = strtod(text, &end);
    return *end == '\0';
}

static int month_of(const char *name) {
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (strncasecmp(MONTHS + 3 * i, name, 3) == 0) return i;
    return -1;
}

// The three forms of RFC 9110: "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 …", "Sun Nov  6 08:49:37 1994".
static bool read_date(const char *text, int64_t *ret_ms) {
    struct tm tm = {0};
    char month[4];
    const char *comma = strchr(text, ',');
    int year, fields;
    if (comma) {
        fields = sscanf(comma + 1, " %2d%*1[ -]%3[A-Za-z]%*1[ -]%4d %2d:%2d:%2d", &tm.tm_mday, month, &year,
                        &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
    } else {
        fields = sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d", month, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
                        &tm.tm_sec, &year);
    }
    if (fields != 6 || (tm.tm_mon = month_of(month)) < 0) return false;
    if (year < 100) year += year < 70 ? 2000 : 1900;
    tm.tm_year = year - 1900;
    *ret_ms = (int64_t)timegm(&tm) * 1000;
    return true;
}

int64_t mb_retry_after_ms(const char *retry_after_ms, const char *retry_after, int64_t wall_ms) {
    double number;
    int64_t date;
    if (retry_after_ms && read_number(retry_after_ms, &number)) return capped(number);
    if (!retry_after) return -1;
    if (read_number(retry_after, &number)) return capped(number * 1000);
    if (!read_date(retry_after, &date)) return -1;
    return date <= wall_ms ? 0 : capped((double)(date - wall_ms));
}

bool mb_is_loading(const membrane_error *error) {
    char phrase[PHRASE_MAX];
    const char *words = membrane_error_provider_message(error);
    if (membrane_error_code(error) != MEMBRANE_EOVERLOADED || !words) return false;
    phrase_of(words, phrase);
    return mb_pattern_glob("*loading*", phrase) && strstr(phrase, "model");
}
