// SPDX-License-Identifier: MIT
// Where a request that was read and written again may differ from the recorded one: the only differences allowed. Each
// row says for which api (a glob), which provider (a glob), at which place (a glob over "messages.2.content"; numbers
// of lists are numbers), and why. kind says how: LOST (recorded, not written), ADDED (written, not recorded), CHANGED,
// or, where both say the same: BLANK (null, "", [], {}, false or absent), JOINED (a list of text parts as one string, a
// string as a list of one message), REPAIRED (a call's arguments that were no JSON object), SPACED (JSON as text, with
// other white space or order), MERGED (neighbours of one role as one message, their blocks one behind the other).
#ifndef TESTS_WIRES_DIFFERENCES_H
#define TESTS_WIRES_DIFFERENCES_H

typedef enum {
    LOST = 1,
    ADDED = 2,
    CHANGED = 4,
    BLANK = 8,
    JOINED = 16,
    SPACED = 32,
    MERGED = 64,
    REPAIRED = 128
} difference_kind;

typedef struct allowed_difference {
    int kinds; // difference_kind, or-ed
    const char *api, *provider, *place, *reason;
} allowed_difference;

static const allowed_difference ALLOWED[] = {
    // openai
    {ADDED, "*completions", "*", "stream_options", "usage is always asked for in streams"},
    {BLANK, "*completions", "*", "stream", "asked for only where it is wanted: no stream is every server's default"},
    {BLANK, "chat.completions", "*", "messages.*.content",
     "a message without text: each row says how its server wants it"},
    {JOINED, "chat.completions", "*", "messages.*.content", "text is one string: many servers know nothing else"},
    {CHANGED, "chat.completions", "*", "messages.*.role", "developer is system, the word that every server knows"},
    {LOST | ADDED, "chat.completions", "*", "max*_tokens", "by the name that the row gives it"},
    {ADDED, "chat.completions", "mistral", "tools.*.type", "left out by a client; the documentation has it"},
    {ADDED, "chat.completions", "*", "messages.*.tool_calls.*.type", "likewise"},
    {BLANK, "chat.completions", "*", "tools", "no tools"},
    {BLANK, "chat.completions", "*", "messages.*.tool_calls", "no calls"},
    {BLANK, "chat.completions", "*", "messages.*.name", "no name"},
    {REPAIRED, "chat.completions", "*", "messages.*.tool_calls.*.function.arguments",
     "strict servers refuse the request else"},
    {ADDED, "embeddings", "*", "encoding_format", "vectors are asked for in base64 where the server can"},
    // anthropic
    {BLANK, "messages", "*", "stream", "asked for only where it is wanted: no stream is the default"},
    {BLANK, "messages", "*", "messages.*.content.*.content", "a result of a tool that has no content has an empty one"},
    {MERGED, "messages", "*", "messages", "neighbours of one role are one message"},
    {MERGED, "count_tokens", "anthropic", "messages", "likewise"},
    {BLANK, "count_tokens", "anthropic", "messages.*.content.*.content",
     "a result of a tool without content, likewise"},
    {ADDED, "messages", "*", "max_tokens", "it must be said"},
    // gemini
    {BLANK, "generateContent", "*", "generationConfig", "no settings"},
    {BLANK, "generateContent", "*", "toolConfig", "no settings"},
    {MERGED, "generateContent", "*", "contents", "neighbours of one role are one content, results one of their own"},
    {MERGED, "count_tokens", "*", "contents", "likewise"},
    {ADDED, "generateContent", "*", "contents.*.role", "who does not say who speaks is the user"},
    {ADDED, "count_tokens", "*", "contents.*.role", "likewise"},
    {LOST, "*", "gemini", "systemInstruction.role", "only its parts are read"},
    {LOST, "*", "vertexai", "systemInstruction.role", "only its parts are read"},
    {LOST, "*", "*", "tools.*.parameters_json_schema", "the same field by its name in the protocol buffers"},
    {ADDED, "generateContent", "*", "tools.*.parametersJsonSchema", "the same field by its name in JSON"},
    {ADDED, "count_tokens", "*", "tools.*.parametersJsonSchema", "likewise"},
    // bedrock
    {BLANK, "converse", "*", "inferenceConfig", "no settings"},
    {BLANK, "converse", "*", "system", "no system prompt"},
    {BLANK, "count_tokens", "bedrock", "input.converse.system", "no system prompt"},
    {SPACED, "converse", "*", "outputConfig.textFormat.structure.jsonSchema.schema", "a schema, as text inside JSON"},
    {MERGED, "converse", "*", "messages", "most models behind it insist on turns"},
    // bedrock-invoke
    {BLANK, "invoke", "*", "textGenerationConfig", "no settings"},
    {BLANK, "invoke", "*", "inferenceConfig", "no settings"},
    {BLANK, "invoke", "*", "system", "no system prompt"},
    {ADDED, "invoke", "*", "schemaVersion", "Nova's body says which one it is"},
    {LOST | ADDED, "invoke", "*", "max*_tokens", "by the name that the model's maker gives it"},
    // ollama
    {ADDED, "ollama.*", "*", "truncate", "a prompt that does not fit is refused, never cut without a word"},
    {ADDED, "ollama.generate", "*", "raw", "a completion has no chat template, unless told otherwise"},
    {ADDED, "ollama.*", "*", "stream", "always said: it streams unless told not to"},
    {BLANK, "ollama.*", "*", "options", "always there"},
    {BLANK, "ollama.*", "*", "tools", "no tools"},
    // cohere
    {JOINED, "cohere.chat", "*", "messages.*.content", "text is one string"},
    {BLANK, "cohere.chat", "*", "messages.*.content", "calls without text"},
    {REPAIRED, "cohere.chat", "*", "messages.*.tool_calls.*.function.arguments", "bad arguments are not sent again"},
    {ADDED | BLANK, "cohere.*chat", "*", "stream", "always said: the second version asks for it"},
    {ADDED, "cohere.embed", "*", "truncate", "a text that does not fit is refused, never cut without a word"},
    {ADDED, "cohere.embed", "*", "input_type", "newer models insist on it"},
    {ADDED, "cohere.embed", "*", "embedding_types", "floats, by whichever version it answers"},
    // openai-responses
    {ADDED, "responses", "*", "store", "nothing is kept at the provider unless it is asked to"},
    {ADDED, "responses", "*", "include", "reasoning is asked for encrypted, so that it can go back"},
    {BLANK, "responses", "*", "stream", "asked for only where it is wanted: no stream is every server's default"},
    {BLANK, "responses", "*", "tools.*.description", "null says as much as nothing"},
    {JOINED, "responses", "*", "input.*.content", "text is one string"},
    {JOINED, "responses", "*", "input.*.output", "text is one string"},
    {ADDED, "responses", "*", "tools.*.strict", "a schema is taken as it is unless strict is asked for"},
    {JOINED, "responses", "*", "input", "a string is a list of one message"},
    {REPAIRED, "responses", "*", "input.*.arguments", "strict servers refuse the request else"},
    {CHANGED, "responses", "*", "input.0.role",
     "a leading system message is the instructions; here it is a developer's"},
};

#endif
