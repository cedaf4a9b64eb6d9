// SPDX-License-Identifier: MIT
// The address policy for URLs that a model or a tool chose: only public unicast addresses, asked where the socket is
// opened, so that the name that was checked is the address that is connected to. Pure.
#ifndef MB_NET_GUARD_H
#define MB_NET_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

bool mb_guard_is_public(const struct sockaddr *address); // false for anything that is not IPv4 or IPv6
bool mb_guard_is_loopback(const char *host);             // a host as it stands in a URL: this machine?
bool mb_guard_is_loopback_or_private(const char *host);  // or does it look local?

#endif
