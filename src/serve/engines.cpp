#include "serve/engines.h"

#include <algorithm>
#include <utility>

#include "engine/llama_engine.h"
#include "models/memory.h"

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

Engines::Engines(http::Client& client, const Clock& clock, const config::Config& config,
                 const config::Environment& environment, engine::EnginePool& pool,
                 std::filesystem::path socket_dir)
    : clock_(clock),
      config_(config),
      pool_(pool),
      socket_dir_(std::move(socket_dir)),
      store_(config.data_dir / "models") {
  for (const config::EngineConfig& remote : config.engines) {
    engine::RemoteEngineOptions options{.name = remote.name,
                                        .base_url = remote.base_url,
                                        .model = remote.model,
                                        .key = std::string(environment.get(remote.key_env)),
                                        .context_tokens = remote.context_tokens,
                                        .destination = remote.destination};
    remotes_.try_emplace(remote.name, client, clock, std::move(options));
  }
}

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

engine::LlamaEngine& Engines::make(const models::Model& model, bool embeddings) {
  engine::LlamaEngineOptions options;
  options.name = model.name;
  options.model = model.file;
  options.socket_dir = socket_dir_;
  options.slots = config_.local.slots;
  options.context_per_slot = config_.local.context_tokens;
  options.threads = config_.local.threads;
  options.extra_args = config_.local.extra_args;
  options.embeddings = embeddings;
  if (embeddings) {
    options.name += kEmbedderSuffix;
    if (model.info.pooling_type == 0) options.pooling = "mean";
    options.context_per_slot = embedding_context(model.info, config_.local.context_tokens);
  }
  options.idle_stop = std::chrono::seconds{config_.local.idle_stop_s};

  const std::int64_t tokens = std::int64_t{options.slots} * options.context_per_slot;
  const models::MemoryNeed memory = models::memory_need(model.info, tokens);
  engine::EngineNeed need{.file = engine::EnginePool::key(model.file, false),
                          .weights = memory.weights,
                          .kv_cache = memory.kv_cache};
  if (!embeddings) need.kv_cache += std::uint64_t{engine::kPromptCacheMib} << 20;

  std::function<void(int)> on_slots;
  const Result<models::Model> by_default = store_.find(config_.local.model);
  if (!embeddings && by_default && engine::EnginePool::key(by_default->file, false) == need.file) {
    on_slots = [this](int slots) {
      if (slots_changed_) slots_changed_(slots);
    };
  }
  return pool_.add(std::move(options), std::move(need), std::move(on_slots));
}

bool Engines::is_remote(std::string_view model) const { return remotes_.contains(model); }

Result<engine::Backend*> Engines::look_up(std::string_view model, bool embeddings) {
  Result<models::Model> found = store_.find(model);
  if (!found) return std::unexpected(std::move(found.error()));
  const std::string key = engine::EnginePool::key(found->file, embeddings);
  if (engine::LlamaEngine* known = pool_.find(key)) return known;
  return &make(*found, embeddings);
}

Result<engine::Backend*> Engines::find(std::string_view model, bool embeddings) {
  if (const auto remote = remotes_.find(model); remote != remotes_.end()) return &remote->second;
  // A look at the disk costs more than all else that is done for a short answer.
  Known& known = embeddings ? known_embedders_ : known_;
  if (clock_.steady() >= forget_at_ || known.size() >= kMaxKnown) {
    known_.clear();
    known_embedders_.clear();
    forget_at_ = clock_.steady() + kLookAgain;
  }
  if (const auto place = known.find(model); place != known.end()) return place->second;
  Result<engine::Backend*> engine = look_up(model, embeddings);
  if (engine) known.emplace(std::string(model), *engine);
  return engine;
}

Result<engine::Backend*> Engines::find(std::string_view model) { return find(model, false); }

Result<engine::Backend*> Engines::find_embedder(std::string_view model) {
  return find(model, !is_remote(model));
}

std::vector<std::string> Engines::model_names() const {
  std::vector<std::string> names;
  for (const models::Model& model : store_.list()) names.push_back(model.name);
  for (const config::EngineConfig& engine : config_.engines) names.push_back(engine.name);
  return names;
}

std::vector<engine::EngineStatus> Engines::statuses() const {
  std::vector<engine::EngineStatus> statuses = pool_.statuses();
  for (const auto& [name, engine] : remotes_) statuses.push_back(engine.status());
  return statuses;
}

asio::awaitable<void> Engines::stop(std::string_view model) {
  const Result<models::Model> found = store_.find(model);
  if (!found) co_return;
  for (const bool embeddings : {false, true}) {
    const std::string key = engine::EnginePool::key(found->file, embeddings);
    co_await pool_.stop(key);
  }
}

asio::awaitable<void> Engines::stop() { co_await pool_.stop(); }

}  // namespace minimill::serve
