// SPDX-License-Identifier: MIT
// xoshiro256** by Blackman and Vigna, its state filled by splitmix64 (a state of zeros would stay zero).
#include "base/rng.h"

#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

void mb_rng_seed_with(mb_rng *rng, uint64_t seed) {
    for (int i = 0; i < 4; i++) rng->s[i] = splitmix(&seed);
}

void mb_rng_seed(mb_rng *rng) {
    uint64_t seed;
    // Early in boot or in a sandbox there may be nothing yet: the clock and the address are enough for jitter.
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)mb_now_us() ^ (uint64_t)(uintptr_t)rng ^ ((uint64_t)getpid() << 40);
    mb_rng_seed_with(rng, seed);
}

uint64_t mb_rng_next(mb_rng *rng) {
    uint64_t *s = rng->s, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t mb_rng_below(mb_rng *rng, uint64_t bound) {
    if (bound == 0) return 0;
    // Numbers below 2^64 mod bound would favour the small answers.
    uint64_t least = (0 - bound) % bound, x;
    do x = mb_rng_next(rng);
    while (x < least);
    return x % bound;
}

double mb_rng_unit(mb_rng *rng) { return (double)(mb_rng_next(rng) >> 11) * 0x1p-53; }
