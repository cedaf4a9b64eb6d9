// SPDX-License-Identifier: MIT
// How providers word what went wrong. The first row that fits decides, so the special stands above the general. Each
// row names where its words were seen: e/ is a recording of a real engine, c/ a recorded exchange of a provider, doc
// the provider's public documentation.
#ifndef MB_ROUTE_CLASSIFY_TABLE_H
#define MB_ROUTE_CLASSIFY_TABLE_H

#include "membrane/error.h"

// The error's code or type, as a whole word. from/to: the statuses in which it is believed.
typedef struct mb_code_row {
    const char *word;
    short from, to;
    int code;
} mb_code_row;

static const mb_code_row CODE_ROWS[] = {
    {"insufficient_quota", 200, 599, MEMBRANE_EFUNDS},               // doc OpenAI (429), DeepSeek
    {"billing_hard_limit_reached", 200, 599, MEMBRANE_EFUNDS},       // doc OpenAI (400)
    {"billing_not_active", 200, 599, MEMBRANE_EFUNDS},               // doc OpenAI (429)
    {"insufficient_balance", 200, 599, MEMBRANE_EFUNDS},             // doc DeepSeek
    {"exceed_context_size_error", 200, 599, MEMBRANE_ECONTEXT},      // e/llama-server/v1_chat_too_long
    {"context_length_exceeded", 200, 599, MEMBRANE_ECONTEXT},        // e/llama-cpp-python/v1_chat_too_long, doc OpenAI
    {"string_above_max_length", 400, 499, MEMBRANE_ECONTEXT},        // doc OpenAI
    {"model_not_found", 200, 499, MEMBRANE_EMODEL},                  // c/groq 404, c/openai 404
    {"model_not_available", 400, 499, MEMBRANE_EMODEL},              // doc Together
    {"invalid_model", 400, 499, MEMBRANE_EMODEL},                    // doc Mistral
    {"deploymentnotfound", 400, 499, MEMBRANE_EMODEL},               // doc Azure
    {"content_filter", 200, 499, MEMBRANE_ECONTENT},                 // doc Azure
    {"content_policy_violation", 200, 499, MEMBRANE_ECONTENT},       // doc OpenAI
    {"responsibleaipolicyviolation", 200, 499, MEMBRANE_ECONTENT},   // doc Azure
    {"invalid_prompt", 200, 499, MEMBRANE_ECONTENT},                 // doc OpenAI (Responses)
    {"image_content_policy_violation", 200, 499, MEMBRANE_ECONTENT}, // doc OpenAI (Responses)
    {"server_error", 200, 200, MEMBRANE_ESERVER},                    // doc OpenAI (Responses)
    {"moderation_blocked", 200, 499, MEMBRANE_ECONTENT},             // doc OpenAI
    {"data_inspection_failed", 200, 499, MEMBRANE_ECONTENT},         // doc DashScope
    {"tool_use_failed", 200, 499, MEMBRANE_ETOOLUSE},                // c/groq, inside a 200 stream
    {"rate_limit_exceeded", 200, 499, MEMBRANE_ERATE},               // doc OpenAI, Groq (413, 429)
    {"ratelimitreached", 200, 499, MEMBRANE_ERATE},                  // c/azure 429
    {"rate_limit_error", 200, 499, MEMBRANE_ERATE},                  // doc Anthropic and its imitators
    {"too_many_requests", 200, 499, MEMBRANE_ERATE},                 // doc vLLM, Cerebras
    {"invalid_api_key", 200, 499, MEMBRANE_EAUTH},                   // c/perplexity 401, doc OpenAI
    {"authentication_error", 200, 499, MEMBRANE_EAUTH},              // e/llama-server/nokey
    {"auth_error", 200, 499, MEMBRANE_EAUTH},                        // e/litellm/no_key_prisma
    {"no_db_connection", 400, 400, MEMBRANE_EAUTH},        // e/litellm/bad_key: a wrong key, looked up nowhere
    {"unauthenticated", 200, 499, MEMBRANE_EAUTH},         // doc Google
    {"permission_error", 200, 499, MEMBRANE_EPERMISSION},  // doc Anthropic and its imitators
    {"permission_denied", 200, 499, MEMBRANE_EPERMISSION}, // doc Google
    {"unsupported_country_region_territory", 400, 499, MEMBRANE_EPERMISSION}, // doc OpenAI (403)
    {"unsupported_parameter", 400, 499, MEMBRANE_EUNSUPPORTED},               // doc OpenAI
    {"unsupported_value", 400, 499, MEMBRANE_EUNSUPPORTED},                   // doc OpenAI
    {"not_supported_error", 400, 599, MEMBRANE_EUNSUPPORTED},                 // e/llama-server/v1_embeddings_off (501)
    {"overloaded_error", 200, 599, MEMBRANE_EOVERLOADED},                     // doc Anthropic and its imitators
    {"overloaded", 200, 599, MEMBRANE_EOVERLOADED},                           // doc TGI (429), in a stream too
    {"generation", 200, 599, MEMBRANE_ESERVER},                               // doc TGI (424), in a stream too
    {"incomplete_generation", 200, 599, MEMBRANE_ESERVER},                    // doc TGI (500), in a stream too
    {"api_error", 200, 200, MEMBRANE_ESERVER},                                // doc Anthropic, in a stream
    {"timeout_error", 200, 200, MEMBRANE_ETIMEOUT},                           // doc Anthropic, in a stream
    {"billing_error", 200, 499, MEMBRANE_EFUNDS},                             // doc Anthropic
    {"not_found_error", 200, 499, MEMBRANE_EMODEL},                           // c/anthropic 404
    {"service_tier_capacity_exceeded", 200, 599, MEMBRANE_EOVERLOADED},       // doc Mistral (429), Groq (498)
    {"throttlingexception", 200, 599, MEMBRANE_ERATE},                        // doc Bedrock, in a stream too
    {"servicequotaexceededexception", 200, 599, MEMBRANE_ERATE},              // doc Bedrock (400)
    {"modelnotreadyexception", 200, 599, MEMBRANE_EOVERLOADED},               // doc Bedrock (429)
    {"serviceunavailableexception", 200, 599, MEMBRANE_EOVERLOADED},          // doc Bedrock, in a stream too
    {"modeltimeoutexception", 200, 599, MEMBRANE_ETIMEOUT},                   // doc Bedrock (408), in a stream too
    {"modelerrorexception", 200, 599, MEMBRANE_ESERVER},                      // doc Bedrock (424)
    {"modelstreamerrorexception", 200, 599, MEMBRANE_ESTREAM},                // doc Bedrock (424), in a stream too
    {"internalserverexception", 200, 599, MEMBRANE_ESERVER},                  // doc Bedrock, in a stream too
    {"internalfailure", 200, 599, MEMBRANE_ESERVER},                          // doc AWS, common errors
    {"unrecognizedclientexception", 400, 499, MEMBRANE_EAUTH},                // doc AWS, common errors (403)
    {"invalidclienttokenid", 400, 499, MEMBRANE_EAUTH},                       // doc AWS, common errors (403)
    {"invalidsignatureexception", 400, 499, MEMBRANE_EAUTH},                  // doc AWS (403)
    {"incompletesignature", 400, 499, MEMBRANE_EAUTH},                        // doc AWS, common errors (403)
    {"missingauthenticationtokenexception", 400, 499, MEMBRANE_EAUTH},        // doc AWS (403)
    {"missingauthenticationtoken", 400, 499, MEMBRANE_EAUTH},                 // doc AWS, common errors (403)
    {"expiredtokenexception", 400, 499, MEMBRANE_EAUTH},                      // doc AWS, common errors (403)
    {"resourcenotfoundexception", 400, 499, MEMBRANE_EMODEL},                 // doc Bedrock (404)
    {"resource_exhausted", 200, 499, MEMBRANE_ERATE},                         // doc Google
};

