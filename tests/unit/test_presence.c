// SPDX-License-Identifier: MIT
#include "unit.h"

#include <string.h>

#include "base/arena.h"
#include "membrane/error.h"
#include "route/presence.h"

static const mb_quirks PLAIN = {.kind = "plain"}, LOADS = {.kind = "llamacpp", .load_path = "/models/load"},
                       WHOLE = {.kind = "vllm", .lists_all = true},
                       TAGS = {.kind = "ollama", .lists_all = true, .default_tag = "latest"};

// ---- the server ----------------------------------------------------------------------------------------------------

START_TEST(whatever_is_answered_shows_that_it_is_there) {
    static const int CODES[] = {0,
                                MEMBRANE_EAUTH,
                                MEMBRANE_EPERMISSION,
                                MEMBRANE_EMODEL,
                                MEMBRANE_EBADREQUEST,
                                MEMBRANE_ENOTFOUND,
                                MEMBRANE_ERATE,
                                MEMBRANE_ERESPONSE};
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        int silences = 1;
        ck_assert_int_eq(mb_presence_health(MB_HEALTH_DOWN, CODES[i], false, &silences), MB_HEALTH_UP);
        ck_assert_int_eq(silences, 0);
    }
}
END_TEST

START_TEST(a_refused_connection_counts_at_once) {
    int silences = 0;
    ck_assert_int_eq(mb_presence_health(MB_HEALTH_UP, MEMBRANE_ECONNECT, false, &silences), MB_HEALTH_DOWN);
}
END_TEST

START_TEST(a_silence_counts_when_it_is_the_second_one_in_a_row) {
    static const int CODES[] = {MEMBRANE_ETIMEOUT, MEMBRANE_ESERVER, MEMBRANE_EGATEWAY, MEMBRANE_EOVERLOADED};
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        int silences = 0;
        ck_assert_int_eq(mb_presence_health(MB_HEALTH_UP, CODES[i], false, &silences), MB_HEALTH_UP);
        ck_assert_int_eq(mb_presence_health(MB_HEALTH_UP, 0, false, &silences), MB_HEALTH_UP);
        ck_assert_int_eq(mb_presence_health(MB_HEALTH_UP, CODES[i], false, &silences), MB_HEALTH_UP);
        ck_assert_int_eq(mb_presence_health(MB_HEALTH_UP, CODES[i], false, &silences), MB_HEALTH_DOWN);
        ck_assert_int_eq(mb_presence_health(MB_HEALTH_DOWN, CODES[i], false, &silences), MB_HEALTH_DOWN);
    }
}
END_TEST

START_TEST(who_loads_is_neither_up_nor_down) {
    int silences = 1;
    ck_assert_int_eq(mb_presence_health(MB_HEALTH_DOWN, MEMBRANE_EOVERLOADED, true, &silences), MB_HEALTH_LOADING);
    ck_assert_int_eq(mb_presence_health(MB_HEALTH_UP, 0, true, &silences), MB_HEALTH_LOADING);
    ck_assert_int_eq(silences, 0);
}
END_TEST

START_TEST(what_went_wrong_here_says_nothing) {
    static const int CODES[] = {MEMBRANE_ENOMEM, MEMBRANE_ECANCELLED, MEMBRANE_EUNSUPPORTED, MEMBRANE_EIO};
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        int silences = 1;
        ck_assert_int_eq(mb_presence_health(MB_HEALTH_UP, CODES[i], false, &silences), MB_HEALTH_UP);
        ck_assert_int_eq(mb_presence_health(MB_HEALTH_DOWN, CODES[i], false, &silences), MB_HEALTH_DOWN);
        ck_assert_int_eq(silences, 1);
    }
}
END_TEST

// ---- its models ----------------------------------------------------------------------------------------------------

static const mb_json *parse(mb_arena *arena, const char *text) {
    const mb_json *root = NULL;
    if (text) ck_assert_int_eq(mb_json_parse(arena, text, strlen(text), &root, NULL), 0);
    return root;
}

static mb_model_state state(const mb_quirks *q, const char *models, const char *loaded, const char *model) {
    mb_arena arena = {0};
    mb_model_state found = mb_presence_model(q, parse(&arena, models), parse(&arena, loaded), model);
    mb_arena_free(&arena);
    return found;
}

#define LIST   "[{\"model\":\"a\"},{\"model\":\"org/b\"}]"
#define ROUTER "[{\"model\":\"a\",\"loaded\":false},{\"model\":\"b\",\"loaded\":true}]"
#define TAGGED "[{\"model\":\"llama3:latest\"},{\"model\":\"qwen:7b\"},{\"model\":\"hf.co/me/x-GGUF:Q4\"}]"

START_TEST(only_a_list_of_everything_shows_that_a_model_is_absent) {
    ck_assert_int_eq(state(&PLAIN, LIST, NULL, "a"), MB_MODEL_THERE);
    ck_assert_int_eq(state(&PLAIN, LIST, NULL, "whatever it is called"), MB_MODEL_UNKNOWN);
    ck_assert_int_eq(state(&WHOLE, LIST, NULL, "org/b"), MB_MODEL_THERE);
    ck_assert_int_eq(state(&WHOLE, LIST, NULL, "b"), MB_MODEL_ABSENT);
    ck_assert_int_eq(state(&WHOLE, LIST, NULL, "A"), MB_MODEL_ABSENT);
    ck_assert_int_eq(state(&WHOLE, "[]", NULL, "a"), MB_MODEL_ABSENT);
}
END_TEST

