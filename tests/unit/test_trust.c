// SPDX-License-Identifier: MIT
#include "unit.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runtime/trust.h"

static char folder[] = "/tmp/mb-trust-XXXXXX";

static const char *at(const char *name) {
    static char paths[8][PATH_MAX];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text) {
    FILE *file = fopen(at(name), "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void set_up(void) {
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    static const char *const folders[] = {"p", "p/.membrane", "p/deep", "p/deep/deeper", "other"};
    for (size_t i = 0; i < MB_COUNT(folders); i++) ck_assert_int_eq(mkdir(at(folders[i]), 0700), 0);
    write_text("p/.membrane/config.yaml", "version: 1\n");
    setenv("XDG_CONFIG_HOME", at("xdg/deep"), 1);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static void tear_down(void) {
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    unsetenv("XDG_CONFIG_HOME");
}

static bool is_trusted(const char *name) {
    bool trusted = true;
    ck_assert_int_eq(mb_trust_check(at(name), &trusted, NULL), 0);
    return trusted;
}

static void add(const char *name) {
    char hash[MB_HASH_HEX_SIZE];
    ck_assert_int_eq(mb_trust_add(at(name), hash, NULL), 0);
    ck_assert_uint_eq(strlen(hash), MB_HASH_HEX_SIZE - 1);
}

START_TEST(a_project_file_is_found_here_and_above) {
    static const char *const from[] = {"p", "p/deep", "p/deep/deeper", "p/.membrane"};
    char *path;
    for (size_t i = 0; i < MB_COUNT(from); i++) {
        ck_assert_int_eq(mb_trust_find(at(from[i]), &path, NULL), 0);
        ck_assert_str_eq(path, at("p/.membrane/config.yaml"));
        mb_free(path);
    }
    ck_assert_int_eq(mb_trust_find(at("other"), &path, NULL), 0);
    ck_assert_ptr_null(path);
    ck_assert_int_eq(mb_trust_find(at("nowhere"), &path, NULL), 0);
    ck_assert_ptr_null(path);
    ck_assert_int_eq(mb_trust_find("/", &path, NULL), 0);
    ck_assert_ptr_null(path);
}
END_TEST

START_TEST(the_nearest_one_counts_and_json_too) {
    char *path;
    ck_assert_int_eq(mkdir(at("p/deep/.membrane"), 0700), 0);
    write_text("p/deep/.membrane/config.json", "{}");
    ck_assert_int_eq(mb_trust_find(at("p/deep/deeper"), &path, NULL), 0);
    ck_assert_str_eq(path, at("p/deep/.membrane/config.json"));
    mb_free(path);
}
END_TEST

START_TEST(only_what_was_added_is_trusted_and_only_as_it_was) {
    ck_assert(!is_trusted("p/.membrane/config.yaml"));
    add("p/.membrane/config.yaml");
    ck_assert(is_trusted("p/.membrane/config.yaml"));
    write_text("p/.membrane/config.yaml", "version: 1 \n"); // one byte more
    ck_assert(!is_trusted("p/.membrane/config.yaml"));
    add("p/.membrane/config.yaml");
    ck_assert(is_trusted("p/.membrane/config.yaml"));
    write_text("p/.membrane/config.yaml", "version: 1\n"); // what was trusted before is no more
    ck_assert(!is_trusted("p/.membrane/config.yaml"));
}
END_TEST

START_TEST(the_same_text_elsewhere_is_not_trusted) {
    add("p/.membrane/config.yaml");
    write_text("other/config.yaml", "version: 1\n");
    ck_assert(!is_trusted("other/config.yaml"));
}
END_TEST

START_TEST(a_path_is_stored_as_it_really_is) {
    ck_assert_int_eq(symlink(at("p"), at("link")), 0);
    add("link/.membrane/../.membrane/config.yaml");
    ck_assert(is_trusted("p/.membrane/config.yaml"));
}
END_TEST

START_TEST(many_are_kept_apart_though_their_names_end_alike) {
    char name[64];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "%.*sconfig", i, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        write_text(name, i % 2 ? "a" : "b");
        add(name);
    }
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "%.*sconfig", i, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        ck_assert(is_trusted(name));
    }
}
END_TEST

