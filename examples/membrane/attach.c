// SPDX-License-Identifier: MIT
// Files on the way into a request: images are known by their first bytes, all else must be UTF-8 text.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"
#include "request.h"

enum { MAX_FILE_BYTES = 16 << 20 };

static int read_all(cli_app *app, int fd, const char *name, cli_text *t) {
    char piece[65536];
    text_put(t, "", 0);
    for (;;) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(app, MEMBRANE_EIO, NULL, "%s: %s", name, strerror(errno));
        if (got == 0) break;
        if (t->len + (size_t)got > MAX_FILE_BYTES)
            return fail(app, MEMBRANE_EINVAL, NULL, "%s: larger than 16 MiB", name);
        text_put(t, piece, (size_t)got);
    }
    return t->failed ? fail(app, MEMBRANE_ENOMEM, NULL, "out of memory") : 0;
}

int read_file(cli_app *app, const char *path, cli_text *ret_text) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail(app, errno == ENOENT ? MEMBRANE_ENOTFOUND : MEMBRANE_EIO, NULL, "%s: %s", path, strerror(errno));
    int code = read_all(app, fd, path, ret_text);
    close(fd);
    return code;
}

int read_stdin(cli_app *app, cli_text *ret_text) {
    struct stat state;
    if (fstat(STDIN_FILENO, &state) != 0) return 0;
    if (!S_ISFIFO(state.st_mode) && !S_ISREG(state.st_mode) && !S_ISSOCK(state.st_mode)) return 0;
    int code = read_all(app, STDIN_FILENO, "standard input", ret_text);
    if (code) return code;
    size_t good = utf8_prefix(ret_text->data, ret_text->len);
    if (good == ret_text->len) return 0;
    return fail(app, MEMBRANE_EINVAL, "convert it, as in: iconv -f latin1 -t utf-8",
                "standard input: byte %zu is not UTF-8 text", good + 1);
}

static const char *image_type(const cli_text *file) {
    static const struct {
        const char *start;
        size_t len;
        const char *type;
    } images[] = {{"\x89PNG\r\n\x1a\n", 8, "image/png"},
                  {"\xff\xd8\xff", 3, "image/jpeg"},
                  {"GIF87a", 6, "image/gif"},
                  {"GIF89a", 6, "image/gif"}};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        if (file->len >= images[i].len && memcmp(file->data, images[i].start, images[i].len) == 0)
            return images[i].type;
    if (file->len >= 12 && memcmp(file->data, "RIFF", 4) == 0 && memcmp(file->data + 8, "WEBP", 4) == 0)
        return "image/webp";
    return NULL;
}

static int put_attachment(cli_app *app, cli_text *t, const char *path) {
    cli_text file = {0};
    int code = read_file(app, path, &file);
    const char *type = code ? NULL : image_type(&file), *slash = strrchr(path, '/');
    const char *name = slash && slash[1] ? slash + 1 : path;
    size_t good = code || type ? 0 : utf8_prefix(file.data, file.len);
    if (code) {
    } else if (type) {
        text_format(t, "{\"type\":\"image\",\"media_type\":\"%s\",\"data\":\"", type);
        text_base64(t, (const unsigned char *)file.data, file.len);
        text_str(t, "\"},");
    } else if (good < file.len) {
        code = fail(app, MEMBRANE_EINVAL, "attach text in UTF-8, or a png, jpeg, gif or webp image",
                    "%s: byte %zu is not UTF-8 text, and it is no image that models know", path, good + 1);
    } else {
        text_str(t, "{\"type\":\"document\",\"name\":");
        text_json_n(t, name, utf8_prefix(name, strlen(name)));
        text_str(t, ",\"text\":");
        text_json_n(t, file.data, file.len);
        text_str(t, "},");
    }
    text_free(&file);
    return code;
}

int put_content(cli_app *app, cli_text *t, const char *prompt, bool with_attachments) {
    const cli_args *args = &app->args;
    if (!with_attachments || !args->given[OPT_ATTACH]) {
        text_json(t, prompt);
        return 0;
    }
    // Documents first: models follow a question better when it stands after what it is about.
    text_str(t, "[");
    for (size_t i = 0; i < args->value_count; i++) {
        int code = args->values[i].id == OPT_ATTACH ? put_attachment(app, t, args->values[i].text) : 0;
        if (code) return code;
    }
    if (*prompt) {
        text_str(t, "{\"type\":\"text\",\"text\":");
        text_json(t, prompt);
        text_str(t, "}]");
    } else {
        t->data[t->len - 1] = ']'; // over the last comma
    }
    return 0;
}
