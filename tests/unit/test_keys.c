// SPDX-License-Identifier: MIT
// The public functions about keys, and what a configuration makes of "sealed:NAME".
#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "membrane/membrane.h"
#include "runtime/config.h"

static char folder[] = "/tmp/mb-keys-XXXXXX";
static membrane_error *err;
static const char *passphrase; // what the options of the next functions hold

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static void begin(void) {
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("XDG_CONFIG_HOME", folder, 1);
    setenv("HOME", folder, 1);
    unsetenv("MEMBRANE_PASSPHRASE");
    passphrase = NULL;
}

static void forget_error(void) {
    membrane_error_free(err);
    err = NULL;
}

static void end(void) {
    forget_error();
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("MEMBRANE_PASSPHRASE");
}

static const char *ring_path(void) {
    static char path[128];
    snprintf(path, sizeof path, "%s/membrane/keys", folder);
    return path;
}

static membrane_keys_options options(void) {
    membrane_keys_options o;
    membrane_keys_options_init(&o, sizeof o);
    o.flags = MEMBRANE_KEYS_ENVIRONMENT;
    o.passphrase = passphrase;
    return o;
}

static int set(const char *name, const char *value) {
    membrane_keys_options o = options();
    forget_error();
    return membrane_keys_set(&o, name, value, strlen(value), &err);
}

static const char *status_text(const char *path) {
    static char text[512];
    membrane_keys_options o = options();
    membrane_result *result = NULL;
    ck_assert_int_eq(membrane_keys_status(&o, &result, NULL), 0);
    const char *str = membrane_result_str(result, path);
    snprintf(text, sizeof text, "%s", str ? str : "(none)");
    ck_assert_ptr_null(strstr(membrane_result_json(result, NULL), "PLANTED"));
    membrane_result_free(result);
    return text;
}

// ---- the functions -------------------------------------------------------------------------------------------------

START_TEST(keys_are_set_listed_and_removed) {
    membrane_result *list = NULL;
    begin();
    ck_assert_int_eq(membrane_keys_list(NULL, &list, &err), 0);
    ck_assert_str_eq(membrane_result_json(list, NULL), "{\"items\":[]}");
    membrane_result_free(list);
    ck_assert_int_eq(set("two", "sk-PLANTED-two"), 0);
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    ck_assert_int_eq(membrane_keys_list(NULL, &list, &err), 0);
    ck_assert_str_eq(membrane_result_str(list, "items.0.name"), "one");
    ck_assert_str_eq(membrane_result_str(list, "items.1.name"), "two");
    ck_assert_int_gt(membrane_result_int(list, "items.1.changed_ms", 0), 1700000000000);
    ck_assert_ptr_null(strstr(membrane_result_json(list, NULL), "PLANTED"));
    membrane_result_free(list);
    ck_assert_int_eq(membrane_keys_remove(NULL, "two", &err), 0);
    ck_assert_int_eq(membrane_keys_remove(NULL, "two", &err), MEMBRANE_ENOTFOUND);
    end();
}
END_TEST

START_TEST(a_folder_of_its_own_is_another_ring) {
    char other[160];
    membrane_keys_options o;
    begin();
    membrane_keys_options_init(&o, sizeof o);
    snprintf(other, sizeof other, "%s/deep/below", folder);
    o.folder = other;
    ck_assert_int_eq(membrane_keys_set(&o, "one", "sk-PLANTED-one", 14, &err), 0);
    ck_assert_str_eq(status_text("state"), "none");
    ck_assert_int_eq(membrane_keys_remove(&o, "one", &err), 0);
    end();
}
END_TEST

