// SPDX-License-Identifier: MIT
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"

START_TEST(an_empty_map_answers) {
    mb_map map = {0};
    size_t at = 0;
    ck_assert_ptr_null(mb_map_get(&map, "a"));
    ck_assert(!mb_map_has(&map, "a"));
    ck_assert_ptr_null(mb_map_remove(&map, "a"));
    ck_assert(!mb_map_each(&map, &at, NULL, NULL));
    mb_map_free(&map);
}
END_TEST

START_TEST(ten_thousand_names_are_found_in_their_order) {
    static int values[10000];
    mb_map map = {0};
    char name[32];
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        ck_assert(mb_map_put(&map, name, &values[i]));
    }
    ck_assert_uint_eq(mb_map_count(&map), 10000);
    const char *key;
    void *value;
    int i = 0;
    for (size_t at = 0; mb_map_each(&map, &at, &key, &value); i++) {
        snprintf(name, sizeof name, "name-%d", i);
        ck_assert_str_eq(key, name);
        ck_assert_ptr_eq(value, &values[i]);
        ck_assert_ptr_eq(mb_map_get(&map, name), &values[i]);
    }
    ck_assert_int_eq(i, 10000);
    ck_assert_ptr_null(mb_map_get(&map, "name-10000"));
    mb_map_free(&map);
}
END_TEST

START_TEST(putting_again_replaces_the_value_and_keeps_the_place) {
    int a, b, c;
    mb_map map = {0};
    mb_map_put(&map, "x", &a);
    mb_map_put(&map, "y", &b);
    mb_map_put(&map, "x", &c);
    const char *key;
    size_t at = 0;
    ck_assert(mb_map_each(&map, &at, &key, NULL));
    ck_assert_str_eq(key, "x");
    ck_assert_ptr_eq(mb_map_get(&map, "x"), &c);
    ck_assert_uint_eq(mb_map_count(&map), 2);
    mb_map_free(&map);
}
END_TEST

START_TEST(removed_names_are_gone_and_their_room_is_used_again) {
    int value;
    mb_map map = {0};
    char name[32];
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "%d", i);
        ck_assert(mb_map_put(&map, name, &value));
        if (i >= 5) {
            snprintf(name, sizeof name, "%d", i - 5);
            ck_assert_ptr_eq(mb_map_remove(&map, name), &value);
            ck_assert(!mb_map_has(&map, name));
        }
    }
    ck_assert_uint_eq(mb_map_count(&map), 5);
    ck_assert(map.slot_count <= 64);
    ck_assert(mb_map_has(&map, "99999"));
    mb_map_free(&map);
}
END_TEST

START_TEST(the_entry_just_given_may_be_removed) {
    int value;
    mb_map map = {0};
    char name[8];
    const char *key;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%d", i);
        mb_map_put(&map, name, &value);
    }
    for (size_t at = 0; mb_map_each(&map, &at, &key, NULL);) mb_map_remove(&map, key);
    ck_assert_uint_eq(mb_map_count(&map), 0);
    ck_assert(mb_map_put(&map, "again", &value));
    ck_assert_ptr_eq(mb_map_get_n(&map, "again!", 5), &value);
    mb_map_free(&map);
}
END_TEST

static int use_all(void *unused) {
    int value, status = 0;
    mb_map map = {0};
    char name[8];
    for (int i = 0; i < 40 && status == 0; i++) {
        size_t before = mb_map_count(&map);
        snprintf(name, sizeof name, "%d", i);
        status = mb_map_put(&map, name, &value) ? 0 : -1;
        ck_assert_uint_eq(mb_map_count(&map), before + (status == 0));
        ck_assert(mb_map_has(&map, name) == (status == 0));
    }
    mb_map_free(&map);
    return status;
}

START_TEST(without_memory_nothing_changes_and_nothing_leaks) { unit_every_allocation_fails(use_all, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, an_empty_map_answers);
    tcase_add_test(tc, ten_thousand_names_are_found_in_their_order);
    tcase_add_test(tc, putting_again_replaces_the_value_and_keeps_the_place);
    tcase_add_test(tc, removed_names_are_gone_and_their_room_is_used_again);
    tcase_add_test(tc, the_entry_just_given_may_be_removed);
    tcase_add_test(tc, without_memory_nothing_changes_and_nothing_leaks);
}
UNIT_MAIN("map", tests)
