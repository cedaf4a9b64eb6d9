// SPDX-License-Identifier: MIT
// What tests/cases/gemini/ cannot say: what errors say, arguments of great depth and number, Vertex AI's base URL, and
// memory that runs out.
#include <stdio.h>

#include "unit.h"
#include "wire.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static const char *wanted;

static int look_error(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)wire;
    ck_assert_int_ne(status, 0);
    ck_assert_msg(strstr(membrane_error_message(turn->error), wanted) != NULL, "%s",
                  membrane_error_message(turn->error));
    return status;
}

static int look_url(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&wire->url), wanted);
    return 0;
}

static int look_warnings(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)wire;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&turn->warnings), wanted);
    return 0;
}

START_TEST(a_call_that_failed_says_why) {
    wire_test t = {"gemini",
                   "{" USER "}",
                   NULL,
                   "{\"candidates\":[{\"finishMessage\":\"Malformed function call: f(\",\"finishReason\":"
                   "\"MALFORMED_FUNCTION_CALL\"}]}",
                   false,
                   MB_ASK_CHAT,
                   look_error};
    wanted = "finishReason \"MALFORMED_FUNCTION_CALL\": Malformed function call: f(";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ETOOLUSE);
    t.answer = "[]";
    wanted = "answered 200 with something else than an answer: []";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
}
END_TEST

