// SPDX-License-Identifier: MIT
#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "runtime/secret.h"

static membrane_error *error_of(const char *text) {
    membrane_error *err = NULL;
    mb_error_set(&err, MEMBRANE_EAUTH, "%s", text);
    mb_error_field(err, &err->provider_message, text);
    mb_error_hint(err, "%s", text);
    return err;
}

START_TEST(a_secret_is_struck_wherever_it_stands) {
    static const struct {
        const char *text, *left;
    } rows[] = {
        {"key sk-PLANTED-1 is bad", "key ************ is bad"},
        {"sk-PLANTED-1", "************"},
        {"sk-PLANTED-1sk-PLANTED-1", "************************"},
        {"it begins sk-PLANTE", "it begins *********"},
        {"sk-PLANT… (cut)", "********… (cut)"},
        {"sk-PLAN", "sk-PLAN"},
        {"sk-sk-PLANTED-1", "sk-************"},
        {"another: sk-PLANTED-2-more, too", "another: *****************, too"},
        {"nothing here", "nothing here"},
        {"", ""},
    };
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        membrane_error *err = error_of(rows[i].text);
        mb_secret_strike(err, "sk-PLANTED-1");
        ck_assert_str_eq(membrane_error_message(err), rows[i].left);
        ck_assert_str_eq(membrane_error_provider_message(err), rows[i].left);
        ck_assert_str_eq(membrane_error_hint(err), rows[i].left);
        membrane_error_free(err);
    }
}
END_TEST

START_TEST(causes_are_struck_too_and_short_words_are_left) {
    membrane_error *err = error_of("outside abcdef abcde");
    err->cause = error_of("inside abcdef");
    mb_secret_strike(err, "abcdef");
    mb_secret_strike(err, "abcde");
    mb_secret_strike(err, NULL);
    mb_secret_strike(NULL, "abcdef");
    ck_assert_str_eq(membrane_error_message(err), "outside ****** abcde");
    ck_assert_str_eq(membrane_error_message(membrane_error_cause(err)), "inside ******");
    membrane_error_free(err);
}
END_TEST

START_TEST(a_header_hides_its_value_and_the_word_behind_its_scheme) {
    membrane_error *err = error_of("got Bearer tok-1234567 and tok-1234567");
    mb_secret_strike_header(err, "Authorization: Bearer tok-1234567");
    ck_assert_str_eq(membrane_error_message(err), "got ****************** and ***********");
    membrane_error_free(err);
}
END_TEST

static bool has(const mb_secret *list, const char *text) {
    for (; list; list = list->next)
        if (strcmp(list->text, text) == 0) return true;
    return false;
}

START_TEST(a_login_is_noted_as_written_decoded_and_as_basic_says_it) {
    mb_arena arena = {0};
    const mb_secret *list = NULL;
    ck_assert(mb_secret_note_login(&arena, "http://some%40one:pass%2Fword@host:80/path", &list));
    static const char *const all[] = {"some%40one:pass%2Fword",  "pass%2Fword", "some%40one", "some@one", "pass/word",
                                      "c29tZUBvbmU6cGFzcy93b3Jk"};
    for (size_t i = 0; i < MB_COUNT(all); i++) ck_assert_msg(has(list, all[i]), "%s", all[i]);
    list = NULL;
    ck_assert(mb_secret_note_login(&arena, "http://token@host", &list));
    ck_assert(has(list, "token") && has(list, "dG9rZW46"));
    list = NULL;
    ck_assert(mb_secret_note_login(&arena, "http://user:pa/ss@host", &list)); // no URL, but a proxy's text may be this
    ck_assert(has(list, "pa/ss"));
    list = NULL;
    ck_assert(mb_secret_note_login(&arena, "http://host/@cf/model", &list));
    ck_assert(mb_secret_note_login(&arena, "", &list));
    ck_assert_ptr_null(list);
    mb_arena_free(&arena);
}
END_TEST

static int note_all(void *unused) {
    mb_arena arena = {0};
    const mb_secret *list = NULL;
    bool good =
        mb_secret_note_login(&arena, "http://user:password@host", &list) && mb_secret_note(&arena, "key", &list);
    mb_arena_free(&arena);
    return good ? 0 : MEMBRANE_ENOMEM;
}

START_TEST(without_memory_it_says_so) { unit_every_allocation_fails(note_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, a_secret_is_struck_wherever_it_stands);
    tcase_add_test(tc, causes_are_struck_too_and_short_words_are_left);
    tcase_add_test(tc, a_header_hides_its_value_and_the_word_behind_its_scheme);
    tcase_add_test(tc, a_login_is_noted_as_written_decoded_and_as_basic_says_it);
    tcase_add_test(tc, without_memory_it_says_so);
}
UNIT_MAIN("secret", tests)
