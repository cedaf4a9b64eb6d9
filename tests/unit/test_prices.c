// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/alloc.h"
#include "route/prices.h"
#include "unit.h"

static mb_arena arena;

static int load(const char *text, const mb_prices **ret, membrane_error **err) {
    const mb_json *table = NULL;
    if (text) ck_assert_int_eq(mb_json_parse(&arena, text, strlen(text), &table, NULL), 0);
    return mb_prices_load(&arena, table, ret, err);
}

START_TEST(the_built_in_table_is_read_and_its_first_fitting_row_counts) {
    const mb_prices *p = NULL;
    membrane_error *err = NULL;
    ck_assert_msg(load(NULL, &p, &err) == 0, "%s", membrane_error_message(err));
    const mb_price *mini = mb_prices_find(p, "openai", false, "gpt-4o-mini-2024-07-18");
    ck_assert_ptr_nonnull(mini);
    ck_assert_double_eq(mini->input, 0.15);
    ck_assert_int_eq(mini->window, 128000);
    ck_assert_str_eq(mini->date, "2026-06");
    ck_assert_double_eq(mb_prices_find(p, "openai", false, "gpt-4o")->input, 2.5);
    ck_assert_double_eq(mb_prices_find(p, "bedrock", false, "us.anthropic.claude-sonnet-4-5-20250929-v1:0")->output,
                        15);
    ck_assert_ptr_null(mb_prices_find(p, "openai", false, "gpt-4o-audio-preview"));
    ck_assert_ptr_null(mb_prices_find(p, "nobody", false, "gpt-4o"));
    ck_assert_ptr_null(mb_prices_find(p, "openai", false, NULL));
    mb_arena_free(&arena);
}
END_TEST

START_TEST(what_runs_at_home_costs_nothing_and_what_is_unknown_costs_nobody_knows_what) {
    const mb_prices *p = NULL;
    mb_usage u = {10, -1, -1, 20, -1};
    ck_assert_int_eq(load(NULL, &p, NULL), 0);
    ck_assert_int_eq(mb_price_cost(mb_prices_find(p, "ollama", true, "x"), &u), 0);
    ck_assert_int_eq(mb_price_cost(mb_prices_find(p, "ollama", false, "x"), &u), -1);
    ck_assert_int_eq(mb_price_cost(mb_prices_find(p, "litellm", true, "x"), &u), -1);
    ck_assert_int_eq(mb_price_cost(NULL, &u), -1);
    mb_arena_free(&arena);
}
END_TEST

START_TEST(cached_and_written_tokens_are_counted_once) {
    const mb_price p = {.input = 3, .cached = 0.3, .cache_write = 3.75, .output = 15, .has_price = true};
    const mb_price plain = {.input = 3, .cached = -1, .cache_write = -1, .output = 15, .has_price = true};
    const mb_price tall = {.input = 3,
                           .cached = 0.3,
                           .cache_write = -1,
                           .output = 15,
                           .over = 200000,
                           .over_input = 6,
                           .over_output = 22.5,
                           .has_price = true};
    static const struct {
        mb_usage u;
        int64_t cost, plain;
    } ROWS[] = {
        {{1000, -1, -1, 100, -1}, 4500, 4500},
        {{1000, 400, -1, 100, 50}, 3420, 4500},
        {{1000, 400, 100, 0, -1}, 1995, 3000},
        {{0, -1, -1, 0, -1}, 0, 0},
        {{-1, -1, -1, 10, -1}, -1, -1},
        {{10, -1, -1, -1, -1}, -1, -1},
        {{100, 400, -1, 0, -1}, 120, 1200},
        {{1, -1, -1, 0, -1}, 3, 3},
        {{INT64_MAX, -1, -1, INT64_MAX, -1}, -1, -1},
        {{INT64_MAX / 8, -1, -1, 0, -1}, -1, -1}, // one such cost fits, and a sum of them does not
    };
    for (size_t i = 0; i < MB_COUNT(ROWS); i++) {
        ck_assert_int_eq(mb_price_cost(&p, &ROWS[i].u), ROWS[i].cost);
        ck_assert_int_eq(mb_price_cost(&plain, &ROWS[i].u), ROWS[i].plain);
    }
    mb_usage below = {200000, 0, 0, 10, -1}, above = {200001, 100000, 0, 10, -1};
    ck_assert_int_eq(mb_price_cost(&tall, &below), 600150);
    ck_assert_int_eq(mb_price_cost(&tall, &above), 100001 * 6 + 60000 + 225);
}
END_TEST

START_TEST(a_file_comes_first_or_alone_and_mistakes_have_a_place) {
    const mb_prices *p = NULL;
    membrane_error *err = NULL;
    static const char MINE[] = "{\"lists\":[{\"providers\":[\"openai\"],\"models\":[{\"model\":\"gpt-4o\",\"input\":1,"
                               "\"output\":2,\"window\":9}]}]}";
    ck_assert_int_eq(load(MINE, &p, &err), 0);
    ck_assert_double_eq(mb_prices_find(p, "openai", false, "gpt-4o")->input, 1);
    ck_assert_double_eq(mb_prices_find(p, "openai", false, "gpt-4o-mini")->input, 0.15);
    ck_assert_int_eq(load("{\"replace\":true,\"lists\":[]}", &p, &err), 0);
    ck_assert_ptr_null(mb_prices_find(p, "openai", false, "gpt-4o"));
    static const struct {
        const char *text, *says;
    } BAD[] = {
        {"[]", "must be an object"},
        {"{\"list\":[]}", "list: unknown key"},
        {"{\"lists\":[3]}", "each list must be an object"},
        {"{\"lists\":[{\"providers\":\"x\",\"models\":[]}]}", "providers: must be a list of names"},
        {"{\"lists\":[{\"providers\":[1],\"models\":[]}]}", "providers: must be a list of names"},
        {"{\"lists\":[{\"providers\":[],\"models\":[{}]}]}", "a row without \"model\""},
        {"{\"lists\":[{\"providers\":[],\"models\":[{\"model\":\"a\",\"input\":-1}]}]}", "input: must be a number"},
        {"{\"lists\":[{\"providers\":[],\"models\":[{\"model\":\"a\",\"window\":0}]}]}", "window: must be a number"},
        {"{\"lists\":[{\"providers\":[],\"models\":[{\"model\":\"a\",\"prise\":1}]}]}", "prise: unknown key"},
    };
    for (size_t i = 0; i < MB_COUNT(BAD); i++) {
        ck_assert_int_eq(load(BAD[i].text, &p, &err), MEMBRANE_ECONFIG);
        ck_assert_msg(strstr(membrane_error_message(err), BAD[i].says), "%s", membrane_error_message(err));
        membrane_error_free(err);
        err = NULL;
    }
    mb_arena_free(&arena);
}
END_TEST

static int load_once(void *unused) {
    mb_arena own = {0};
    const mb_prices *p = NULL;
    membrane_error *err = NULL;
    (void)unused;
    int status = mb_prices_load(&own, NULL, &p, &err);
    membrane_error_free(err);
    mb_arena_free(&own);
    return status;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(load_once, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, the_built_in_table_is_read_and_its_first_fitting_row_counts);
    tcase_add_test(tc, what_runs_at_home_costs_nothing_and_what_is_unknown_costs_nobody_knows_what);
    tcase_add_test(tc, cached_and_written_tokens_are_counted_once);
    tcase_add_test(tc, a_file_comes_first_or_alone_and_mistakes_have_a_place);
    tcase_add_test(tc, every_allocation_may_fail);
}
UNIT_MAIN("prices", tests)
