// SPDX-License-Identifier: MIT
// What tests/cases/cohere/ cannot say: questions that are refused, hostile shapes, and memory that runs out.
#include "unit.h"
#include "wire.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static const char *wanted;

static int look_url(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&wire->url), wanted);
    return 0;
}

START_TEST(a_question_that_it_cannot_be_asked_says_so) {
    static const mb_ask_kind KINDS[] = {MB_ASK_LOADED, MB_ASK_VERSION, MB_ASK_SLOTS, MB_ASK_METRICS};
    static const char *const NO_PATHS =
        "{\"models_path\":null,\"chat_path\":null,\"embed_path\":null,\"tokenize_path\":null,\"rerank_path\":null}";
    wire_test t = {"cohere", NULL, NULL, NULL, false, MB_ASK_CHAT, NULL};
    for (size_t i = 0; i < MB_COUNT(KINDS); i++) {
        t.ask_kind = KINDS[i];
        ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    }
    t.overrides = NO_PATHS;
    t.ask_kind = MB_ASK_SHOW;
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    t.request = "{\"kind\":\"embed\",\"input\":\"a\"}";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    t.request = "{\"kind\":\"completion\",\"prompt\":\"a\"}";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    t.request = "{\"kind\":\"count_tokens\",\"input\":[\"a\",\"b\"]}";
    t.overrides = NULL;
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
}
END_TEST

START_TEST(its_health_is_that_of_its_list_of_models) {
    wire_test t = {"cohere", NULL, NULL, "{\"models\":[]}", false, MB_ASK_HEALTH, look_url};
    wanted = "http://h/v1/models?page_size=1";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(a_server_without_thinking_is_not_asked_for_it) {
    wire_test t = {"cohere", "{" USER ",\"thinking\":true}", "{\"thinking_key\":null}", NULL, false, MB_ASK_CHAT, NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
    t.request = "{" USER ",\"thinking\":false}";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(streams_that_are_no_events_are_malformed) {
    static const struct {
        const char *kind, *answer;
    } BAD[] = {{"cohere", "data: {\"type\n\n"},
               {"cohere", "data: [1]\n\n"},
               {"cohere-v1", "{\"event\n"},
               {"cohere-v1", "7\n"}};
    for (size_t i = 0; i < MB_COUNT(BAD); i++) {
        wire_test t = {BAD[i].kind, "{" USER "}", NULL, BAD[i].answer, true, MB_ASK_CHAT, NULL};
        ck_assert_int_eq(wire_run(&t), MEMBRANE_EMALFORMED);
    }
}
END_TEST

START_TEST(any_type_may_stand_at_any_place) {
    static const char ODD[] =
        "data: {\"type\":7,\"delta\":[]}\n\n"
        "data: {\"type\":\"content-delta\",\"index\":\"x\",\"delta\":{\"message\":{\"content\":[1,{\"text\":2},null]}}}\n\n"
        "data: {\"type\":\"content-delta\",\"delta\":{\"message\":[]},\"logprobs\":[1,{}]}\n\n"
        "data: {\"type\":\"tool-call-start\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":[1,{\"function\":3}]}}}\n\n"
        "data: {\"type\":\"tool-call-delta\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":{}}}}}}\n\n"
        "data: {\"type\":\"citation-start\",\"delta\":{\"message\":{\"citations\":7,\"tool_plan\":{}}}}\n\n"
        "data: {\"type\":\"message-start\",\"id\":{}}\n\n"
        "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":3,\"usage\":[]}}\n\n";
    wire_test t = {"cohere", "{" USER "}", NULL, ODD, true, MB_ASK_CHAT, NULL};
    ck_assert_int_eq(wire_run(&t), 0);
    t.kind = "cohere-v1";
    t.answer = "{\"event_type\":\"text-generation\",\"text\":[]}\n"
               "{\"event_type\":\"tool-calls-generation\",\"tool_calls\":[1,{\"parameters\":\"x\"}]}\n"
               "{\"event_type\":\"citation-generation\",\"citations\":{}}\n{}\n"
               "{\"event_type\":\"stream-end\",\"response\":[]}\n";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

#define EVERYTHING                                                                                                                               \
    "{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"s\"},{\"type\":\"text\",\"text\":\"t\"}]},"                  \
    "{\"role\":\"user\",\"name\":\"n\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"document\",\"name\":\"a\",\"text\":\"x\"}]}," \
    "{\"role\":\"assistant\",\"content\":\"b\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"fs.read\",\"arguments\":\"{}\"}}],"        \
    "\"provider_data\":{\"provider\":\"p\",\"fields\":{\"blocks\":[{\"raw\":{\"type\":\"thinking\",\"thinking\":\"h\"}},{\"text\":1},"           \
    "{\"raw\":{\"tool_plan\":\"p\"}},{\"call\":\"c\"}]}}},{\"role\":\"user\",\"content\":\"on\"}],"                                              \
    "\"tools\":[{\"function\":{\"name\":\"fs.read\",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{}}}}}],"                          \
    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}},\"stop\":\"x\",\"parallel_tool_calls\":false,"               \
    "\"drop_unsupported\":true,\"extra_body\":{\"safety_mode\":\"OFF\"}}"

