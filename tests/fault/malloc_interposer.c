// SPDX-License-Identifier: MIT
// Every malloc of the process may fail: libcurl's, SQLite's and simdjson's too, which the seam does not see. The
// functions below take the place of the C library's for everything that this program loads. It starts after the global
// initialisations and stays on plain HTTP. A crash inside a dependency is named and not counted as ours.
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "sweep.h"

// ---- the C library's allocator behind ours -------------------------------------------------------------------------

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_long countdown; // 0: nothing fails
static atomic_bool hit;

static bool fails(void) {
    if (atomic_load_explicit(&countdown, memory_order_relaxed) <= 0) return false;
    if (atomic_fetch_sub(&countdown, 1) != 1) return false;
    atomic_store(&hit, true);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails() ? NULL : __libc_calloc(count, size); }
void *realloc(void *p, size_t size) { return fails() ? NULL : __libc_realloc(p, size); }
void free(void *p) { __libc_free(p); }
void *memalign(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }
int posix_memalign(void **ret, size_t alignment, size_t size) {
    void *p = fails() ? NULL : __libc_memalign(alignment, size);
    if (!p) return ENOMEM;
    *ret = p;
    return 0;
}

static void arm(long n) {
    atomic_store(&hit, false);
    atomic_store(&countdown, n);
}

static bool disarm(void) {
    atomic_store(&countdown, 0);
    return atomic_load(&hit);
}

static long nobody_counts(void) { return 0; }

// ---- whose crash is it? --------------------------------------------------------------------------------------------

// The innermost frame that is not the C library's decides.
static const char *whose(void *const *trace, int depth) {
    static char name[256];
    bool past_signal = false;
    for (int i = 2; i < depth; i++) {
        Dl_info info;
        if (!dladdr(trace[i], &info) || !info.dli_fname) continue;
        const char *file = strrchr(info.dli_fname, '/');
        file = file ? file + 1 : info.dli_fname;
        if (strstr(file, "libc.so") || strstr(file, "libc-") || strstr(file, "ld-linux")) {
            past_signal = true;
            continue;
        }
        if (!past_signal && i < 3) continue;
        static const char *const OTHERS[] = {"libcurl",   "libsqlite3", "libsimdjson",  "libyaml",   "libpcre2",
                                             "libsodium", "libnghttp2", "libssl",       "libcrypto", "libstdc++",
                                             "libidn2",   "libpsl",     "libunistring", "libgnutls", "libz.",
                                             "libldap",   "libgssapi"};
        for (size_t k = 0; k < COUNT(OTHERS); k++)
            if (strncmp(file, OTHERS[k], strlen(OTHERS[k])) == 0) {
                snprintf(name, sizeof name, "%s, in %s", file, info.dli_sname ? info.dli_sname : "?");
                return name;
            }
        return NULL;
    }
    return NULL;
}

static const saboteur EVERYBODYS = {arm, disarm, nobody_counts, true, whose};

static void without_a_failure(void) {
    scenarios_prepare();
    for (size_t i = 0; i < SCENARIO_COUNT; i++) {
        int code = SCENARIOS[i].run();
        CHECK(code == 0, "%s: %s", SCENARIOS[i].name, membrane_status_kind(code));
    }
}

static void every_malloc_of_the_process_fails_once(void) {
    for (size_t i = 0; i < SCENARIO_COUNT; i++) sweep(&SCENARIOS[i], &EVERYBODYS);
}

int main(void) {
    static const fault_test TESTS[] = {
        {"without_a_failure the_handle_", without_a_failure},
        {"every_malloc_of_the_process_fails_once", every_malloc_of_the_process_fails_once},
    };
    return fault_run(TESTS, COUNT(TESTS));
}
