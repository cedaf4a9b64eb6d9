// SPDX-License-Identifier: MIT
#include "runtime/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_long *_Atomic page;

static void make_page(void) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    if (madvise(p, size, MADV_WIPEONFORK) != 0)
        munmap(p, size);
    else
        page = p;
}

long mb_fork_generation(void) {
    if (!page) pthread_once(&once, make_page); // the page never goes away again
    if (!page) return (long)getpid();          // an old kernel: a system call each time
    long number = atomic_load_explicit(page, memory_order_relaxed);
    if (number) return number;
    number = (long)getpid();
    atomic_store(page, number);
    return number;
}
