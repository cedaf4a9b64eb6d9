// SPDX-License-Identifier: MIT
// Whole conversations through every wire (TAP):
//   - round trips: any conversation, written, read and written again is the same request, tells the same, and a strict
//     server would take it; also where the history is damaged (calls without results, results without calls, arguments
//     that are no JSON);
//   - moves: an answer with signed thinking and parallel calls of one wire goes on at every other one; what is signed
//     goes back to its provider and to nobody else.
// Seeded: rounds [SEEDS [FIRST]].
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/rng.h"
#include "conversation.h"

static int failures;

static void result(int number, const char *what, const char *kind, const char *other, const mb_buf *why) {
    printf("%s %d - %s %s%s%s\n", why->len ? "not ok" : "ok", number, what, kind, *other ? " to " : "", other);
    if (why->len) printf("# %s\n", mb_buf_text(why));
    failures += why->len > 0;
}

// ---- any conversation ----------------------------------------------------------------------------------------------

static const char TOOLS[] =
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"fs.read\",\"description\":\"Reads.\",\"parameters\":{\"type\":\"object\","
    "\"properties\":{\"path\":{\"type\":\"string\"}}}}},{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":"
    "{\"type\":\"object\",\"properties\":{}}}},{\"type\":\"function\",\"function\":{\"name\":\"fs/read\",\"parameters\":{\"type\":"
    "\"object\",\"properties\":{}}}}]";

static void put_words(mb_jw *w, mb_rng *rng) {
    static const char *const WORDS[] = {"the",    "quick",     "zürich", "\"quoted\"", "a\\b",   "日本", "<tag>",
                                        "{json}", "tab\there", "line.",  "emoji 🙂", "`code`", "&amp;"};
    mb_buf text = MB_BUF(4096);
    size_t n = 1 + mb_rng_below(rng, 6);
    for (size_t i = 0; i < n; i++)
        mb_buf_putf(&text, "%s%s", i ? " " : "", WORDS[mb_rng_below(rng, sizeof WORDS / sizeof *WORDS)]);
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
}

static void put_text_message(mb_jw *w, mb_rng *rng, const char *role) {
    mb_jw_object(w);
    mb_jw_kstr(w, "role", role);
    mb_jw_key(w, "content");
    if (mb_rng_below(rng, 2)) {
        put_words(w, rng);
    } else {
        mb_jw_array(w);
        for (uint64_t i = 0, n = 1 + mb_rng_below(rng, 3); i < n; i++) {
            mb_jw_object(w);
            mb_jw_kstr(w, "type", "text");
            mb_jw_key(w, "text");
            put_words(w, rng);
            mb_jw_end_object(w);
        }
        mb_jw_end_array(w);
    }
    mb_jw_end_object(w);
}

static void put_result(mb_jw *w, mb_rng *rng, const char *id) {
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "tool");
    mb_jw_kstr(w, "tool_call_id", id);
    mb_jw_key(w, "content");
    put_words(w, rng);
    mb_jw_end_object(w);
}

