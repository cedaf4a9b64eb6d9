// SPDX-License-Identifier: MIT
// Programs compiled with older headers hand over smaller structs: each size there ever was still works, keeps its
// offsets, and nothing is written past it. Usage: sizes tests/abi/sizes.txt
#include <membrane/membrane.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct field {
    const char *owner, *name;
    size_t offset, size;
} field;

#define FIELD(owner, name)                                                                                             \
    { #owner, #name, offsetof(owner, name), sizeof(((owner *)0)->name) }
#define WHOLE(owner)                                                                                                   \
    { #owner, "", 0, sizeof(owner) }

static const field fields[] = {
    WHOLE(membrane_options),
    FIELD(membrane_options, struct_size),
    FIELD(membrane_options, flags),
    FIELD(membrane_options, config_path),
    FIELD(membrane_options, config_text),
    FIELD(membrane_options, config_len),
    FIELD(membrane_options, project_dir),
    FIELD(membrane_options, log_path),
    FIELD(membrane_options, passphrase),
    WHOLE(membrane_keys_options),
    FIELD(membrane_keys_options, struct_size),
    FIELD(membrane_keys_options, flags),
    FIELD(membrane_keys_options, folder),
    FIELD(membrane_keys_options, passphrase),
    WHOLE(membrane_call_options),
    FIELD(membrane_call_options, struct_size),
    FIELD(membrane_call_options, flags),
    FIELD(membrane_call_options, deadline_ms),
    FIELD(membrane_call_options, connect_timeout_ms),
    FIELD(membrane_call_options, first_token_timeout_ms),
    FIELD(membrane_call_options, idle_timeout_ms),
    FIELD(membrane_call_options, retries),
    FIELD(membrane_call_options, session),
    FIELD(membrane_call_options, via),
    FIELD(membrane_call_options, policy),
    FIELD(membrane_call_options, provider),
    FIELD(membrane_call_options, max_cost_usd_micros),
    FIELD(membrane_call_options, max_wait_ms),
    FIELD(membrane_call_options, hedge_ms),
    FIELD(membrane_call_options, max_attempts),
    WHOLE(membrane_provider_table),
    FIELD(membrane_provider_table, struct_size),
    FIELD(membrane_provider_table, version),
    FIELD(membrane_provider_table, local),
    FIELD(membrane_provider_table, start),
    FIELD(membrane_provider_table, cancel),
    FIELD(membrane_provider_table, free),
};

static int failed;

static void fail(const char *what, const char *owner, const char *name, size_t was, size_t is) {
    printf("%s: %s.%s was %zu, is %zu\n", what, owner, name, was, is);
    failed = 1;
}

static const field *find(const char *owner, const char *name) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].owner, owner) == 0 && strcmp(fields[i].name, name) == 0) return &fields[i];
    return NULL;
}

static void init(const char *owner, void *options, size_t size) {
    if (strcmp(owner, "membrane_options") == 0)
        membrane_options_init(options, size);
    else if (strcmp(owner, "membrane_keys_options") == 0)
        membrane_keys_options_init(options, size);
    else
        membrane_call_options_init(options, size);
}

// The init function with a struct of this size, in memory of just this size where a checker watches, and with a
// canary behind it where none does.
static void check_init(const char *owner, size_t size) {
    unsigned char *bytes = malloc(size + 64), *exact = malloc(size);
    uint32_t said = 0;
    if (!bytes || !exact) abort();
    memset(bytes, 0xa5, size + 64);
    init(owner, bytes, size);
    init(owner, exact, size);
    memcpy(&said, bytes, sizeof said);
    if (said != size) fail("init says another size", owner, "struct_size", size, said);
    for (size_t i = 0; i < 64; i++)
        if (bytes[size + i] != 0xa5) fail("init wrote past the struct", owner, "", size, size + i);
    free(bytes);
    free(exact);
}

// Key options of an older size: no home is needed to say that they make sense.
static void check_keys(size_t size) {
    void *exact = malloc(size);
    membrane_result *status = NULL;
    membrane_error *err = NULL;
    if (!exact) abort();
    membrane_keys_options_init(exact, size);
    if (membrane_keys_status(exact, &status, &err) == MEMBRANE_EINVAL)
        fail("options of an older size are refused", "membrane_keys_options", "", size, size);
    membrane_result_free(status);
    membrane_error_free(err);
    free(exact);
}

// A whole call with options of an older size, each in memory of just that size.
static void check_use(const char *owner, size_t size) {
    static const char request[] =
        "{\"model\":\"builtin/extractive\",\"messages\":[{\"role\":\"user\",\"content\":\"Old programs run.\"}]}";
    void *exact = malloc(size);
    membrane_t *m = NULL;
    membrane_error *err = NULL;
    char *answer = NULL;
    int is_open = strcmp(owner, "membrane_options") == 0, status;
    if (!exact) abort();
    init(owner, exact, size);
    status = membrane_open(is_open ? exact : NULL, &m, &err);
    if (status == 0) status = membrane_call_text(m, request, 0, is_open ? NULL : exact, &answer, &err);
    if (status != 0) {
        printf("%s of %zu bytes: %s\n", owner, size, membrane_error_message(err));
        failed = 1;
    }
    membrane_string_free(answer);
    membrane_error_free(err);
    membrane_close(m, 1000);
    free(exact);
}

int main(int argc, char **argv) {
    char line[256], version[32], owner[64] = "", name[64];
    size_t offset, size, rows = 0;
    FILE *list = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!list) return perror("sizes.txt"), 1;
    if (sizeof(void *) != 8) return puts("the list is of 64-bit systems"), 77;
    while (fgets(line, sizeof line, list)) {
        if (line[0] == '#') continue;
        if (line[0] != ' ' && sscanf(line, "%31s %63s %zu", version, owner, &size) == 3) {
            const field *whole = find(owner, "");
            int is_now = strcmp(version, MEMBRANE_VERSION_STRING) == 0;
            rows += (size_t)is_now;
            if (!whole || whole->size < size || (is_now && whole->size != size))
                fail("size", owner, "", size, whole ? whole->size : 0);
            if (strcmp(owner, "membrane_provider_table") == 0) continue;
            check_init(owner, size);
            if (strcmp(owner, "membrane_keys_options") == 0)
                check_keys(size);
            else
                check_use(owner, size);
        } else if (sscanf(line, " %63s %zu %zu", name, &offset, &size) == 3) {
            const field *now = find(owner, name);
            if (!now || now->offset != offset) fail("offset", owner, name, offset, now ? now->offset : 0);
            if (!now || now->size != size) fail("size", owner, name, size, now ? now->size : 0);
        }
    }
    fclose(list);
    if (rows != 4) puts("sizes.txt lacks a struct of this version: add its rows, and keep the old ones"), failed = 1;
    check_init("membrane_options", 8); // even less than any version had
    check_init("membrane_call_options", 8);
    check_init("membrane_keys_options", 8);
    return failed;
}
