// SPDX-License-Identifier: MIT
// Any bytes as an answer on Bedrock's two wires: see fuzz_wire.h. A stream is written as lines, see event_lines.h.
#include "fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static const char *const ENGINES[] = {"bedrock", "bedrock-invoke"};
    return fuzz_wire(ENGINES, 2, bytes, len);
}
