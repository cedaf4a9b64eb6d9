// SPDX-License-Identifier: MIT
// The names of providers are those of LiteLLM's LITELLM_CHAT_PROVIDERS and openai_compatible_providers
// (litellm/constants.py), the addresses and variables those of litellm_core_utils/get_llm_provider_logic.py and
// llms/openai_like/providers.json, read in November 2026. A kind that providers.json does not have is looked for at
// run time: a row may be ahead of it.
#include <string.h>

#include "base/alloc.h"
#include "runtime/import.h"

#define COMPATIBLE "openai-compatible"

static const mb_import_row ROWS[] = {
    {"openai", "openai", NULL, NULL},
    {"text-completion-openai", "openai", NULL, NULL},
    {"custom_openai", COMPATIBLE, NULL, "OPENAI_API_KEY"},
    {"openai_like", COMPATIBLE, NULL, NULL},
    {"aiohttp_openai", "openai", NULL, NULL},
    {"azure", "azure", NULL, "AZURE_API_KEY"},
    {"azure_text", "azure", NULL, "AZURE_API_KEY"},
    {"azure_ai", "azure-ai", NULL, "AZURE_AI_API_KEY"},
    {"anthropic", "anthropic", NULL, NULL},
    {"anthropic_text", "anthropic", NULL, NULL},
    {"gemini", "gemini", NULL, NULL},
    {"vertex_ai", "vertex", NULL, "GOOGLE_OAUTH_ACCESS_TOKEN"},
    {"vertex_ai_beta", "vertex", NULL, "GOOGLE_OAUTH_ACCESS_TOKEN"},
    {"bedrock", "bedrock", NULL, NULL},
    {"bedrock_converse", "bedrock", NULL, NULL},
    {"cohere", "cohere", NULL, NULL},
    {"cohere_chat", "cohere", NULL, NULL},
    {"groq", "groq", NULL, NULL},
    {"mistral", "mistral", NULL, NULL},
    {"codestral", "mistral", "https://codestral.mistral.ai/v1", "CODESTRAL_API_KEY"},
    {"deepseek", "deepseek", NULL, NULL},
    {"openrouter", "openrouter", NULL, NULL},
    {"xai", "xai", NULL, NULL},
    {"together_ai", "together", NULL, "TOGETHERAI_API_KEY"},
    {"perplexity", "perplexity", NULL, "PERPLEXITYAI_API_KEY"},
    {"huggingface", "huggingface", NULL, "HF_TOKEN"},
    {"ollama", "ollama", NULL, NULL},
    {"ollama_chat", "ollama", NULL, NULL},
    {"hosted_vllm", "vllm", NULL, "HOSTED_VLLM_API_KEY"},
    {"vllm", "vllm", NULL, NULL},
    {"lm_studio", "lmstudio", NULL, "LM_STUDIO_API_KEY"},
    {"llamafile", "llamacpp", NULL, NULL},
    {"litellm_proxy", "litellm", NULL, "LITELLM_PROXY_API_KEY"},
    {"voyage", "voyage", NULL, NULL},
    {"cerebras", "cerebras", NULL, NULL},
    {"moonshot", "moonshotai", NULL, NULL},
    {"dashscope", "alibaba", NULL, NULL},
    {"zai", "zai", NULL, NULL},
    {"minimax", "minimax", NULL, NULL},
    {"fireworks_ai", "fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"},
    {"nvidia_nim", "nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"},
    {"deepinfra", "deepinfra", "https://api.deepinfra.com/v1/openai", NULL},
    {"sambanova", "sambanova", "https://api.sambanova.ai/v1", NULL},
    {"nebius", "nebius", "https://api.studio.nebius.ai/v1", NULL},
    {"ai21", "ai21", "https://api.ai21.com/studio/v1", NULL},
    {"ai21_chat", "ai21", "https://api.ai21.com/studio/v1", NULL},
    {"heroku", "heroku", NULL, "HEROKU_API_KEY"},
    {"databricks", "databricks", NULL, "DATABRICKS_API_KEY"},
    {"snowflake", "snowflake", NULL, "SNOWFLAKE_JWT"},
    {"cloudflare", "cloudflare", NULL, "CLOUDFLARE_API_KEY"},
    {"triton", "triton", NULL, NULL},
    {"jina_ai", COMPATIBLE, "https://api.jina.ai/v1", "JINA_AI_API_KEY"},
    {"infinity", COMPATIBLE, NULL, "INFINITY_API_KEY"},
    {"xinference", COMPATIBLE, NULL, "XINFERENCE_API_KEY"},
    {"docker_model_runner", COMPATIBLE, NULL, NULL},
    {"lemonade", COMPATIBLE, NULL, NULL},
    {"oobabooga", COMPATIBLE, NULL, NULL},
    {"anyscale", COMPATIBLE, "https://api.endpoints.anyscale.com/v1", "ANYSCALE_API_KEY"},
    {"empower", COMPATIBLE, "https://app.empower.dev/api/v1", "EMPOWER_API_KEY"},
    {"meta_llama", COMPATIBLE, "https://api.llama.com/compat/v1", "LLAMA_API_KEY"},
    {"volcengine", COMPATIBLE, "https://ark.cn-beijing.volces.com/api/v3", "VOLCENGINE_API_KEY"},
    {"github", COMPATIBLE, "https://models.inference.ai.azure.com", "GITHUB_API_KEY"},
    {"friendliai", COMPATIBLE, "https://api.friendli.ai/serverless/v1", "FRIENDLI_TOKEN"},
    {"galadriel", COMPATIBLE, "https://api.galadriel.com/v1", "GALADRIEL_API_KEY"},
    {"featherless_ai", COMPATIBLE, "https://api.featherless.ai/v1", "FEATHERLESS_AI_API_KEY"},
    {"nscale", COMPATIBLE, "https://inference.api.nscale.com/v1", "NSCALE_API_KEY"},
    {"hyperbolic", COMPATIBLE, "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"},
    {"lambda_ai", COMPATIBLE, "https://api.lambda.ai/v1", "LAMBDA_API_KEY"},
    {"morph", COMPATIBLE, "https://api.morphllm.com/v1", "MORPH_API_KEY"},
    {"v0", COMPATIBLE, "https://api.v0.dev/v1", "V0_API_KEY"},
    {"wandb", COMPATIBLE, "https://api.inference.wandb.ai/v1", "WANDB_API_KEY"},
    {"vercel_ai_gateway", COMPATIBLE, "https://ai-gateway.vercel.sh/v1", "VERCEL_AI_GATEWAY_API_KEY"},
    {"helicone", COMPATIBLE, "https://ai-gateway.helicone.ai", "HELICONE_API_KEY"},
    {"clarifai", COMPATIBLE, "https://api.clarifai.com/v2/ext/openai/v1", "CLARIFAI_API_KEY"},
    {"publicai", COMPATIBLE, "https://api.publicai.co/v1", "PUBLICAI_API_KEY"},
    {"veniceai", COMPATIBLE, "https://api.venice.ai/api/v1", "VENICE_AI_API_KEY"},
    {"scaleway", COMPATIBLE, "https://api.scaleway.ai/v1", "SCW_SECRET_KEY"},
    {"synthetic", COMPATIBLE, "https://api.synthetic.new/openai/v1", "SYNTHETIC_API_KEY"},
    {"nano-gpt", COMPATIBLE, "https://nano-gpt.com/api/v1", "NANOGPT_API_KEY"},
    {"poe", COMPATIBLE, "https://api.poe.com/v1", "POE_API_KEY"},
    {"chutes", COMPATIBLE, "https://llm.chutes.ai/v1", "CHUTES_API_KEY"},
    {"gmi", COMPATIBLE, "https://api.gmi-serving.com/v1", "GMI_API_KEY"},
    {"aihubmix", COMPATIBLE, "https://aihubmix.com/v1", "AIHUBMIX_API_KEY"},
    // Known to LiteLLM, with an interface of their own or an address of each user's: with an api_base only.
    {"novita", COMPATIBLE, NULL, "NOVITA_API_KEY"},
    {"baseten", COMPATIBLE, NULL, "BASETEN_API_KEY"},
    {"predibase", COMPATIBLE, NULL, "PREDIBASE_API_KEY"},
    {"ovhcloud", COMPATIBLE, NULL, "OVHCLOUD_API_KEY"},
    {"cometapi", COMPATIBLE, NULL, "COMETAPI_KEY"},
    {"aiml", COMPATIBLE, NULL, "AIML_API_KEY"},
    {"datarobot", COMPATIBLE, NULL, "DATAROBOT_API_TOKEN"},
    {"gradient_ai", COMPATIBLE, NULL, "GRADIENT_AI_API_KEY"},
    {"ragflow", COMPATIBLE, NULL, "RAGFLOW_API_KEY"},
};

