// SPDX-License-Identifier: MIT
// What tests/cases/tgi/ cannot say: any JSON at any place, and memory that runs out.
#include "unit.h"
#include "wire.h"

#define EVENT(token, rest) "data:{\"index\":1,\"token\":" token rest "}\n\n"

static const char RICH_REQUEST[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
    "{\"type\":\"image\",\"data\":\"AA\",\"media_type\":\"image/png\"}],\"name\":\"n\"},{\"role\":\"assistant\",\"tool_calls\":"
    "[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}],\"drop_unsupported\":true,\"stop\":\"x\","
    "\"logprobs\":1,\"stream\":true,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}}";

static const char RICH_ANSWER[] = EVENT("{\"text\":\"a\",\"logprob\":-1}", ",\"top_tokens\":[{\"text\":\"b\"}]")
    EVENT("{\"text\":\"</s>\",\"special\":true}", ",\"details\":{\"finish_reason\":\"length\",\"input_length\":3}");

START_TEST(what_is_no_answer_is_told_apart) {
    static const struct {
        mb_ask_kind kind;
        bool stream;
        const char *answer;
        int code;
    } ALL[] = {
        {MB_ASK_COMPLETION, true, EVENT("{\"text\":\"a\"}", ""), MEMBRANE_ETRUNCATED},
        {MB_ASK_COMPLETION, true, "data:{\"tok\n\n", MEMBRANE_EMALFORMED},
        {MB_ASK_COMPLETION, true, "data:[]\n\n", MEMBRANE_EMALFORMED},
        {MB_ASK_COMPLETION, true, EVENT("7", "") EVENT("{\"text\":7}", ",\"generated_text\":\"\""), 0},
        {MB_ASK_COMPLETION, false, "{\"generated_text\":null}", MEMBRANE_ERESPONSE},
        {MB_ASK_COMPLETION, false, "[]", MEMBRANE_ERESPONSE},
        {MB_ASK_MODELS, false, "{}", MEMBRANE_ERESPONSE},
        {MB_ASK_VERSION, false, "{\"version\":3}", MEMBRANE_ERESPONSE},
        {MB_ASK_TOKENIZE, false, "{}", MEMBRANE_ERESPONSE},
    };
    for (size_t i = 0; i < MB_COUNT(ALL); i++) {
        const char *request = ALL[i].kind == MB_ASK_COMPLETION ? "{\"kind\":\"completion\",\"prompt\":\"a\"}"
                              : ALL[i].kind == MB_ASK_TOKENIZE ? "{\"kind\":\"count_tokens\",\"input\":\"a\"}"
                                                               : NULL;
        wire_test t = {"tgi", request, NULL, ALL[i].answer, ALL[i].stream, ALL[i].kind, NULL};
        ck_assert_msg(wire_run(&t) == ALL[i].code, "%s", ALL[i].answer);
    }
}
END_TEST

START_TEST(it_is_not_asked_for_what_it_has_not) {
    const mb_ask_kind kinds[] = {MB_ASK_LOAD, MB_ASK_SLOTS, MB_ASK_UNLOAD};
    for (size_t i = 0; i < MB_COUNT(kinds); i++) {
        wire_test t = {"tgi", NULL, NULL, NULL, false, kinds[i], NULL};
        ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    }
}
END_TEST

START_TEST(every_allocation_may_fail) {
    wire_test stream = {"tgi", RICH_REQUEST, NULL, RICH_ANSWER, true, MB_ASK_CHAT, NULL};
    ck_assert_int_eq(wire_run(&stream), 0);
    unit_every_allocation_fails(wire_run, &stream);
    wire_test whole = {"tgi", "{\"kind\":\"completion\",\"prompt\":\"a\",\"logprobs\":true}",
                       NULL,  "{\"generated_text\":\"a\",\"details\":{\"tokens\":[{\"text\":\"a\",\"logprob\":-1}]}}",
                       false, MB_ASK_COMPLETION,
                       NULL};
    unit_every_allocation_fails(wire_run, &whole);
    const mb_ask_kind kinds[] = {MB_ASK_MODELS, MB_ASK_SHOW, MB_ASK_VERSION, MB_ASK_HEALTH, MB_ASK_METRICS};
    for (size_t i = 0; i < MB_COUNT(kinds); i++) {
        wire_test info = {"tgi", NULL, NULL, "{\"model_id\":\"m\",\"version\":\"1\"}", false, kinds[i], NULL};
        unit_every_allocation_fails(wire_run, &info);
    }
    wire_test count = {
        "tgi", "{\"kind\":\"count_tokens\",\"input\":\"a\"}", NULL, "[{\"id\":1}]", false, MB_ASK_COUNT_TOKENS, NULL};
    unit_every_allocation_fails(wire_run, &count);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, what_is_no_answer_is_told_apart);
    tcase_add_test(tc, it_is_not_asked_for_what_it_has_not);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("tgi", tests)
