// SPDX-License-Identifier: MIT
// The call log: what goes in comes out, from memory and from a file, from many threads and processes, and after a kill.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "store/calls.h"
#include "store/sqlite.h"
#include "unit.h"

static char folder[64], path[128];

static void set_up(void) {
    strcpy(folder, "/tmp/mb_calls_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log.db", folder);
}

static void tear_down(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static mb_calls *log_at(const char *where) {
    mb_calls *calls = NULL;
    ck_assert_int_eq(mb_calls_new(where, 0, &calls, NULL), 0);
    return calls;
}

static mb_call_row sample(const char *id) {
    return (mb_call_row){.ts_ms = 1700000000000,
                         .request_id = id,
                         .session = "s1",
                         .provider = "box",
                         .model = "tiny",
                         .outcome = "ok",
                         .attempts = "[{\"provider\":\"box\",\"model\":\"tiny\"}]",
                         .input = 12,
                         .cached = -1,
                         .output = 3,
                         .reasoning = -1,
                         .exact = true,
                         .cost_usd_micros = -1,
                         .latency_ms = 40,
                         .first_token_ms = 7};
}

static void add_ok(mb_calls *calls, mb_call_row row) { ck_assert_int_eq(mb_calls_add(calls, &row), 0); }

// The answer to a query given as JSON text; the buffer is static.
static const char *ask(mb_calls *calls, const char *query) {
    static mb_buf out;
    mb_buf_free(&out);
    out = MB_BUF(1 << 24);
    mb_arena arena = {0};
    const mb_json *tree = NULL;
    membrane_error *err = NULL;
    if (query) ck_assert_int_eq(mb_json_parse(&arena, query, strlen(query), &tree, NULL), 0);
    int status = mb_calls_query(calls, tree, &out, &err);
    ck_assert_msg(status == 0, "%s: %s", query, membrane_error_message(err));
    mb_arena_free(&arena);
    return mb_buf_text(&out);
}

static int count_of(const char *text, const char *word) {
    int n = 0;
    for (; (text = strstr(text, word)); text++) n++;
    return n;
}

static void refused(mb_calls *calls, const char *query, const char *words) {
    mb_arena arena = {0};
    const mb_json *tree = NULL;
    mb_buf out = MB_BUF(1 << 20);
    membrane_error *err = NULL;
    ck_assert_int_eq(mb_json_parse(&arena, query, strlen(query), &tree, NULL), 0);
    ck_assert_int_lt(mb_calls_query(calls, tree, &out, &err), 0);
    ck_assert_msg(strstr(membrane_error_message(err), words) != NULL, "%s", membrane_error_message(err));
    membrane_error_free(err);
    mb_buf_free(&out);
    mb_arena_free(&arena);
}

static const char SAMPLE_JSON[] =
    "{\"items\":[{\"id\":1,\"ts_ms\":1700000000000,\"request_id\":\"r1\",\"session\":\"s1\",\"provider\":\"box\",\"model\":\"tiny\","
    "\"outcome\":\"ok\",\"attempts\":[{\"provider\":\"box\",\"model\":\"tiny\"}],\"usage\":{\"input\":12,\"cached\":null,\"output\":3,"
    "\"reasoning\":null,\"exact\":true},\"cost_usd_micros\":null,\"latency_ms\":40,\"first_token_ms\":7}]}";

START_TEST(a_row_comes_back_as_it_was_from_memory_and_from_a_file) {
    for (int in_file = 0; in_file < 2; in_file++) {
        mb_calls *calls = log_at(in_file ? path : NULL);
        add_ok(calls, sample("r1"));
        ck_assert_str_eq(ask(calls, NULL), SAMPLE_JSON);
        mb_calls_close(calls, -1);
    }
    mb_calls *calls = log_at(path); // and again by another handle
    ck_assert_str_eq(ask(calls, "{}"), SAMPLE_JSON);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(a_decision_is_given_back_where_one_asks_for_it) {
    static const char decision[] = "{\"policy\":\"ordered\",\"candidates\":[{\"provider\":\"box\"}]}";
    for (int in_file = 0; in_file < 2; in_file++) {
        mb_calls *calls = log_at(in_file ? path : NULL);
        mb_call_row row = sample("r1"), broken = sample("r2");
        row.decision = decision;
        broken.decision = "{\"policy\":";
        add_ok(calls, row);
        add_ok(calls, broken);
        add_ok(calls, sample("r3"));
        ck_assert_int_eq(count_of(ask(calls, NULL), "decision"), 0);
        ck_assert_int_eq(count_of(ask(calls, "{\"decision\":false}"), "decision"), 0);
        ck_assert_int_eq(count_of(ask(calls, "{\"decision\":true}"), "decision"), 1);
        ck_assert_int_eq(count_of(ask(calls, "{\"request_id\":\"r1\"}"), decision), 1);
        ck_assert_int_eq(count_of(ask(calls, "{\"request_id\":\"r2\"}"), "\"request_id\":\"r2\""), 1);
        mb_calls_close(calls, -1);
    }
}
END_TEST

// What the first version wrote, with one row.
static const char FIRST_LAYOUT[] =
    "PRAGMA application_id=1296192078; PRAGMA user_version=1;"
    "CREATE TABLE calls ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, ts_ms INTEGER NOT NULL, request_id TEXT NOT NULL, session TEXT,"
    " provider TEXT, model TEXT, outcome TEXT NOT NULL, kind TEXT, message TEXT, attempts TEXT,"
    " input INTEGER, cached INTEGER, output INTEGER, reasoning INTEGER, exact INTEGER NOT NULL,"
    " cost_usd_micros INTEGER, latency_ms INTEGER, first_token_ms INTEGER, prompt TEXT, answer TEXT);"
    "CREATE INDEX calls_by_time ON calls(ts_ms);"
    "CREATE INDEX calls_by_session ON calls(session) WHERE session IS NOT NULL;"
    "INSERT INTO calls (ts_ms,request_id,outcome,exact) VALUES (5,'r1','ok',1);";

START_TEST(a_file_of_the_first_layout_is_brought_to_this_one) {
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, FIRST_LAYOUT, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    mb_calls *calls = log_at(path);
    mb_call_row row = sample("r2");
    row.decision = "{}";
    add_ok(calls, row);
    ck_assert_int_eq(count_of(ask(calls, "{\"decision\":true}"), "\"id\":"), 2);
    ck_assert_int_eq(count_of(ask(calls, "{\"decision\":true}"), "\"decision\":{}"), 1);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(questions_pick_rows) {
    mb_calls *calls = log_at(NULL);
    for (int i = 1; i <= 30; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        mb_call_row row = sample(id);
        row.ts_ms += i;
        row.session = i % 2 ? "odd" : NULL;
        if (i % 10 == 0)
            row.outcome = "error", row.kind = "timeout", row.message = "no answer within 3 s", row.provider = "far";
        add_ok(calls, row);
    }
    ck_assert_int_eq(count_of(ask(calls, NULL), "\"id\":"), 20); // the last 20, oldest first
    ck_assert_ptr_nonnull(strstr(ask(calls, NULL), "{\"items\":[{\"id\":11,"));
    ck_assert_int_eq(count_of(ask(calls, "{\"limit\":0}"), "\"id\":"), 0);
    ck_assert_int_eq(count_of(ask(calls, "{\"limit\":100,\"session\":\"odd\"}"), "\"id\":"), 15);
    ck_assert_int_eq(count_of(ask(calls, "{\"outcome\":\"error\",\"provider\":\"far\"}"), "\"kind\":\"timeout\""), 3);
    ck_assert_int_eq(count_of(ask(calls, "{\"prefix\":\"r1\"}"), "\"id\":"), 11); // r1 and r10 to r19
    ck_assert_int_eq(count_of(ask(calls, "{\"prefix\":\"r%\"}"), "\"id\":"), 0);
    ck_assert_int_eq(count_of(ask(calls, "{\"since_ms\":1700000000029}"), "\"id\":"), 2);
    ck_assert_ptr_nonnull(strstr(ask(calls, "{\"after_id\":3,\"limit\":2}"), "{\"items\":[{\"id\":4,"));
    ck_assert_ptr_nonnull(strstr(ask(calls, "{\"after_id\":3,\"limit\":2}"), "{\"id\":5,"));
    ck_assert_int_eq(count_of(ask(calls, "{\"match\":\"^r1.$\"}"), "\"id\":"), 10);
    ck_assert_int_eq(count_of(ask(calls, "{\"match\":\"^far/tiny$\"}"), "\"id\":"), 3);
    ck_assert_int_eq(count_of(ask(calls, "{\"match\":\"within [0-9]+ s\",\"limit\":1}"), "\"request_id\":\"r30\""), 1);
    ck_assert_int_eq(count_of(ask(calls, "{\"request_id\":\"r7\",\"model\":\"tiny\"}"), "\"id\":7,"), 1);
    ck_assert_str_eq(ask(calls, "{\"session\":\"'; DROP TABLE calls; --\"}"), "{\"items\":[]}");
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(wrong_questions_are_refused) {
    mb_calls *calls = log_at(NULL);
    refused(calls, "{\"limits\":3}", "limits: no such key");
    refused(calls, "{\"limit\":-1}", "limit:");
    refused(calls, "{\"limit\":\"3\"}", "limit:");
    refused(calls, "{\"session\":3}", "session: a text");
    refused(calls, "{\"outcome\":\"bad\"}", "outcome:");
    refused(calls, "{\"match\":\"(\"}", "");
    refused(calls, "[]", "object");
    mb_buf out = MB_BUF(1000);
    ck_assert_int_eq(mb_calls_sum(calls, "year", 0, &out, NULL), MEMBRANE_EINVAL);
    mb_buf_free(&out);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(sums_count_what_is_known) {
    mb_calls *calls = log_at(NULL);
    mb_buf out = MB_BUF(1 << 16);
    mb_call_row row = sample("a");
    add_ok(calls, row);
    row.cost_usd_micros = 250;
    add_ok(calls, row);
    row.outcome = "error";
    row.model = "big";
    row.input = -1;
    add_ok(calls, row);
    ck_assert_int_eq(mb_calls_sum(calls, "model", 0, &out, NULL), 0);
    ck_assert_str_eq(
        mb_buf_text(&out),
        "{\"items\":[{\"key\":\"box/big\",\"calls\":1,\"errors\":1,\"input\":0,\"cached\":0,\"output\":3,\"reasoning\":0,"
        "\"cost_usd_micros\":250,\"cost_unknown\":0},{\"key\":\"box/tiny\",\"calls\":2,\"errors\":0,\"input\":24,"
        "\"cached\":0,\"output\":6,\"reasoning\":0,\"cost_usd_micros\":250,\"cost_unknown\":1}]}");
    mb_buf_reset(&out);
    ck_assert_int_eq(mb_calls_sum(calls, "day", 0, &out, NULL), 0);
    ck_assert_ptr_nonnull(strstr(mb_buf_text(&out), "\"key\":\"2023-11-14\",\"calls\":3"));
    mb_buf_reset(&out);
    ck_assert_int_eq(mb_calls_sum(calls, "day", 1800000000000, &out, NULL), 0);
    ck_assert_str_eq(mb_buf_text(&out), "{\"items\":[]}");
    mb_buf_free(&out);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(the_last_outcome_of_a_provider_is_that_of_its_last_attempt) {
    mb_calls *calls = log_at(NULL);
    mb_buf out = MB_BUF(1 << 16);
    mb_call_row row = sample("a");
    add_ok(calls, row); // box: ok
    row.attempts = "[{\"provider\":\"box\",\"kind\":\"connect\"},{\"provider\":\"cloud\"}]";
    row.provider = "cloud"; // the fallback answered
    row.ts_ms++;
    add_ok(calls, row);
    row.attempts = "[{\"provider\":\"slow\",\"kind\":\"cancelled\"}]";
    row.provider = "slow";
    add_ok(calls, row);
    row.attempts = "no json at all";
    row.provider = "odd";
    row.kind = "server";
    add_ok(calls, row);
    ck_assert_int_eq(mb_calls_last(calls, &out, NULL), 0);
    ck_assert_str_eq(mb_buf_text(&out), "{\"box\":{\"outcome\":\"error\",\"kind\":\"connect\",\"ts_ms\":1700000000001},"
                                        "\"cloud\":{\"outcome\":\"ok\",\"ts_ms\":1700000000001},"
                                        "\"odd\":{\"outcome\":\"error\",\"kind\":\"server\",\"ts_ms\":1700000000001},"
                                        "\"slow\":{\"outcome\":\"cancelled\",\"ts_ms\":1700000000001}}");
    mb_buf_free(&out);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(the_last_outcome_of_each_key_is_known_where_attempts_say_which) {
    mb_calls *calls = log_at(NULL);
    mb_buf out = MB_BUF(1 << 16);
    mb_call_row row = sample("a");
    row.attempts = "[{\"provider\":\"box\",\"key\":1},{\"provider\":\"alone\"}]";
    add_ok(calls, row);
    row.attempts = "[{\"provider\":\"box\",\"key\":1,\"kind\":\"rate_limit\"},{\"provider\":\"box\",\"key\":2}]";
    row.ts_ms++;
    add_ok(calls, row);
    ck_assert_int_eq(mb_calls_last(calls, &out, NULL), 0);
    ck_assert_str_eq(mb_buf_text(&out),
                     "{\"alone\":{\"outcome\":\"ok\",\"ts_ms\":1700000000000},"
                     "\"box\":{\"outcome\":\"ok\",\"ts_ms\":1700000000001,\"keys\":["
                     "{\"key\":1,\"outcome\":\"error\",\"kind\":\"rate_limit\",\"ts_ms\":1700000000001},"
                     "{\"key\":2,\"outcome\":\"ok\",\"ts_ms\":1700000000001}]}}");
    mb_buf_free(&out);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(memory_keeps_the_last_rows_only) {
    mb_calls *calls = log_at(NULL);
    for (int i = 0; i < MB_CALLS_KEPT + 5; i++) add_ok(calls, sample("old"));
    ask(calls, NULL);
    for (int i = 0; i < 10; i++) add_ok(calls, sample("new"));
    const char *all = ask(calls, "{\"limit\":100000}");
    ck_assert_int_eq(count_of(all, "\"id\":"), MB_CALLS_KEPT);
    ck_assert_int_eq(count_of(all, "\"request_id\":\"new\""), 10);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(memory_is_bounded_in_bytes_too) {
    mb_calls *calls = log_at(NULL);
    size_t size = MB_CALLS_BYTES / 4;
    char *prompt = malloc(size + 1);
    memset(prompt, 'x', size);
    prompt[size] = '\0';
    for (int i = 0; i < 12; i++) {
        mb_call_row row = sample("long");
        row.prompt = prompt;
        add_ok(calls, row);
        if (i == 5) ck_assert_int_le(count_of(ask(calls, "{\"limit\":0}"), "x"), 0);
    }
    free(prompt);
    mb_buf out = MB_BUF((size_t)1 << 28);
    ck_assert_int_eq(mb_calls_sum(calls, "model", 0, &out, NULL), 0);
    ck_assert_ptr_nonnull(strstr(mb_buf_text(&out), "\"calls\":4,"));
    mb_buf_free(&out);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(old_rows_go_when_the_file_is_opened) {
    mb_calls *calls = log_at(path);
    mb_call_row row = sample("fresh");
    add_ok(calls, sample("old"));
    row.ts_ms = mb_wall_ms();
    add_ok(calls, row);
    mb_calls_close(calls, -1);
    ck_assert_int_eq(mb_calls_new(path, 30, &calls, NULL), 0);
    ck_assert_int_eq(mb_calls_open(calls, NULL), 0);
    const char *rows = ask(calls, NULL);
    ck_assert_int_eq(count_of(rows, "\"id\":"), 1);
    ck_assert_ptr_nonnull(strstr(rows, "fresh"));
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(a_row_is_in_the_file_soon_without_a_flush) {
    mb_calls *calls = log_at(path), *reader = log_at(path);
    ck_assert_int_eq(mb_calls_open(calls, NULL), 0);
    add_ok(calls, sample("r1"));
    int64_t until = mb_now_ms() + 10000;
    while (count_of(ask(reader, NULL), "\"id\":") == 0 && mb_now_ms() < until) sched_yield();
    ck_assert_int_eq(count_of(ask(reader, NULL), "\"id\":"), 1);
    mb_calls_close(reader, -1);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(a_file_that_cannot_be_used_is_told_early_and_at_the_flush) {
    mb_calls *calls = log_at("/proc/nowhere/log.db");
    membrane_error *err = NULL;
    ck_assert_int_eq(mb_calls_open(calls, &err), MEMBRANE_EIO);
    membrane_error_free(err);
    err = NULL;
    add_ok(calls, sample("r1")); // a call does not fail for it
    ck_assert_int_eq(mb_calls_flush(calls, -1, &err), MEMBRANE_EIO);
    ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "/proc/nowhere"));
    membrane_error_free(err);
    int64_t start = mb_now_ms();
    mb_calls_close(calls, -1);
    ck_assert_int_lt(mb_now_ms() - start, 1000);
}
END_TEST

START_TEST(a_stuck_disk_loses_the_oldest_rows_and_says_so) {
    snprintf(path, sizeof path, "%s/there/log.db", folder);
    FILE *f = fopen(folder, "r"); // the folder is there; a file stands where "there" should be
    ck_assert_ptr_nonnull(f);
    fclose(f);
    char block[128];
    snprintf(block, sizeof block, "%s/there", folder);
    f = fopen(block, "w");
    fclose(f);
    mb_calls *calls = log_at(path);
    membrane_error *err = NULL;
    for (int i = 0; i < MB_CALLS_WAITING + 7; i++) add_ok(calls, sample(i < 7 ? "lost" : "kept"));
    ck_assert_int_eq(mb_calls_flush(calls, -1, NULL), MEMBRANE_EIO);
    ck_assert_int_eq(unlink(block), 0);
    int status = mb_calls_flush(calls, -1, &err);
    ck_assert_int_eq(status, MEMBRANE_EIO);
    ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "7 rows"));
    membrane_error_free(err);
    ck_assert_int_eq(mb_calls_flush(calls, -1, NULL), 0); // told once
    mb_buf out = MB_BUF(1 << 16);
    ck_assert_int_eq(mb_calls_sum(calls, "model", 0, &out, NULL), 0);
    ck_assert_ptr_nonnull(strstr(mb_buf_text(&out), "\"calls\":100000,"));
    mb_buf_free(&out);
    mb_calls_close(calls, -1);
}
END_TEST

// ---- threads, processes, kills -------------------------------------------------------------------------------------

static void *add_many(void *calls) {
    for (int i = 0; i < 2000; i++)
        if (mb_calls_add(calls, &(mb_call_row){.request_id = "t", .outcome = "ok", .provider = "p", .model = "m"}) != 0)
            return calls;
    return NULL;
}

START_TEST(many_threads_add_while_others_ask) {
    for (int in_file = 0; in_file < 2; in_file++) {
        mb_calls *calls = log_at(in_file ? path : NULL);
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, calls), 0);
        for (int i = 0; i < 20; i++) ask(calls, "{\"limit\":3}");
        for (int i = 0; i < 4; i++) {
            void *failed = NULL;
            pthread_join(threads[i], &failed);
            ck_assert_ptr_null(failed);
        }
        ck_assert_int_eq(count_of(ask(calls, "{\"limit\":10000}"), "\"id\":"), 8000);
        mb_calls_close(calls, -1);
    }
}
END_TEST

static int write_as_a_process(int rounds, int rows, int tell) {
    mb_calls *calls = NULL;
    if (mb_calls_new(path, 0, &calls, NULL) != 0) return 1;
    for (int round = 0; round < rounds || rounds < 0; round++) {
        for (int i = 0; i < rows; i++) {
            mb_call_row row = sample("p");
            if (mb_calls_add(calls, &row) != 0) return 2;
        }
        if (mb_calls_flush(calls, -1, NULL) != 0) return 3;
        if (tell >= 0 && write(tell, "x", 1) != 1) return 4;
    }
    mb_calls_close(calls, -1);
    return 0;
}

static int64_t rows_in_a_sound_file(void) {
    mb_db *db = NULL;
    mb_stmt *s;
    membrane_error *err = NULL;
    ck_assert_msg(mb_db_open(path, &db, &err) == 0, "%s", membrane_error_message(err));
    ck_assert_int_eq(mb_db_stmt(db, "PRAGMA integrity_check", &s, NULL), 0);
    ck_assert_int_eq(mb_stmt_step(s, NULL), 1);
    ck_assert_str_eq(mb_stmt_col_text(s, 0), "ok");
    mb_stmt_reset(s);
    ck_assert_int_eq(mb_db_stmt(db, "SELECT count(*) FROM calls", &s, NULL), 0);
    ck_assert_int_eq(mb_stmt_step(s, NULL), 1);
    int64_t rows = mb_stmt_col_int(s, 0);
    mb_db_close(db);
    return rows;
}

START_TEST(eight_processes_write_one_file) {
    for (int i = 0; i < 8; i++)
        if (fork() == 0) _exit(write_as_a_process(20, 40, -1));
    for (int i = 0, status; i < 8; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(rows_in_a_sound_file(), 8 * 20 * 40);
}
END_TEST

START_TEST(a_kill_at_any_moment_leaves_the_file_sound_and_what_was_flushed_in_it) {
    mb_rng rng;
    mb_rng_seed_with(&rng, 20);
    int64_t flushed = 0;
    for (int round = 0; round < 50; round++) {
        int tell[2];
        char bytes[4096];
        ssize_t n;
        ck_assert_int_eq(pipe(tell), 0);
        pid_t child = fork();
        if (child == 0) {
            close(tell[0]);
            _exit(write_as_a_process(-1, 10, tell[1]));
        }
        close(tell[1]);
        struct timespec moment = {.tv_nsec = (long)mb_rng_below(&rng, 30000000)}; // the moment is the test's input
        nanosleep(&moment, NULL);
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        while ((n = read(tell[0], bytes, sizeof bytes)) > 0) flushed += n * 10;
        close(tell[0]);
        ck_assert_int_ge(rows_in_a_sound_file(), flushed);
    }
    ck_assert_int_gt(flushed, 0);
}
END_TEST

START_TEST(a_child_lets_go_without_touching_thread_or_file) {
    mb_calls *calls = log_at(path);
    add_ok(calls, sample("r1"));
    ck_assert_int_eq(mb_calls_flush(calls, -1, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        mb_calls_abandon(calls);
        _exit(0);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    add_ok(calls, sample("r2"));
    ck_assert_int_eq(count_of(ask(calls, NULL), "\"id\":"), 2);
    mb_calls_close(calls, -1);
}
END_TEST

START_TEST(a_close_does_not_wait_longer_than_it_may) {
    mb_db *other = NULL;
    mb_calls *calls = log_at(path), *reader = log_at(path);
    ck_assert_int_eq(mb_calls_open(calls, NULL), 0);
    ck_assert_int_eq(mb_db_open(path, &other, NULL), 0);
    ck_assert_int_eq(mb_db_exec(other, "BEGIN IMMEDIATE", NULL), 0); // nobody else can write now
    add_ok(calls, sample("late"));
    int64_t start = mb_now_ms();
    mb_calls_close(calls, 50);
    ck_assert_int_lt(mb_now_ms() - start, 5000);
    ck_assert_int_eq(mb_db_exec(other, "COMMIT", NULL), 0);
    mb_db_close(other);
    int64_t until = mb_now_ms() + 10000; // the writer goes on by itself, then frees everything
    while (count_of(ask(reader, NULL), "\"id\":") == 0 && mb_now_ms() < until) sched_yield();
    ck_assert_int_eq(count_of(ask(reader, NULL), "\"request_id\":\"late\""), 1);
    mb_calls_close(reader, -1);
}
END_TEST

static int fill_and_ask(void *where) {
    mb_calls *calls = NULL;
    membrane_error *err = NULL;
    mb_buf out = MB_BUF(1 << 20);
    mb_call_row row = sample("r1");
    int status = mb_calls_new(where, 30, &calls, &err);
    if (!status) status = mb_calls_add(calls, &row);
    if (!status) status = mb_calls_flush(calls, -1, &err);
    if (!status) status = mb_calls_query(calls, NULL, &out, &err);
    if (!status) status = mb_calls_sum(calls, "model", 0, &out, &err);
    if (!status) status = mb_calls_last(calls, &out, &err);
    mb_calls_close(calls, -1);
    mb_buf_free(&out);
    membrane_error_free(err);
    return status;
}

START_TEST(every_allocation_may_fail) {
    unit_every_allocation_fails(fill_and_ask, NULL);
    unit_every_allocation_fails(fill_and_ask, path);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_checked_fixture(tc, set_up, tear_down);
    // First: a test below leaves a writer that frees its memory when it likes, and blocks are counted here.
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, a_row_comes_back_as_it_was_from_memory_and_from_a_file);
    tcase_add_test(tc, a_decision_is_given_back_where_one_asks_for_it);
    tcase_add_test(tc, a_file_of_the_first_layout_is_brought_to_this_one);
    tcase_add_test(tc, questions_pick_rows);
    tcase_add_test(tc, wrong_questions_are_refused);
    tcase_add_test(tc, sums_count_what_is_known);
    tcase_add_test(tc, the_last_outcome_of_a_provider_is_that_of_its_last_attempt);
    tcase_add_test(tc, the_last_outcome_of_each_key_is_known_where_attempts_say_which);
    tcase_add_test(tc, memory_keeps_the_last_rows_only);
    tcase_add_test(tc, memory_is_bounded_in_bytes_too);
    tcase_add_test(tc, old_rows_go_when_the_file_is_opened);
    tcase_add_test(tc, a_row_is_in_the_file_soon_without_a_flush);
    tcase_add_test(tc, a_file_that_cannot_be_used_is_told_early_and_at_the_flush);
    tcase_add_test(tc, a_stuck_disk_loses_the_oldest_rows_and_says_so);
    tcase_add_test(tc, many_threads_add_while_others_ask);
    tcase_add_test(tc, eight_processes_write_one_file);
    tcase_add_test(tc, a_kill_at_any_moment_leaves_the_file_sound_and_what_was_flushed_in_it);
    tcase_add_test(tc, a_child_lets_go_without_touching_thread_or_file);
    tcase_add_test(tc, a_close_does_not_wait_longer_than_it_may);
}

UNIT_MAIN("calls", tests)