// An assistant that calls one to three tools, and their results. damaged: some are missing, some belong to nobody.
static void put_calls(mb_jw *w, mb_rng *rng, int number, bool damaged) {
    static const char *const NAMES[] = {"fs.read", "get_weather", "fs/read"};
    static const char *const ARGS[] = {"{}", "{\"path\":\"a\\nb\"}",
                                       "{\"path\":\"x\",\"n\":[1,2.5,null,{\"k\":true}]}"};
    static const char *const BAD[] = {"", "{\"path\":", "[1]", "null", "not json"};
    uint64_t calls = 1 + mb_rng_below(rng, 3);
    char id[64];
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "assistant");
    mb_jw_key(w, "content");
    if (mb_rng_below(rng, 2))
        put_words(w, rng);
    else
        mb_jw_null(w);
    mb_jw_key(w, "tool_calls");
    mb_jw_array(w);
    for (uint64_t i = 0; i < calls; i++) {
        snprintf(id, sizeof id, "call_%d_%d", number, (int)i);
        mb_jw_object(w);
        mb_jw_kstr(w, "id", id);
        mb_jw_key(w, "function");
        mb_jw_object(w);
        mb_jw_kstr(w, "name", NAMES[mb_rng_below(rng, 3)]);
        mb_jw_kstr(w, "arguments",
                   damaged && mb_rng_below(rng, 3) == 0 ? BAD[mb_rng_below(rng, 5)] : ARGS[mb_rng_below(rng, 3)]);
        mb_jw_end_object(w);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
    mb_jw_end_object(w);
    for (uint64_t i = 0; i < calls; i++) {
        snprintf(id, sizeof id, "call_%d_%d", number, (int)i);
        if (!damaged || mb_rng_below(rng, 3)) put_result(w, rng, id);
        if (damaged && mb_rng_below(rng, 4) == 0) put_result(w, rng, "nobody");
        if (damaged && mb_rng_below(rng, 4) == 0) put_text_message(w, rng, "user");
    }
}

static const mb_json *make(uint64_t seed, bool damaged, mb_arena *arena) {
    mb_rng rng;
    mb_buf text = MB_BUF(1 << 20);
    mb_jw w = mb_jw_to(&text);
    const mb_json *request = NULL;
    mb_rng_seed_with(&rng, seed);
    mb_jw_object(&w);
    mb_jw_key(&w, "messages");
    mb_jw_array(&w);
    if (mb_rng_below(&rng, 2)) put_text_message(&w, &rng, "system");
    for (int i = 0, n = 1 + (int)mb_rng_below(&rng, 5); i < n; i++) {
        put_text_message(&w, &rng, "user");
        if (mb_rng_below(&rng, 2)) put_calls(&w, &rng, i, damaged);
        if (mb_rng_below(&rng, 3)) put_text_message(&w, &rng, "assistant");
    }
    put_text_message(&w, &rng, "user");
    mb_jw_end_array(&w);
    mb_jw_kint(&w, "max_tokens", 100 + (int64_t)mb_rng_below(&rng, 1000));
    if (mb_rng_below(&rng, 2)) mb_jw_kstr(&w, "stop", "END");
    mb_jw_kbool(&w, "drop_unsupported", true);
    mb_buf_puts(&text, ",");
    mb_buf_puts(&text, TOOLS);
    mb_jw_end_object(&w);
    if (mb_json_parse(arena, mb_buf_text(&text), text.len, &request, NULL) != 0) abort();
    mb_buf_free(&text);
    return request;
}

// ---- rounds --------------------------------------------------------------------------------------------------------

static void compare_tales(const mb_json *a, const mb_json *b, mb_buf *why) {
    mb_buf first = MB_BUF(1 << 22), second = MB_BUF(1 << 22);
    conversation_tell(a, &first);
    conversation_tell(b, &second);
    if (strcmp(mb_buf_text(&first), mb_buf_text(&second)) != 0)
        mb_buf_putf(why, "another tale:%s\n--- instead of%s", mb_buf_text(&second), mb_buf_text(&first));
    mb_buf_free(&first);
    mb_buf_free(&second);
}

static void put_json(mb_buf *out, const mb_json *v) {
    mb_jw w = mb_jw_to(out);
    mb_jw_value(&w, v);
}

static void round_trip(const wire_row *row, uint64_t seed, bool damaged, mb_buf *why) {
    mb_arena arena = {0};
    const mb_json *a = make(seed, damaged, &arena), *b = NULL, *second = NULL;
    const mb_json *first = wire_write(row, a, &arena, why);
    if (first) wire_strict(row, first, why);
    if (first && !why->len) b = wire_read(row, first, &arena, why);
    if (b) second = wire_write(row, b, &arena, why);
    if (second && !mb_json_equal(first, second)) {
        mb_buf_puts(why, "written again it is another request: ");
        put_json(why, second);
        mb_buf_puts(why, "\n--- instead of ");
        put_json(why, first);
    }
    if (second && !damaged) compare_tales(a, b, why);
    if (why->len) mb_buf_putf(why, " (seed %llu%s)", (unsigned long long)seed, damaged ? ", damaged" : "");
    mb_arena_free(&arena);
}

