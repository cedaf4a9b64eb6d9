// SPDX-License-Identifier: MIT
// The key ring in a folder of its own: what goes in comes out, and whatever is done to its files is noticed.
#include "unit.h"

#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "seal/keyring.h"

static char folder[] = "/tmp/mb-keyring-XXXXXX";
static membrane_error *err;

static mb_keyring_where by_file(void) { return (mb_keyring_where){.folder = folder}; }
static mb_keyring_where by_passphrase(const char *passphrase) {
    return (mb_keyring_where){.folder = folder, .passphrase = passphrase, .ops = 1, .memory = 8192}; // cheap
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static void begin(void) {
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void forget_error(void) {
    membrane_error_free(err);
    err = NULL;
}

static void end(void) {
    forget_error();
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name) {
    static char paths[4][128];
    static int at;
    char *path = paths[at++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void set(mb_keyring_where where, const char *name, const char *value) {
    int code = mb_keyring_set(&where, name, value, strlen(value), 1000, &err);
    ck_assert_msg(code == 0, "%s", membrane_error_message(err));
}

static int get(mb_keyring_where where, const char *name, char *ret, size_t room) {
    mb_keyring *ring = NULL;
    mb_arena arena = {0};
    const char *value = NULL;
    size_t len = 0;
    forget_error();
    int code = mb_keyring_open(&where, &ring, &err);
    if (code == 0) code = mb_keyring_get(ring, name, &arena, &value, &len, &err);
    if (code == 0) {
        ck_assert(len < room && value[len] == '\0');
        memcpy(ret, value, len + 1);
    }
    ck_assert_int_eq(membrane_error_code(err), code);
    if (code && code != MEMBRANE_ENOMEM) ck_assert_ptr_nonnull(membrane_error_hint(err)); // what to do
    mb_arena_forget(&arena);
    mb_keyring_free(ring);
    return code;
}

static void expect(mb_keyring_where where, const char *name, const char *value) {
    char got[256];
    int code = get(where, name, got, sizeof got);
    ck_assert_msg(code == 0, "%s", membrane_error_message(err));
    ck_assert_str_eq(got, value);
}

static void expect_error(mb_keyring_where where, int code, const char *part) {
    char got[256];
    ck_assert_int_eq(get(where, "one", got, sizeof got), code);
    ck_assert_msg(strstr(membrane_error_message(err), part) != NULL, "%s", membrane_error_message(err));
    ck_assert_ptr_null(strstr(membrane_error_message(err), "PLANTED"));
}

static mb_buf read_back(const char *name) {
    mb_buf text = MB_BUF(MB_KEYRING_FILE);
    ck_assert_int_eq(mb_file_read(path_of(name), &text, NULL), 0);
    return text;
}

static void write_back(const char *name, const char *text, size_t len) {
    unlink(path_of(name)); // a file that is cut short first is slow to write
    FILE *file = fopen(path_of(name), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
    chmod(path_of(name), 0600);
}

// ---- what it is for ------------------------------------------------------------------------------------------------

START_TEST(what_is_set_is_there_until_it_is_replaced_or_removed) {
    begin();
    for (int i = 0; i < 2; i++) {
        mb_keyring_where where = i ? by_passphrase("long enough") : by_file();
        set(where, "one", "sk-PLANTED-one");
        set(where, "two", "sk-PLANTED-two");
        set(where, "a.b_c-9", "{\"private_key\":\"PLANTED\\n\",\n\"x\":1}");
        expect(where, "one", "sk-PLANTED-one");
        set(where, "one", "sk-PLANTED-anew");
        expect(where, "one", "sk-PLANTED-anew");
        expect(where, "two", "sk-PLANTED-two");
        expect(where, "a.b_c-9", "{\"private_key\":\"PLANTED\\n\",\n\"x\":1}");
        ck_assert_int_eq(mb_keyring_remove(&where, "two", &err), 0);
        ck_assert_int_eq(mb_keyring_remove(&where, "two", &err), MEMBRANE_ENOTFOUND);
        forget_error();
        expect(where, "one", "sk-PLANTED-anew");
        unlink(path_of("keys"));
    }
    end();
}
END_TEST

START_TEST(the_files_are_for_their_owner_alone_and_hold_no_value) {
    struct stat st;
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    static const char *const names[] = {"keys", "master.key", "keys.lock"};
    for (size_t i = 0; i < MB_COUNT(names); i++) {
        ck_assert_int_eq(stat(path_of(names[i]), &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
        mb_buf text = read_back(names[i]);
        ck_assert_ptr_null(strstr(mb_buf_text(&text), "PLANTED"));
        mb_buf_free(&text);
    }
    ck_assert_int_ne(access(path_of("keys.new"), F_OK), 0);
    end();
}
END_TEST

START_TEST(the_same_value_is_never_sealed_to_the_same_bytes) {
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    mb_buf first = read_back("keys");
    set(by_file(), "one", "sk-PLANTED-one");
    mb_buf second = read_back("keys");
    ck_assert(first.len == second.len && memcmp(first.data, second.data, first.len) != 0);
    mb_buf_free(&first);
    mb_buf_free(&second);
    end();
}
END_TEST

START_TEST(names_and_values_have_their_bounds) {
    static const char *const wrong[] = {"", ".hidden", "a b", "a/b", "ä", "a\n", "sealed:x"};
    static const char *const right[] = {"a", "A.b-c_9", "0"};
    char long_name[MB_KEYRING_NAME + 2], *large = mb_calloc(1, MB_KEYRING_VALUE + 1);
    mb_keyring_where where = by_file();
    begin();
    for (size_t i = 0; i < MB_COUNT(wrong); i++) ck_assert_msg(!mb_keyring_is_name(wrong[i]), "%s", wrong[i]);
    for (size_t i = 0; i < MB_COUNT(right); i++) ck_assert_msg(mb_keyring_is_name(right[i]), "%s", right[i]);
    memset(long_name, 'x', sizeof long_name);
    long_name[MB_KEYRING_NAME + 1] = '\0';
    ck_assert(!mb_keyring_is_name(long_name) && mb_keyring_is_name(long_name + 1));
    ck_assert_int_eq(mb_keyring_set(&where, "a b", "x", 1, 0, &err), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_keyring_set(&where, "a", "", 0, 0, &err), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_keyring_set(&where, "a", large, MB_KEYRING_VALUE + 1, 0, &err), MEMBRANE_EINVAL);
    ck_assert_int_eq(mb_keyring_set(&where, long_name + 1, large, MB_KEYRING_VALUE, INT64_MAX, &err), 0);
    for (int i = 0; i < 100; i++) { // until the file is as large as it may be
        char name[8];
        snprintf(name, sizeof name, "k%d", i);
        int code = mb_keyring_set(&where, name, large, MB_KEYRING_VALUE, 0, &err);
        ck_assert(code == 0 || code == MEMBRANE_EINVAL);
        if (code == 0) continue;
        ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "is full"));
        ck_assert_int_gt(i, 8);
        break;
    }
    mb_keyring *ring = NULL;
    ck_assert_int_eq(mb_keyring_open(&where, &ring, &err), 0);
    mb_keyring_free(ring);
    mb_free(large);
    end();
}
END_TEST

// ---- what goes wrong -----------------------------------------------------------------------------------------------

START_TEST(a_wrong_passphrase_is_told_from_a_missing_one) {
    begin();
    expect_error(by_file(), MEMBRANE_ENOTFOUND, "there is no key ring");
    set(by_passphrase("right"), "one", "sk-PLANTED-one");
    expect(by_passphrase("right"), "one", "sk-PLANTED-one");
    expect_error(by_passphrase("wrong"), MEMBRANE_EAUTH, "does not open the key ring");
    expect_error(by_passphrase(NULL), MEMBRANE_EAUTH, "needs its passphrase");
    expect_error(by_passphrase(""), MEMBRANE_EAUTH, "needs its passphrase");
    mb_keyring_where wrong = by_passphrase("wrong");
    ck_assert_int_eq(mb_keyring_set(&wrong, "two", "x", 1, 0, &err), MEMBRANE_EAUTH);
    ck_assert_int_eq(mb_keyring_remove(&wrong, "one", &err), MEMBRANE_EAUTH);
    expect(by_passphrase("right"), "one", "sk-PLANTED-one");
    ck_assert_int_ne(access(path_of("master.key"), F_OK), 0);
    end();
}
END_TEST

START_TEST(a_passphrase_does_not_guard_what_a_file_opens) {
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    mb_keyring_where other = by_passphrase("given");
    ck_assert_int_eq(mb_keyring_set(&other, "two", "x", 1, 0, &err), MEMBRANE_EINVAL);
    ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "master.key, not with a passphrase"));
    expect(other, "one", "sk-PLANTED-one"); // reading needs none
    end();
}
END_TEST

START_TEST(a_missing_key_says_how_to_set_it) {
    char got[16];
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    ck_assert_int_eq(get(by_file(), "two", got, sizeof got), MEMBRANE_ENOTFOUND);
    ck_assert_str_eq(membrane_error_hint(err), "membrane keys set two");
    end();
}
END_TEST

START_TEST(files_that_others_may_read_are_refused) {
    static const char *const names[] = {"keys", "master.key"};
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    for (size_t i = 0; i < MB_COUNT(names); i++) {
        for (int bit = 0; bit < 6; bit++) {
            chmod(path_of(names[i]), 0600 | 1u << bit);
            expect_error(by_file(), MEMBRANE_ECONFIG, "may be read or changed by others");
            ck_assert_msg(strncmp(membrane_error_hint(err), "chmod 600 ", 10) == 0, "%s", membrane_error_hint(err));
        }
        chmod(path_of(names[i]), 0600);
    }
    expect(by_file(), "one", "sk-PLANTED-one");
    end();
}
END_TEST

START_TEST(a_master_key_that_is_gone_wrong_or_another_is_told) {
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    mb_buf master = read_back("master.key");
    write_back("master.key", "nonsense", 8);
    expect_error(by_file(), MEMBRANE_ECONFIG, "is no master key");
    write_back("master.key", "", 0);
    expect_error(by_file(), MEMBRANE_ECONFIG, "is no master key");
    unlink(path_of("master.key"));
    expect_error(by_file(), MEMBRANE_EAUTH, "which is not there");
    master.data[30] = master.data[30] == 'A' ? 'B' : 'A';
    write_back("master.key", master.data, master.len);
    expect_error(by_file(), MEMBRANE_EAUTH, "sealed with another key");
    mb_buf_free(&master);
    end();
}
END_TEST

START_TEST(a_newer_version_is_refused_as_such) {
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    write_back("keys", "membrane-keys 2\nanything at all", 31);
    expect_error(by_file(), MEMBRANE_ENEWER,
                 "version 2 of the key ring is newer than this library, which reads version 1");
    mb_keyring_where where = by_file();
    ck_assert_int_eq(mb_keyring_set(&where, "one", "x", 1, 0, &err), MEMBRANE_ENEWER);
    mb_buf text = read_back("keys");
    ck_assert_str_eq(mb_buf_text(&text), "membrane-keys 2\nanything at all"); // and left alone
    mb_buf_free(&text);
    end();
}
END_TEST

// Every byte changed, in several ways; every shorter file; a longer one.
static void tamper(mb_keyring_where where) {
    static const unsigned char changes[] = {0x01, 0x20, 0x80};
    mb_buf text = read_back("keys");
    for (size_t i = 0; i < text.len; i++) {
        for (size_t c = 0; c < sizeof changes; c++) {
            text.data[i] ^= (char)changes[c];
            write_back("keys", text.data, text.len);
            char got[256];
            int code = get(where, "one", got, sizeof got);
            ck_assert_msg(code == MEMBRANE_ECONFIG || code == MEMBRANE_EAUTH || code == MEMBRANE_ENEWER,
                          "byte %zu ^ %d gives %d", i, changes[c], code);
            text.data[i] ^= (char)changes[c];
        }
        write_back("keys", text.data, i);
        expect_error(where, MEMBRANE_ECONFIG, ":");
    }
    mb_buf_putc(&text, '\n');
    write_back("keys", text.data, text.len);
    expect_error(where, MEMBRANE_ECONFIG, "its last line is wrong");
    mb_buf_cut(&text, text.len - 1);
    write_back("keys", text.data, text.len);
    expect(where, "one", "sk-PLANTED-one");
    mb_buf_free(&text);
}

START_TEST(no_byte_of_the_file_can_be_changed_unnoticed) {
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    set(by_file(), "two", "sk-PLANTED-two");
    tamper(by_file());
    unlink(path_of("keys"));
    set(by_passphrase("right"), "one", "sk-PLANTED-one");
    tamper(by_passphrase("right"));
    end();
}
END_TEST

// Whole lines: what is left or moved is still well formed.
START_TEST(keys_cannot_be_taken_out_swapped_or_renamed) {
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    set(by_file(), "two", "sk-PLANTED-two");
    mb_buf text = read_back("keys"), changed = MB_BUF(MB_KEYRING_FILE);
    char *one = strstr(text.data, "key one"), *two = strstr(text.data, "key two"), *last = strstr(text.data, "end ");
    mb_buf_put(&changed, text.data, (size_t)(two - text.data)); // without two
    mb_buf_puts(&changed, last);
    write_back("keys", changed.data, changed.len);
    expect_error(by_file(), MEMBRANE_ECONFIG, "was changed by something else");
    mb_buf_reset(&changed);
    mb_buf_put(&changed, text.data, (size_t)(one - text.data)); // the other way round, with the other's name
    mb_buf_puts(&changed, "key one");
    mb_buf_put(&changed, two + 7, (size_t)(last - two - 7));
    mb_buf_puts(&changed, "key two");
    mb_buf_put(&changed, one + 7, (size_t)(two - one - 7));
    mb_buf_puts(&changed, last);
    ck_assert_uint_eq(changed.len, text.len);
    write_back("keys", changed.data, changed.len);
    expect_error(by_file(), MEMBRANE_ECONFIG, "was changed by something else");
    mb_buf_free(&text);
    mb_buf_free(&changed);
    end();
}
END_TEST

START_TEST(what_no_ring_looks_like_is_refused_with_its_line) {
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", ":1: the key ring is damaged: this is no key ring"},
        {"membrane-keys 0\n", "this is no key ring"},
        {"membrane-keys 01\n", "this is no key ring"},
        {"membrane-keys 1 \n", ":1: the key ring is damaged: something follows the version"},
        {"membrane-keys 1\nmaster none\n", ":2: the key ring is damaged: the line of the master key is wrong"},
        {"membrane-keys 1\nmaster argon2id 0 8192 AAAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAA\n", "the line of the"},
        {"membrane-keys 1\nmaster argon2id 99 8192 AAAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAA\n", "the line of the"},
        {"membrane-keys 1\nmaster argon2id 1 99999999999 AAAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAA\n",
         "the line of the"},
        {"membrane-keys 1\nmaster file AAAAAAAAAAAAAAAAAAAAAB\n", "the line of the"}, // bits that nobody wrote
        {"membrane-keys 1\nmaster file AAAAAAAAAAAAAAAAAAAAAA\nkey b 1 AAAA\n",
         ":3: the key ring is damaged: a key's value"},
        {"membrane-keys 1\nmaster file AAAAAAAAAAAAAAAAAAAAAA\nkey b/c 1 AAAA\n", "a key's name is wrong"},
        {"membrane-keys 1\nmaster file AAAAAAAAAAAAAAAAAAAAAA\nkey b x AAAA\n", "a key's date is wrong"},
        {"membrane-keys 1\nmaster file AAAAAAAAAAAAAAAAAAAAAA\nkey b", "a key's name is wrong"},
        {"membrane-keys 1\nmaster file AAAAAAAAAAAAAAAAAAAAAA\nend AAAA\n", "its last line is wrong"},
        {"membrane-keys 1\nmaster file AAAAAAAAAAAAAAAAAAAAAA\n", "its last line is wrong"},
    };
    begin();
    set(by_file(), "one", "sk-PLANTED-one");
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        write_back("keys", rows[i].text, strlen(rows[i].text));
        expect_error(by_file(), MEMBRANE_ECONFIG, rows[i].message);
    }
    end();
}
END_TEST

// ---- many writers, and writers that die ----------------------------------------------------------------------------

enum { WRITERS = 4, KEYS_EACH = 10 };

static void *write_many(void *number) {
    mb_keyring_where where = by_file();
    for (int i = 0; i < KEYS_EACH; i++) {
        char name[32];
        snprintf(name, sizeof name, "w%d-%d", *(int *)number, i);
        if (mb_keyring_set(&where, name, name, strlen(name), 0, NULL) != 0) return number;
    }
    return NULL;
}

START_TEST(writers_take_turns_and_nothing_is_lost) {
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    void *failed;
    begin();
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, &numbers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    mb_keyring *ring = NULL;
    mb_keyring_where where = by_file();
    ck_assert_int_eq(mb_keyring_open(&where, &ring, &err), 0);
    ck_assert_uint_eq(mb_keyring_contents(ring)->count, WRITERS * KEYS_EACH);
    mb_keyring_free(ring);
    end();
}
END_TEST

// Sets "one" to 1, 2, 3 … and says each number once it was told that it is kept.
static void write_for_ever(int out) {
    mb_keyring_where where = by_file();
    for (int i = 1;; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        if (mb_keyring_set(&where, "one", text, strlen(text), i, NULL) != 0) _exit(1);
        if (write(out, &i, sizeof i) != sizeof i) _exit(1);
    }
}

START_TEST(a_writer_that_is_killed_leaves_a_ring_with_all_that_it_was_promised) {
    for (int round = 0; round < 40; round++) {
        int ends[2], said = 0, status, kept;
        char got[256];
        begin();
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_for_ever(ends[1]);
        }
        close(ends[1]);
        for (int i = 0; i <= round % 4; i++) ck_assert_int_eq(read(ends[0], &said, sizeof said), sizeof said);
        usleep((useconds_t)(round * 37)); // anywhere within the next write
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        ck_assert(WIFSIGNALED(status));
        while (read(ends[0], &said, sizeof said) == sizeof said) {}
        close(ends[0]);
        ck_assert_msg(get(by_file(), "one", got, sizeof got) == 0, "%s", membrane_error_message(err));
        kept = atoi(got);
        ck_assert_msg(kept == said || kept == said + 1, "%d was promised, %d is there", said, kept);
        set(by_file(), "one", "after"); // its lock died with it
        expect(by_file(), "one", "after");
        end();
    }
}
END_TEST

