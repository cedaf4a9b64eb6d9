// SPDX-License-Identifier: MIT
// The oracle is a strict reader of the exposition format: every line must be one that it knows, every family must stand
// together under its HELP and TYPE, no sample may be there twice, and a histogram must add up.
#include "unit.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/utf8.h"
#include "observe/metrics.h"

// ---- the reader ----------------------------------------------------------------------------------------------------

typedef struct page {
    mb_map types;   // family → its type as static text; in the order of the page
    mb_map samples; // the text before the value → double, ours
    char family[128];
    const char *type;
    bool has_sample; // of the family
    // of the histogram that is being read
    char series[4096];
    double last_bound, last_count;
    bool is_open, has_sum;
} page;

static bool is_name(const char *s, size_t len) {
    if (len == 0 || !(isalpha((unsigned char)*s) || *s == '_' || *s == ':')) return false;
    for (size_t i = 1; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != ':') return false;
    return true;
}

static void read_help(page *p, const char *line) {
    const char *name = line + 7, *end = strchr(name, ' ');
    ck_assert_msg(end && end[1] && is_name(name, (size_t)(end - name)), "no HELP: %s", line);
    ck_assert_msg(!p->is_open, "%s: a histogram is not over", line);
    snprintf(p->family, sizeof p->family, "%.*s", (int)(end - name), name);
    ck_assert_msg(!mb_map_has(&p->types, p->family), "%s comes twice", p->family);
    p->type = NULL;
    p->has_sample = false;
}

static void read_type(page *p, const char *line) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    char family[128], type[32];
    ck_assert_msg(sscanf(line, "# TYPE %127s %31s", family, type) == 2, "no TYPE: %s", line);
    ck_assert_str_eq(family, p->family);
    for (size_t i = 0; i < 3; i++)
        if (strcmp(types[i], type) == 0) p->type = types[i];
    ck_assert_msg(p->type != NULL, "unknown type: %s", line);
    mb_map_put(&p->types, family, (void *)(uintptr_t)p->type);
}

// Past the labels of a line, their names checked; le's value goes into ret_le and the rest into ret_rest.
static const char *read_labels(const char *at, char *ret_rest, char *ret_le) {
    size_t used = 0;
    for (const char *comma = ""; *at != '}'; comma = ",") {
        const char *name = at, *equals = strchr(at, '=');
        ck_assert_msg(equals && is_name(name, (size_t)(equals - name)) && equals[1] == '"', "no label: %s", at);
        const char *value = equals + 2;
        for (at = value; *at != '"'; at++) {
            ck_assert_msg(*at && *at != '\n', "the value does not end: %s", name);
            if (*at == '\\') ck_assert_msg(*++at == '\\' || *at == '"' || *at == 'n', "no escape: %s", at - 1);
        }
        ck_assert_msg(mb_utf8_valid(value, (size_t)(at - value)), "no UTF-8: %s", value);
        if (equals - name == 2 && memcmp(name, "le", 2) == 0)
            snprintf(ret_le, 32, "%.*s", (int)(at - value), value);
        else
            used += (size_t)sprintf(ret_rest + used, "%s%.*s", comma, (int)(at + 1 - name), name);
        at++;
        ck_assert_msg(*at == ',' || *at == '}', "neither , nor }: %s", at);
        if (*at == ',') at++;
    }
    return at + 1;
}

static double read_number(const char *text) {
    char *end;
    double value = strtod(text, &end);
    ck_assert_msg(end > text && *end == '\0', "no number: %s", text);
    return value;
}

// The samples of one histogram: buckets with rising bounds and counts, +Inf the last, then the sum, then the count.
static void read_histogram_sample(page *p, const char *suffix, const char *series, const char *le, double value) {
    if (strcmp(suffix, "_bucket") == 0) {
        double bound = strcmp(le, "+Inf") == 0 ? __builtin_inf() : read_number(le);
        if (!p->is_open) {
            p->last_bound = -__builtin_inf();
            p->last_count = 0;
            p->has_sum = false;
            strcpy(p->series, series);
        }
        p->is_open = true;
        ck_assert_str_eq(p->series, series);
        ck_assert_msg(bound > p->last_bound, "bounds must rise: %s", le);
        ck_assert_msg(value >= p->last_count, "counts must rise: %s", le);
        p->last_bound = bound;
        p->last_count = value;
        return;
    }
    ck_assert_msg(p->is_open && p->last_bound == __builtin_inf(), "%s before +Inf", suffix);
    ck_assert_str_eq(p->series, series);
    if (strcmp(suffix, "_sum") == 0) {
        p->has_sum = true;
        return;
    }
    ck_assert_str_eq(suffix, "_count");
    ck_assert(p->has_sum);
    ck_assert_msg(value == p->last_count, "the count is not that of +Inf");
    p->is_open = false;
}

