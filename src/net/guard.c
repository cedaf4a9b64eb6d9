// SPDX-License-Identifier: MIT
#include "net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

// IANA's special-purpose registries (RFC 6890 and its updates), and 168.63.129.16, a cloud's own host.
static const struct {
    uint32_t net;
    int bits;
} closed4[] = {
    {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16}, {0xac100000, 12},
    {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xc6336400, 24},
    {0xcb007100, 24}, {0xe0000000, 4},  {0xf0000000, 4},  {0xa83f8110, 32},
};

// Only 2000::/3 is public, and of it not these.
static const struct {
    uint8_t net[4];
    int bits;
} closed6[] = {
    {{0x20, 0x01, 0x00, 0x00}, 23},
    {{0x20, 0x01, 0x0d, 0xb8}, 32},
    {{0x20, 0x02, 0x00, 0x00}, 16},
    {{0x3f, 0xff, 0x00, 0x00}, 20},
};

static bool is_public4(uint32_t a) {
    for (size_t i = 0; i < MB_COUNT(closed4); i++) {
        uint32_t mask = 0xffffffffu << (32 - closed4[i].bits);
        if ((a & mask) == closed4[i].net) return false;
    }
    return true;
}

static bool is_public6(const uint8_t *a) {
    if ((a[0] & 0xe0) != 0x20) return false;
    uint32_t top = (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];
    for (size_t i = 0; i < MB_COUNT(closed6); i++) {
        const uint8_t *n = closed6[i].net;
        uint32_t net = (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 | n[3];
        uint32_t mask = 0xffffffffu << (32 - closed6[i].bits);
        if ((top & mask) == net) return false;
    }
    return true;
}

bool mb_guard_is_public(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return is_public4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    if (address->sa_family == AF_INET6)
        return is_public6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return false;
}

static bool ends_with(const char *host, const char *domain) {
    size_t len = strlen(host), tail = strlen(domain);
    return len > tail && strcasecmp(host + len - tail, domain) == 0;
}

// "[address]" of a URL into its bytes.
static bool read_v6(const char *host, struct in6_addr *ret) {
    char bare[INET6_ADDRSTRLEN];
    size_t len = strlen(host);
    if (host[0] != '[' || len < 4 || len - 2 >= sizeof bare) return false;
    memcpy(bare, host + 1, len - 2);
    bare[len - 2] = '\0';
    return inet_pton(AF_INET6, bare, ret) == 1;
}

bool mb_guard_is_loopback(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (strcasecmp(host, "localhost") == 0 || ends_with(host, ".localhost")) return true;
    if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    return read_v6(host, &v6) && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool mb_guard_is_loopback_or_private(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (mb_guard_is_loopback(host) || ends_with(host, ".local")) return true;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        uint32_t a = ntohl(v4.s_addr);
        return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 22 == 0x191;
    }
    return read_v6(host, &v6) && ((v6.s6_addr[0] & 0xfe) == 0xfc || IN6_IS_ADDR_LINKLOCAL(&v6));
}