// ---- memory --------------------------------------------------------------------------------------------------------

static int set_and_get(void *passphrase) {
    mb_keyring_where where = passphrase ? by_passphrase(passphrase) : by_file();
    char got[256];
    forget_error();
    unlink(path_of("keys"));
    int code = mb_keyring_set(&where, "one", "sk-PLANTED-one", 14, 1, &err);
    if (code == 0) code = mb_keyring_set(&where, "two", "sk-PLANTED-two", 14, 1, &err);
    if (code == 0) code = get(where, "two", got, sizeof got);
    if (code == 0) ck_assert_str_eq(got, "sk-PLANTED-two");
    if (code == 0) code = mb_keyring_remove(&where, "one", &err);
    ck_assert_msg(code == 0 || code == MEMBRANE_ENOMEM, "%s", membrane_error_message(err));
    forget_error();
    return code;
}

START_TEST(without_memory_there_is_an_error_and_nothing_is_kept) {
    begin();
    unit_every_allocation_fails(set_and_get, NULL);
    unit_every_allocation_fails(set_and_get, (void *)(uintptr_t) "right");
    end();
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, what_is_set_is_there_until_it_is_replaced_or_removed);
    tcase_add_test(tc, the_files_are_for_their_owner_alone_and_hold_no_value);
    tcase_add_test(tc, the_same_value_is_never_sealed_to_the_same_bytes);
    tcase_add_test(tc, names_and_values_have_their_bounds);
    tcase_add_test(tc, a_wrong_passphrase_is_told_from_a_missing_one);
    tcase_add_test(tc, a_passphrase_does_not_guard_what_a_file_opens);
    tcase_add_test(tc, a_missing_key_says_how_to_set_it);
    tcase_add_test(tc, files_that_others_may_read_are_refused);
    tcase_add_test(tc, a_master_key_that_is_gone_wrong_or_another_is_told);
    tcase_add_test(tc, a_newer_version_is_refused_as_such);
    tcase_add_test(tc, no_byte_of_the_file_can_be_changed_unnoticed);
    tcase_add_test(tc, keys_cannot_be_taken_out_swapped_or_renamed);
    tcase_add_test(tc, what_no_ring_looks_like_is_refused_with_its_line);
    tcase_add_test(tc, writers_take_turns_and_nothing_is_lost);
    tcase_add_test(tc, a_writer_that_is_killed_leaves_a_ring_with_all_that_it_was_promised);
    tcase_add_test(tc, without_memory_there_is_an_error_and_nothing_is_kept);
}
UNIT_MAIN("keyring", tests)