START_TEST(every_allocation_may_fail) {
    wire_test stream = {
        "cohere",
        EVERYTHING,
        NULL,
        "data: {\"type\":\"message-start\",\"id\":\"c1\"}\n\n"
        "data: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"thinking\":\"t\"}}}}\n\n"
        "data: {\"type\":\"content-delta\",\"index\":1,\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}},\"logprobs\":{\"text\":\"a\",\"logprobs\":[-1]}}\n\n"
        "data: {\"type\":\"tool-plan-delta\",\"delta\":{\"message\":{\"tool_plan\":\"p\"}}}\n\n"
        "data: {\"type\":\"tool-call-start\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"c\",\"function\":{\"name\":\"fs_read\",\"arguments\":\"{}\"}}}}}\n\n"
        "data: {\"type\":\"citation-start\",\"index\":0,\"delta\":{\"message\":{\"citations\":{\"start\":0}}}}\n\n"
        "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"TOOL_CALL\"}}\n\n",
        true,
        MB_ASK_CHAT,
        NULL};
    unit_every_allocation_fails(wire_run, &stream);
    wire_test body = {
        "cohere",
        "{" USER "}",
        NULL,
        "{\"id\":\"c\",\"message\":{\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"},{\"type\":\"text\",\"text\":\"a\"}],"
        "\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":{}}}],\"citations\":[{}]},"
        "\"logprobs\":[{\"text\":\"a\"}],\"finish_reason\":\"COMPLETE\"}",
        false,
        MB_ASK_CHAT,
        NULL};
    unit_every_allocation_fails(wire_run, &body);
    wire_test embed = {"cohere", "{\"kind\":\"embed\",\"input\":\"a\"}",
                       NULL,     "{\"embeddings\":{\"float\":[[1,2],[3,4]]}}",
                       false,    MB_ASK_EMBED,
                       NULL};
    unit_every_allocation_fails(wire_run, &embed);
    wire_test rank = {"cohere", "{\"kind\":\"rerank\",\"query\":\"q\",\"documents\":[\"a\"]}",
                      NULL,     "{\"results\":[{\"index\":0,\"relevance_score\":1}]}",
                      false,    MB_ASK_RERANK,
                      NULL};
    unit_every_allocation_fails(wire_run, &rank);
    wire_test show = {"cohere", NULL, NULL, "{\"name\":\"m\",\"endpoints\":[\"chat\"]}", false, MB_ASK_SHOW, NULL};
    unit_every_allocation_fails(wire_run, &show);
}
END_TEST

START_TEST(every_allocation_of_the_first_version_may_fail) {
    wire_test stream = {"cohere-v1",
                        EVERYTHING,
                        NULL,
                        "{\"event_type\":\"stream-start\",\"generation_id\":\"g\"}\n"
                        "{\"event_type\":\"text-generation\",\"text\":\"a\"}\n"
                        "{\"event_type\":\"citation-generation\",\"citations\":[{}]}\n"
                        "{\"event_type\":\"stream-end\",\"finish_reason\":\"COMPLETE\",\"response\":{\"tool_calls\":["
                        "{\"name\":\"fs_read\",\"parameters\":{\"x\":1}}]}}\n",
                        true,
                        MB_ASK_CHAT,
                        NULL};
    unit_every_allocation_fails(wire_run, &stream);
    wire_test body = {
        "cohere-v1", "{" USER "}", NULL, "{\"text\":\"a\",\"response_id\":\"r\",\"finish_reason\":\"COMPLETE\"}",
        false,       MB_ASK_CHAT,  NULL};
    unit_every_allocation_fails(wire_run, &body);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, a_question_that_it_cannot_be_asked_says_so);
    tcase_add_test(tc, its_health_is_that_of_its_list_of_models);
    tcase_add_test(tc, a_server_without_thinking_is_not_asked_for_it);
    tcase_add_test(tc, streams_that_are_no_events_are_malformed);
    tcase_add_test(tc, any_type_may_stand_at_any_place);
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, every_allocation_of_the_first_version_may_fail);
}

UNIT_MAIN("cohere", tests)
