// SPDX-License-Identifier: MIT
// OLLAMA_HOST: "", "host", "host:port", ":port", "http://host[:port]", "https://host[:port]", with quotes and blanks around
// it, [v6] addresses, and a path. Without a scheme the port is 11434; http:// without a port means 80, https:// 443.
// 0.0.0.0 and [::] are where a server listens: a client reaches it by loopback.
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <string.h>

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

int mb_config_ollama_host(mb_arena *arena, const char *text, const char **ret, membrane_error **err) {
    size_t len = strlen(text);
    const char *at = trim(text, &len), *scheme = "http", *path = "";
    int port = DEFAULT_PORT;
    size_t path_len = 0;
    if (has_prefix(at, len, "http://")) port = 80, at += 7, len -= 7;
    else if (has_prefix(at, len, "https://")) scheme = "https", port = 443, at += 8, len -= 8;
    else if (memmem(at, len, "://", 3))
        return mb_error_set(err, MEMBRANE_ECONFIG, "OLLAMA_HOST=%s: only http:// and https:// are spoken", text);
    const char *slash = memchr(at, '/', len);
    if (slash) {
        path = slash;
        path_len = len - (size_t)(slash - at);
        len = (size_t)(slash - at);
        while (path_len && path[path_len - 1] == '/') path_len--;
    }
    const char *bracket = len && at[0] == '[' ? memchr(at, ']', len) : NULL;
    const char *first = memchr(at, ':', len), *last = memrchr(at, ':', len);
    bool is_bare_v6 = first != last && !bracket;
    const char *colon = bracket ? (bracket + 1 < at + len ? bracket + 1 : NULL) : is_bare_v6 ? NULL : last;
    size_t host_len = colon ? (size_t)(colon - at) : len;
    if (colon && (*colon != ':' || (port = read_port(colon + 1, len - host_len - 1)) < 0))
        return mb_error_set(err, MEMBRANE_ECONFIG, "OLLAMA_HOST=%s: the port is no number from 1 to 65535", text);
    const char *host = mb_arena_strndup(arena, at, host_len);
    if (!host) return mb_error_no_memory(err);
    if (host[0] == '\0' || strcmp(host, "0.0.0.0") == 0) host = "127.0.0.1";
    else if (strcmp(host, "[::]") == 0 || strcmp(host, "::") == 0) host = "[::1]";
    else if (is_bare_v6) host = mb_arena_printf(arena, "[%s]", host);
    *ret = host ? mb_arena_printf(arena, "%s://%s:%d%.*s", scheme, host, port, (int)path_len, path) : NULL;
    if (!*ret) return mb_error_no_memory(err);
    mb_url url;
    int code = mb_url_parse(*ret, &url, err);
    if (code == MEMBRANE_EINVAL) return mb_error_set(err, MEMBRANE_ECONFIG, "OLLAMA_HOST=%s is no address", text);
    if (code == 0) mb_url_free(&url);
    return code;
}
