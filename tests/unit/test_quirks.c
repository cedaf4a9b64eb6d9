// SPDX-License-Identifier: MIT
#include "route/quirks.h"

#include <string.h>

#include "base/alloc.h"
#include "route/adapter.h"
#include "unit.h"

static int load(mb_arena *arena, const char *kind, const char *overrides, const mb_quirks **q, membrane_error **err) {
    const mb_json *v = NULL;
    if (overrides && mb_json_parse(arena, overrides, strlen(overrides), &v, err) != 0) return MEMBRANE_ENOMEM;
    return mb_quirks_load(arena, kind, v, q, err);
}

START_TEST(every_kind_loads_and_has_an_adapter) {
    mb_arena arena = {0};
    const char *const *kinds = mb_quirks_kinds(&arena);
    ck_assert_ptr_nonnull(kinds);
    size_t count = 0;
    for (; kinds[count]; count++) {
        const mb_quirks *q = NULL;
        membrane_error *err = NULL;
        int status = mb_quirks_load(&arena, kinds[count], NULL, &q, &err);
        ck_assert_msg(status == 0, "%s: %s", kinds[count], membrane_error_message(err));
        ck_assert_str_eq(q->kind, kinds[count]);
        bool builtin = strcmp(q->wire, "builtin") == 0;
        ck_assert(builtin || mb_adapter_find(q->wire));
        ck_assert(builtin || (q->chat_path && q->auth_header));
        ck_assert(!q->key_needed || q->key_env);
        size_t len = q->base_url ? strlen(q->base_url) : 0;
        ck_assert(len == 0 || q->base_url[len - 1] != '/');
    }
    ck_assert_uint_ge(count, 20);
    mb_arena_free(&arena);
}
END_TEST

START_TEST(the_kind_wins_over_its_wire_and_the_overrides_over_both) {
    mb_arena arena = {0};
    const mb_quirks *q = NULL;
    ck_assert_int_eq(load(&arena, "mistral", NULL, &q, NULL), 0);
    ck_assert(!q->include_usage);
    ck_assert_str_eq(q->chat_path, "/chat/completions");
    ck_assert_str_eq(q->unsupported[1], "seed");
    static const char OWN[] =
        "{\"include_usage\":true,\"unsupported\":[\"top_p\"],\"thinking_key\":null,\"chat_path\":\"/c\"}";
    ck_assert_int_eq(load(&arena, "mistral", OWN, &q, NULL), 0);
    ck_assert(q->include_usage);
    ck_assert_str_eq(q->chat_path, "/c");
    ck_assert_str_eq(q->unsupported[0], "top_p");
    ck_assert_ptr_null(q->unsupported[1]);
    mb_arena_free(&arena);
}
END_TEST

START_TEST(another_wire_brings_its_own_defaults) {
    mb_arena arena = {0};
    const mb_quirks *q = NULL;
    ck_assert_int_eq(load(&arena, "deepseek", "{\"wire\":\"openai-responses\"}", &q, NULL), 0);
    ck_assert_str_eq(q->base_url, "https://api.deepseek.com/v1"); // of the server
    ck_assert_str_eq(q->key_env, "DEEPSEEK_API_KEY");
    ck_assert_str_eq(q->chat_path, "/responses"); // of the wire
    ck_assert_str_eq(q->thinking_key, "reasoning");
    ck_assert_ptr_null(q->max_tokens_key);
    ck_assert_str_eq(q->unsupported[0], "stop");
    ck_assert_ptr_null(q->drop[0]);
    ck_assert_int_eq(load(&arena, "azure", "{\"wire\":\"openai-responses\",\"chat_path\":\"/r\"}", &q, NULL), 0);
    ck_assert_str_eq(q->auth_header, "api-key");
    ck_assert_str_eq(q->chat_path, "/r");
    mb_arena_free(&arena);
}
END_TEST

START_TEST(wrong_words_are_named) {
    static const struct {
        const char *kind, *overrides, *says;
    } BAD[] = {
        {"olama", NULL, "unknown kind of provider \"olama\""},
        {"openai", "{\"chat_pth\":\"/x\"}", "quirks.chat_pth: unknown key; did you mean \"chat_path\"?"},
        {"openai", "{\"local\":\"yes\"}", "quirks.local must be true or false"},
        {"openai", "{\"drop\":\"x\"}", "quirks.drop must be a list of at most 15 names"},
        {"openai", "{\"drop\":[1]}", "quirks.drop must be a list of names"},
        {"openai", "{\"chat_path\":1}", "quirks.chat_path must be a string or null"},
        {"openai", "[]", "quirks must be an object, not array"},
    };
    for (size_t i = 0; i < MB_COUNT(BAD); i++) {
        mb_arena arena = {0};
        const mb_quirks *q = NULL;
        membrane_error *err = NULL;
        ck_assert_int_eq(load(&arena, BAD[i].kind, BAD[i].overrides, &q, &err), MEMBRANE_ECONFIG);
        ck_assert_str_eq(membrane_error_message(err), BAD[i].says);
        membrane_error_free(err);
        mb_arena_free(&arena);
    }
}
END_TEST

static int load_one(void *user) {
    (void)user;
    mb_arena arena = {0};
    const mb_quirks *q = NULL;
    membrane_error *err = NULL;
    int status = load(&arena, "perplexity", "{\"drop\":[\"seed\"]}", &q, &err);
    if (status == 0 && !mb_quirks_kinds(&arena)) status = MEMBRANE_ENOMEM;
    membrane_error_free(err);
    mb_arena_free(&arena);
    return status;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(load_one, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, every_kind_loads_and_has_an_adapter);
    tcase_add_test(tc, the_kind_wins_over_its_wire_and_the_overrides_over_both);
    tcase_add_test(tc, another_wire_brings_its_own_defaults);
    tcase_add_test(tc, wrong_words_are_named);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("quirks", tests)
