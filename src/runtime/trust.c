// SPDX-License-Identifier: MIT
// The list is a text file, "HASH PATH" a line, written anew beside itself and renamed, so that it is never half there.
#include "runtime/trust.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"

static int join(const char *a, const char *b, char **ret, membrane_error **err) {
    mb_buf path = MB_BUF(PATH_MAX);
    mb_buf_puts(&path, a);
    mb_buf_puts(&path, b);
    bool is_long = path.failed == MEMBRANE_EINVAL;
    *ret = mb_buf_take(&path, NULL);
    if (*ret) return 0;
    return is_long ? mb_error_set(err, MEMBRANE_EIO, "%.64s… is too long for a path", a) : mb_error_no_memory(err);
}

int mb_trust_user_dir(char **ret, membrane_error **err) {
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    *ret = NULL;
    if (xdg && xdg[0] == '/') return join(xdg, "/membrane", ret, err);
    return home && home[0] ? join(home, "/.config/membrane", ret, err) : 0;
}

int mb_trust_find(const char *dir, char **ret, membrane_error **err) {
    static const char *const names[] = {"/.membrane/config.yaml", "/.membrane/config.json"};
    char folder[PATH_MAX], path[PATH_MAX + 32];
    *ret = NULL;
    if (!realpath(dir ? dir : ".", folder)) return 0;
    for (;;) {
        for (size_t i = 0; i < MB_COUNT(names); i++) {
            snprintf(path, sizeof path, "%s%s", strcmp(folder, "/") == 0 ? "" : folder, names[i]);
            if (access(path, F_OK) != 0) continue;
            *ret = mb_strdup(path);
            return *ret ? 0 : mb_error_no_memory(err);
        }
        char *slash = strrchr(folder, '/');
        if (!slash || strcmp(folder, "/") == 0) return 0;
        slash[slash == folder ? 1 : 0] = '\0';
    }
}

static int hash_file(const char *path, char hash[MB_HASH_HEX_SIZE], membrane_error **err) {
    mb_buf text = MB_BUF(MB_LIMIT_CONFIG);
    int code = mb_file_read(path, &text, err);
    if (code == 0 && mb_hash_hex(mb_buf_text(&text), text.len, hash) != 0)
        code = mb_error_set(err, MEMBRANE_EINTERNAL, "libsodium does not start");
    mb_buf_free(&text);
    return code;
}

static int list_path(char **ret, membrane_error **err) {
    char *dir;
    int code = mb_trust_user_dir(&dir, err);
    *ret = NULL;
    if (code == 0 && dir) code = join(dir, "/trusted", ret, err);
    mb_free(dir);
    return code;
}

// The line of the list that ends with this path; *ret_len its length with the newline.
static const char *find_line(const char *text, const char *path, size_t *ret_len) {
    size_t path_len = strlen(path);
    while (*text) {
        size_t len = strcspn(text, "\n");
        bool is_it = len == MB_HASH_HEX_SIZE + path_len && memcmp(text + MB_HASH_HEX_SIZE, path, path_len) == 0;
        *ret_len = len + (text[len] == '\n');
        if (is_it) return text;
        text += *ret_len;
    }
    return NULL;
}

int mb_trust_check(const char *path, bool *ret_trusted, membrane_error **err) {
    char hash[MB_HASH_HEX_SIZE];
    mb_buf text = MB_BUF(MB_LIMIT_CONFIG);
    char *list;
    size_t len;
    int code = list_path(&list, err);
    *ret_trusted = false;
    if (list && access(list, F_OK) == 0) {
        code = mb_file_read(list, &text, err);
        if (code == 0) code = hash_file(path, hash, err);
        const char *line = code == 0 ? find_line(mb_buf_text(&text), path, &len) : NULL;
        *ret_trusted = line && memcmp(line, hash, MB_HASH_HEX_SIZE - 1) == 0;
    }
    mb_buf_free(&text);
    mb_free(list);
    return code;
}

int mb_trust_add(const char *path, char ret_hash[MB_HASH_HEX_SIZE], membrane_error **err) {
    char full[PATH_MAX];
    mb_buf text = MB_BUF(MB_LIMIT_CONFIG);
    char *list;
    size_t len;
    int code = list_path(&list, err);
    if (code) return code;
    if (!list) return mb_error_set(err, MEMBRANE_EIO, "neither XDG_CONFIG_HOME nor HOME is set");
    if (!realpath(path, full)) code = mb_error_set(err, MEMBRANE_ENOTFOUND, "%s: %s", path, strerror(errno));
    if (code == 0 && strchr(full, '\n'))
        code = mb_error_set(err, MEMBRANE_EINVAL, "a path that holds a newline is not trusted");
    if (code == 0) code = hash_file(full, ret_hash, err);
    if (code == 0 && access(list, F_OK) == 0) code = mb_file_read(list, &text, err);
    if (code == 0) {
        const char *line = find_line(mb_buf_text(&text), full, &len);
        if (line) {
            size_t at = (size_t)(line - text.data);
            memmove(text.data + at, text.data + at + len, text.len - at - len + 1);
            text.len -= len;
        }
        if (text.len && text.data[text.len - 1] != '\n') mb_buf_putc(&text, '\n');
        mb_buf_putf(&text, "%s %s\n", ret_hash, full);
        code = mb_buf_ok(&text) ? mb_file_make_folders(list, err) : mb_error_no_memory(err);
        if (code == 0) code = mb_file_replace(list, mb_buf_text(&text), text.len, err);
    }
    mb_buf_free(&text);
    mb_free(list);
    return code;
}