START_TEST(without_a_list_nothing_is_known) {
    ck_assert_int_eq(state(&WHOLE, NULL, NULL, "a"), MB_MODEL_UNKNOWN);
    ck_assert_int_eq(state(&WHOLE, "{}", NULL, "a"), MB_MODEL_UNKNOWN);
    ck_assert_int_eq(state(&PLAIN, "[]", NULL, "a"), MB_MODEL_UNKNOWN);
}
END_TEST

START_TEST(a_router_tells_of_each_model_whether_it_is_loaded) {
    ck_assert_int_eq(state(&LOADS, ROUTER, NULL, "a"), MB_MODEL_THERE);
    ck_assert_int_eq(state(&LOADS, ROUTER, NULL, "b"), MB_MODEL_LOADED);
    ck_assert_int_eq(state(&LOADS, ROUTER, NULL, "c"), MB_MODEL_ABSENT);
    ck_assert_int_eq(state(&LOADS, LIST, NULL, "c"), MB_MODEL_UNKNOWN); // the same engine with one model
    ck_assert_int_eq(state(&PLAIN, ROUTER, NULL, "c"), MB_MODEL_UNKNOWN);
}
END_TEST

START_TEST(names_with_tags_are_the_same_however_they_are_written) {
    static const char *const SAME[] = {"llama3",
                                       "llama3:latest",
                                       "Llama3",
                                       "library/llama3",
                                       "qwen:7b",
                                       "registry.ollama.ai/library/llama3:latest",
                                       "hf.co/me/x-GGUF:Q4"};
    static const char *const OTHERS[] = {"qwen", "qwen:7", "llama3:8b", "lama3", "me/x-GGUF"};
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++)
        ck_assert_int_eq(state(&TAGS, TAGGED, NULL, SAME[i]), MB_MODEL_THERE);
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        ck_assert_int_eq(state(&TAGS, TAGGED, NULL, OTHERS[i]), MB_MODEL_ABSENT);
    ck_assert_int_eq(state(&TAGS, TAGGED, "[{\"model\":\"llama3:latest\"}]", "llama3"), MB_MODEL_LOADED);
    ck_assert_int_eq(state(&TAGS, TAGGED, "[]", "llama3"), MB_MODEL_THERE);
}
END_TEST

START_TEST(what_runs_in_a_cloud_need_not_be_listed) {
    ck_assert_int_eq(state(&TAGS, TAGGED, NULL, "gpt-oss:120b-cloud"), MB_MODEL_UNKNOWN);
    ck_assert_int_eq(state(&TAGS, TAGGED, NULL, "gemma4:cloud"), MB_MODEL_UNKNOWN);
    ck_assert_int_eq(state(&TAGS, TAGGED, NULL, "cloud:7b"), MB_MODEL_ABSENT);
}
END_TEST

START_TEST(windows_and_slots_are_what_the_server_says) {
    mb_arena arena = {0};
    const mb_json *models, *shown, *slots;
    static const char LISTED[] = "[{\"model\":\"a\",\"context_window\":4096},{\"model\":\"b\"}]";
    static const char ONE[] = "[{\"model\":\"a\"}]", SHOWN[] = "{\"context_window\":2048}";
    static const char SLOTS[] = "[{\"id\":0,\"busy\":true},{\"id\":1,\"busy\":false},{\"id\":2,\"busy\":true}]";
    ck_assert_int_eq(mb_json_parse(&arena, LISTED, sizeof LISTED - 1, &models, NULL), 0);
    ck_assert_int_eq(mb_json_parse(&arena, SHOWN, sizeof SHOWN - 1, &shown, NULL), 0);
    ck_assert_int_eq(mb_presence_window(&PLAIN, models, shown, "a"), 4096);
    ck_assert_int_eq(mb_presence_window(&PLAIN, models, shown, "b"), 0); // one of two: whose would it be?
    ck_assert_int_eq(mb_json_parse(&arena, ONE, sizeof ONE - 1, &models, NULL), 0);
    ck_assert_int_eq(mb_presence_window(&PLAIN, models, shown, "any name"), 2048);
    ck_assert_int_eq(mb_presence_window(&PLAIN, models, NULL, "a"), 0);
    ck_assert_int_eq(mb_json_parse(&arena, SLOTS, sizeof SLOTS - 1, &slots, NULL), 0);
    ck_assert_int_eq(mb_presence_busy_elsewhere(slots, 0), 2);
    ck_assert_int_eq(mb_presence_busy_elsewhere(slots, 1), 1);
    ck_assert_int_eq(mb_presence_busy_elsewhere(slots, 3), 0);
    ck_assert_int_eq(mb_presence_busy_elsewhere(NULL, 0), 0);
    mb_arena_free(&arena);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, whatever_is_answered_shows_that_it_is_there);
    tcase_add_test(tc, a_refused_connection_counts_at_once);
    tcase_add_test(tc, a_silence_counts_when_it_is_the_second_one_in_a_row);
    tcase_add_test(tc, who_loads_is_neither_up_nor_down);
    tcase_add_test(tc, what_went_wrong_here_says_nothing);
    tcase_add_test(tc, only_a_list_of_everything_shows_that_a_model_is_absent);
    tcase_add_test(tc, without_a_list_nothing_is_known);
    tcase_add_test(tc, a_router_tells_of_each_model_whether_it_is_loaded);
    tcase_add_test(tc, names_with_tags_are_the_same_however_they_are_written);
    tcase_add_test(tc, what_runs_in_a_cloud_need_not_be_listed);
    tcase_add_test(tc, windows_and_slots_are_what_the_server_says);
}
UNIT_MAIN("presence", tests)
