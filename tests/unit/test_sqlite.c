// SPDX-License-Identifier: MIT
// The database file: who may read it, whose it is, which version, and two processes that make it at once.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/migrations.h"
#include "store/sqlite.h"
#include "unit.h"

static char folder[64], path[128];

static void set_up(void) {
    strcpy(folder, "/tmp/mb_sqlite_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/deep/er/log.db", folder);
}

static void tear_down(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static mb_db *open_ok(void) {
    mb_db *db = NULL;
    membrane_error *err = NULL;
    ck_assert_msg(mb_db_open(path, &db, &err) == 0, "%s", membrane_error_message(err));
    return db;
}

static void exec_ok(mb_db *db, const char *sql) {
    membrane_error *err = NULL;
    ck_assert_msg(mb_db_exec(db, sql, &err) == 0, "%s", membrane_error_message(err));
}

static void refused(int code, const char *words) {
    mb_db *db = NULL;
    membrane_error *err = NULL;
    ck_assert_int_eq(mb_db_open(path, &db, &err), code);
    ck_assert_ptr_null(db);
    ck_assert_msg(strstr(membrane_error_message(err), words) != NULL, "%s", membrane_error_message(err));
    membrane_error_free(err);
}

START_TEST(folders_are_private_and_so_is_the_file) {
    struct stat st;
    char part[128];
    mb_db_close(open_ok());
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    snprintf(part, sizeof part, "%s/deep", folder);
    ck_assert_int_eq(stat(part, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0700);
}
END_TEST

START_TEST(values_come_back_as_they_were_bound) {
    mb_db *db = NULL;
    mb_stmt *s, *again;
    ck_assert_int_eq(mb_db_open(NULL, &db, NULL), 0);
    ck_assert_int_eq(mb_db_stmt(db, "SELECT ?1, ?2, ?3", &s, NULL), 0);
    mb_stmt_int(s, 1, INT64_MIN);
    mb_stmt_text(s, 2, "zwölf 'x'");
    mb_stmt_null(s, 3);
    ck_assert_int_eq(mb_stmt_step(s, NULL), 1);
    ck_assert_int_eq(mb_stmt_col_int(s, 0), INT64_MIN);
    ck_assert_str_eq(mb_stmt_col_text(s, 1), "zwölf 'x'");
    ck_assert(mb_stmt_col_is_null(s, 2));
    ck_assert_ptr_null(mb_stmt_col_text(s, 2));
    ck_assert_int_eq(mb_stmt_step(s, NULL), 0);
    ck_assert_int_eq(mb_db_stmt(db, "SELECT ?1, ?2, ?3", &again, NULL), 0);
    ck_assert_ptr_eq(s, again); // kept, and its old values are gone
    ck_assert_int_eq(mb_stmt_step(again, NULL), 1);
    ck_assert(mb_stmt_col_is_null(again, 1));
    mb_db_close(db);
}
END_TEST

START_TEST(a_newer_layout_is_refused_with_a_sentence) {
    mb_db *db = open_ok();
    exec_ok(db, "PRAGMA user_version=99");
    mb_db_close(db);
    refused(MEMBRANE_ENEWER, "newer version of membrane");
    refused(MEMBRANE_ENEWER, "99");
}
END_TEST

START_TEST(a_file_of_another_program_is_refused_and_left_as_it_is) {
    mb_db *db = open_ok();
    exec_ok(db, "PRAGMA application_id=77");
    mb_db_close(db);
    refused(MEMBRANE_EIO, "another program");
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs("dear diary, this is no database and shall stay so; it is longer than a header of one hundred bytes is.\n",
          f);
    fclose(f);
    refused(MEMBRANE_EIO, "not a database");
    char first[17] = "";
    f = fopen(path, "r");
    ck_assert_ptr_nonnull(fgets(first, sizeof first, f));
    fclose(f);
    ck_assert_str_eq(first, "dear diary, this");
}
END_TEST

START_TEST(a_place_that_cannot_be_written_is_an_error_with_its_name) {
    strcpy(path, "/proc/nowhere/log.db");
    refused(MEMBRANE_EIO, "/proc/nowhere");
}
END_TEST

START_TEST(a_relative_name_is_never_a_uri_or_memory) {
    mb_db *db = NULL;
    char *here = getcwd(NULL, 0);
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(mb_db_open(":memory:", &db, NULL), 0);
    mb_db_close(db);
    ck_assert_int_eq(access(":memory:", F_OK), 0);
    ck_assert_int_eq(chdir(here), 0);
    free(here);
}
END_TEST

START_TEST(eight_processes_may_make_the_same_file_at_once) {
    for (int round = 0; round < 5; round++) {
        snprintf(path, sizeof path, "%s/round%d.db", folder, round);
        for (int i = 0; i < 8; i++)
            if (fork() == 0) {
                mb_db *db = NULL;
                _exit(mb_db_open(path, &db, NULL) == 0 ? 0 : 1);
            }
        for (int i = 0, status; i < 8; i++) {
            ck_assert_int_gt(wait(&status), 0);
            ck_assert_int_eq(status, 0);
        }
        mb_db *db = open_ok();
        exec_ok(db, "SELECT count(*) FROM calls");
        mb_db_close(db);
    }
}
END_TEST

static int open_and_ask(void *user) {
    (void)user;
    mb_db *db = NULL;
    mb_stmt *s;
    membrane_error *err = NULL;
    int status = mb_db_open(NULL, &db, &err);
    if (!status) status = mb_db_stmt(db, "SELECT 1", &s, &err);
    if (!status) status = mb_stmt_step(s, &err) == 1 ? 0 : -1;
    mb_db_close(db);
    membrane_error_free(err);
    return status;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(open_and_ask, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, folders_are_private_and_so_is_the_file);
    tcase_add_test(tc, values_come_back_as_they_were_bound);
    tcase_add_test(tc, a_newer_layout_is_refused_with_a_sentence);
    tcase_add_test(tc, a_file_of_another_program_is_refused_and_left_as_it_is);
    tcase_add_test(tc, a_place_that_cannot_be_written_is_an_error_with_its_name);
    tcase_add_test(tc, a_relative_name_is_never_a_uri_or_memory);
    tcase_add_test(tc, eight_processes_may_make_the_same_file_at_once);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("sqlite", tests)
