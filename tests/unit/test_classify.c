// SPDX-License-Identifier: MIT
#include "route/classify.h"

#include <string.h>

#include "base/alloc.h"
#include "unit.h"

static const struct {
    int status;
    const char *body;
    int code;
} ANSWERS[] = {
    {401, "", MEMBRANE_EAUTH},
    {402, "{\"error\":\"pay\"}", MEMBRANE_EFUNDS},
    {403, "{\"message\":\"no\"}", MEMBRANE_EPERMISSION},
    {403, "{\"error\":{\"message\":\"Your input was flagged by moderation\"}}", MEMBRANE_ECONTENT},
    {404, "404 page not found", MEMBRANE_EMODEL},
    {408, "", MEMBRANE_ETIMEOUT},
    {413, "{\"error\":{\"message\":\"Request too large\",\"code\":\"rate_limit_exceeded\"}}", MEMBRANE_ERATE},
    {422, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}", MEMBRANE_EBADREQUEST},
    {429, "Too Many Requests", MEMBRANE_ERATE},
    {429, "{\"error\":{\"message\":\"the maximum context length\"}}", MEMBRANE_ERATE},
    {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", MEMBRANE_EFUNDS},
    {400, "{\"error\":{\"message\":\"Invalid API key\"}}", MEMBRANE_EAUTH},
    {400, "{\"error\":{\"message\":\"API key expired. Please renew the API key.\",\"status\":\"INVALID_ARGUMENT\"}}",
     MEMBRANE_EAUTH},
    {400,
     "[{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a valid API key.\",\"status\":\"INVALID_ARGUMENT\"}}]",
     MEMBRANE_EAUTH},
    {400, "{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens.\"}}", MEMBRANE_ECONTEXT},
    {400, "{\"error\":{\"message\":\"x\",\"code\":\"content_filter\"}}", MEMBRANE_ECONTENT},
    {400, "{\"detail\":\"Model nonexistent is not supported. Supported models are ['a']\"}", MEMBRANE_EMODEL},
    {400,
     "{\"error\":{\"message\":\"'the model you asked for does not exist in my story about rate limits, and so on and so on' is bad\"}}",
     MEMBRANE_EBADREQUEST},
    {500, "", MEMBRANE_ESERVER},
    {501, "", MEMBRANE_EUNSUPPORTED},
    {502, "<html><title>502 Bad Gateway</title></html>", MEMBRANE_EGATEWAY},
    {503, "{\"error\":{\"message\":\"Loading model\"}}", MEMBRANE_EOVERLOADED},
    {504, "", MEMBRANE_EGATEWAY},
    {529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
     MEMBRANE_EOVERLOADED},
    {200, "{\"error\":\"unexpected EOF\"}", MEMBRANE_ESTREAM},
    {200, "{\"error\":{\"message\":\"x\",\"code\":502}}", MEMBRANE_EGATEWAY},
    {200, "\xff\xfe not json", MEMBRANE_ESTREAM},
};

START_TEST(answers_have_their_kinds) {
    for (size_t i = 0; i < MB_COUNT(ANSWERS); i++) {
        membrane_error *err = NULL;
        const char *body = ANSWERS[i].body;
        int code = mb_classify("openai", "mine", ANSWERS[i].status, body, strlen(body), NULL, -1, &err);
        ck_assert_msg(code == ANSWERS[i].code, "%d %s is %s", ANSWERS[i].status, body, membrane_status_kind(code));
        ck_assert_int_eq(membrane_error_code(err), code);
        ck_assert_str_eq(membrane_error_provider(err), "mine");
        membrane_error_free(err);
    }
}
END_TEST

START_TEST(the_error_keeps_what_was_said) {
    membrane_error *err = NULL;
    static const char BODY[] = "{\"error\":{\"message\":\"slow down\",\"type\":\"requests\"},\"request_id\":\"r1\"}";
    mb_classify("vllm", "mine", 429, BODY, sizeof BODY - 1, NULL, 1500, &err);
    ck_assert_str_eq(membrane_error_message(err), "mine (vllm): slow down (HTTP 429)");
    ck_assert_str_eq(membrane_error_provider_message(err), "slow down");
    ck_assert_str_eq(membrane_error_provider_request_id(err), "r1");
    ck_assert_int_eq(membrane_error_http_status(err), 429);
    ck_assert_int_eq(membrane_error_retry_after_ms(err), 1500);
    mb_classify("vllm", "vllm", 500, "Internal Server Error\n", 22, "h1", -1, &err);
    ck_assert_str_eq(membrane_error_message(err), "vllm: Internal Server Error (HTTP 500)");
    ck_assert_str_eq(membrane_error_provider_request_id(err), "h1");
    membrane_error_free(err);
}
END_TEST

START_TEST(a_body_may_say_when_to_come_again) {
    static const struct {
        const char *wait;
        int64_t header, ms;
    } ROWS[] = {{"\"34.5s\"", -1, 34500}, {"\"34s\"", 1500, 1500}, {"\"9999s\"", -1, 120000}, {"\"s\"", -1, -1},
                {"\"-3s\"", -1, -1},      {"34", -1, -1},          {"\"34m\"", -1, -1},       {"\"1e9s\"", -1, -1}};
    for (size_t i = 0; i < MB_COUNT(ROWS); i++) {
        membrane_error *err = NULL;
        mb_buf body = MB_BUF(1024);
        mb_buf_putf(&body, "{\"error\":{\"code\":429,\"message\":\"m\",\"details\":[{},{\"retryDelay\":%s}]}}",
                    ROWS[i].wait);
        mb_classify("gemini", "g", 429, body.data, body.len, NULL, ROWS[i].header, &err);
        ck_assert_msg(membrane_error_retry_after_ms(err) == ROWS[i].ms, "%s", ROWS[i].wait);
        membrane_error_free(err);
        mb_buf_free(&body);
    }
}
END_TEST

START_TEST(loading_is_told_from_overloaded) {
    membrane_error *err = NULL;
    mb_classify("llamacpp", "l", 503, "{\"error\":{\"message\":\"Loading model\"}}", 37, NULL, -1, &err);
    ck_assert(mb_is_loading(err));
    mb_classify("ollama", "o", 503, "{\"error\":\"server busy\"}", 23, NULL, -1, &err);
    ck_assert(!mb_is_loading(err));
    membrane_error_free(err);
    ck_assert(!mb_is_loading(NULL));
}
END_TEST

START_TEST(retry_after_is_read_in_all_its_forms) {
    const int64_t now = 784111777000; // Sun, 06 Nov 1994 08:49:37 GMT
    static const struct {
        const char *ms, *text;
        int64_t want;
    } FORMS[] = {
        {NULL, "3", 3000},
        {NULL, "0.5", 500},
        {"250", "3", 250},
        {"soon", "3", 3000},
        {NULL, "99999", 120000},
        {NULL, "-1", -1},
        {NULL, "", -1},
        {NULL, "soon", -1},
        {NULL, NULL, -1},
        {NULL, "Sun, 06 Nov 1994 08:49:47 GMT", 10000},
        {NULL, "Sunday, 06-Nov-94 08:49:47 GMT", 10000},
        {NULL, "Sun Nov  6 08:49:47 1994", 10000},
        {NULL, "Sun, 06 Nov 1994 08:49:27 GMT", 0},
        {NULL, "Sun, 06 Nov 2094 08:49:27 GMT", 120000},
        {NULL, "Sun, 06 Foo 1994 08:49:27 GMT", -1},
    };
    for (size_t i = 0; i < MB_COUNT(FORMS); i++)
        ck_assert_msg(mb_retry_after_ms(FORMS[i].ms, FORMS[i].text, now) == FORMS[i].want, "%s", FORMS[i].text);
}
END_TEST

static int classify_one(void *user) {
    (void)user;
    membrane_error *err = NULL;
    static const char BODY[] = "{\"error\":{\"message\":\"model 'x' not found\",\"type\":\"t\"},\"request_id\":\"r\"}";
    mb_classify("ollama", "o", 404, BODY, sizeof BODY - 1, NULL, -1, &err);
    membrane_error_free(err);
    return 0;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(classify_one, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, answers_have_their_kinds);
    tcase_add_test(tc, the_error_keeps_what_was_said);
    tcase_add_test(tc, a_body_may_say_when_to_come_again);
    tcase_add_test(tc, loading_is_told_from_overloaded);
    tcase_add_test(tc, retry_after_is_read_in_all_its_forms);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("classify", tests)
