// SPDX-License-Identifier: MIT
// One answer a wire: it thinks (bound to the provider where the wire can: "SIG-kind"), says "Let me look." and calls
// fs.read (as fs_read where a name holds no dot) and get_weather, at once.
#include "base/alloc.h"
#include "conversation.h"

#define ARG_TEXT "{\\\"path\\\":\\\"a \\\\\\\"b\\\\\\\"\\\"}"
#define ARG      "{\"path\":\"a \\\"b\\\"\"}"

#define OPENAI(sig)                                                                                                              \
    "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"reasoning_content\":\"Hm.\",\"content\":\"Let me look.\"," \
    "\"reasoning_details\":[{\"type\":\"reasoning.encrypted\",\"data\":\"" sig                                                   \
    "\"}],\"tool_calls\":[{\"id\":\"call_a\",\"type\":\"function\",\"function\":{\"name\":\"fs_read\",\"arguments\":\"" ARG_TEXT \
    "\"}},{\"id\":\"call_b\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":\"{}\"}}]},"             \
    "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}"

const wire_row WIRE_ROWS[] = {
    {"openai-compatible", "chat.completions", OPENAI("SIG-openai-compatible")},
    {"deepseek", "chat.completions", OPENAI("SIG-deepseek")},
    {"ollama", "ollama.chat",
     "{\"message\":{\"role\":\"assistant\",\"content\":\"Let me look.\",\"thinking\":\"Hm.\",\"tool_calls\":[{\"function\":{\"name\":"
     "\"fs.read\",\"arguments\":" ARG "}},{\"function\":{\"name\":\"get_weather\",\"arguments\":{}}}]},\"done\":true}"},
    {"anthropic", "messages",
     "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"Hm.\",\"signature\":"
     "\"SIG-anthropic\"},{\"type\":\"redacted_thinking\",\"data\":\"SIG-anthropic-2\"},{\"type\":\"text\",\"text\":\"Let me "
     "look.\"},{\"type\":\"tool_use\",\"id\":\"toolu_a\",\"name\":\"fs_read\",\"input\":" ARG
     "},{\"type\":\"tool_use\",\"id\":\"toolu_b\",\"name\":\"get_weather\",\"input\":{}}],\"stop_reason\":\"tool_use\","
     "\"usage\":{\"input_tokens\":9,\"output_tokens\":4}}"},
    {"gemini", "generateContent",
     "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"Hm.\",\"thought\":true},{\"text\":\"Let me look.\"},"
     "{\"functionCall\":{\"name\":\"fs_read\",\"args\":" ARG
     "},\"thoughtSignature\":\"SIG-gemini\"},{\"functionCall\":{\"name\":"
     "\"get_weather\",\"args\":{}}}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":9}}"},
    {"openai-responses", "responses",
     "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"output\":[{\"type\":\"reasoning\",\"id\":\"rs_1\","
     "\"summary\":[{\"type\":\"summary_text\",\"text\":\"Hm.\"}],\"encrypted_content\":\"SIG-openai-responses\"},{\"type\":"
     "\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":"
     "\"Let me look.\",\"annotations\":[]}]},{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"call_a\",\"name\":\"fs_read\","
     "\"arguments\":\"" ARG_TEXT
     "\"},{\"type\":\"function_call\",\"id\":\"fc_2\",\"call_id\":\"call_b\",\"name\":\"get_weather\","
     "\"arguments\":\"{}\"}],\"usage\":{\"input_tokens\":9,\"output_tokens\":4}}"},
    {"bedrock", "converse",
     "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{\"reasoningText\":{\"text\":\"Hm.\","
     "\"signature\":\"SIG-bedrock\"}}},{\"text\":\"Let me look.\"},{\"toolUse\":{\"toolUseId\":\"tu_a\",\"name\":\"fs_read\","
     "\"input\":" ARG
     "}},{\"toolUse\":{\"toolUseId\":\"tu_b\",\"name\":\"get_weather\",\"input\":{}}}]}},\"stopReason\":"
     "\"tool_use\",\"usage\":{\"inputTokens\":9,\"outputTokens\":4}}"},
    {"cohere", "cohere.chat",
     "{\"id\":\"c\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"Hm.\"},{\"type\":\"text\","
     "\"text\":\"Let me look.\"}],\"tool_calls\":[{\"id\":\"ca\",\"type\":\"function\",\"function\":{\"name\":\"fs_read\","
     "\"arguments\":\"" ARG_TEXT
     "\"}},{\"id\":\"cb\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":"
     "\"{}\"}}]},\"finish_reason\":\"TOOL_CALL\",\"usage\":{\"tokens\":{\"input_tokens\":9,\"output_tokens\":4}}}"},
};
const size_t WIRE_ROW_COUNT = MB_COUNT(WIRE_ROWS);
