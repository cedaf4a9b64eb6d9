// SPDX-License-Identifier: MIT
// The table of wires.
#include "route/adapter.h"

#include <string.h>

#include "base/alloc.h"

static const mb_adapter *const ADAPTERS[] = {&mb_adapter_openai,         &mb_adapter_ollama,    &mb_adapter_gemini,
                                             &mb_adapter_anthropic,      &mb_adapter_tgi,       &mb_adapter_responses,
                                             &mb_adapter_cohere,         &mb_adapter_cohere_v1, &mb_adapter_bedrock,
                                             &mb_adapter_bedrock_invoke, &mb_adapter_triton};

const mb_adapter *mb_adapter_find(const char *name) {
    for (size_t i = 0; name && i < MB_COUNT(ADAPTERS); i++)
        if (strcmp(ADAPTERS[i]->name, name) == 0) return ADAPTERS[i];
    return NULL;
}