START_TEST(a_name_with_a_newline_cannot_bring_another_line) {
    char hash[MB_HASH_HEX_SIZE];
    membrane_error *err = NULL;
    write_text("evil\nline", "a");
    ck_assert_int_eq(mb_trust_add(at("evil\nline"), hash, &err), MEMBRANE_EINVAL);
    membrane_error_free(err);
    ck_assert(!is_trusted("evil\nline"));
}
END_TEST

START_TEST(the_list_is_for_its_owner_only) {
    struct stat st;
    add("p/.membrane/config.yaml");
    ck_assert_int_eq(stat(at("xdg/deep/membrane/trusted"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_ne(access(at("xdg/deep/membrane/trusted.new"), F_OK), 0);
}
END_TEST

START_TEST(a_broken_list_trusts_nothing_and_takes_new_lines) {
    add("p/.membrane/config.yaml");
    write_text("xdg/deep/membrane/trusted", "what is this\n\n\x01\x02");
    ck_assert(!is_trusted("p/.membrane/config.yaml"));
    add("p/.membrane/config.yaml");
    ck_assert(is_trusted("p/.membrane/config.yaml"));
}
END_TEST

START_TEST(what_cannot_be_done_is_an_error) {
    char hash[MB_HASH_HEX_SIZE];
    bool trusted;
    ck_assert_int_eq(mb_trust_add(at("nowhere"), hash, NULL), MEMBRANE_ENOTFOUND);
    add("p/.membrane/config.yaml");
    ck_assert_int_eq(mb_trust_check(at("nowhere"), &trusted, NULL), MEMBRANE_EIO);
    ck_assert(!trusted);
    setenv("XDG_CONFIG_HOME", "/proc/nowhere", 1);
    ck_assert_int_eq(mb_trust_add(at("p/.membrane/config.yaml"), hash, NULL), MEMBRANE_EIO);
    setenv("XDG_CONFIG_HOME", at("xdg/deep"), 1);
}
END_TEST

START_TEST(without_a_home_nothing_is_trusted) {
    char hash[MB_HASH_HEX_SIZE], home[PATH_MAX];
    snprintf(home, sizeof home, "%s", getenv("HOME") ? getenv("HOME") : "");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("HOME");
    ck_assert(!is_trusted("p/.membrane/config.yaml"));
    ck_assert_int_eq(mb_trust_add(at("p/.membrane/config.yaml"), hash, NULL), MEMBRANE_EIO);
    setenv("XDG_CONFIG_HOME", "not/absolute", 1);
    setenv("HOME", at("home"), 1);
    char *dir;
    ck_assert_int_eq(mb_trust_user_dir(&dir, NULL), 0);
    ck_assert_str_eq(dir, at("home/.config/membrane"));
    mb_free(dir);
    setenv("HOME", home, 1);
}
END_TEST

static int use_all(void *unused) {
    char hash[MB_HASH_HEX_SIZE];
    bool trusted = false;
    char *path = NULL;
    int code = mb_trust_add(at("p/.membrane/config.yaml"), hash, NULL);
    if (code == 0) code = mb_trust_find(at("p/deep"), &path, NULL);
    if (code == 0) code = mb_trust_check(path, &trusted, NULL);
    ck_assert(code == MEMBRANE_ENOMEM || (code == 0 && trusted));
    mb_free(path);
    return code;
}

START_TEST(without_memory_it_says_so) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_project_file_is_found_here_and_above);
    tcase_add_test(tc, the_nearest_one_counts_and_json_too);
    tcase_add_test(tc, only_what_was_added_is_trusted_and_only_as_it_was);
    tcase_add_test(tc, the_same_text_elsewhere_is_not_trusted);
    tcase_add_test(tc, a_path_is_stored_as_it_really_is);
    tcase_add_test(tc, many_are_kept_apart_though_their_names_end_alike);
    tcase_add_test(tc, a_name_with_a_newline_cannot_bring_another_line);
    tcase_add_test(tc, the_list_is_for_its_owner_only);
    tcase_add_test(tc, a_broken_list_trusts_nothing_and_takes_new_lines);
    tcase_add_test(tc, what_cannot_be_done_is_an_error);
    tcase_add_test(tc, without_a_home_nothing_is_trusted);
    tcase_add_test(tc, without_memory_it_says_so);
}
UNIT_MAIN("trust", tests)
