// SPDX-License-Identifier: MIT
#include "route/request.h"

#include <string.h>

#include "base/alloc.h"
#include "route/nearest.h"
#include "unit.h"

static int check(const char *text, mb_ask_kind *kind, membrane_error **err) {
    mb_arena arena = {0};
    const mb_json *v = NULL;
    int status = mb_json_parse(&arena, text, strlen(text), &v, err);
    if (status == 0) status = mb_request_check(v, kind, err);
    mb_arena_free(&arena);
    return status;
}

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

START_TEST(good_requests_are_taken) {
    static const struct {
        const char *text;
        mb_ask_kind kind;
    } GOOD[] = {
        {"{" USER "}", MB_ASK_CHAT},
        {"{" USER ",\"model\":\"a/b\",\"temperature\":0,\"top_p\":1,\"max_tokens\":1,\"stop\":[\"x\"],\"seed\":-1}",
         MB_ASK_CHAT},
        {"{" USER
         ",\"thinking\":{\"effort\":\"low\"},\"cache\":true,\"logprobs\":3,\"via\":\"a,b\",\"metadata\":{\"a\":1}}",
         MB_ASK_CHAT},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\"}}]},"
         "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"x\"},{\"role\":\"system\",\"content\":\"late\"}]}",
         MB_ASK_CHAT},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"name\":\"a\",\"text\":\"b\"}]}]}",
         MB_ASK_CHAT},
        {"{\"kind\":\"completion\",\"prompt\":\"a\"}", MB_ASK_COMPLETION},
        {"{\"kind\":\"embed\",\"input\":[\"a\",\"b\"],\"dimensions\":64}", MB_ASK_EMBED},
        {"{\"kind\":\"rerank\",\"query\":\"a\",\"documents\":[\"b\"]}", MB_ASK_RERANK},
        {"{\"kind\":\"count_tokens\"," USER "}", MB_ASK_COUNT_TOKENS},
    };
    for (size_t i = 0; i < MB_COUNT(GOOD); i++) {
        mb_ask_kind kind = MB_ASK_KINDS;
        membrane_error *err = NULL;
        int status = check(GOOD[i].text, &kind, &err);
        ck_assert_msg(status == 0, "%s: %s", GOOD[i].text, membrane_error_message(err));
        ck_assert_int_eq(kind, GOOD[i].kind);
    }
}
END_TEST

START_TEST(bad_requests_are_refused_with_the_place) {
    static const struct {
        const char *text, *says;
    } BAD[] = {
        {"[]", "the request must be an object, not array"},
        {"{}", "messages: is missing"},
        {"{\"messages\":[]}", "messages: must not be empty"},
        {"{" USER ",\"temprature\":1}", "temprature: unknown key; did you mean \"temperature\"?"},
        {"{" USER ",\"xyzzy\":1}", "xyzzy: unknown key"},
        {"{" USER ",\"temperature\":\"hot\"}", "temperature: must be a number, not string"},
        {"{" USER ",\"temperature\":9}", "temperature: must be between 0 and 5"},
        {"{" USER ",\"max_tokens\":0}", "max_tokens: must be 1 or more"},
        {"{" USER ",\"stop\":[]}", "stop: must not be empty"},
        {"{" USER ",\"stop\":[1]}", "stop.0: must be a string, not integer"},
        {"{" USER ",\"prompt\":\"x\"}", "prompt: not a key of a request of kind chat"},
        {"{\"kind\":\"embed\",\"input\":\"a\",\"stream\":true}", "stream: not a key of a request of kind embed"},
        {"{\"kind\":\"talk\"}", "kind: must be one of chat, completion, embed, rerank, count_tokens"},
        {"{\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}]}",
         "messages.0.role: must be one of system, developer, user, assistant, tool"},
        {"{\"messages\":[{\"content\":\"x\"}]}", "messages.0.role: is missing"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":null}]}", "messages.0.content: must not be null"},
        {"{\"messages\":[{\"role\":\"assistant\"}]}", "messages.0.content: is missing"},
        {"{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "messages.0.tool_call_id: is missing"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"txt\",\"text\":\"x\"}]}]}",
         "messages.0.content.0.type: must be one of text, image_url, image, document, thinking, raw"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"data\":\"x\"}]}]}",
         "messages.0.content.0.media_type: is missing"},
        {"{" USER ",\"tools\":[{\"function\":{\"name\":\"\"}}]}", "tools.0.function.name: must not be empty"},
        {"{" USER ",\"tools\":[{\"function\":{\"name\":\"f\"}},{\"function\":{\"name\":\"f\"}}]}",
         "tools.1: the name \"f\" stands twice"},
        {"{" USER ",\"response_format\":{\"type\":\"json_schema\"}}", "response_format.json_schema: is missing"},
        {"{" USER ",\"extra_body\":{\"stream\":true}}", "extra_body.stream: belongs into the request itself"},
        {"{" USER ",\"extra_headers\":{\"X-A\":\"a\\nb\"}}", "extra_headers.X-A: holds a control character"},
        {"{" USER ",\"extra_headers\":{\"X A\":\"a\"}}", "extra_headers.X A: is no name of a header"},
    };
    for (size_t i = 0; i < MB_COUNT(BAD); i++) {
        mb_ask_kind kind;
        membrane_error *err = NULL;
        ck_assert_int_eq(check(BAD[i].text, &kind, &err), MEMBRANE_EINVAL);
        ck_assert_str_eq(membrane_error_message(err), BAD[i].says);
        membrane_error_free(err);
    }
}
END_TEST

START_TEST(a_document_cannot_close_its_fence) {
    mb_arena arena = {0};
    const mb_json *v = NULL;
    static const char TEXT[] = "{\"name\":\"a\\nb.md\",\"text\":\"```c\\nx\\n````\"}";
    ck_assert_int_eq(mb_json_parse(&arena, TEXT, sizeof TEXT - 1, &v, NULL), 0);
    mb_buf out = MB_BUF(1000);
    mb_request_put_document(&out, v);
    ck_assert_str_eq(mb_buf_text(&out), "Document: a b.md\n`````\n```c\nx\n````\n`````\n");
    mb_buf_free(&out);
    mb_arena_free(&arena);
}
END_TEST

START_TEST(the_nearest_word_is_found) {
    static const char *const KNOWN[] = {"temperature", "top_p", NULL, "tools"};
    ck_assert_str_eq(mb_nearest("tool", KNOWN, 4), "tools");
    ck_assert_str_eq(mb_nearest("top-p", KNOWN, 4), "top_p");
    ck_assert_ptr_null(mb_nearest("frequency", KNOWN, 4));
    ck_assert_uint_eq(mb_word_distance("abcd", "abdc"), 1);
    ck_assert_uint_eq(mb_word_distance("", "abc"), 3);
}
END_TEST

static int refuse(void *user) {
    mb_ask_kind kind;
    membrane_error *err = NULL;
    int status = check(user, &kind, &err);
    membrane_error_free(err);
    return status == MEMBRANE_EINVAL ? 0 : status;
}

START_TEST(every_allocation_may_fail) {
    unit_every_allocation_fails(refuse, (char[]){"{" USER ",\"tools\":[{\"function\":{\"name\":\"f\"}}],\"stopp\":1}"});
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, good_requests_are_taken);
    tcase_add_test(tc, bad_requests_are_refused_with_the_place);
    tcase_add_test(tc, a_document_cannot_close_its_fence);
    tcase_add_test(tc, the_nearest_word_is_found);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("request", tests)
