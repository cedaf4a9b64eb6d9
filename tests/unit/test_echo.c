// SPDX-License-Identifier: MIT
#include "base/alloc.h"
#include "route/echo.h"
#include "unit.h"

static mb_turn turn;
static mb_decode decode;

static void setup(void) {
    mb_turn_init(&turn, (mb_turn_sink){0});
    decode = (mb_decode){.turn = &turn};
}

static void teardown(void) { mb_turn_free(&turn); }

static const mb_json *json(mb_arena *arena, const char *text) {
    const mb_json *v = NULL;
    ck_assert_int_eq(mb_json_parse(arena, text, strlen(text), &v, NULL), 0);
    return v;
}

START_TEST(what_the_message_says_anyway_is_not_kept) {
    setup();
    ck_assert_int_eq(mb_turn_tool_call(&turn, "c1", "f", NULL), 0);
    ck_assert_int_eq(mb_echo_text(&decode, 3, NULL), 0);
    ck_assert_int_eq(mb_echo_text(&decode, 4, NULL), 0);
    ck_assert_int_eq(mb_echo_call(&decode, 0, NULL), 0);
    ck_assert_int_eq(mb_echo_write(&decode), 0);
    ck_assert_uint_eq(turn.provider_data.len, 0);
    teardown();
}
END_TEST

START_TEST(order_members_and_raw_blocks_are_kept) {
    mb_arena arena = {0};
    setup();
    ck_assert_int_eq(mb_turn_tool_call(&turn, "c1", "f", NULL), 0);
    ck_assert_int_eq(mb_echo_raw(&decode, json(&arena, "{\"type\":\"thinking\"}")), 0);
    ck_assert_int_eq(mb_echo_call(&decode, 0, json(&arena, "{\"sig\":\"x\"}")), 0);
    ck_assert_int_eq(mb_echo_text(&decode, 2, NULL), 0);
    ck_assert_int_eq(mb_echo_with(&decode, json(&arena, "{\"late\":1}")), 0);
    ck_assert_int_eq(mb_echo_text(&decode, 3, NULL), 0);
    ck_assert_int_eq(mb_echo_raw_text(&decode, "{\"a\":[1]}", 9), 0);
    ck_assert_int_eq(mb_echo_write(&decode), 0);
    ck_assert_str_eq(mb_buf_text(&turn.provider_data),
                     "\"blocks\":[{\"raw\":{\"type\":\"thinking\"}},{\"call\":\"c1\",\"with\":{\"sig\":\"x\"}},"
                     "{\"text\":2,\"with\":{\"late\":1}},{\"text\":3},{\"raw\":{\"a\":[1]}}]");
    mb_arena_free(&arena);
    teardown();
}
END_TEST

static int say(void *user, const mb_echo_block *b) {
    if (b->text) mb_buf_putf(user, "text(%.*s)", (int)b->len, b->text);
    if (b->call) mb_buf_putf(user, "call(%s)", mb_json_get_str(b->call, "id"));
    if (b->raw) mb_buf_putf(user, "raw(%s)", mb_json_get_str(b->raw, "type"));
    if (b->with) mb_buf_puts(user, "+");
    mb_buf_putc(user, ' ');
    return 0;
}

START_TEST(a_list_that_fits_is_said_in_its_order_and_any_other_not_at_all) {
    static const char CALLS[] = "\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\"}}]";
    static const char BLOCKS[] = "[{\"raw\":{\"type\":\"t\"}},{\"text\":2},{\"call\":\"c1\",\"with\":{}},{\"text\":3}]";
    static const struct {
        const char *provider, *content, *calls, *blocks, *said;
    } rows[] = {
        {"p", "\"hello\"", CALLS, BLOCKS, "raw(t) text(he) call(c1)+ text(llo) "},
        {"p", "[{\"type\":\"thinking\",\"thinking\":\"x\"},{\"type\":\"text\",\"text\":\"hello\"}]", CALLS, BLOCKS,
         "raw(t) text(he) call(c1)+ text(llo) "},
        {"other", "\"hello\"", CALLS, BLOCKS, NULL},
        {"p", "\"hell\"", CALLS, BLOCKS, NULL},
        {"p", "\"hello!\"", CALLS, BLOCKS, NULL},
        {"p", "\"hello\"", "\"tool_calls\":[]", BLOCKS, NULL},
        {"p", "\"hello\"", "\"tool_calls\":[{\"id\":\"c1\"},{\"id\":\"c2\"}]", BLOCKS, NULL},
        {"p", "\"hello\"", CALLS, "[{\"text\":-1}]", NULL},
        {"p", "\"hello\"", CALLS, "[{\"text\":99999999999},{\"call\":\"c1\"}]", NULL},
        {"p", "\"hello\"", CALLS, "[{\"text\":5},{\"raw\":3},{\"call\":\"c1\"}]", NULL},
        {"p", "\"hello\"", CALLS, "{}", NULL},
    };
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        mb_arena arena = {0};
        mb_buf text = MB_BUF(4096), said = MB_BUF(4096);
        mb_buf_putf(&text, "{\"content\":%s,%s,\"provider_data\":{\"provider\":\"p\",\"fields\":{\"blocks\":%s}}}",
                    rows[i].content, rows[i].calls, rows[i].blocks);
        mb_ask ask = {.provider = rows[i].provider};
        int status = mb_echo_each(&ask, json(&arena, mb_buf_text(&text)), say, &said);
        ck_assert_msg(status == (rows[i].said ? 0 : 1), "row %zu: %d", i, status);
        ck_assert_str_eq(mb_buf_text(&said), rows[i].said ? rows[i].said : "");
        mb_buf_free(&text);
        mb_buf_free(&said);
        mb_arena_free(&arena);
    }
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, what_the_message_says_anyway_is_not_kept);
    tcase_add_test(tc, order_members_and_raw_blocks_are_kept);
    tcase_add_test(tc, a_list_that_fits_is_said_in_its_order_and_any_other_not_at_all);
}
UNIT_MAIN("echo", tests)