static bool is_there(const wire_row *row) {
    mb_arena arena = {0};
    const mb_quirks *q;
    bool there = mb_quirks_load(&arena, row->kind, NULL, &q, NULL) == 0;
    mb_arena_free(&arena);
    return there;
}

// ---- moves ---------------------------------------------------------------------------------------------------------

static const char MOVE_TOOLS[] =
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"fs.read\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}},"
    "{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}]";

static void put_answer(mb_jw *w, const mb_turn *turn, const char *provider) {
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "assistant");
    mb_jw_key(w, "content");
    mb_jw_array(w);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "thinking");
    mb_jw_kstr(w, "thinking", mb_buf_text(&turn->thinking));
    mb_jw_end_object(w);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "text");
    mb_jw_kstr(w, "text", mb_buf_text(&turn->text));
    mb_jw_end_object(w);
    mb_jw_end_array(w);
    mb_jw_key(w, "tool_calls");
    mb_jw_array(w);
    for (size_t i = 0; i < turn->call_count; i++) {
        mb_jw_object(w);
        mb_jw_kstr(w, "id", turn->calls[i].id);
        mb_jw_key(w, "function");
        mb_jw_object(w);
        mb_jw_kstr(w, "name", turn->calls[i].name);
        mb_jw_kstr(w, "arguments", mb_buf_text(&turn->calls[i].arguments));
        mb_jw_end_object(w);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
    mb_jw_key(w, "provider_data");
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", provider);
    mb_jw_key(w, "fields");
    mb_jw_object(w);
    mb_jw_raw(w, mb_buf_text(&turn->provider_data), turn->provider_data.len);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static int decode(const wire_row *row, mb_turn *turn, mb_arena *arena) {
    static mb_json_parser *parser;
    mb_buf tools = MB_BUF(65536);
    mb_ask ask = {.kind = MB_ASK_CHAT, .provider = row->kind, .model = "m", .base_url = "http://127.0.0.1/v1"};
    if (!parser) parser = mb_json_parser_new();
    mb_buf_putf(&tools, "{\"messages\":[],%s}", MOVE_TOOLS);
    mb_json_parse(arena, tools.data, tools.len, &ask.request, NULL);
    mb_quirks_load(arena, row->kind, NULL, &ask.quirks, NULL);
    mb_decode d = {.ask = &ask, .turn = turn, .parser = parser};
    int status = mb_adapter_find(ask.quirks->wire)->body(&d, row->answer, strlen(row->answer));
    mb_buf_free(&tools);
    return status;
}

static const mb_json *after_answer(const wire_row *from, const mb_turn *turn, mb_arena *arena) {
    mb_buf text = MB_BUF(1 << 20);
    mb_jw w = mb_jw_to(&text);
    const mb_json *request = NULL;
    mb_jw_object(&w);
    mb_jw_key(&w, "messages");
    mb_jw_array(&w);
    mb_jw_raw(&w, "{\"role\":\"user\",\"content\":\"Look.\"}", 33);
    put_answer(&w, turn, from->kind);
    for (size_t i = turn->call_count; i-- > 0;) { // in another order than they were asked for
        mb_jw_object(&w);
        mb_jw_kstr(&w, "role", "tool");
        mb_jw_kstr(&w, "tool_call_id", turn->calls[i].id);
        mb_jw_kstr(&w, "content", i ? "rain" : "notes");
        mb_jw_end_object(&w);
    }
    mb_jw_end_array(&w);
    mb_jw_kbool(&w, "drop_unsupported", true);
    mb_buf_puts(&text, ",");
    mb_buf_puts(&text, MOVE_TOOLS);
    mb_jw_end_object(&w);
    if (mb_json_parse(arena, mb_buf_text(&text), text.len, &request, NULL) != 0) abort();
    mb_buf_free(&text);
    return request;
}

static void check_signature(const wire_row *from, const wire_row *to, const mb_json *body, mb_buf *why) {
    mb_buf text = MB_BUF(1 << 20);
    put_json(&text, body);
    bool sends = strstr(mb_buf_text(&text), "SIG-") != NULL, has = strstr(from->answer, "SIG-") != NULL;
    if (sends && from != to) mb_buf_puts(why, "what is bound to another provider is sent; ");
    if (!sends && has && from == to) mb_buf_puts(why, "what is signed does not go back; ");
    mb_buf_free(&text);
}

static void move(const wire_row *from, const wire_row *to, mb_buf *why) {
    mb_arena arena = {0};
    mb_turn turn;
    mb_turn_init(&turn, (mb_turn_sink){0});
    const mb_json *a = NULL, *body = NULL, *b = NULL;
    if (decode(from, &turn, &arena) != 0)
        mb_buf_putf(why, "the answer is not understood: %s", membrane_error_message(turn.error));
    else if (turn.call_count != 2 || strcmp(turn.calls[0].name, "fs.read") != 0 ||
             strcmp(mb_buf_text(&turn.thinking), "Hm.") != 0)
        mb_buf_putf(why, "%zu calls, the first one %s; thinking %s", turn.call_count,
                    turn.call_count ? turn.calls[0].name : "", mb_buf_text(&turn.thinking));
    else
        a = after_answer(from, &turn, &arena);
    if (a) body = wire_write(to, a, &arena, why);
    if (body) {
        wire_strict(to, body, why);
        check_signature(from, to, body, why);
        b = wire_read(to, body, &arena, why);
    }
    if (b) {
        mb_buf tale = MB_BUF(1 << 20);
        conversation_tell(b, &tale);
        static const char *const SAID[] = {
            "\nuser: Look.", "\nassistant: Let me look.",    "read {\"path\":\"a \\\"b\\\"\"}", "\ncall get_weather {}",
            "read: notes",   "\nresult of get_weather: rain"};
        for (size_t i = 0; i < sizeof SAID / sizeof *SAID; i++)
            if (!strstr(mb_buf_text(&tale), SAID[i]))
                mb_buf_putf(why, "nobody says%s: %s; ", SAID[i], mb_buf_text(&tale));
        mb_buf_free(&tale);
    }
    mb_turn_free(&turn);
    mb_arena_free(&arena);
}

int main(int argc, char **argv) {
    int seeds = argc > 1 ? atoi(argv[1]) : 300, number = 0;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    mb_buf why = MB_BUF(1 << 22);
    for (size_t i = 0; i < WIRE_ROW_COUNT; i++) {
        if (!is_there(&WIRE_ROWS[i])) continue;
        for (int damaged = 0; damaged < 2; damaged++) {
            mb_buf_reset(&why);
            for (int s = 0; s < seeds && !why.len; s++) round_trip(&WIRE_ROWS[i], first + (uint64_t)s, damaged, &why);
            result(++number, damaged ? "damaged conversations through" : "conversations through", WIRE_ROWS[i].kind, "",
                   &why);
        }
        for (size_t j = 0; j < WIRE_ROW_COUNT; j++) {
            if (!is_there(&WIRE_ROWS[j])) continue;
            mb_buf_reset(&why);
            move(&WIRE_ROWS[i], &WIRE_ROWS[j], &why);
            result(++number, "a conversation moves from", WIRE_ROWS[i].kind, WIRE_ROWS[j].kind, &why);
        }
    }
    printf("1..%d\n", number);
    mb_buf_free(&why);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
