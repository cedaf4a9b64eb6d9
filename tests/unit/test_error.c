// SPDX-License-Identifier: MIT
#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"

START_TEST(every_row_has_a_kind_a_text_and_an_exit_code) {
#define CHECK_ROW(name, code, kind, text, retryable, breaker, exit_code, orch)                                         \
    ck_assert_str_eq(membrane_status_kind(MEMBRANE_##name), kind);                                                     \
    ck_assert_str_eq(membrane_status_text(MEMBRANE_##name), text);                                                     \
    ck_assert_int_eq(membrane_status_retryable(MEMBRANE_##name), retryable);                                           \
    ck_assert_int_eq(mb_status_trips_breaker(MEMBRANE_##name), breaker);                                               \
    ck_assert_int_eq(membrane_status_exit_code(MEMBRANE_##name), exit_code);                                           \
    ck_assert_str_eq(mb_status_orch_name(MEMBRANE_##name), orch);                                                      \
    ck_assert_int_eq(mb_status_from_kind(kind), MEMBRANE_##name);
    MEMBRANE_ERRORS(CHECK_ROW)
#undef CHECK_ROW
}
END_TEST

START_TEST(no_error_and_an_unknown_number_have_answers_too) {
    ck_assert_str_eq(membrane_status_kind(0), "ok");
    ck_assert_int_eq(membrane_status_exit_code(0), 0);
    ck_assert_str_eq(membrane_status_kind(-9999), "unknown");
    ck_assert_int_eq(mb_status_from_kind("nonsense"), 0);
    ck_assert_int_eq(mb_status_from_kind(NULL), 0);
}
END_TEST

START_TEST(null_is_no_error) {
    ck_assert_int_eq(membrane_error_code(NULL), 0);
    ck_assert_str_eq(membrane_error_kind(NULL), "ok");
    ck_assert_ptr_nonnull(membrane_error_message(NULL));
    ck_assert_ptr_null(membrane_error_hint(NULL));
    ck_assert_ptr_null(membrane_error_cause(NULL));
    ck_assert_int_eq(membrane_error_retry_after_ms(NULL), -1);
    ck_assert_ptr_nonnull(membrane_error_json(NULL));
    membrane_error_free(NULL);
    ck_assert_int_eq(mb_error_set(NULL, MEMBRANE_EIO, "x"), MEMBRANE_EIO);
}
END_TEST

START_TEST(a_new_error_may_quote_the_old_one_that_it_replaces) {
    membrane_error *e = NULL;
    mb_error_set(&e, MEMBRANE_EIO, "inner");
    ck_assert_int_eq(mb_error_set(&e, MEMBRANE_ECONFIG, "outer: %s", membrane_error_message(e)), MEMBRANE_ECONFIG);
    ck_assert_str_eq(membrane_error_message(e), "outer: inner");
    ck_assert_int_eq(membrane_error_code(e), MEMBRANE_ECONFIG);
    membrane_error_free(e);
}
END_TEST

START_TEST(texts_are_cleaned_and_cut) {
    static char huge[MB_LIMIT_ERROR_TEXT * 2];
    membrane_error *e = NULL;
    memset(huge, 'x', sizeof huge - 1);
    mb_error_set(&e, MEMBRANE_EIO, "bad \xff byte");
    ck_assert_str_eq(membrane_error_message(e), "bad \xEF\xBF\xBD byte");
    mb_error_field(e, &e->provider_message, huge);
    ck_assert_uint_eq(strlen(membrane_error_provider_message(e)), MB_LIMIT_ERROR_TEXT);
    membrane_error_free(e);
}
END_TEST

static membrane_error *full_error(void) {
    membrane_error *e = NULL, *cause = NULL;
    mb_error_set(&e, MEMBRANE_ERATE, "slow down");
    if (mb_error_is_static(e)) return e;
    mb_error_hint(e, "wait %d seconds", 3);
    mb_error_field(e, &e->provider, "openai");
    mb_error_field(e, &e->partial, "so far");
    e->http_status = 429;
    e->retry_after_ms = 3000;
    mb_error_set(&cause, MEMBRANE_ECONNECT, "reset");
    e->cause = cause;
    return e;
}

START_TEST(the_json_holds_everything_that_is_known) {
    mb_arena a = {0};
    const mb_json *v;
    membrane_error *e = full_error();
    const char *json = membrane_error_json(e);
    ck_assert_int_eq(mb_json_parse(&a, json, strlen(json), &v, NULL), 0);
    ck_assert(mb_json_str_is(mb_json_get(v, "kind"), "rate_limit"));
    ck_assert(mb_json_str_is(mb_json_get(v, "hint"), "wait 3 seconds"));
    ck_assert(mb_json_str_is(mb_json_path(v, "cause.kind"), "connect"));
    ck_assert_int_eq(mb_json_int(mb_json_get(v, "status"), 0), 429);
    ck_assert_int_eq(mb_json_int(mb_json_get(v, "retry_after_ms"), 0), 3000);
    ck_assert(mb_json_bool(mb_json_get(v, "retryable"), false));
    ck_assert_ptr_null(mb_json_get(v, "phase"));
    ck_assert_ptr_eq(membrane_error_json(e), json);
    mb_arena_free(&a);
    membrane_error_free(e);
}
END_TEST

START_TEST(a_copy_has_its_causes_and_lives_alone) {
    membrane_error *e = full_error(), *copy = mb_error_copy(e);
    membrane_error_free(e);
    ck_assert_str_eq(membrane_error_message(copy), "slow down");
    ck_assert_str_eq(membrane_error_hint(copy), "wait 3 seconds");
    ck_assert_str_eq(membrane_error_message(membrane_error_cause(copy)), "reset");
    ck_assert_int_eq(membrane_error_http_status(copy), 429);
    membrane_error_free(copy);
    ck_assert_ptr_null(mb_error_copy(NULL));
}
END_TEST

START_TEST(the_error_for_no_memory_is_static_and_can_be_treated_like_any) {
    membrane_error *e = NULL;
    ck_assert_int_eq(mb_error_no_memory(&e), MEMBRANE_ENOMEM);
    ck_assert(mb_error_is_static(e));
    ck_assert_int_eq(mb_error_hint(e, "no"), MEMBRANE_ENOMEM);
    mb_error_field(e, &e->provider, "no");
    ck_assert_ptr_null(membrane_error_hint(e));
    ck_assert_ptr_null(membrane_error_provider(e));
    ck_assert_str_eq(membrane_error_kind(e), "out_of_memory");
    ck_assert_ptr_eq(mb_error_copy(e), e);
    ck_assert_ptr_nonnull(strstr(membrane_error_json(e), "out_of_memory"));
    membrane_error_free(e);
}
END_TEST

static int use_all(void *unused) {
    membrane_error *e = full_error(), *copy = mb_error_copy(e);
    bool whole = !mb_error_is_static(e) && e->hint && e->provider && e->partial && !mb_error_is_static(e->cause) &&
                 !mb_error_is_static(copy);
    ck_assert_ptr_nonnull(membrane_error_json(copy));
    ck_assert_ptr_nonnull(membrane_error_message(copy));
    membrane_error_free(copy);
    membrane_error_free(e);
    return whole ? 0 : -1;
}

START_TEST(without_memory_there_is_still_an_error_and_nothing_leaks) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, every_row_has_a_kind_a_text_and_an_exit_code);
    tcase_add_test(tc, no_error_and_an_unknown_number_have_answers_too);
    tcase_add_test(tc, null_is_no_error);
    tcase_add_test(tc, a_new_error_may_quote_the_old_one_that_it_replaces);
    tcase_add_test(tc, texts_are_cleaned_and_cut);
    tcase_add_test(tc, the_json_holds_everything_that_is_known);
    tcase_add_test(tc, a_copy_has_its_causes_and_lives_alone);
    tcase_add_test(tc, the_error_for_no_memory_is_static_and_can_be_treated_like_any);
    tcase_add_test(tc, without_memory_there_is_still_an_error_and_nothing_leaks);
}
UNIT_MAIN("error", tests)