static void read_sample(page *p, const char *line) {
    size_t name_len = strcspn(line, "{ "), family_len = strlen(p->family);
    char rest[4096] = "", le[32] = "", suffix[128];
    ck_assert_msg(is_name(line, name_len), "no name: %s", line);
    ck_assert_msg(p->type && name_len >= family_len && memcmp(line, p->family, family_len) == 0,
                  "outside of its family %s: %s", p->family, line);
    snprintf(suffix, sizeof suffix, "%.*s", (int)(name_len - family_len), line + family_len);
    const char *at = line[name_len] == '{' ? read_labels(line + name_len + 1, rest, le) : line + name_len;
    ck_assert_msg(*at == ' ', "no blank before the value: %s", line);
    double value = read_number(at + 1);
    p->has_sample = true;
    if (strcmp(p->type, "histogram") == 0) {
        read_histogram_sample(p, suffix, rest, le, value);
    } else {
        ck_assert_str_eq(suffix, "");
        ck_assert_str_eq(le, "");
    }
    if (strcmp(p->type, "counter") == 0) ck_assert(value >= 0);
    char *key = strndup(line, (size_t)(at - line));
    double *kept = malloc(sizeof *kept);
    *kept = value;
    ck_assert_msg(!mb_map_has(&p->samples, key), "twice: %s", key);
    mb_map_put(&p->samples, key, kept);
    free(key);
}

static page read_page(const char *text) {
    page p = {0};
    const char *end;
    for (; *text; text = end + 1) {
        end = strchr(text, '\n');
        ck_assert_msg(end != NULL, "the last line does not end: %s", text);
        char *line = strndup(text, (size_t)(end - text));
        if (strncmp(line, "# HELP ", 7) == 0)
            read_help(&p, line);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            read_type(&p, line);
        else
            read_sample(&p, line);
        free(line);
    }
    ck_assert_msg(!p.is_open && p.has_sample, "%s is not over", p.family);
    return p;
}

static void free_page(page *p) {
    const char *key;
    void *value;
    for (size_t at = 0; mb_map_each(&p->samples, &at, &key, &value);) free(value);
    mb_map_free(&p->samples);
    mb_map_free(&p->types);
}

static page look(mb_metrics *m) {
    mb_buf out = MB_BUF(1 << 26);
    ck_assert_int_eq(mb_metrics_text(m, &out), 0);
    page p = read_page(mb_buf_text(&out));
    mb_buf_free(&out);
    return p;
}

// The value of a sample; -1 if it is not there.
static double value_of(const page *p, const char *sample) {
    double *value = mb_map_get(&p->samples, sample);
    return value ? *value : -1;
}

static size_t count_with(const page *p, const char *start) {
    const char *key;
    size_t count = 0;
    for (size_t at = 0; mb_map_each(&p->samples, &at, &key, NULL);) count += strncmp(key, start, strlen(start)) == 0;
    return count;
}

#define IS(p, sample, expected) ck_assert_msg(value_of(p, sample) == (expected), "%s: %g", sample, value_of(p, sample))

// ---- what is said --------------------------------------------------------------------------------------------------

#define BOX                                                                                                            \
    "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"vllm\",membrane_provider=\"box\","                          \
    "gen_ai_request_model=\"tiny\""

static const mb_metric_target box = {MB_ASK_CHAT, "box", "vllm", "tiny"};

static mb_metrics *make(void) {
    mb_metrics *m = mb_metrics_new();
    ck_assert_ptr_nonnull(m);
    return m;
}

static mb_metrics_call_row answered(void) {
    return (mb_metrics_call_row){.duration_ms = 1500,
                                 .first_token_ms = 250,
                                 .input = 100,
                                 .cached = 60,
                                 .output = 20,
                                 .reasoning = 5,
                                 .cost_usd_micros = 42};
}