// The message in small letters, long quotations cut out, against a glob. unless: what must not be in it.
typedef struct mb_phrase_row {
    const char *glob, *unless;
    short from, to;
    int code;
} mb_phrase_row;

static const mb_phrase_row PHRASE_ROWS[] = {
    {"loading model*", NULL, 503, 503, MEMBRANE_EOVERLOADED},                    // e/README 8, llama-server /health
    {"*model is *loading*", NULL, 503, 503, MEMBRANE_EOVERLOADED},               // doc Hugging Face
    {"*exceeds the available context size*", NULL, 200, 599, MEMBRANE_ECONTEXT}, // e/llama-server/v1_chat_too_long
    {"*input length exceeds the context length*", NULL, 200, 599,
     MEMBRANE_ECONTEXT},                                             // e/ollama/chat_long_truncate_false
    {"*maximum context length*", NULL, 200, 599, MEMBRANE_ECONTEXT}, // e/llama-cpp-python/v1_chat_too_long, doc vLLM
    {"*tokens) is too large to process*", NULL, 400, 599, MEMBRANE_ECONTEXT}, // e/llama-server/embed_long (500)
    {"*exceeds the maximum number of tokens allowed*", NULL, 200, 499, MEMBRANE_ECONTEXT}, // c/vertexai 400
    {"*maximum prompt length*", NULL, 400, 499, MEMBRANE_ECONTEXT},                        // doc xAI
    {"*reduce the length of the*", NULL, 400, 499, MEMBRANE_ECONTEXT},                     // doc OpenAI, Groq
    {"*prompt is too long*", NULL, 400, 499, MEMBRANE_ECONTEXT}, // doc Anthropic and gateways to it
    {"*prompt contains * tokens*too large for model*", NULL, 400, 499, MEMBRANE_ECONTEXT}, // doc Mistral
    {"*context window*exceed*", NULL, 400, 499, MEMBRANE_ECONTEXT},                        // doc several
    {"*exceed*context window*", NULL, 400, 499, MEMBRANE_ECONTEXT},                        // doc several
    {"*inputs* tokens + *max_new_tokens* must be <=*", NULL, 200, 499, MEMBRANE_ECONTEXT}, // doc TGI (422)
    {"*inputs* must have less than * tokens*", NULL, 200, 499, MEMBRANE_ECONTEXT},         // doc TGI (422)
    {"*exceed context limit*", NULL, 400, 499, MEMBRANE_ECONTEXT},                         // doc Anthropic
    {"*reached your specified*usage limits*", NULL, 400, 499, MEMBRANE_EFUNDS},            // doc Anthropic
    {"*blocked by content filtering policy*", NULL, 200, 499, MEMBRANE_ECONTENT},          // doc Anthropic
    {"*credit balance is too low*", NULL, 400, 499, MEMBRANE_EFUNDS},                      // doc Anthropic
    {"*insufficient balance*", NULL, 400, 499, MEMBRANE_EFUNDS},                           // doc DeepSeek, Moonshot
    {"*exceeded your current quota*billing*", NULL, 400, 499, MEMBRANE_EFUNDS},            // doc OpenAI (429)
    {"*insufficient credits*", NULL, 400, 499, MEMBRANE_EFUNDS},                           // doc OpenRouter
    {"*request for unknown model: * is not at ready state*", NULL, 200, 599, MEMBRANE_EOVERLOADED}, // doc Triton
    {"*request for unknown model*", NULL, 200, 599, MEMBRANE_EMODEL},                               // doc Triton
    {"failed to load *failed to poll from model repository*", NULL, 400, 599, MEMBRANE_EMODEL},     // doc Triton
    {"load failed for model*", NULL, 400, 599, MEMBRANE_ESERVER},                                   // doc Triton
    {"failed to load *", NULL, 400, 599, MEMBRANE_ESERVER},                                         // doc Triton
    {"failed to unload *", NULL, 400, 599, MEMBRANE_ESERVER},                                       // doc Triton
    {"*explicit model load / unload is not allowed*", NULL, 400, 599, MEMBRANE_EUNSUPPORTED},       // doc Triton
    {"*support models with decoupled transaction policy*", NULL, 200, 599, MEMBRANE_EUNSUPPORTED},  // doc Triton
    {"*expects model to produce exactly 1 response*", NULL, 200, 599, MEMBRANE_EUNSUPPORTED},       // doc Triton
    {"*prompt length * exceeds maximum input length*", NULL, 200, 599, MEMBRANE_ECONTEXT},          // doc TensorRT-LLM
    {"*exceeds maximum queue size*", NULL, 200, 599, MEMBRANE_EOVERLOADED},                         // doc Triton
    {"*server is stopping*", NULL, 200, 599, MEMBRANE_EOVERLOADED},                                 // doc Triton
    {"server not ready*", NULL, 400, 599, MEMBRANE_EOVERLOADED},                                    // doc Triton
    {"model * is not ready*", NULL, 400, 599, MEMBRANE_EOVERLOADED},                                // doc KServe
    {"*request timeout expired*", NULL, 200, 599, MEMBRANE_ETIMEOUT},                               // doc Triton
    {"*incorrect api key*", NULL, 400, 403, MEMBRANE_EAUTH},            // doc xAI (400), OpenAI
    {"*invalid api key*", NULL, 400, 403, MEMBRANE_EAUTH},              // c/mistral 401, c/perplexity 401
    {"*api key not valid*", NULL, 400, 403, MEMBRANE_EAUTH},            // doc Google (400)
    {"*api key expired*", NULL, 400, 403, MEMBRANE_EAUTH},              // doc Google (400)
    {"*no api key*", NULL, 400, 403, MEMBRANE_EAUTH},                   // e/litellm/no_key_prisma
    {"*content management policy*", NULL, 400, 499, MEMBRANE_ECONTENT}, // doc Azure
    {"*content policy*", NULL, 400, 499, MEMBRANE_ECONTENT},            // doc OpenAI
    {"*flagged*moderation*", NULL, 400, 499, MEMBRANE_ECONTENT},        // doc OpenRouter (403)
    {"model * not found*", NULL, 400, 404,
     MEMBRANE_EMODEL}, // e/ollama/chat_missing_model, e/llama-server-router/chat_nope
    {"*notfounderror*model * not found*", NULL, 400, 404, MEMBRANE_EMODEL},               // e/litellm/upstream_no_model
    {"*the model * does not exist*", NULL, 400, 404, MEMBRANE_EMODEL},                    // c/openai, c/groq, doc vLLM
    {"*invalid model name*", NULL, 400, 404, MEMBRANE_EMODEL},                            // e/litellm/unknown_model
    {"*invalid model:*", NULL, 400, 404, MEMBRANE_EMODEL},                                // doc Mistral, Perplexity
    {"*is not a valid model*", NULL, 400, 404, MEMBRANE_EMODEL},                          // doc OpenRouter
    {"model * is not supported. supported models are*", NULL, 400, 404, MEMBRANE_EMODEL}, // c/voyage 400
    {"* does not support *", "please retry", 400, 501,
     MEMBRANE_EUNSUPPORTED}, // e/ollama/chat_tools_unsupported, chat_embed_model, llama-server
    {"* not supported with this model*", NULL, 400, 499, MEMBRANE_EUNSUPPORTED}, // c/openai 400, web_search_options
    {"image input is not supported*", NULL, 400, 501, MEMBRANE_EUNSUPPORTED},    // e/llama-server/v1_chat_image (500)
    {"unsupported parameter*", NULL, 400, 499, MEMBRANE_EUNSUPPORTED},           // doc OpenAI
    {"*must be created with embedding=true*", NULL, 400, 501,
     MEMBRANE_EUNSUPPORTED},                                 // e/llama-cpp-python/v1_embeddings_off (500)
    {"*parse_error*", NULL, 500, 500, MEMBRANE_EBADREQUEST}, // e/llama-server/v1_chat_bad_json (500)
    {"*input is too long for requested model*", NULL, 200, 499, MEMBRANE_ECONTEXT},       // doc Bedrock, Claude
    {"*input tokens exceed*", NULL, 200, 499, MEMBRANE_ECONTEXT},                         // doc Bedrock, Nova
    {"*too many input tokens*", NULL, 200, 499, MEMBRANE_ECONTEXT},                       // doc Bedrock, Titan
    {"*too many tokens: *cannot exceed*", NULL, 200, 499, MEMBRANE_ECONTEXT},             // doc Cohere
    {"*expected maxlength: *actual: *", NULL, 200, 499, MEMBRANE_ECONTEXT},               // doc Bedrock, Titan
    {"*model identifier is invalid*", NULL, 400, 404, MEMBRANE_EMODEL},                   // c/bedrock 400
    {"*security token included in the request is*", NULL, 400, 403, MEMBRANE_EAUTH},      // doc AWS
    {"*request signature we calculated does not match*", NULL, 400, 403, MEMBRANE_EAUTH}, // doc AWS
    {"*make sure your api key is valid*", NULL, 400, 403, MEMBRANE_EAUTH},                // doc Bedrock, bearer tokens
    {"*blocked by our content filters*", NULL, 200, 499, MEMBRANE_ECONTENT},              // doc Bedrock, Titan, Nova
    {"*doesn't support the * content block*", NULL, 400, 499, MEMBRANE_EUNSUPPORTED},     // c/bedrock 400
    {"server busy*", NULL, 200, 599, MEMBRANE_EOVERLOADED},                               // e/ollama/queue_1
    {"*rate limit*", NULL, 200, 200, MEMBRANE_ERATE},                                     // doc OpenRouter, in a stream
    {"*rate-limited*", NULL, 200, 200, MEMBRANE_ERATE},     // c/openrouter 429, in a stream too
    {"*overloaded*", NULL, 200, 599, MEMBRANE_EOVERLOADED}, // doc several
    {"*error was encountered while running the model*", NULL, 400, 599,
     MEMBRANE_ESERVER}, // e/ollama/slow_runner_killed
};

#endif
