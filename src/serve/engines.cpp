#include "serve/engines.h"

#include <algorithm>
#include <utility>

#include "engine/llama_engine.h"
#include "engine/remote_engine.h"

namespace minimill::serve {

namespace {

/// A damaged model counts: using it says what is wrong with it.
bool is_there(const Result<models::Model>& found) {
  return found || found.error().code != ErrorCode::kNotFound;
}

constexpr std::string_view kEmbedderSuffix = "-embeddings";

int embedding_context(const models::GgufInfo& info, int configured) {
  if (info.context_length <= 0) return configured;
  return static_cast<int>(std::min<std::int64_t>(info.context_length, configured));
}

}  // namespace

Engines::Engines(asio::io_context& io, http::Client& client, const Clock& clock,
                 const config::Config& config, const config::Environment& environment,
                 std::filesystem::path program, std::filesystem::path socket_dir)
    : io_(io),
      client_(client),
      clock_(clock),
      config_(config),
      environment_(environment),
      program_(std::move(program)),
      socket_dir_(std::move(socket_dir)),
      store_(config.data_dir / "models") {}

bool Engines::default_available() {
  if (default_available_ || clock_.steady() < look_again_) return default_available_;
  look_again_ = clock_.steady() + kLookAgain;
  const auto is_default = [this](const config::EngineConfig& engine) {
    return engine.name == config_.local.model;
  };
  default_available_ = std::ranges::any_of(config_.engines, is_default) ||
                       is_there(store_.find(config_.local.model));
  return default_available_;
}

int Engines::default_slots() const {
  for (const config::EngineConfig& remote : config_.engines) {
    if (remote.name == config_.local.model && remote.slots > 0) return remote.slots;
  }
  return config_.local.slots;
}

Result<std::unique_ptr<engine::Backend>> Engines::make(std::string_view model, bool embeddings) {
  for (const config::EngineConfig& remote : config_.engines) {
    if (remote.name != model) continue;
    engine::RemoteEngineOptions options{.name = remote.name,
                                        .base_url = remote.base_url,
                                        .model = remote.model,
                                        .key = std::string(environment_.get(remote.key_env)),
                                        .context_tokens = remote.context_tokens};
    return std::make_unique<engine::RemoteEngine>(client_, std::move(options));
  }
  Result<models::Model> found = store_.find(model);
  if (!found) return std::unexpected(std::move(found.error()));
  Result<std::filesystem::path> server = engine::find_llama_server(config_.local.llama_server);
  if (!server) return std::unexpected(std::move(server.error()));
  engine::LlamaEngineOptions options;
  options.name = std::string(model);
  options.model = found->file;
  options.llama_server = std::move(*server);
  options.guard = program_;
  options.socket_dir = socket_dir_;
  options.slots = config_.local.slots;
  options.context_per_slot = config_.local.context_tokens;
  options.threads = config_.local.threads;
  options.extra_args = config_.local.extra_args;
  options.embeddings = embeddings;
  if (embeddings) {
    options.name += kEmbedderSuffix;
    if (found->info.pooling_type == 0) options.pooling = "mean";
    options.context_per_slot = embedding_context(found->info, config_.local.context_tokens);
  }
  options.idle_stop = std::chrono::seconds{config_.local.idle_stop_s};
  if (!embeddings && model == config_.local.model) {
    options.on_slots = [this](int slots) {
      if (slots_changed_) slots_changed_(slots);
    };
  }
  return std::make_unique<engine::LlamaEngine>(io_, client_, clock_, std::move(options));
}

Result<engine::Backend*> Engines::find_or_make(Made& made, std::string_view model,
                                               bool embeddings) {
  if (const auto known = made.find(model); known != made.end()) return known->second.get();
  Result<std::unique_ptr<engine::Backend>> engine = make(model, embeddings);
  if (!engine) return std::unexpected(std::move(engine.error()));
  return made.emplace(std::string(model), std::move(*engine)).first->second.get();
}

Result<engine::Backend*> Engines::find(std::string_view model) {
  return find_or_make(engines_, model, false);
}

Result<engine::Backend*> Engines::find_embedder(std::string_view model) {
  const auto is_remote = [model](const config::EngineConfig& engine) {
    return engine.name == model;
  };
  if (std::ranges::any_of(config_.engines, is_remote)) return find(model);
  return find_or_make(embedders_, model, true);
}

std::vector<std::string> Engines::model_names() const {
  std::vector<std::string> names;
  for (const models::Model& model : store_.list()) names.push_back(model.name);
  for (const config::EngineConfig& engine : config_.engines) names.push_back(engine.name);
  return names;
}

std::vector<engine::EngineStatus> Engines::statuses() const {
  std::vector<engine::EngineStatus> statuses;
  for (const auto& [name, engine] : engines_) statuses.push_back(engine->status());
  for (const auto& [name, engine] : embedders_) statuses.push_back(engine->status());
  return statuses;
}

asio::awaitable<void> Engines::stop(std::string_view model) {
  for (Made* made : {&engines_, &embedders_}) {
    const auto known = made->find(model);
    if (known != made->end()) co_await known->second->stop();
  }
}

asio::awaitable<void> Engines::stop() {
  for (const auto& [name, engine] : engines_) co_await engine->stop();
  for (const auto& [name, engine] : embedders_) co_await engine->stop();
}

}  // namespace minimill::serve
