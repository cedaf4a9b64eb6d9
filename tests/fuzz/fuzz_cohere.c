// SPDX-License-Identifier: MIT
// Any bytes as an answer on Cohere's wires: see fuzz_wire.h.
#include "fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static const char *const ENGINES[] = {"cohere", "cohere-v1"};
    return fuzz_wire(ENGINES, 2, bytes, len);
}