// Known to LiteLLM, and speaking nothing that we speak, whatever their address.
static const char *const STRANGERS[] = {
    "replicate",      "sagemaker", "sagemaker_chat", "sagemaker_nova",
    "nlp_cloud",      "petals",    "maritalk",       "gigachat",
    "watsonx",        "oci",       "watsonx_text",   "bytez",
    "github_copilot", "chatgpt",   "aleph_alpha",    "custom",
};

static const mb_import_row STRANGER = {"", NULL, NULL, NULL};

const mb_import_row *mb_import_find(const char *name, size_t len) {
    for (size_t i = 0; i < MB_COUNT(ROWS); i++)
        if (strlen(ROWS[i].name) == len && memcmp(ROWS[i].name, name, len) == 0) return &ROWS[i];
    for (size_t i = 0; i < MB_COUNT(STRANGERS); i++)
        if (strlen(STRANGERS[i]) == len && memcmp(STRANGERS[i], name, len) == 0) return &STRANGER;
    return NULL;
}

const mb_import_row *mb_import_guess(const char *model) {
    static const struct {
        const char *start, *provider;
    } rows[] = {{"gpt-", "openai"},        {"chatgpt-", "openai"},   {"o1", "openai"},
                {"o3", "openai"},          {"o4", "openai"},         {"text-embedding-", "openai"},
                {"ft:gpt-", "openai"},     {"davinci-", "openai"},   {"babbage-", "openai"},
                {"claude-", "anthropic"},  {"command-", "cohere"},   {"embed-", "cohere"},
                {"rerank-", "cohere"},     {"gemini-", "vertex_ai"}, {"mistral-", "mistral"},
                {"deepseek-", "deepseek"}, {"voyage-", "voyage"}};
    for (size_t i = 0; i < MB_COUNT(rows); i++)
        if (strncmp(model, rows[i].start, strlen(rows[i].start)) == 0)
            return mb_import_find(rows[i].provider, strlen(rows[i].provider));
    return NULL;
}
