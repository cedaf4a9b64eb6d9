// SPDX-License-Identifier: MIT
#include "runtime/secret.h"

#include <string.h>

#include "net/http.h"

enum { SHORTEST = 6, SHORTEST_PART = 8 };

bool mb_secret_note(mb_arena *arena, const char *text, const mb_secret **list) {
    if (!text || !text[0]) return true;
    mb_secret *secret = mb_arena_alloc(arena, sizeof *secret);
    char *copy = mb_arena_strdup(arena, text);
    if (!secret || !copy) return false;
    *secret = (mb_secret){copy, *list};
    *list = secret;
    return true;
}

static const char *base64(mb_arena *arena, const char *text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text), at = 0;
    char *out = mb_arena_alloc(arena, (len + 2) / 3 * 4 + 1);
    if (!out) return NULL;
    for (size_t i = 0; i < len; i += 3) {
        unsigned char b[3] = {(unsigned char)text[i]};
        if (i + 1 < len) b[1] = (unsigned char)text[i + 1];
        if (i + 2 < len) b[2] = (unsigned char)text[i + 2];
        out[at++] = digits[b[0] >> 2];
        out[at++] = digits[(b[0] & 3) << 4 | b[1] >> 4];
        out[at++] = i + 1 < len ? digits[(b[1] & 15) << 2 | b[2] >> 6] : '=';
        out[at++] = i + 2 < len ? digits[b[2] & 63] : '=';
    }
    out[at] = '\0';
    return out;
}

bool mb_secret_note_login(mb_arena *arena, const char *url, const mb_secret **list) {
    char shown[4096];
    const char *text = mb_url_shown(url, shown, sizeof shown);
    if (text == url) return true;
    const char *start = url + (strstr(shown, "***@") - shown);
    size_t tail = strlen(strstr(shown, "***@") + 3), len = strlen(start);
    if (tail > len) return true;
    char *raw = mb_arena_strndup(arena, start, len - tail);
    char *colon = raw ? strchr(raw, ':') : NULL;
    const char *user = raw, *password = colon ? colon + 1 : NULL;
    if (!raw || !mb_secret_note(arena, raw, list) || !mb_secret_note(arena, password, list)) return false;
    if (colon) *colon = '\0';
    if (!mb_secret_note(arena, user, list)) return false;
    char *plain_user = mb_url_decode(arena, user), *plain = mb_url_decode(arena, password ? password : "");
    const char *both = plain_user && plain ? mb_arena_printf(arena, "%s:%s", plain_user, plain) : NULL;
    const char *basic = both ? base64(arena, both) : NULL;
    return basic && mb_secret_note(arena, plain_user, list) && mb_secret_note(arena, plain, list) &&
           mb_secret_note(arena, basic, list);
}

static size_t same_bytes(const char *a, const char *b) {
    size_t n = 0;
    while (a[n] && a[n] == b[n]) n++;
    return n;
}

// Where only the beginning is the same, it may be that of another key ("sk-proj-"), which would not be found any more
// once its beginning is struck: so all that a key can be made of goes with it.
static size_t rest_of_key(const char *text) {
    static const char keys_hold[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/=";
    return strspn(text, keys_hold);
}

static void strike_text(char *text, const char *secret, size_t len) {
    for (; text && *text; text++) {
        if (*text != *secret) continue;
        size_t same = same_bytes(text, secret);
        if (same < len && same < SHORTEST_PART) continue;
        if (same < len) same += rest_of_key(text + same);
        memset(text, '*', same);
    }
}

void mb_secret_strike(membrane_error *error, const char *secret) {
    size_t len = secret ? strlen(secret) : 0;
    if (len < SHORTEST) return;
    for (; error && !mb_error_is_static(error); error = error->cause) {
        strike_text(error->message, secret, len);
        strike_text(error->provider_message, secret, len);
        strike_text(error->provider_request_id, secret, len);
        strike_text(error->hint, secret, len);
    }
}

void mb_secret_strike_all(membrane_error *error, const mb_secret *list) {
    for (; list; list = list->next) mb_secret_strike(error, list->text);
}

void mb_secret_strike_header(membrane_error *error, const char *line) {
    const char *value = strchr(line, ':');
    if (!value) return;
    value += 1 + strspn(value + 1, " \t");
    mb_secret_strike(error, value);
    const char *word = strchr(value, ' '); // "Bearer …"
    if (word) mb_secret_strike(error, word + 1);
}
