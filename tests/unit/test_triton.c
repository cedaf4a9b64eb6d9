// SPDX-License-Identifier: MIT
// What tests/cases/triton/ cannot say: names of tensors, shapes, sums that are too large, and memory that runs out.
#include <stdio.h>

#include "unit.h"
#include "wire.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static const char *wanted;

static int look_body(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&wire->body), wanted);
    return 0;
}

static int look_url(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)turn;
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(mb_buf_text(&wire->url), wanted);
    return 0;
}

static int look_usage(const mb_wire *wire, const mb_turn *turn, int status) {
    (void)wire;
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(turn->usage.input, 7);
    ck_assert_int_eq(turn->usage.output, INT64_C(2147483649));
    return 0;
}

START_TEST(tensors_are_called_what_the_row_says) {
    wire_test t = {"triton",
                   "{\"kind\":\"embed\",\"input\":[\"a\",\"b\"]}",
                   "{\"embed_input\":\"TEXT\",\"embed_output\":\"EMB\",\"embed_rows\":true}",
                   NULL,
                   false,
                   MB_ASK_EMBED,
                   look_body};
    wanted = "{\"inputs\":[{\"name\":\"TEXT\",\"shape\":[2,1],\"datatype\":\"BYTES\",\"data\":[\"a\",\"b\"]}],"
             "\"outputs\":[{\"name\":\"EMB\"}]}";
    ck_assert_int_eq(wire_run(&t), 0);
    t.look = NULL;
    t.answer = "{\"outputs\":[{\"name\":\"X\",\"datatype\":\"FP32\",\"shape\":[2,1],\"data\":[1,2]},"
               "{\"name\":\"EMB\",\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[1,2,3,4]}]}";
    ck_assert_int_eq(wire_run(&t), 0);
    t.answer = "{\"outputs\":[{\"name\":\"X\",\"datatype\":\"FP32\",\"shape\":[2,1],\"data\":[1,2]}]}";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
    t.overrides = "{\"embed_input\":null}";
    t.answer = NULL;
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EUNSUPPORTED);
}
END_TEST

START_TEST(a_shape_that_is_not_one_vector_a_text_is_refused) {
    static const struct {
        const char *tensor;
        bool good;
    } SHAPES[] = {
        {"\"shape\":[2,2],\"data\":[1,2,3,4]", true},
        {"\"shape\":[2,1,2],\"data\":[1,2,3,4]", true},
        {"\"shape\":[2,2],\"data\":[[1,2],[3,4]]", true},
        {"\"shape\":[2,1],\"data\":[1,2]", true},
        {"\"shape\":[4],\"data\":[1,2,3,4]", false},
        {"\"shape\":[2],\"data\":[1,2]", false},
        {"\"shape\":[3,2],\"data\":[1,2,3,4,5,6]", false},
        {"\"shape\":[2,2],\"data\":[1,2,3]", false},
        {"\"shape\":[2,2],\"data\":[1,2,3,4,5]", false},
        {"\"shape\":[2,2],\"data\":[[1,2],[3]]", false},
        {"\"shape\":[2,2],\"data\":[[1,2],3]", false},
        {"\"shape\":[2,2],\"data\":[[1,2]]", false},
        {"\"shape\":[2,2],\"data\":[1,2,3,\"4\"]", false},
        {"\"shape\":[2,-2],\"data\":[1,2,3,4]", false},
        {"\"shape\":[2,9223372036854775807],\"data\":[1,2,3,4]", false},
        {"\"shape\":[],\"data\":[1]", false},
        {"\"shape\":[2,2],\"data\":[]", false},
        {"\"shape\":[2,2],\"parameters\":{\"binary_data_size\":16}", false},
        {"\"data\":[1,2,3,4]", false},
    };
    for (size_t i = 0; i < MB_COUNT(SHAPES); i++) {
        char answer[256];
        snprintf(answer, sizeof answer, "{\"outputs\":[{\"name\":\"e\",\"datatype\":\"FP32\",%s}]}", SHAPES[i].tensor);
        wire_test t = {"triton", "{\"kind\":\"embed\",\"input\":[\"a\",\"b\"]}", NULL, answer, false, MB_ASK_EMBED,
                       NULL};
        ck_assert_msg(wire_run(&t) == (SHAPES[i].good ? 0 : MEMBRANE_ERESPONSE), "%s", SHAPES[i].tensor);
    }
}
END_TEST

START_TEST(a_lone_text_may_come_without_its_row) {
    wire_test t = {"triton", "{\"kind\":\"embed\",\"input\":\"a\"}", NULL, NULL, false, MB_ASK_EMBED, NULL};
    t.answer = "{\"outputs\":[{\"name\":\"e\",\"datatype\":\"FP32\",\"shape\":[3],\"data\":[1,2,3]}]}";
    ck_assert_int_eq(wire_run(&t), 0);
    t.answer = "{\"outputs\":[{\"name\":\"e\",\"datatype\":\"FP32\",\"shape\":[1,1,3],\"data\":[[[1,2,3]]]}]}";
    ck_assert_int_eq(wire_run(&t), 0);
    t.answer = "{\"outputs\":[{\"name\":\"e\",\"datatype\":\"INT32\",\"shape\":[3],\"data\":[1,2,3]}]}";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ERESPONSE);
}
END_TEST