START_TEST(nothing_was_called_and_the_page_is_sound) {
    mb_metrics *m = make();
    page p = look(m);
    IS(&p, "membrane_build_info{version=\"" MEMBRANE_VERSION_STRING "\"}", 1);
    IS(&p, "membrane_series_folded_total", 0);
    ck_assert_uint_eq(count_with(&p, "gen_ai_"), 0);
    free_page(&p);
    mb_metrics_free(m);
}
END_TEST

START_TEST(a_call_is_counted_in_every_family) {
    mb_metrics *m = make();
    mb_metrics_call_row row = answered();
    mb_metrics_attempt(mb_metrics_series(m, &box), 0, MB_TRY_FIRST);
    mb_metrics_call(mb_metrics_series(m, &box), &row);
    page p = look(m);
    IS(&p, "membrane_calls_total{" BOX ",outcome=\"ok\"}", 1);
    IS(&p, "membrane_calls_total{" BOX ",outcome=\"error\"}", 0);
    IS(&p, "membrane_attempts_total{" BOX ",reason=\"first\"}", 1);
    IS(&p, "membrane_input_tokens_total{" BOX "}", 100);
    IS(&p, "membrane_cached_tokens_total{" BOX "}", 60);
    IS(&p, "membrane_output_tokens_total{" BOX "}", 20);
    IS(&p, "membrane_reasoning_tokens_total{" BOX "}", 5);
    IS(&p, "membrane_cost_usd_micros_total{" BOX "}", 42);
    IS(&p, "membrane_cost_unknown_calls_total{" BOX "}", 0);
    IS(&p, "gen_ai_client_operation_duration_seconds_sum{" BOX "}", 1.5);
    IS(&p, "gen_ai_client_operation_duration_seconds_bucket{" BOX ",le=\"1.28\"}", 0);
    IS(&p, "gen_ai_client_operation_duration_seconds_bucket{" BOX ",le=\"2.56\"}", 1);
    IS(&p, "gen_ai_server_time_to_first_token_seconds_bucket{" BOX ",le=\"0.25\"}", 1);
    IS(&p, "gen_ai_server_time_to_first_token_seconds_bucket{" BOX ",le=\"0.1\"}", 0);
    IS(&p, "gen_ai_client_token_usage_sum{" BOX ",gen_ai_token_type=\"input\"}", 100);
    IS(&p, "gen_ai_client_token_usage_bucket{" BOX ",gen_ai_token_type=\"output\",le=\"16\"}", 0);
    IS(&p, "gen_ai_client_token_usage_bucket{" BOX ",gen_ai_token_type=\"output\",le=\"64\"}", 1);
    free_page(&p);
    mb_metrics_free(m);
}
END_TEST

START_TEST(a_failure_has_its_kind_and_unknown_is_not_zero) {
    mb_metrics *m = make();
    mb_metric_series *s = mb_metrics_series(m, &box);
    mb_metrics_call_row row = {MEMBRANE_ERATE, 30, -1, -1, -1, -1, -1, -1};
    mb_metrics_attempt(s, MEMBRANE_ERATE, MB_TRY_FIRST);
    mb_metrics_attempt(s, MEMBRANE_ESERVER, MB_TRY_KEY);
    mb_metrics_attempt(s, MEMBRANE_ESERVER, MB_TRY_RETRY);
    mb_metrics_attempt(s, 12345, MB_TRY_FALLBACK); // no code of ours
    mb_metrics_attempt(s, -63, MB_TRY_FALLBACK);
    mb_metrics_hedge(s, true);
    mb_metrics_hedge(s, false);
    mb_metrics_hedge(s, false);
    mb_metrics_call(s, &row);
    row.code = MEMBRANE_ECANCELLED;
    row.duration_ms = 100000000;
    mb_metrics_call(s, &row);
    page p = look(m);
    IS(&p, "membrane_calls_total{" BOX ",outcome=\"error\"}", 1);
    IS(&p, "membrane_calls_total{" BOX ",outcome=\"cancelled\"}", 1);
    IS(&p, "membrane_attempt_errors_total{" BOX ",error_type=\"rate_limit\"}", 1);
    IS(&p, "membrane_attempt_errors_total{" BOX ",error_type=\"server\"}", 2);
    IS(&p, "membrane_attempt_errors_total{" BOX ",error_type=\"_OTHER\"}", 2);
    IS(&p, "membrane_attempts_total{" BOX ",reason=\"fallback\"}", 2);
    IS(&p, "membrane_hedges_total{" BOX ",result=\"won\"}", 1);
    IS(&p, "membrane_hedges_total{" BOX ",result=\"lost\"}", 2);
    IS(&p, "membrane_cost_unknown_calls_total{" BOX "}", 2);
    IS(&p, "gen_ai_client_operation_duration_seconds_count{" BOX ",error_type=\"rate_limit\"}", 1);
    IS(&p, "gen_ai_client_operation_duration_seconds_bucket{" BOX ",error_type=\"cancelled\",le=\"81.92\"}", 0);
    IS(&p, "gen_ai_client_operation_duration_seconds_bucket{" BOX ",error_type=\"cancelled\",le=\"+Inf\"}", 1);
    IS(&p, "gen_ai_client_operation_duration_seconds_count{" BOX "}", -1);
    ck_assert_uint_eq(count_with(&p, "gen_ai_client_token_usage"), 0);
    ck_assert_uint_eq(count_with(&p, "gen_ai_server_time"), 0);
    free_page(&p);
    mb_metrics_free(m);
}
END_TEST