START_TEST(wrong_arguments_are_refused) {
    membrane_keys_options o = options();
    membrane_result *result = NULL;
    begin();
    ck_assert_int_eq(membrane_keys_set(&o, NULL, "x", 1, &err), MEMBRANE_EINVAL);
    ck_assert_int_eq(membrane_keys_set(&o, "a", NULL, 1, &err), MEMBRANE_EINVAL);
    ck_assert_int_eq(membrane_keys_set(&o, "a b", "x", 1, &err), MEMBRANE_EINVAL);
    ck_assert_int_eq(membrane_keys_remove(&o, NULL, &err), MEMBRANE_EINVAL);
    ck_assert_int_eq(membrane_keys_list(&o, NULL, &err), MEMBRANE_EINVAL);
    ck_assert_int_eq(membrane_keys_status(&o, NULL, &err), MEMBRANE_EINVAL);
    o.struct_size = 0;
    ck_assert_int_eq(membrane_keys_list(&o, &result, &err), MEMBRANE_EINVAL);
    membrane_keys_options_init(NULL, 8);
    membrane_keys_options_init(&o, 2);
    unsetenv("HOME");
    unsetenv("XDG_CONFIG_HOME");
    ck_assert_int_eq(membrane_keys_list(NULL, &result, &err), MEMBRANE_EIO);
    end();
}
END_TEST

START_TEST(the_status_says_how_it_stands) {
    begin();
    ck_assert_str_eq(status_text("state"), "none");
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    ck_assert_str_eq(status_text("state"), "ok");
    ck_assert_str_eq(status_text("master"), "file");
    ck_assert_str_eq(status_text("path"), ring_path());
    chmod(ring_path(), 0640);
    ck_assert_str_eq(status_text("state"), "broken");
    ck_assert_str_eq(status_text("kind"), "config");
    ck_assert_ptr_nonnull(strstr(status_text("hint"), "chmod 600"));
    unlink(ring_path());
    passphrase = "long enough";
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    ck_assert_str_eq(status_text("state"), "ok");
    ck_assert_str_eq(status_text("master"), "passphrase");
    passphrase = "wrong";
    ck_assert_str_eq(status_text("state"), "broken");
    ck_assert_str_eq(status_text("kind"), "auth");
    passphrase = NULL;
    ck_assert_str_eq(status_text("state"), "locked");
    end();
}
END_TEST

START_TEST(a_list_needs_no_passphrase_and_the_environment_may_hold_it) {
    membrane_result *list = NULL;
    begin();
    setenv("MEMBRANE_PASSPHRASE", "of the environment", 1);
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    ck_assert_int_eq(set("two", "sk-PLANTED-two"), 0);
    ck_assert_str_eq(status_text("state"), "ok");
    ck_assert_int_eq(membrane_keys_list(NULL, &list, &err), 0); // without the flag it is not read
    ck_assert_str_eq(membrane_result_str(list, "items.1.name"), "two");
    membrane_result_free(list);
    ck_assert_int_eq(membrane_keys_remove(NULL, "one", &err), MEMBRANE_EAUTH);
    ck_assert_ptr_nonnull(strstr(membrane_error_hint(err), "MEMBRANE_PASSPHRASE"));
    end();
}
END_TEST

// ---- in a configuration --------------------------------------------------------------------------------------------

#define SEALED "providers:\n  a:\n    kind: ollama\n    api_key: sealed:one\n    headers: {X-Two: sealed:two}\n"

static int load(const char *text, uint32_t flags, mb_config **ret) {
    membrane_options o;
    membrane_options_init(&o, sizeof o);
    o.flags = flags;
    o.config_text = text;
    o.passphrase = passphrase;
    forget_error();
    return mb_config_load(&o, ret, &err);
}

static void load_fails(uint32_t flags, int code, const char *message, const char *hint) {
    mb_config *config = NULL;
    ck_assert_int_eq(load(SEALED, flags, &config), code);
    ck_assert_msg(strstr(membrane_error_message(err), message) != NULL, "%s", membrane_error_message(err));
    ck_assert_msg(strstr(membrane_error_message(err), "config_text:4: ") != NULL, "%s", membrane_error_message(err));
    ck_assert_msg(strstr(membrane_error_hint(err), hint) != NULL, "%s", membrane_error_hint(err));
    ck_assert_int_eq(membrane_error_code(err), code);
}