START_TEST(a_row_may_ask_for_the_configuration) {
    wire_test t = {"triton",    NULL,    "{\"props_path\":\"/v2/models/{model}/config\"}", NULL, false,
                   MB_ASK_SHOW, look_url};
    wanted = "http://h/v2/models/m/config";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(tokens_of_a_stream_are_added_and_never_run_over) {
    wire_test t = {"triton-vllm", "{" USER "}", NULL, NULL, true, MB_ASK_CHAT, look_usage};
    t.answer = "data: {\"text_output\":\"a\",\"num_input_tokens\":7,\"num_output_tokens\":1}\n\n"
               "data: {\"text_output\":\"b\",\"num_input_tokens\":7,\"num_output_tokens\":1}\n\n"
               "data: {\"text_output\":\"c\",\"num_output_tokens\":9223372036854775807}\n\n"
               "data: {\"text_output\":\"d\",\"num_output_tokens\":-4}\n\n"
               "data: {\"text_output\":\"e\",\"num_output_tokens\":[2147483647,3]}\n\n";
    ck_assert_int_eq(wire_run(&t), 0);
}
END_TEST

START_TEST(what_is_no_chunk_ends_the_stream) {
    wire_test t = {"triton", "{" USER "}", NULL, "data: [1]\n\n", true, MB_ASK_CHAT, NULL};
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EMALFORMED);
    t.answer = "data: [DONE]\n\n";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_EMALFORMED);
    t.answer = "data: {\"text_output\":null,\"model_name\":3,\"finish_reason\":[],\"num_output_tokens\":{}}\n\n";
    ck_assert_int_eq(wire_run(&t), 0);
    t.answer = ": nothing\n\n";
    ck_assert_int_eq(wire_run(&t), MEMBRANE_ETRUNCATED);
}
END_TEST

static int refuse(void *user) {
    static const mb_quirks QUIRKS = {.kind = "triton"};
    const mb_ask ask = {.kind = *(mb_ask_kind *)user, .provider = "p", .quirks = &QUIRKS};
    mb_turn turn;
    mb_turn_init(&turn, (mb_turn_sink){0});
    mb_decode d = {.ask = &ask, .turn = &turn};
    int code = mb_adapter_triton.refused(&d, 404, "{}", 2);
    ck_assert(code == 0 || membrane_error_code(turn.error) == code ||
              membrane_error_code(turn.error) == MEMBRANE_ENOMEM);
    if (membrane_error_code(turn.error) == MEMBRANE_ENOMEM) code = MEMBRANE_ENOMEM;
    mb_turn_free(&turn);
    return code == MEMBRANE_EUNSUPPORTED ? 0 : code;
}

START_TEST(every_allocation_may_fail) {
    wire_test stream = {
        "triton-vllm",
        "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
        "{\"type\":\"document\",\"name\":\"n\",\"text\":\"t\"}]}],\"stop\":\"x\",\"seed\":1,\"extra_body\":{\"sampling_parameters\":"
        "{\"top_k\":3}}}",
        NULL,
        "data: {\"id\":\"1\",\"model_name\":\"m\",\"text_output\":\"a\",\"finish_reason\":\"None\",\"num_output_tokens\":1}\n\n"
        "data: {\"text_output\":[\"b\"],\"finish_reason\":\"odd\",\"num_input_tokens\":1}\n\n",
        true,
        MB_ASK_CHAT,
        NULL};
    unit_every_allocation_fails(wire_run, &stream);
    wire_test failed = {"triton", "{" USER ",\"stop\":[\"x\"]}", NULL, "{\"error\":\"no\"}", false, MB_ASK_CHAT, NULL};
    ck_assert_int_eq(wire_run(&failed), MEMBRANE_ESTREAM);
    wire_test embed = {
        "triton",
        "{\"kind\":\"embed\",\"input\":[\"a\",\"b\"]}",
        "{\"embed_output\":\"e\"}",
        "{\"model_name\":\"m\",\"outputs\":[{\"name\":\"e\",\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[1,2,3,4]}]}",
        false,
        MB_ASK_EMBED,
        NULL};
    unit_every_allocation_fails(wire_run, &embed);
    wire_test models = {
        "triton", NULL,          NULL, "[{\"name\":\"a\",\"version\":\"1\"},{\"name\":\"a\",\"version\":\"2\"}]",
        false,    MB_ASK_MODELS, NULL};
    unit_every_allocation_fails(wire_run, &models);
    mb_ask_kind kind = MB_ASK_LOADED;
    unit_every_allocation_fails(refuse, &kind);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, tensors_are_called_what_the_row_says);
    tcase_add_test(tc, a_shape_that_is_not_one_vector_a_text_is_refused);
    tcase_add_test(tc, a_lone_text_may_come_without_its_row);
    tcase_add_test(tc, a_row_may_ask_for_the_configuration);
    tcase_add_test(tc, tokens_of_a_stream_are_added_and_never_run_over);
    tcase_add_test(tc, what_is_no_chunk_ends_the_stream);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("triton", tests)
