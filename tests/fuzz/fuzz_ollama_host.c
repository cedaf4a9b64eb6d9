// SPDX-License-Identifier: MIT
// Any text as OLLAMA_HOST. What must hold: an address is an http URL that parses, without control characters and
// without a final slash; an error says the text, but not its password.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "runtime/config.h"

static void check_url(const char *url) {
    mb_url parts;
    assert(mb_url_parse(url, &parts, NULL) == 0);
    assert(strcmp(parts.scheme, "http") == 0 || strcmp(parts.scheme, "https") == 0);
    assert(parts.host[0] && atoi(parts.port) >= 1 && atoi(parts.port) <= 65535);
    assert(url[strlen(url) - 1] != '/');
    for (const char *c = url; *c; c++) assert((unsigned char)*c > 0x20 && *c != 0x7f);
    mb_url_free(&parts);
}

static void check_error(const char *text, int code, const membrane_error *err) {
    const char *message = membrane_error_message(err), *at = strrchr(text, '@');
    assert(code == MEMBRANE_ECONFIG && membrane_error_code(err) == code);
    assert(strncmp(message, "OLLAMA_HOST=", 12) == 0 && mb_utf8_valid(message, strlen(message)));
    const char *colon = at ? memrchr(text, ':', (size_t)(at - text)) : NULL;
    const char *scheme = strstr(text, "://"), *from = scheme && scheme < colon ? scheme + 3 : text;
    if (!colon || at - colon < 12 || strcspn(from, "/?#") < (size_t)(at - from)) return; // of a path, perhaps
    char *password = strndup(colon + 1, (size_t)(at - colon - 1));
    assert(password);
    // What stands in front of the login or behind it is shown, and may hold the same text.
    bool elsewhere = strstr(at, password) || memmem(text, (size_t)(from - text), password, strlen(password));
    assert(elsewhere || !strstr(message + 12, password));
    free(password);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    mb_arena arena = {0};
    membrane_error *err = NULL;
    const char *url = NULL;
    char *text = mb_strndup((const char *)bytes, len);
    assert(text);
    int code = mb_config_ollama_host(&arena, text, &url, &err);
    assert((code == 0) == (url != NULL));
    if (code)
        check_error(text, code, err);
    else
        check_url(url);
    membrane_error_free(err);
    mb_arena_free(&arena);
    mb_free(text);
    return 0;
}
