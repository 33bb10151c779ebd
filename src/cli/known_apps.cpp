#include "cli/known_apps.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

namespace minimill::cli {
namespace {

constexpr std::array<AppVariable, 5> kCommon{{{"OPENAI_BASE_URL", "{url}/v1"},
                                              {"OPENAI_API_KEY", "{key}"},
                                              {"ANTHROPIC_BASE_URL", "{url}"},
                                              {"ANTHROPIC_API_KEY", "{key}"},
                                              {"OLLAMA_HOST", "{url}"}}};

std::vector<KnownApp> coding_agents() {
  return {
      {.name = "claude-code",
       .title = "Claude Code",
       .program = "claude",
       .install = "npm install -g @anthropic-ai/claude-code",
       .variables = {{"ANTHROPIC_BASE_URL", "{url}"},
                     {"ANTHROPIC_AUTH_TOKEN", "{key}"},
                     {"ANTHROPIC_MODEL", "{model}"},
                     {"ANTHROPIC_DEFAULT_HAIKU_MODEL", "{model}"}},
       .unset = {"ANTHROPIC_API_KEY", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX",
                 "CLAUDE_CODE_USE_FOUNDRY"},
       .note = "Its first prompt alone has some 11,000 tokens: what the device shall answer needs "
               "[local] context_tokens above that, and CLAUDE_CODE_MAX_CONTEXT_TOKENS set to it."},
      {.name = "codex",
       .title = "Codex CLI",
       .program = "codex",
       .install = "npm install -g @openai/codex",
       .variables = {{"MINIMILL_API_KEY", "{key}"}},
       .arguments = {"-c", "model=\"{model}\"", "-c", "model_provider=\"minimill\"", "-c",
                     "model_providers.minimill={name=\"minimill\", base_url=\"{url}/v1\", "
                     "env_key=\"MINIMILL_API_KEY\", wire_api=\"responses\"}"},
       .note = "Codex does not read OPENAI_BASE_URL: with that alone its prompts go to OpenAI."},
      {.name = "opencode",
       .title = "opencode",
       .program = "opencode",
       .install = "npm install -g opencode-ai",
       .variables =
           {{"OPENCODE_CONFIG_CONTENT",
             R"({"provider":{"minimill":{"npm":"@ai-sdk/openai-compatible","name":"minimill",)"
             R"("options":{"baseURL":"{url}/v1","apiKey":"{key}"},"models":{"{model}":{}}}},)"
             R"("model":"minimill/{model}","small_model":"minimill/{model}"})"}},
       .note = "opencode does not read OPENAI_BASE_URL. The variable is laid over your own "
               "opencode.json, which stays as it is."},
      {.name = "continue",
       .title = "Continue CLI",
       .program = "cn",
       .install = "npm install -g @continuedev/cli",
       .arguments = {"--config", "{folder}/config.yaml"},
       .files = {{"config.yaml",
                  "name: minimill\n"
                  "version: 1.0.0\n"
                  "schema: v1\n"
                  "models:\n"
                  "  - name: minimill\n"
                  "    provider: openai\n"
                  "    model: {model}\n"
                  "    apiBase: {url}/v1\n"
                  "    apiKey: {key}\n"
                  "    roles: [chat, edit]\n"}},
       .note = "Continue reads no variables: it needs a file."},
      {.name = "aider",
       .title = "aider",
       .program = "aider",
       .install = "pip install aider-chat",
       .variables = {{"OPENAI_API_BASE", "{url}/v1"},
                     {"OPENAI_API_KEY", "{key}"},
                     {"AIDER_MODEL", "openai/{model}"},
                     {"AIDER_SHOW_MODEL_WARNINGS", "false"}},
       .note = "aider reads OPENAI_API_BASE, not OPENAI_BASE_URL."},
  };
}

std::vector<KnownApp> other_programs() {
  return {
      {.name = "llm",
       .title = "llm",
       .program = "llm",
       .install = "pip install llm",
       .variables = {{"LLM_USER_PATH", "{folder}"}, {"LLM_MODEL", "minimill"}},
       .files = {{"extra-openai-models.yaml",
                  "- model_id: minimill\n"
                  "  model_name: {model}\n"
                  "  api_base: {url}/v1\n"
                  "  headers: {Authorization: Bearer {key}}\n"
                  "  supports_tools: true\n"
                  "  supports_schema: true\n"}},
       .note = "llm's own models have fixed names and addresses, so it needs a file. It keeps its "
               "log, too, in the folder of LLM_USER_PATH; your own is not touched."},
      {.name = "open-webui",
       .title = "Open WebUI",
       .program = "open-webui",
       .install = "pip install open-webui",
       .variables = {{"OPENAI_API_BASE_URL", "{url}/v1"},
                     {"OPENAI_API_KEY", "{key}"},
                     {"ENABLE_OLLAMA_API", "false"},
                     {"RAG_EMBEDDING_ENGINE", "openai"},
                     {"RAG_OPENAI_API_BASE_URL", "{url}/v1"},
                     {"RAG_OPENAI_API_KEY", "{key}"},
                     {"RAG_EMBEDDING_MODEL", "text-embedding-3-small"}},
       .arguments = {"serve"},
       .note = "Read at its first start only; afterwards its own settings page has them."},
      {.name = "n8n",
       .title = "n8n",
       .install = "npm install -g n8n",
       .code = "In an HTTP Request node: POST {url}/v1/chat/completions with the body\n"
               "  {\"model\": \"{model}\", \"messages\": [{\"role\": \"user\", \"content\": "
               "\"…\"}]}\n"
               "In a credential of kind OpenAI: base URL {url}/v1, API key {key}",
       .note = "In a container minimill's address is that of its host."},
  };
}

std::vector<KnownApp> libraries() {
  return {
      {
          .name = "langchain",
          .title = "LangChain",
          .install = "pip install langchain langchain-openai",
          .variables = {{"OPENAI_BASE_URL", "{url}/v1"}, {"OPENAI_API_KEY", "{key}"}},
          .code = "ChatOpenAI(model=\"{model}\")\n"
                  "OpenAIEmbeddings(model=\"text-embedding-3-small\", "
                  "check_embedding_ctx_length=False)",
      },
      {
          .name = "llama-index",
          .title = "LlamaIndex",
          .install = "pip install llama-index-llms-openai-like llama-index-embeddings-openai-like",
          .code = "OpenAILike(model=\"{model}\", api_base=\"{url}/v1\", api_key=\"{key}\", "
                  "is_chat_model=True, is_function_calling_model=True)\n"
                  "OpenAILikeEmbedding(model_name=\"text-embedding-3-small\", "
                  "api_base=\"{url}/v1\", api_key=\"{key}\")",
      },
      {
          .name = "pydantic-ai",
          .title = "Pydantic AI",
          .install = "pip install pydantic-ai",
          .variables = {{"OPENAI_BASE_URL", "{url}/v1"}, {"OPENAI_API_KEY", "{key}"}},
          .code = "Agent(OpenAIChatModel(\"{model}\"))",
      },
      {
          .name = "smolagents",
          .title = "smolagents",
          .install = "pip install 'smolagents[openai]'",
          .code = "OpenAIModel(model_id=\"{model}\", api_base=\"{url}/v1\", api_key=\"{key}\")",
      },
      {
          .name = "instructor",
          .title = "Instructor",
          .install = "pip install instructor",
          .variables = {{"OPENAI_BASE_URL", "{url}/v1"}, {"OPENAI_API_KEY", "{key}"}},
          .code = "instructor.from_openai(OpenAI())",
      },
      {
          .name = "ai-sdk",
          .title = "Vercel AI SDK",
          .install = "npm install ai @ai-sdk/openai-compatible",
          .code = "createOpenAICompatible({ name: \"minimill\", baseURL: \"{url}/v1\", apiKey: "
                  "\"{key}\" })(\"{model}\")",
      },
  };
}

std::vector<KnownApp> all_apps() {
  std::vector<KnownApp> apps = coding_agents();
  for (auto* more : {other_programs, libraries})
    std::ranges::copy(more(), std::back_inserter(apps));
  return apps;
}

}  // namespace

std::span<const KnownApp> known_apps() {
  static const std::vector<KnownApp> apps = all_apps();
  return apps;
}

Result<const KnownApp*> find_known_app(std::string_view name) {
  std::string known;
  for (const KnownApp& app : known_apps()) {
    // By its program, too: that is what people type.
    if (app.name == name || (!app.program.empty() && app.program == name)) return &app;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", app.name);
  }
  return fail(ErrorCode::kNotFound, fmt::format("no app '{}' is known", name),
              "known are " + known + "; for any other: minimill env");
}

std::span<const AppVariable> common_variables() { return kCommon; }

}  // namespace minimill::cli