static void load_works(uint32_t flags, const char *key) {
    mb_config *config = NULL;
    int code = load(SEALED, flags, &config);
    ck_assert_msg(code == 0, "%s", membrane_error_message(err));
    const mb_provider *p = mb_config_provider(config, "a", 1);
    ck_assert_int_eq(p->key_count, 1);
    ck_assert_str_eq(p->keys[0], key);
    ck_assert_str_eq(p->key_refs[0], "sealed:one");
    int noted = 0;
    for (const mb_secret *s = p->secrets; s; s = s->next) noted += strstr(s->text, "PLANTED") != NULL;
    ck_assert_int_eq(noted, 2); // both are struck from errors
    ck_assert_ptr_null(config->ring);
    ck_assert_ptr_null(config->passphrase);
    mb_config_unref(config);
}

START_TEST(a_configuration_names_sealed_keys) {
    begin();
    load_fails(0, MEMBRANE_ECONFIG, "there is no key ring", "membrane keys set one");
    ck_assert_int_eq(set("two", "sk-PLANTED-two"), 0);
    load_fails(0, MEMBRANE_ECONFIG, "has no key \"one\"", "membrane keys set one");
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    load_works(0, "sk-PLANTED-one");
    ck_assert_int_eq(set("one", "sk-PLANTED\nX: y"), 0);
    mb_config *config = NULL;
    ck_assert_int_eq(load(SEALED, 0, &config), MEMBRANE_ECONFIG);
    ck_assert_str_eq(membrane_error_message(err), "config_text:4: the key holds a control character");
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    chmod(ring_path(), 0604);
    load_fails(0, MEMBRANE_ECONFIG, "may be read or changed by others", "chmod 600");
    end();
}
END_TEST

START_TEST(the_passphrase_is_the_options_or_the_environments_where_that_may_be_read) {
    begin();
    passphrase = "of the options";
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    ck_assert_int_eq(set("two", "sk-PLANTED-two"), 0);
    load_works(0, "sk-PLANTED-one");
    passphrase = NULL;
    load_fails(0, MEMBRANE_EAUTH, "needs its passphrase", "MEMBRANE_PASSPHRASE");
    setenv("MEMBRANE_PASSPHRASE", "of the options", 1);
    load_fails(0, MEMBRANE_EAUTH, "needs its passphrase", "MEMBRANE_PASSPHRASE");
    load_works(MEMBRANE_USER_CONFIG, "sk-PLANTED-one");
    setenv("MEMBRANE_PASSPHRASE", "another", 1);
    load_fails(MEMBRANE_USER_CONFIG, MEMBRANE_EAUTH, "does not open the key ring", "try again");
    passphrase = "of the options"; // wins over the environment's
    load_works(MEMBRANE_USER_CONFIG, "sk-PLANTED-one");
    end();
}
END_TEST

START_TEST(a_check_opens_nothing) {
    begin();
    ck_assert_int_eq(membrane_config_check("c", SEALED, 0, &err), 0);
    ck_assert_int_eq(membrane_config_check("c", "providers: {a: {kind: ollama, api_key: 'sealed:'}}", 0, &err),
                     MEMBRANE_ECONFIG);
    ck_assert_str_eq(membrane_error_message(err), "c:1: sealed: is followed by a key's name");
    end();
}
END_TEST

START_TEST(a_reload_reads_the_ring_again_with_the_passphrase_of_the_opening) {
    membrane_options o;
    membrane_t *m = NULL;
    membrane_result *shown = NULL;
    char given[] = "for once";
    begin();
    passphrase = "for once";
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    ck_assert_int_eq(set("two", "sk-PLANTED-two"), 0);
    membrane_options_init(&o, sizeof o);
    o.config_text = SEALED;
    o.passphrase = given;
    ck_assert_int_eq(membrane_open(&o, &m, &err), 0);
    memset(given, 'x', sizeof given - 1);
    ck_assert_int_eq(membrane_config_reload(m, &err), 0);
    ck_assert_int_eq(membrane_config_show(m, &shown, &err), 0);
    const char *json = membrane_result_json(shown, NULL);
    ck_assert(strstr(json, "sealed:one") && strstr(json, "sealed:two") && !strstr(json, "PLANTED"));
    membrane_result_free(shown);
    membrane_keys_options keys = options();
    ck_assert_int_eq(membrane_keys_remove(&keys, "one", &err), 0);
    ck_assert_int_eq(membrane_config_reload(m, &err), MEMBRANE_ECONFIG); // and the old one stays in force
    ck_assert_int_eq(membrane_config_show(m, &shown, NULL), 0);
    membrane_result_free(shown);
    membrane_close(m, 1000);
    end();
}
END_TEST

