// SPDX-License-Identifier: MIT
// Random numbers for jitter, sampling and hash seeds (xoshiro256**): fast and good, never for secrets (those come from
// libsodium). The state is the caller's, so that a rule under test gets the same numbers each time. One thread a state.
#ifndef MB_BASE_RNG_H
#define MB_BASE_RNG_H

#include <stdint.h>

typedef struct mb_rng {
    uint64_t s[4];
} mb_rng;

void mb_rng_seed(mb_rng *rng);                     // from the system
void mb_rng_seed_with(mb_rng *rng, uint64_t seed); // the same seed gives the same numbers
uint64_t mb_rng_next(mb_rng *rng);
uint64_t mb_rng_below(mb_rng *rng, uint64_t bound); // 0 … bound - 1, each as likely; 0 for bound 0
double mb_rng_unit(mb_rng *rng);                    // 0 ≤ x < 1, 53 random bits

#endif
