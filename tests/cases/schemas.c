// SPDX-License-Identifier: MIT
// The published schemas (docs/schema) say what the library does: the configurations on the guide's pages fit
// config.json, requests that the library takes fit request.json and those it refuses do not, and what a call really
// gives fits event.json and result.json.
//   schemas DOCS
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/schema.h"
#include "base/yaml.h"
#include "membrane/membrane.h"
#include "route/quirks.h"

static mb_arena arena;
static int passed, failed;

static void told(bool good, const char *what, const char *why) {
    if (good)
        passed++;
    else
        failed++;
    printf("%s %d - %s\n", good ? "ok" : "not ok", passed + failed, what);
    if (!good && why) printf("# %s\n", why);
}

static const mb_json *read_schema(const char *docs, const char *name) {
    char path[4096];
    mb_buf text = MB_BUF(MB_LIMIT_CONFIG);
    const mb_json *schema = NULL;
    snprintf(path, sizeof path, "%s/schema/%s.json", docs, name);
    if (mb_file_read(path, &text, NULL) != 0 || mb_json_parse(&arena, text.data, text.len, &schema, NULL) != 0)
        exit(99);
    mb_buf_free(&text);
    return schema;
}

static void fits(const mb_json *schema, const mb_json *value, bool wanted, const char *what) {
    mb_buf why = MB_BUF(4096);
    int code = mb_schema_check(schema, value, &why);
    told(wanted ? code == 0 : code == MEMBRANE_ESCHEMA, what, mb_buf_text(&why));
    mb_buf_free(&why);
}

static void text_fits(const mb_json *schema, const char *text, size_t len, bool wanted, const char *what) {
    const mb_json *value = NULL;
    if (mb_json_parse(&arena, text, len, &value, NULL) != 0)
        told(false, what, "it is no JSON");
    else
        fits(schema, value, wanted, what);
}

// ---- the pages
// -----------------------------------------------------------------------------------------------------------

static void check_page(const mb_json *schema, const char *name, const char *text) {
    static const char open[] = "```yaml\n";
    for (const char *at = text; (at = strstr(at, open)) != NULL;) {
        char what[512];
        const mb_json *value = NULL;
        at += sizeof open - 1;
        const char *end = strstr(at, "```");
        if (!end) return;
        bool wrong = strncmp(at, "# wrong", 7) == 0; // shown to be refused
        snprintf(what, sizeof what, "a configuration of %s %s", name, wrong ? "is refused" : "fits");
        if (mb_yaml_parse(&arena, name, at, (size_t)(end - at), &value, NULL) != 0)
            told(false, what, "it is no YAML");
        else if (mb_json_get(value, "version") || wrong) // else it is another file: a table of prices
            fits(schema, value, !wrong, what);
        at = end + 3;
    }
}

static void check_pages(const char *docs, const char *under, const mb_json *schema) {
    char folder[4096], path[8192];
    snprintf(folder, sizeof folder, "%s/%s", docs, under);
    DIR *dir = opendir(folder);
    if (!dir) exit(99);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        mb_buf text = MB_BUF(MB_LIMIT_CONFIG);
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strstr(entry->d_name, ".md") && mb_file_read(path, &text, NULL) == 0)
            check_page(schema, entry->d_name, mb_buf_text(&text));
        mb_buf_free(&text);
    }
    closedir(dir);
}

// Every kind of provider that is built in may stand in a configuration.
static void check_kinds(const mb_json *schema) {
    const char *const *kinds = mb_quirks_kinds(&arena);
    for (size_t i = 0; kinds && kinds[i]; i++) {
        char text[512];
        int len = snprintf(text, sizeof text, "{\"providers\":{\"x\":{\"kind\":\"%s\"}}}", kinds[i]);
        text_fits(schema, text, (size_t)len, true, kinds[i]);
    }
}

// ---- requests and answers
// --------------------------------------------------------------------------------------------------

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"What makes the tides?\"}]"

static const struct {
    const char *text;
    bool taken;
} requests[] = {
    {"{" USER "}", true},
    {"{\"model\":\"a/b\",\"stream\":true,\"temperature\":0,\"max_tokens\":5,\"stop\":[\"x\"],\"seed\":1," USER "}",
     true},
    {"{" USER
     ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\",\"parameters\":{\"type\":\"object\"}}}],"
     "\"tool_choice\":\"auto\"}",
     true},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"document\",\"name\":\"n\",\"text\":\"t\"}]}]}",
     true},
    {"{" USER ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{}}}}", true},
    {"{\"kind\":\"embed\",\"model\":\"a/b\",\"input\":[\"x\",\"y\"]}", true},
    {"{\"kind\":\"completion\",\"model\":\"a/b\",\"prompt\":\"x\"}", true},
    {"{" USER ",\"temprature\":1}", false},
    {"{" USER ",\"stream\":\"yes\"}", false},
    {"{\"messages\":[{\"role\":\"nobody\",\"content\":\"x\"}]}", false},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"smell\"}]}]}", false},
};

// A request fits its schema if and only if the library takes it (a plan sends nothing).
static void check_requests(membrane_t *m, const mb_json *schema) {
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        membrane_result *plan = NULL;
        int code = membrane_call_plan(m, requests[i].text, 0, NULL, &plan, NULL);
        told((code != MEMBRANE_EINVAL) == requests[i].taken, "the library takes what it should", requests[i].text);
        text_fits(schema, requests[i].text, strlen(requests[i].text), requests[i].taken, requests[i].text);
        membrane_result_free(plan);
    }
}

static void check_call(membrane_t *m, const char *request, const mb_json *event_schema, const mb_json *result_schema) {
    membrane_call *call = NULL;
    const membrane_event *event;
    size_t len;
    if (membrane_call_start(m, request, 0, NULL, &call, NULL) != 0) exit(99);
    while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0) {
        const char *json = membrane_event_json(event, &len);
        text_fits(event_schema, json, len, true, membrane_event_type_name(event));
    }
    const char *json = membrane_result_json(membrane_call_result(call), &len);
    text_fits(result_schema, json, len, true, "the result fits");
    membrane_call_free(call);
}

int main(int argc, char **argv) {
    membrane_t *m = NULL;
    if (argc < 2 || membrane_open(NULL, &m, NULL) != 0) return 2;
    const mb_json *event = read_schema(argv[1], "event"), *result = read_schema(argv[1], "result");
    const mb_json *config = read_schema(argv[1], "config");
    check_pages(argv[1], "guide", config);
    check_pages(argv[1], "guide/wires", config);
    check_kinds(config);
    check_requests(m, read_schema(argv[1], "request"));
    check_call(m, "{\"model\":\"builtin/extractive\",\"stream\":true," USER "}", event, result);
    check_call(m, "{\"model\":\"openai/nobody\"," USER "}", event, result); // no key: attempts and an error
    membrane_close(m, 1000);
    mb_arena_free(&arena);
    printf("1..%d\n", passed + failed);
    return failed ? 1 : 0;
}
