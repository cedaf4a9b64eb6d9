// SPDX-License-Identifier: MIT
// Writing: what a model or a server said can never drive a terminal, and a closed pipe is no drama.
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_color(int fd) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

void output_init(cli_app *app) {
    app->out_tty = isatty(STDOUT_FILENO);
    app->err_tty = isatty(STDERR_FILENO);
    app->out_color = has_color(STDOUT_FILENO);
    app->err_color = has_color(STDERR_FILENO);
}

void put_neutral(cli_text *t, const char *str, size_t len) {
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)str[i];
        // U+0080 to U+009F are written C2 80 to C2 9F; a terminal may take them for escape sequences too.
        bool is_c1 = c == 0xc2 && i + 1 < len && (unsigned char)str[i + 1] < 0xa0;
        if (!is_c1 && c != 0x7f && (c >= 0x20 || c == '\n' || c == '\t')) continue;
        text_put(t, str + from, i - from);
        if (is_c1)
            text_str(t, "\xef\xbf\xbd"), i++;
        else
            text_put(t, (char[]){'^', (char)(c ^ 0x40)}, 2);
        from = i + 1;
    }
    text_put(t, str + from, len - from);
}

bool out_text(const cli_app *app, const char *str, size_t len) {
    if (!app->out_tty) return fwrite(str, 1, len, stdout) == len;
    cli_text t = {0};
    put_neutral(&t, str, len);
    bool is_written = fwrite(t.data ? t.data : "", 1, t.len, stdout) == t.len;
    text_free(&t);
    return is_written;
}

bool out_str(const cli_app *app, const char *str) { return out_text(app, str, strlen(str)); }

void out_format(const cli_app *app, const char *format, ...) {
    char *made = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&made, format, args);
    va_end(args);
    if (len < 0) return;
    out_text(app, made, (size_t)len);
    free(made);
}

// JSON may hold DEL and C1 controls as they are; for a terminal they are written as JSON can say them too.
bool out_json(const char *str, size_t len) {
    bool has_terminal = isatty(STDOUT_FILENO);
    size_t from = 0;
    for (size_t i = 0; has_terminal && i < len; i++) {
        unsigned char c = (unsigned char)str[i], next = i + 1 < len ? (unsigned char)str[i + 1] : 0xff;
        bool is_c1 = c == 0xc2 && next < 0xa0;
        if (!is_c1 && c != 0x7f) continue;
        fwrite(str + from, 1, i - from, stdout);
        fprintf(stdout, "\\u%04x", is_c1 ? next : c);
        i += is_c1;
        from = i + 1;
    }
    fwrite(str + from, 1, len - from, stdout);
    fputc('\n', stdout);
    return fflush(stdout) == 0;
}

int out_result(const membrane_result *result) {
    size_t len = 0;
    const char *str = membrane_result_json(result, &len);
    out_json(str ? str : "{}", str ? len : 2);
    return 0;
}

int out_close(int code) {
    errno = 0;
    bool had_error = ferror(stdout);
    if (fflush(stdout) == 0 && !had_error) return code;
    if (errno == EPIPE || (had_error && errno == 0)) return code ? code : 1;
    fprintf(stderr, "membrane: standard output: %s\n", strerror(errno));
    return code ? code : 1;
}

static void write_error(const cli_app *app, const char *color, const char *str, size_t len) {
    cli_text t = {0};
    if (app->err_color) text_str(&t, color);
    put_neutral(&t, str, len);
    if (app->err_color) text_str(&t, "\033[0m");
    if (!t.failed) fwrite(t.data ? t.data : "", 1, t.len, stderr);
    text_free(&t);
}

void note_text(const cli_app *app, const char *str, size_t len) { write_error(app, "\033[2m", str, len); }

void note(const cli_app *app, const char *format, ...) {
    char *made = NULL;
    va_list args;
    if (app->quiet) return;
    va_start(args, format);
    int len = vasprintf(&made, format, args);
    va_end(args);
    if (len < 0) return;
    fflush(stdout);
    note_text(app, made, (size_t)len);
    fputc('\n', stderr);
    free(made);
}

static void put_member(cli_text *t, const char *name, const char *value) {
    text_format(t, ",\"%s\":", name);
    text_json(t, value);
}

// The members that are always there, then those that say more.
static void put_error(cli_text *t, const membrane_error *error, const char *partial) {
    text_str(t, "{\"error\":{\"kind\":");
    text_json(t, membrane_error_kind(error));
    put_member(t, "message", membrane_error_message(error));
    put_member(t, "provider", membrane_error_provider(error));
    text_format(t, ",\"retryable\":%s", membrane_error_retryable(error) ? "true" : "false");
    put_member(t, "hint", membrane_error_hint(error));
    put_member(t, "partial", partial && *partial ? partial : NULL);
    if (membrane_error_phase(error)) put_member(t, "phase", membrane_error_phase(error));
    if (membrane_error_http_status(error)) text_format(t, ",\"status\":%d", membrane_error_http_status(error));
    if (membrane_error_retry_after_ms(error) >= 0)
        text_format(t, ",\"retry_after_ms\":%lld", (long long)membrane_error_retry_after_ms(error));
    if (membrane_error_request_id(error)) put_member(t, "request_id", membrane_error_request_id(error));
    if (membrane_error_provider_message(error))
        put_member(t, "provider_message", membrane_error_provider_message(error));
    text_str(t, "}}");
}

static void tell(const cli_app *app, const char *kind, const char *provider, const char *message, const char *hint) {
    cli_text t = {0};
    text_format(&t, "%s%s%s: %s", provider ? provider : "", provider ? ": " : "", kind, message);
    fflush(stdout);
    write_error(app, "\033[1;31m", "membrane: ", 10);
    write_error(app, "", t.data ? t.data : message, t.data ? t.len : strlen(message));
    fputc('\n', stderr);
    if (hint) {
        t.len = 0;
        text_format(&t, "  try: %s\n", hint);
        if (t.data) write_error(app, "", t.data, t.len);
    }
    text_free(&t);
}

int fail_error(const cli_app *app, const membrane_error *error, const char *partial) {
    int code = membrane_status_exit_code(membrane_error_code(error));
    if (app->json) {
        cli_text t = {0};
        put_error(&t, error, partial);
        if (!t.failed) out_json(t.data, t.len);
        text_free(&t);
        return code;
    }
    tell(app, membrane_error_kind(error), membrane_error_provider(error), membrane_error_message(error),
         membrane_error_hint(error));
    return code;
}

int fail_free(const cli_app *app, membrane_error *error) {
    int code = fail_error(app, error, NULL);
    membrane_error_free(error);
    return code;
}

int fail(const cli_app *app, int status, const char *hint, const char *format, ...) {
    char *message = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&message, format, args);
    va_end(args);
    if (len < 0) return 1;
    if (app->json) {
        cli_text t = {0};
        text_str(&t, "{\"error\":{\"kind\":");
        text_json(&t, membrane_status_kind(status));
        text_str(&t, ",\"message\":");
        text_json_n(&t, message, utf8_prefix(message, strlen(message)));
        text_format(&t, ",\"provider\":null,\"retryable\":%s", membrane_status_retryable(status) ? "true" : "false");
        put_member(&t, "hint", hint);
        text_str(&t, ",\"partial\":null}}");
        if (!t.failed) out_json(t.data, t.len);
        text_free(&t);
    } else {
        tell(app, membrane_status_kind(status), NULL, message, hint);
    }
    free(message);
    return membrane_status_exit_code(status);
}
