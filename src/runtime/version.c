// SPDX-License-Identifier: MIT
// What this library is and stands on.
#include "membrane/version.h"

#include <pthread.h>
#include <stdio.h>

#include "net/http.h"

const char *membrane_version(void) { return MEMBRANE_VERSION_STRING; }

uint32_t membrane_version_number(void) {
    return MEMBRANE_VERSION_MAJOR * 1000000 + MEMBRANE_VERSION_MINOR * 1000 + MEMBRANE_VERSION_PATCH;
}

static char info[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void write_info(void) {
    snprintf(
        info, sizeof info,
        "{\"version\":\"%s\",\"libcurl\":\"%s\",\"sqlite\":\"%s\",\"simdjson\":\"%s\",\"libyaml\":\"%s\",\"pcre2\":\"%s\","
        "\"features\":[\"openai\",\"ollama\",\"extractive\"]}",
        MEMBRANE_VERSION_STRING, mb_http_version_text(), MB_SQLITE_VERSION, MB_SIMDJSON_VERSION, MB_YAML_VERSION,
        MB_PCRE2_VERSION);
}

const char *membrane_build_info(void) {
    pthread_once(&once, write_info);
    return info;
}