static const char *doctor(membrane_t *m) {
    static char text[2048];
    membrane_result *report = NULL;
    ck_assert_int_eq(membrane_doctor(m, 100, &report, NULL), 0);
    const char *json = membrane_result_json(report, NULL), *row = strstr(json, "\"key ring\"");
    snprintf(text, sizeof text, "%.*s", row ? (int)strcspn(row, "}") : 0, row ? row : "");
    membrane_result_free(report);
    return text;
}

START_TEST(the_doctor_says_when_the_ring_cannot_be_read) {
    membrane_t *m = NULL;
    begin();
    ck_assert_int_eq(membrane_open(NULL, &m, NULL), 0);
    ck_assert_ptr_nonnull(strstr(doctor(m), "\"state\":\"ok\""));
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    ck_assert_ptr_nonnull(strstr(doctor(m), "1 keys, sealed with a key file"));
    chmod(ring_path(), 0644);
    ck_assert_ptr_nonnull(strstr(doctor(m), "\"state\":\"fail\""));
    ck_assert_ptr_nonnull(strstr(doctor(m), "\"fix\":\"chmod 600"));
    unlink(ring_path());
    passphrase = "long enough";
    ck_assert_int_eq(set("one", "sk-PLANTED-one"), 0);
    ck_assert_ptr_nonnull(strstr(doctor(m), "\"state\":\"warn\""));
    membrane_close(m, 1000);
    end();
}
END_TEST

// ---- memory --------------------------------------------------------------------------------------------------------

static int all_of_it(void *unused) {
    membrane_keys_options o = options();
    membrane_result *list = NULL, *status = NULL;
    mb_config *config = NULL;
    int code = membrane_keys_set(&o, "one", "sk-PLANTED-one", 14, &err);
    if (code == 0) code = membrane_keys_set(&o, "two", "sk-PLANTED-two", 14, &err);
    if (code == 0) code = membrane_keys_list(&o, &list, &err);
    if (code == 0) code = membrane_keys_status(&o, &status, &err);
    if (code == 0) code = load(SEALED, 0, &config);
    if (code == 0) ck_assert_str_eq(mb_config_provider(config, "a", 1)->keys[0], "sk-PLANTED-one");
    ck_assert_msg(code == 0 || code == MEMBRANE_ENOMEM, "%s", membrane_error_message(err));
    if (code == 0) mb_config_unref(config);
    membrane_result_free(list);
    membrane_result_free(status);
    forget_error();
    return code;
}

START_TEST(without_memory_there_is_an_error) {
    begin();
    unit_every_allocation_fails(all_of_it, NULL);
    end();
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, keys_are_set_listed_and_removed);
    tcase_add_test(tc, a_folder_of_its_own_is_another_ring);
    tcase_add_test(tc, wrong_arguments_are_refused);
    tcase_add_test(tc, the_status_says_how_it_stands);
    tcase_add_test(tc, a_list_needs_no_passphrase_and_the_environment_may_hold_it);
    tcase_add_test(tc, a_configuration_names_sealed_keys);
    tcase_add_test(tc, the_passphrase_is_the_options_or_the_environments_where_that_may_be_read);
    tcase_add_test(tc, a_check_opens_nothing);
    tcase_add_test(tc, a_reload_reads_the_ring_again_with_the_passphrase_of_the_opening);
    tcase_add_test(tc, the_doctor_says_when_the_ring_cannot_be_read);
    tcase_add_test(tc, without_memory_there_is_an_error);
}
UNIT_MAIN("keys", tests)
