// SPDX-License-Identifier: MIT
// OLLAMA_HOST: "", "host", "host:port", ":port", "http://host[:port]", "https://host[:port]", with quotes and blanks
// around it, [v6] addresses, and a path. Without a scheme the port is 11434; http:// without a port means 80, https://
// 443. 0.0.0.0 and [::] are where a server listens: a client reaches it by loopback.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/config.h"

enum { DEFAULT_PORT = 11434 };

static const char *trim(const char *text, size_t *len) {
    while (*len && strchr(" \t\r\n\"'", text[0])) text++, --*len;
    while (*len && strchr(" \t\r\n\"'", text[*len - 1])) --*len;
    return text;
}

static bool has_prefix(const char *text, size_t len, const char *prefix) {
    return len >= strlen(prefix) && strncasecmp(text, prefix, strlen(prefix)) == 0;
}

// Ollama takes a port that is no number as its default; a typing error should be heard of instead.
static int read_port(const char *text, size_t len) {
    int port = 0;
    if (len == 0 || len > 5) return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        port = port * 10 + (text[i] - '0');
    }
    return port >= 1 && port <= 65535 ? port : -1;
}

typedef struct address {
    const char *scheme, *user, *host, *path; // user with its @
    size_t user_len, host_len, path_len;
    int port;
    bool is_bare_v6;
} address;

static void cut_path(address *a) {
    const char *slash = memchr(a->host, '/', a->host_len);
    if (!slash) return;
    a->path = slash;
    a->path_len = a->host_len - (size_t)(slash - a->host);
    a->host_len = (size_t)(slash - a->host);
    while (a->path_len && a->path[a->path_len - 1] == '/') a->path_len--;
}

static void cut_user(address *a) {
    const char *at = memrchr(a->host, '@', a->host_len);
    a->user = a->host;
    a->user_len = at ? (size_t)(at + 1 - a->host) : 0;
    a->host += a->user_len;
    a->host_len -= a->user_len;
}

static bool cut_port(address *a) {
    const char *end = a->host + a->host_len;
    const char *bracket = a->host_len && a->host[0] == '[' ? memchr(a->host, ']', a->host_len) : NULL;
    const char *first = memchr(a->host, ':', a->host_len), *last = memrchr(a->host, ':', a->host_len);
    a->is_bare_v6 = first != last && !bracket;
    const char *colon = bracket ? (bracket + 1 < end ? bracket + 1 : NULL) : a->is_bare_v6 ? NULL : last;
    if (!colon) return true;
    a->host_len = (size_t)(colon - a->host);
    a->port = *colon == ':' ? read_port(colon + 1, (size_t)(end - colon) - 1) : -1;
    return a->port > 0;
}

static const char *host_of(const address *a, mb_arena *arena) {
    const char *host = mb_arena_strndup(arena, a->host, a->host_len);
    if (!host) return NULL;
    if (host[0] == '\0' || strcmp(host, "0.0.0.0") == 0) return "127.0.0.1";
    if (strcmp(host, "[::]") == 0 || strcmp(host, "::") == 0) return "[::1]";
    return a->is_bare_v6 ? mb_arena_printf(arena, "[%s]", host) : host;
}

int mb_config_ollama_host(mb_arena *arena, const char *text, const char **ret, membrane_error **err) {
    char space[512];
    const char *shown = mb_url_shown(text, space, sizeof space);
    size_t len = strlen(text);
    const char *at = trim(text, &len);
    address a = {.scheme = "http", .port = DEFAULT_PORT, .path = ""};
    if (has_prefix(at, len, "http://"))
        a.port = 80, at += 7, len -= 7;
    else if (has_prefix(at, len, "https://"))
        a.scheme = "https", a.port = 443, at += 8, len -= 8;
    if (memmem(at, len, "://", 3))
        return mb_error_set(err, MEMBRANE_ECONFIG, "OLLAMA_HOST=%s: only http:// and https:// are spoken", shown);
    a.host = at;
    a.host_len = len;
    cut_path(&a);
    cut_user(&a);
    if (!cut_port(&a))
        return mb_error_set(err, MEMBRANE_ECONFIG, "OLLAMA_HOST=%s: the port is no number from 1 to 65535", shown);
    const char *host = host_of(&a, arena);
    const char *url = host ? mb_arena_printf(arena, "%s://%.*s%s:%d%.*s", a.scheme, (int)a.user_len, a.user, host,
                                             a.port, (int)a.path_len, a.path)
                           : NULL;
    if (!url) return mb_error_no_memory(err);
    mb_url parts;
    int code = strpbrk(url, "?#") ? MEMBRANE_EINVAL : mb_url_parse(url, &parts, NULL);
    if (code == MEMBRANE_ENOMEM) return mb_error_no_memory(err);
    if (code) return mb_error_set(err, MEMBRANE_ECONFIG, "OLLAMA_HOST=%s is no address", shown);
    mb_url_free(&parts);
    *ret = url;
    return 0;
}