START_TEST(names_are_those_of_the_conventions) {
    static const char *const rows[][2] = {{"bedrock", "aws.bedrock"},
                                          {"gemini", "gcp.gemini"},
                                          {"xai", "x_ai"},
                                          {"openai", "openai"},
                                          {"ollama", "ollama"}};
    mb_metrics *m = make();
    for (size_t i = 0; i < 5; i++)
        mb_metrics_attempt(mb_metrics_series(m, &(mb_metric_target){MB_ASK_EMBED, "p", rows[i][0], "m"}), 0, 0);
    mb_metrics_attempt(mb_metrics_series(m, &(mb_metric_target){.operation = MB_ASK_COMPLETION}), 0, 0);
    page p = look(m);
    for (size_t i = 0; i < 5; i++) {
        char sample[256];
        snprintf(sample, sizeof sample,
                 "membrane_attempts_total{gen_ai_operation_name=\"embeddings\",gen_ai_provider_name=\"%s\","
                 "membrane_provider=\"p\",gen_ai_request_model=\"m\",reason=\"first\"}",
                 rows[i][1]);
        IS(&p, sample, 1);
    }
    IS(&p, "membrane_attempts_total{gen_ai_operation_name=\"text_completion\",reason=\"first\"}", 1);
    free_page(&p);
    mb_metrics_free(m);
}
END_TEST

START_TEST(a_series_is_found_again) {
    mb_metrics *m = make();
    mb_metric_target other = box;
    ck_assert_ptr_eq(mb_metrics_series(m, &box), mb_metrics_series(m, &box));
    other.operation = MB_ASK_EMBED;
    ck_assert_ptr_ne(mb_metrics_series(m, &box), mb_metrics_series(m, &other));
    other = (mb_metric_target){MB_ASK_CHAT, "boxv", "llm", "tiny"};
    ck_assert_ptr_ne(mb_metrics_series(m, &box), mb_metrics_series(m, &other));
    mb_metrics_free(m);
}
END_TEST

// ---- what others make up -------------------------------------------------------------------------------------------

START_TEST(hostile_names_stay_inside_their_quotes) {
    static const char *const names[] = {"a\"} 1\nmembrane_fake_total 7\n#",
                                        "back\\slash\\",
                                        "line\nfeed",
                                        "\r\t\x01\x7f",
                                        "bad \xff\xc3( utf-8",
                                        "{le=\"+Inf\"}",
                                        "",
                                        "\xf0\x9f\x90\x99 octopus",
                                        "#",
                                        "\\n"};
    mb_metrics *m = make();
    mb_metrics_call_row row = answered();
    for (size_t i = 0; i < MB_COUNT(names); i++)
        mb_metrics_call(mb_metrics_series(m, &(mb_metric_target){MB_ASK_CHAT, names[i], names[i], names[i]}), &row);
    page p = look(m);
    ck_assert_uint_eq(count_with(&p, "membrane_input_tokens_total"), MB_COUNT(names));
    ck_assert_uint_eq(count_with(&p, "membrane_fake"), 0);
    IS(&p,
       "membrane_input_tokens_total{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"line\\nfeed\","
       "membrane_provider=\"line\\nfeed\",gen_ai_request_model=\"line\\nfeed\"}",
       100);
    free_page(&p);
    mb_metrics_free(m);
}
END_TEST

