// SPDX-License-Identifier: MIT
// Any bytes as an answer on the triton wire: see fuzz_wire.h.
#include "fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static const char *const ENGINES[] = {"triton", "triton-vllm"};
    return fuzz_wire(ENGINES, 2, bytes, len);
}