START_TEST(an_image_in_the_answer_is_named_in_a_warning) {
    wire_test t = {
        "gemini",
        "{" USER "}",
        NULL,
        "{\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AA\"}}]},"
        "\"finishReason\":\"STOP\"}]}",
        false,
        MB_ASK_CHAT,
        look_warnings};
    wanted = "\"the answer holds image/png, which stands in its provider_data\"";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

// ---- where ---------------------------------------------------------------------------------------------------------

static mb_wire *written(const char *kind, const char *base, const char *model, mb_ask_kind ask_kind) {
    static mb_wire wire;
    mb_arena arena = {0};
    membrane_error *err = NULL;
    static const char REQUEST[] = "{" USER "}";
    mb_ask ask = {.kind = ask_kind, .provider = "p", .model = model, .base_url = base};
    wire = (mb_wire){.url = MB_BUF(65536), .body = MB_BUF(65536), .headers = MB_BUF(65536)};
    ck_assert_int_eq(mb_quirks_load(&arena, kind, NULL, &ask.quirks, &err), 0);
    ck_assert_int_eq(mb_json_parse(&arena, REQUEST, sizeof REQUEST - 1, &ask.request, &err), 0);
    ck_assert_int_eq(mb_adapter_find("gemini")->write(&ask, &wire, &err), 0);
    mb_arena_free(&arena);
    return &wire;
}

static void check_url(const char *model, mb_ask_kind kind, const char *want) {
    static const char BASE[] = "https://h/v1/projects/p/locations/l/publishers/google";
    mb_wire *wire = written("vertex", BASE, model, kind);
    ck_assert_str_eq(mb_buf_text(&wire->url), want);
    mb_buf_free(&wire->url);
    mb_buf_free(&wire->body);
    mb_buf_free(&wire->headers);
}

START_TEST(a_models_name_may_replace_the_end_of_vertex_base) {
    check_url("m", MB_ASK_CHAT, "https://h/v1/projects/p/locations/l/publishers/google/models/m:generateContent");
    check_url("publishers/meta/models/m@1", MB_ASK_CHAT,
              "https://h/v1/projects/p/locations/l/publishers/meta/models/m%401:generateContent");
    check_url("endpoints/12", MB_ASK_CHAT, "https://h/v1/projects/p/locations/l/endpoints/12:generateContent");
    check_url("projects/x/locations/y/endpoints/12", MB_ASK_CHAT,
              "https://h/v1/projects/x/locations/y/endpoints/12:generateContent");
    check_url(NULL, MB_ASK_MODELS, "https://h/v1/publishers/google/models");
    check_url("models/m", MB_ASK_SHOW, "https://h/v1/publishers/google/models/m");
}
END_TEST

START_TEST(a_row_may_have_other_paths) {
    wire_test t = {"gemini", "{" USER "}", "{\"stream_path\":null}", NULL, true, MB_ASK_CHAT, look_url};
    wanted = "http://h/v1/models/m:generateContent";
    ck_assert_int_eq(wire_run(&t), 0);
    t = (wire_test){"gemini", NULL, "{\"models_path\":null}", NULL, false, MB_ASK_SHOW, NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    t.ask_kind = MB_ASK_MODELS;
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
}
END_TEST

// ---- arguments in pieces -------------------------------------------------------------------------------------------

static void put_piece(mb_buf *out, const char *path) {
    mb_buf_putf(out,
                "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"partialArgs\":[{"
                "\"jsonPath\":\"%s\",\"stringValue\":\"x\"}]}}]},\"finishReason\":\"STOP\"}]}\n\n",
                path);
}

static int run_path(const char *path) {
    mb_buf text = MB_BUF(1 << 20);
    put_piece(&text, path);
    wire_test t = {"gemini", "{" USER "}", NULL, mb_buf_text(&text), true, MB_ASK_CHAT, NULL};
    int status = wire_run(&t);
    mb_buf_free(&text);
    return status;
}

START_TEST(arguments_nest_no_deeper_than_a_limit) {
    char path[512] = "$";
    for (int i = 0; i < 64; i++) strcat(path, ".a");
    ck_assert_int_eq(run_path(path), 0);
    strcat(path, ".a");
    ck_assert_int_eq(run_path(path), MEMBRANE_EMALFORMED);
    path[0] = '\0';
    for (int i = 0; i < 64; i++) strcat(path, "[0]");
    ck_assert_int_eq(run_path(path), MEMBRANE_EMALFORMED); // arguments are an object
    ck_assert_int_eq(run_path("a['b']"), 0);               // also without its root
    ck_assert_int_eq(run_path("$.a['b"), MEMBRANE_EMALFORMED);
    ck_assert_int_eq(run_path("$.a[99999999999]"), MEMBRANE_EMALFORMED);
}
END_TEST

START_TEST(arguments_have_no_more_places_than_a_limit) {
    mb_buf text = MB_BUF(16 << 20);
    mb_buf_puts(&text, "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"partialArgs\":[");
    for (int i = 0; i < 20000; i++) mb_buf_putf(&text, "%s{\"jsonPath\":\"$.k%d\",\"numberValue\":1}", i ? "," : "", i);
    mb_buf_puts(&text, "]}}]},\"finishReason\":\"STOP\"}]}");
    wire_test t = {"gemini", "{" USER "}", NULL, mb_buf_text(&text), false, MB_ASK_CHAT, NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
    mb_buf_free(&text);
}
END_TEST

START_TEST(a_list_is_no_value_of_a_piece) {
    static const char ANSWER[] =
        "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"partialArgs\":[{\"jsonPath\":\"$.a\","
        "\"numberValue\":[]}]}}]},\"finishReason\":\"STOP\"}]}";
    wire_test t = {"gemini", "{" USER "}", NULL, ANSWER, false, MB_ASK_CHAT, NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
}
END_TEST

// ---- memory --------------------------------------------------------------------------------------------------------

#define EVERYTHING                                                                                                                \
    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"  \
    "{\"type\":\"image\",\"data\":\"AA\",\"media_type\":\"image/png\"},{\"type\":\"document\",\"data\":\"AA\",\"media_type\":"    \
    "\"application/pdf\",\"name\":\"n\"},{\"type\":\"document\",\"name\":\"n\",\"text\":\"t\"}]},{\"role\":\"assistant\","        \
    "\"content\":\"ab\",\"tool_calls\":[{\"id\":\"call_0\",\"function\":{\"name\":\"f.g\",\"arguments\":\"{\\\"x\\\":1}\"}}],"    \
    "\"provider_data\":{\"provider\":\"p\",\"fields\":{\"blocks\":[{\"text\":2,\"with\":{\"thoughtSignature\":\"S\"}},{\"call\":" \
    "\"call_0\"}]}}},{\"role\":\"tool\",\"tool_call_id\":\"call_0\",\"content\":[{\"type\":\"text\",\"text\":\"{\\\"y\\\":2}\"}," \
    "{\"type\":\"image\",\"data\":\"AA\",\"media_type\":\"image/png\"}]}],\"tools\":[{\"type\":\"function\",\"function\":{"       \
    "\"name\":\"f.g\",\"parameters\":{\"type\":\"object\"}}}],\"tool_choice\":{\"function\":{\"name\":\"f.g\"}},\"stop\":\"x\","  \
    "\"thinking\":\"low\",\"logprobs\":2,\"response_format\":{\"type\":\"json_object\"},\"extra_body\":{\"generationConfig\":{"   \
    "\"topK\":1}}}"

START_TEST(every_allocation_may_fail) {
    wire_test stream = {
        "gemini",
        EVERYTHING,
        NULL,
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"t\",\"thought\":true,\"thoughtSignature\":\"S\"},{\"text\":"
        "\"a\"},{\"executableCode\":{\"code\":\"1\"}},{\"inlineData\":{}},{\"functionCall\":{\"name\":\"f_g\",\"args\":{\"x\":1}},"
        "\"thoughtSignature\":\"S\"}]},\"logprobsResult\":{\"chosenCandidates\":[{\"token\":\"a\"}]}}],\"modelVersion\":\"m\","
        "\"responseId\":\"r\"}\n\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"h\",\"partialArgs\":["
        "{\"jsonPath\":\"$.a[0].b\",\"stringValue\":\"x\"},{\"jsonPath\":\"$.c\",\"numberValue\":1}]}}]},\"finishReason\":\"STOP\","
        "\"finishMessage\":\"m\",\"groundingMetadata\":{\"a\":1}}],\"usageMetadata\":{\"promptTokenCount\":1}}\n\n",
        true,
        MB_ASK_CHAT,
        NULL};
    unit_every_allocation_fails(wire_run, &stream);
    wire_test embed = {"gemini", "{\"kind\":\"embed\",\"input\":[\"a\",\"b\"],\"dimensions\":2}",
                       NULL,     "{\"embeddings\":[{\"values\":[1,2]},{\"values\":[3,4]}]}",
                       false,    MB_ASK_EMBED,
                       NULL};
    unit_every_allocation_fails(wire_run, &embed);
    wire_test count = {
        "gemini",
        "{\"kind\":\"count_tokens\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\","
        "\"content\":\"u\"}]}",
        NULL,
        "{\"totalTokens\":3}",
        false,
        MB_ASK_COUNT_TOKENS,
        NULL};
    unit_every_allocation_fails(wire_run, &count);
    wire_test show = {"vertex", NULL,        NULL, "{\"name\":\"models/m\",\"inputTokenLimit\":5,\"thinking\":true}",
                      false,    MB_ASK_SHOW, NULL};
    unit_every_allocation_fails(wire_run, &show);
    wire_test failed = {"gemini", "{" USER "}", NULL, "[{\"error\":{\"code\":503,\"message\":\"no\"}}]",
                        false,    MB_ASK_CHAT,  NULL};
    ck_assert_int_eq(wire_run(&failed), MEMBRANE_EOVERLOADED);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, a_call_that_failed_says_why);
    tcase_add_test(tc, an_image_in_the_answer_is_named_in_a_warning);
    tcase_add_test(tc, a_models_name_may_replace_the_end_of_vertex_base);
    tcase_add_test(tc, a_row_may_have_other_paths);
    tcase_add_test(tc, arguments_nest_no_deeper_than_a_limit);
    tcase_add_test(tc, arguments_have_no_more_places_than_a_limit);
    tcase_add_test(tc, a_list_is_no_value_of_a_piece);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("gemini", tests)
