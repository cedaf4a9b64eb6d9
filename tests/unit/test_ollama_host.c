// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/config.h"

// The table of Ollama's own tests for what it takes, then what people write; NULL: an error.
static const struct {
    const char *text, *url;
} rows[] = {
    {"", "http://127.0.0.1:11434"},
    {"1.2.3.4", "http://1.2.3.4:11434"},
    {":1234", "http://127.0.0.1:1234"},
    {"1.2.3.4:1234", "http://1.2.3.4:1234"},
    {"example.com", "http://example.com:11434"},
    {"example.com:1234", "http://example.com:1234"},
    {"http://example.com", "http://example.com:80"},
    {"https://example.com", "https://example.com:443"},
    {"https://example.com:1234", "https://example.com:1234"},
    {"HTTPS://Example.com", "https://Example.com:443"},
    {"example.com/", "http://example.com:11434"},
    {"example.com/ollama", "http://example.com:11434/ollama"},
    {"http://example.com/a/b//", "http://example.com:80/a/b"},
    {"example.com:1234/a", "http://example.com:1234/a"},
    {"[::1]", "http://[::1]:11434"},
    {"[::1]:1234", "http://[::1]:1234"},
    {"https://[fd00::1]/x", "https://[fd00::1]:443/x"},
    {"::1", "http://[::1]:11434"},
    {"fd00::1", "http://[fd00::1]:11434"},
    {"0.0.0.0", "http://127.0.0.1:11434"},
    {"0.0.0.0:80", "http://127.0.0.1:80"},
    {"http://0.0.0.0:11434", "http://127.0.0.1:11434"},
    {"[::]", "http://[::1]:11434"},
    {"::", "http://[::1]:11434"},
    {"[::]:99", "http://[::1]:99"},
    {" \"example.com:1234\" \r\n", "http://example.com:1234"},
    {"'http://example.com'", "http://example.com:80"},
    {"\t\" example.com \"", "http://example.com:11434"},
    {"localhost", "http://localhost:11434"},
    {"localhost:1", "http://localhost:1"},
    {"localhost:65535", "http://localhost:65535"},
    {"user:secret@example.com", "http://user:secret@example.com:11434"},
    {"https://user:secret@example.com:8443/x", "https://user:secret@example.com:8443/x"},
    {"http://", "http://127.0.0.1:80"},
    {"/", "http://127.0.0.1:11434"},
    // Ollama would take its default for these; a typing error should be heard of.
    {"example.com:0", NULL},
    {"example.com:65536", NULL},
    {"example.com:-1", NULL},
    {"example.com:port", NULL},
    {"example.com:", NULL},
    {":", NULL},
    {"example.com:80 80", NULL},
    {"example.com:000080", NULL},
    {"[::1]1234", NULL},
    {"[::1", NULL},
    {"[]", NULL},
    {"[", NULL},
    {"]", NULL},
    {"1:2:3", NULL},
    {"ftp://example.com", NULL},
    {"unix:///run/ollama.sock", NULL},
    {"://", NULL},
    {"http://http://x", NULL},
    {"a b", NULL},
    {"exa mple.com:80", NULL},
    {"a\nb", NULL},
    {"example.com/a b", NULL},
    {"host\r\nX-Evil: 1", NULL},
    {"example.com?x", NULL},
    {"example.com#x", NULL},
    {"example.com/a?b=c", NULL},
    {"%00", NULL},
    {"a\\b", NULL},
};

START_TEST(each_way_to_write_it_gives_its_address) {
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        mb_arena arena = {0};
        membrane_error *err = NULL;
        const char *url = NULL;
        int code = mb_config_ollama_host(&arena, rows[i].text, &url, &err);
        if (rows[i].url) {
            ck_assert_msg(code == 0, "\"%s\": %s", rows[i].text, membrane_error_message(err));
            ck_assert_str_eq(url, rows[i].url);
        } else {
            ck_assert_msg(code == MEMBRANE_ECONFIG, "\"%s\" gave %s", rows[i].text, url);
            ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "OLLAMA_HOST="));
        }
        membrane_error_free(err);
        mb_arena_free(&arena);
    }
}
END_TEST

START_TEST(what_it_gives_can_be_parsed_and_has_no_final_slash) {
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        mb_arena arena = {0};
        const char *url;
        mb_url parts;
        if (!rows[i].url) continue;
        ck_assert_int_eq(mb_config_ollama_host(&arena, rows[i].text, &url, NULL), 0);
        ck_assert(url[strlen(url) - 1] != '/');
        ck_assert_int_eq(mb_url_parse(url, &parts, NULL), 0);
        mb_url_free(&parts);
        mb_arena_free(&arena);
    }
}
END_TEST

START_TEST(an_error_does_not_say_the_password) {
    static const char *const all[] = {"user:hidden@host:port", "ftp://user:hidden@host",
                                      "http://user:hid/hidden@host:x", "user:hidden@a b"};
    for (size_t i = 0; i < MB_COUNT(all); i++) {
        mb_arena arena = {0};
        membrane_error *err = NULL;
        const char *url;
        ck_assert_int_eq(mb_config_ollama_host(&arena, all[i], &url, &err), MEMBRANE_ECONFIG);
        ck_assert_msg(!strstr(membrane_error_message(err), "hid"), "%s", membrane_error_message(err));
        membrane_error_free(err);
        mb_arena_free(&arena);
    }
}
END_TEST

START_TEST(a_long_text_is_an_error_or_an_address_and_nothing_worse) {
    static char text[100000];
    static const char fill[] = "a:/[]@.%0\"";
    for (size_t i = 0; i < sizeof fill - 1; i++) {
        mb_arena arena = {0};
        membrane_error *err = NULL;
        const char *url;
        memset(text, fill[i], sizeof text - 1);
        int code = mb_config_ollama_host(&arena, text, &url, &err);
        ck_assert(code == 0 || code == MEMBRANE_ECONFIG);
        membrane_error_free(err);
        mb_arena_free(&arena);
    }
}
END_TEST

static int parse_one(void *text) {
    mb_arena arena = {0};
    membrane_error *err = NULL;
    const char *url;
    int code = mb_config_ollama_host(&arena, text, &url, &err);
    ck_assert(code == 0 || code == MEMBRANE_ENOMEM);
    ck_assert_int_eq(membrane_error_code(err), code);
    membrane_error_free(err);
    mb_arena_free(&arena);
    return code;
}

START_TEST(without_memory_it_says_so) {
    unit_every_allocation_fails(parse_one, (void *)(uintptr_t) "fd00::1");
    unit_every_allocation_fails(parse_one, (void *)(uintptr_t) "https://example.com/x");
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, each_way_to_write_it_gives_its_address);
    tcase_add_test(tc, what_it_gives_can_be_parsed_and_has_no_final_slash);
    tcase_add_test(tc, an_error_does_not_say_the_password);
    tcase_add_test(tc, a_long_text_is_an_error_or_an_address_and_nothing_worse);
    tcase_add_test(tc, without_memory_it_says_so);
}
UNIT_MAIN("ollama_host", tests)
