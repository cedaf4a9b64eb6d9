// SPDX-License-Identifier: MIT
// What tests/cases/ollama/ cannot say: windows of shown models, and memory that runs out.
#include "unit.h"
#include "wire.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static const char *wanted;

static int look_json(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)wire;
    ck_assert_int_eq(status, 0);
    ck_assert_msg(strncmp(mb_buf_text(&turn->json), wanted, strlen(wanted)) == 0, "%s", mb_buf_text(&turn->json));
    return 0;
}

START_TEST(a_models_window_is_what_its_parameters_say) {
    wire_test t = {
        "ollama",
        NULL,
        NULL,
        "{\"parameters\":\"stop \\\"x\\\"\\nnum_ctx                        4096\\ntop_k 4\",\"model_info\":{\"llama.context_length\":8192}}",
        false,
        MB_ASK_SHOW,
        look_json};
    wanted = "{\"model\":\"m\",\"context_window\":4096,";
    ck_assert_int_eq(wire_run(&t), 0);
    t.answer = "{\"model_info\":{\"general.name\":\"x\",\"llama.context_length\":8192},\"capabilities\":[\"tools\"]}";
    wanted = "{\"model\":\"m\",\"context_window\":8192,\"capabilities\":[\"tools\"],";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(no_models_is_a_list_of_none) {
    wire_test t = {"ollama", NULL, NULL, "{\"models\":null}", false, MB_ASK_MODELS, look_json};
    wanted = "[]";
    ck_assert_int_eq(wire_run(&t), 0);
    t.answer = "{}";
    t.look = NULL;
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
}
END_TEST

START_TEST(a_stream_without_its_last_line_is_truncated) {
    wire_test t = {"ollama", "{" USER "}", NULL, "{\"message\":{\"content\":\"a\"},\"done\":false}\n",
                   true,     MB_ASK_CHAT,  NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ETRUNCATED);
    t.answer = "{\"message\":{\"content\":\"a\"},\"done\":true}"; // no newline: a line all the same
    ck_assert_int_eq(wire_run(&t), 0);
    t.answer = "{\"mess\n";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EMALFORMED);
}
END_TEST

START_TEST(a_body_that_is_not_done_is_no_answer) {
    wire_test t = {"ollama", "{" USER "}", NULL, "{\"message\":{\"content\":\"a\"},\"done\":false}",
                   false,    MB_ASK_CHAT,  NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
    t.answer = "<html>";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
}
END_TEST

START_TEST(every_allocation_may_fail) {
    wire_test stream = {
        "ollama",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\",\"data\":\"AA\","
        "\"media_type\":\"image/png\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"}],"
        "\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}],\"stop\":\"x\",\"thinking\":true}",
        NULL,
        "{\"model\":\"m\",\"message\":{\"thinking\":\"t\",\"content\":\"a\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":"
        "{\"x\":1}}}]},\"logprobs\":[{\"token\":\"a\"}]}\n{\"done\":true,\"done_reason\":\"stop\",\"eval_count\":3}\n",
        true,
        MB_ASK_CHAT,
        NULL};
    unit_every_allocation_fails(wire_run, &stream);
    wire_test embed = {"ollama", "{\"kind\":\"embed\",\"input\":\"a\"}",
                       NULL,     "{\"model\":\"m\",\"embeddings\":[[1,2],[3,4]]}",
                       false,    MB_ASK_EMBED,
                       NULL};
    unit_every_allocation_fails(wire_run, &embed);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, a_models_window_is_what_its_parameters_say);
    tcase_add_test(tc, no_models_is_a_list_of_none);
    tcase_add_test(tc, a_stream_without_its_last_line_is_truncated);
    tcase_add_test(tc, a_body_that_is_not_done_is_no_answer);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("ollama", tests)
