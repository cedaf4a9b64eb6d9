// SPDX-License-Identifier: MIT
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "net/guard.h"

static bool is_public(const char *text) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) return mb_guard_is_public((struct sockaddr *)&v4);
    ck_assert_msg(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1, "%s is no address", text);
    return mb_guard_is_public((struct sockaddr *)&v6);
}

START_TEST(public_addresses_are_public) {
    static const char *const all[] = {
        "1.1.1.1",         "8.8.8.8",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255",    "100.128.0.0",
        "126.255.255.255", "128.0.0.0",       "169.253.255.255", "169.255.0.0",     "172.15.255.255",    "172.32.0.0",
        "192.0.1.0",       "192.167.255.255", "192.169.0.0",     "198.17.255.255",  "198.20.0.0",        "198.51.101.0",
        "203.0.114.0",     "223.255.255.255", "168.63.129.15",   "2606:4700::1111", "2a00:1450:4001::1", "2001:200::1",
        "2001:4860::8888", "3ffe::1",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ck_assert_msg(is_public(all[i]), "%s", all[i]);
}
END_TEST

START_TEST(what_is_not_public_unicast_is_closed) {
    static const char *const all[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
        "5f00::1",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ck_assert_msg(!is_public(all[i]), "%s", all[i]);
}
END_TEST

START_TEST(another_kind_of_address_is_closed) {
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    ck_assert(!mb_guard_is_public((struct sockaddr *)&local));
}
END_TEST

START_TEST(hosts_that_look_local_are_told_by_their_text) {
    static const char *const local[] = {"localhost",  "LOCALHOST",   "engine.localhost", "box.local",
                                        "127.0.0.1",  "127.9.9.9",   "10.1.2.3",         "172.16.0.1",
                                        "172.31.9.9", "192.168.1.1", "100.64.0.1",       "100.127.255.1",
                                        "[::1]",      "[fd00::1]",   "[fe80::1]"};
    static const char *const far[] = {"api.example",
                                      "localhost.example",
                                      "local",
                                      ".local",
                                      "8.8.8.8",
                                      "172.32.0.1",
                                      "192.169.0.1",
                                      "100.128.0.1",
                                      "[2606:4700::1]",
                                      "[::2]",
                                      "[",
                                      "[]",
                                      "[:]",
                                      "[127.0.0.1]",
                                      "",
                                      "127.0.0.1.example",
                                      "[0000000000000000000000000000000000000000000000000000000000000001]"};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        ck_assert_msg(mb_guard_is_loopback_or_private(local[i]), "%s", local[i]);
    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        ck_assert_msg(!mb_guard_is_loopback_or_private(far[i]), "%s", far[i]);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, public_addresses_are_public);
    tcase_add_test(tc, what_is_not_public_unicast_is_closed);
    tcase_add_test(tc, another_kind_of_address_is_closed);
    tcase_add_test(tc, hosts_that_look_local_are_told_by_their_text);
}
UNIT_MAIN("guard", tests)
