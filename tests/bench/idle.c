// SPDX-License-Identifier: MIT
// What an open, idle handle costs in memory, beside a program that only initialises the same libraries. "membrane":
// opens and makes one call of builtin/extractive; "libraries": libcurl's multi and an SQLite database in memory.
#include <curl/curl.h>
#include <membrane/membrane.h>
#include <sqlite3.h>

#include "client.h"

static int with_libraries(void) {
    sqlite3 *db = NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    CURL *easy = curl_easy_init();
    return multi && easy && sqlite3_open(":memory:", &db) == SQLITE_OK ? 0 : 1;
}

static int with_membrane(void) {
    membrane_t *m = NULL;
    char *text = NULL;
    const char *ask = "{\"model\":\"builtin/extractive\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}";
    if (membrane_open(NULL, &m, NULL) || membrane_call_text(m, ask, 0, NULL, &text, NULL)) return 1;
    membrane_string_free(text);
    return 0; // stays open while it is looked at
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    int code = strcmp(argv[1], "membrane") == 0 ? with_membrane() : with_libraries();
    printf("{\"rss_kb\":%ld,\"anon_kb\":%ld}\n", status_kb("VmRSS:"), status_kb("RssAnon:"));
    return code;
}