START_TEST(names_that_become_the_same_label_share_a_series) {
    char longer[2][MB_LIMIT_NAME + 3];
    mb_metrics *m = make();
    mb_metrics_call_row row = answered();
    for (int i = 0; i < 2; i++) {
        memset(longer[i], 'x', sizeof longer[i]);
        strcpy(longer[i] + MB_LIMIT_NAME, i ? "b" : "a");
        mb_metrics_call(mb_metrics_series(m, &(mb_metric_target){MB_ASK_CHAT, "p", "vllm", longer[i]}), &row);
    }
    const char *bad[] = {"a\xff", "a\xfe", "a\xef\xbf\xbd"};
    for (int i = 0; i < 3; i++)
        mb_metrics_call(mb_metrics_series(m, &(mb_metric_target){MB_ASK_CHAT, "p", "vllm", bad[i]}), &row);
    mb_metrics_call(mb_metrics_series(m, &(mb_metric_target){MB_ASK_CHAT, "other", "other", "other"}), &row);
    page p = look(m);
    ck_assert_uint_eq(count_with(&p, "membrane_cost_unknown"), 3);
    free_page(&p);
    mb_metrics_free(m);
}
END_TEST

START_TEST(beyond_the_limit_the_rest_is_other) {
    enum { NAMES = 5000 };
    mb_metrics *m = make();
    mb_metrics_call_row row = answered();
    for (int i = 0; i < NAMES; i++) {
        char model[32];
        snprintf(model, sizeof model, "model-%d", i);
        mb_metrics_call(mb_metrics_series(m, &(mb_metric_target){MB_ASK_CHAT, "p", "vllm", model}), &row);
    }
    mb_metrics_call(mb_metrics_series(m, &(mb_metric_target){MB_ASK_EMBED, "p", "vllm", "late"}), &row);
    page p = look(m);
    ck_assert_uint_eq(count_with(&p, "membrane_cost_unknown"), MB_LIMIT_SERIES + 2);
    IS(&p,
       "membrane_calls_total{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"other\",membrane_provider=\"other\","
       "gen_ai_request_model=\"other\",outcome=\"ok\"}",
       NAMES - MB_LIMIT_SERIES);
    IS(&p, "membrane_series_folded_total", NAMES - MB_LIMIT_SERIES + 1);
    free_page(&p);
    mb_metrics_free(m);
}
END_TEST

// ---- gauges --------------------------------------------------------------------------------------------------------

static void gather_some(void *user, mb_metrics_writer *w) {
    int many = *(int *)user;
    const char *target[] = {"box", "ti\"ny"}, *budget[] = {"model", "*", "day", NULL};
    mb_metrics_gauge(w, MB_GAUGE_BREAKER, target, 2);
    mb_metrics_gauge(w, MB_GAUGE_BUDGET_LIMIT, budget, 5000000);
    mb_metrics_gauge(w, MB_GAUGE_IN_FLIGHT, target, 1);
    mb_metrics_gauge(w, MB_GAUGE_IN_FLIGHT, target, 3); // the last one counts
    for (int i = 0; i < many; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%d", i);
        mb_metrics_gauge(w, MB_GAUGE_KEYS_COOLING, &(const char *){name}, 2);
    }
}

START_TEST(gauges_are_asked_for_and_bounded) {
    int many = MB_LIMIT_SERIES + 10;
    mb_metrics *m = make();
    mb_metrics_collect(m, gather_some, &many);
    for (int i = 0; i < 2; i++) { // nothing is left over from the first look
        page p = look(m);
        IS(&p, "membrane_breaker_state{membrane_provider=\"box\",gen_ai_request_model=\"ti\\\"ny\"}", 2);
        IS(&p, "membrane_requests_in_flight{membrane_provider=\"box\",gen_ai_request_model=\"ti\\\"ny\"}", 3);
        IS(&p, "membrane_budget_limit_usd_micros{scope=\"model\",match=\"*\",period=\"day\"}", 5000000);
        ck_assert_uint_eq(count_with(&p, "membrane_keys_cooling"), MB_LIMIT_SERIES + 1);
        IS(&p, "membrane_keys_cooling{membrane_provider=\"other\"}", 20);
        IS(&p, "membrane_gauges_folded", 10);
        free_page(&p);
    }
    mb_metrics_free(m);
}
END_TEST

// ---- threads, memory, time -----------------------------------------------------------------------------------------

