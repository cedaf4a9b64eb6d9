/* SPDX-License-Identifier: MIT */
/**
 * @file version.h
 * @brief The version of the header and of the library, and the marks that every other header uses.
 *
 * The numbers below are those of the header that a program was compiled with; membrane_version() says what it runs
 * with. A program compiled with an older header runs with every newer library of the same major number.
 *
 * @code
 * printf("compiled with %s, running with %s\n", MEMBRANE_VERSION_STRING, membrane_version());
 * @endcode
 */
#ifndef MEMBRANE_VERSION_H
#define MEMBRANE_VERSION_H

#include <stddef.h>
#include <stdint.h>

#define MEMBRANE_VERSION_MAJOR  0
#define MEMBRANE_VERSION_MINOR  2
#define MEMBRANE_VERSION_PATCH  0
#define MEMBRANE_VERSION_STRING "0.2.0"

#if defined(__GNUC__)
#define MEMBRANE_API __attribute__((visibility("default")))
#else
#define MEMBRANE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** The version of the running library, "0.2.0". Static text. Any thread. */
MEMBRANE_API const char *membrane_version(void);

/** The same as one number, major * 1000000 + minor * 1000 + patch. Any thread. */
MEMBRANE_API uint32_t membrane_version_number(void);

/**
 * What the library was built with and runs on: a JSON object {version, libcurl, sqlite, simdjson, libyaml, pcre2,
 * features:[…]}. Static text. Any thread.
 */
MEMBRANE_API const char *membrane_build_info(void);

#ifdef __cplusplus
}
#endif
#endif
