// SPDX-License-Identifier: MIT
// PCRE2's interpreter (not its JIT, which counts its steps otherwise), with limits on steps, depth and heap that hold
// for every pattern. The memory goes through our seam.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/pattern.h"

#include <pcre2.h>
#include <string.h>

#include "base/alloc.h"

enum {
    MAX_STEPS = 1000000,     // a few milliseconds
    MAX_DEPTH = 10000,       // nested backtracking points
    MAX_HEAP_KIB = 8 * 1024, // what these may take
    MAX_PATTERN = 16 * 1024, // bytes of a pattern's text
};

struct mb_pattern {
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_code *code;
};

static void *give(size_t size, void *unused) { return mb_malloc(size); }

static void take(void *p, void *unused) { mb_free(p); }

static int compile(mb_pattern *p, const char *regex, bool ignore_case, membrane_error **err) {
    uint32_t options =
        PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | (ignore_case ? PCRE2_CASELESS : 0);
    int code;
    PCRE2_SIZE at;
    pcre2_compile_context *context = pcre2_compile_context_create(p->memory);
    if (!context) return mb_error_no_memory(err);
    pcre2_set_max_pattern_length(context, MAX_PATTERN);
    p->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED, options, &code, &at, context);
    pcre2_compile_context_free(context);
    if (p->code) return 0;
    if (code == PCRE2_ERROR_NOMEMORY || code == 121) return mb_error_no_memory(err); // 121: the same, at compile time
    PCRE2_UCHAR why[128];
    if (pcre2_get_error_message(code, why, sizeof why) < 0) why[0] = '\0';
    return mb_error_set(err, MEMBRANE_ECONFIG, "the pattern '%s' cannot be used: %s, at position %zu", regex,
                        (char *)why, (size_t)at);
}

int mb_pattern_new(const char *regex, bool ignore_case, mb_pattern **ret, membrane_error **err) {
    int status = MEMBRANE_ENOMEM;
    mb_pattern *p = mb_calloc(1, sizeof *p);
    if (!p || !(p->memory = pcre2_general_context_create(give, take, NULL)) ||
        !(p->limits = pcre2_match_context_create(p->memory))) {
        mb_error_no_memory(err);
        goto out;
    }
    pcre2_set_match_limit(p->limits, MAX_STEPS);
    pcre2_set_depth_limit(p->limits, MAX_DEPTH);
    pcre2_set_heap_limit(p->limits, MAX_HEAP_KIB);
    status = compile(p, regex, ignore_case, err);
    if (status == 0) {
        *ret = p;
        p = NULL;
    }
out:
    mb_pattern_free(p);
    return status;
}

void mb_pattern_free(mb_pattern *p) {
    if (!p) return;
    pcre2_code_free(p->code);
    pcre2_match_context_free(p->limits);
    pcre2_general_context_free(p->memory);
    mb_free(p);
}

void mb_pattern_set_steps(mb_pattern *p, unsigned steps) {
    pcre2_set_match_limit(p->limits, steps < MAX_STEPS ? steps : MAX_STEPS);
}

int mb_pattern_match(const mb_pattern *p, const char *text, size_t len) {
    // A match block belongs to one match: each thread makes its own.
    pcre2_match_data *data = pcre2_match_data_create(1, p->memory);
    if (!data) return MEMBRANE_ENOMEM;
    int n = pcre2_match(p->code, (PCRE2_SPTR)text, len, 0, 0, data, p->limits);
    pcre2_match_data_free(data);
    if (n >= 0) return 1;
    if (n == PCRE2_ERROR_NOMATCH) return 0;
    return n == PCRE2_ERROR_NOMEMORY ? MEMBRANE_ENOMEM : MEMBRANE_EDENIED;
}

// The bytes that follow a character's first one.
static const char *next_character(const char *text) {
    for (text++; ((unsigned char)*text & 0xC0) == 0x80;) text++;
    return text;
}

bool mb_pattern_glob(const char *glob, const char *text) {
    const char *star = NULL, *retry = NULL; // behind the last star, and where its run ends for now
    while (*text) {
        if (*glob == '*') {
            star = ++glob;
            retry = text;
        } else if (*glob == '?') {
            glob++;
            text = next_character(text);
        } else if (*glob == *text) {
            glob++;
            text++;
        } else if (star) {
            glob = star;
            text = retry = next_character(retry);
        } else {
            return false;
        }
    }
    while (*glob == '*') glob++;
    return *glob == '\0';
}