enum { ADDERS = 3, ROUNDS = 3000 };
static atomic_int adding;

static void *add_many(void *user) {
    mb_metrics *m = user;
    mb_metrics_call_row row = answered();
    for (int i = 0; i < ROUNDS; i++) {
        char model[16];
        snprintf(model, sizeof model, "m%d", i % 7);
        mb_metric_series *s = mb_metrics_series(m, &(mb_metric_target){MB_ASK_CHAT, "p", "vllm", model});
        row.code = i % 5 ? 0 : MEMBRANE_ETIMEOUT;
        mb_metrics_attempt(s, row.code, MB_TRY_FIRST);
        mb_metrics_call(s, &row);
    }
    adding--;
    return NULL;
}

START_TEST(any_thread_adds_while_others_look) {
    pthread_t threads[ADDERS];
    mb_metrics *m = make();
    int many = 3, pages = 0;
    mb_metrics_collect(m, gather_some, &many);
    adding = ADDERS;
    for (int i = 0; i < ADDERS; i++) pthread_create(&threads[i], NULL, add_many, m);
    while (adding || pages < 2) {
        page p = look(m);
        free_page(&p);
        pages++;
    }
    for (int i = 0; i < ADDERS; i++) pthread_join(threads[i], NULL);
    page p = look(m);
    double sum = 0;
    const char *key;
    void *value;
    for (size_t at = 0; mb_map_each(&p.samples, &at, &key, &value);)
        if (strncmp(key, "membrane_calls_total", 20) == 0) sum += *(double *)value;
    ck_assert(sum == ADDERS * ROUNDS);
    free_page(&p);
    mb_metrics_free(m);
}
END_TEST

static int everything(void *user) {
    mb_metrics *m = mb_metrics_new();
    mb_buf out = MB_BUF(1 << 20);
    int many = 2;
    if (!m) return -1;
    mb_metrics_call_row row = answered();
    mb_metrics_collect(m, gather_some, &many);
    mb_metrics_call(mb_metrics_series(m, &box), &row);
    row.code = MEMBRANE_EDNS;
    mb_metrics_call(mb_metrics_series(m, &box), &row);
    int code = mb_metrics_text(m, &out);
    mb_buf_free(&out);
    mb_metrics_free(m);
    return code;
}

START_TEST(memory_may_run_out_anywhere) { unit_every_allocation_fails(everything, NULL); }
END_TEST

static double ns_since(const struct timespec *from, int rounds) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ((double)(now.tv_sec - from->tv_sec) * 1e9 + (double)(now.tv_nsec - from->tv_nsec)) / rounds;
}

// Far above what it costs (43, 21 and 66 ns), so that a busy machine does not fail it.
START_TEST(an_addition_costs_next_to_nothing) {
    enum { MANY = 200000 };
    struct timespec from;
    mb_metrics *m = make();
    mb_metric_series *s = mb_metrics_series(m, &box);
    mb_metrics_call_row row = answered();
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < MANY; i++) mb_metrics_call(s, &row);
    double call = ns_since(&from, MANY);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < MANY; i++) mb_metrics_attempt(s, 0, MB_TRY_FIRST);
    double attempt = ns_since(&from, MANY);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < MANY; i++) mb_metrics_series(m, &box);
    double series = ns_since(&from, MANY);
    printf("# ns: a call %.0f, an attempt %.0f, looking a series up %.0f\n", call, attempt, series);
    ck_assert_msg(call < 20000, "%.0f ns", call);
    mb_metrics_free(m);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, nothing_was_called_and_the_page_is_sound);
    tcase_add_test(tc, a_call_is_counted_in_every_family);
    tcase_add_test(tc, a_failure_has_its_kind_and_unknown_is_not_zero);
    tcase_add_test(tc, names_are_those_of_the_conventions);
    tcase_add_test(tc, a_series_is_found_again);
    tcase_add_test(tc, hostile_names_stay_inside_their_quotes);
    tcase_add_test(tc, names_that_become_the_same_label_share_a_series);
    tcase_add_test(tc, beyond_the_limit_the_rest_is_other);
    tcase_add_test(tc, gauges_are_asked_for_and_bounded);
    tcase_add_test(tc, any_thread_adds_while_others_look);
    tcase_add_test(tc, memory_may_run_out_anywhere);
    tcase_add_test(tc, an_addition_costs_next_to_nothing);
}

UNIT_MAIN("metrics", tests)
