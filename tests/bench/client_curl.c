// SPDX-License-Identifier: MIT
// The yardstick: the same requests by libcurl's multi interface alone, easy handles used again, nothing parsed.
#include <curl/curl.h>

#include "client.h"

typedef struct slot {
    CURL *easy;
    long bytes, events;
    size_t len;
    char body[4096];
} slot;

static size_t on_body(char *bytes, size_t size, size_t count, void *user) {
    slot *s = user;
    size_t len = size * count;
    s->bytes += (long)len;
    if (s->len + len < sizeof s->body) memcpy(s->body + s->len, bytes, len), s->len += len;
    return len;
}

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    job j = read_job(argv);
    char body[512], url[128];
    request_body(&j, body, sizeof body);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/chat/completions", j.port);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 4096L);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Authorization: Bearer sk-bench");
    slot *slots = calloc((size_t)j.flight, sizeof *slots);
    int started = 0, finished = 0, running;
    for (int i = 0; i < j.flight; i++) {
        CURL *e = slots[i].easy = curl_easy_init();
        curl_easy_setopt(e, CURLOPT_URL, url);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(e, CURLOPT_WRITEDATA, &slots[i]);
        curl_easy_setopt(e, CURLOPT_PRIVATE, &slots[i]);
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    }
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    for (; started < j.flight && started < j.calls; started++) curl_multi_add_handle(multi, slots[started].easy);
    while (finished < j.calls) {
        CURLMsg *message;
        int left;
        curl_multi_perform(multi, &running);
        while ((message = curl_multi_info_read(multi, &left))) {
            if (message->msg != CURLMSG_DONE) continue;
            CURL *e = message->easy_handle;
            char *s = NULL;
            if (message->data.result != CURLE_OK) return 1;
            curl_easy_getinfo(e, CURLINFO_PRIVATE, &s);
            ((slot *)(void *)s)->len = 0;
            finished++;
            if (j.stream) j.events += 64;
            curl_multi_remove_handle(multi, e);
            if (started < j.calls) started++, curl_multi_add_handle(multi, e);
        }
        if (finished < j.calls) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    report(&j, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall);
    return 0;
}
