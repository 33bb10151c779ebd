#pragma once

// The local models by name: those pulled into the store or given by path (a llama-server for each
// file, kept by the engine pool) and the servers of the configuration that already run.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "engine/backend.h"
#include "engine/engine_pool.h"
#include "engine/remote_engine.h"
#include "http/client.h"
#include "models/store.h"

namespace minimill::serve {

namespace asio = boost::asio;

class Engines {
 public:
  /// `socket_dir` must exist.
  Engines(http::Client& client, const Clock& clock, const config::Config& config,
          const config::Environment& environment, engine::EnginePool& pool,
          std::filesystem::path socket_dir);

  /// The engine for a local model; kNotFound where no such model is here, with how to get it.
  Result<engine::Backend*> find(std::string_view model);
  /// The one that makes vectors of texts with that model: a server of its own beside the one that
  /// chats, on the same file, which the system keeps in memory once.
  Result<engine::Backend*> find_embedder(std::string_view model);
  /// Is there anything that could serve the default model? Asked for every decision: while the
  /// answer is no, the disk is looked at again every kLookAgain, so that a pulled model is noticed.
  bool default_available();
  const std::string& default_model() const { return config_.local.model; }
  std::int64_t context_tokens() const { return config_.local.context_tokens; }
  /// How many requests the default model is configured to answer at once.
  int default_slots() const;
  /// Told how many it really does, once its server says so.
  void on_slots(std::function<void(int)> changed) { slots_changed_ = std::move(changed); }

  std::vector<std::string> model_names() const;
  std::vector<engine::EngineStatus> statuses() const;
  const models::Store& store() const { return store_; }
  /// Ends a model's servers; the next request starts them again.
  asio::awaitable<void> stop(std::string_view model);
  asio::awaitable<void> stop();

 private:
  static constexpr std::chrono::seconds kLookAgain{2};

  /// Of names that were looked up a moment ago; there are as many as spellings.
  static constexpr std::size_t kMaxKnown = 1'000;

  using Known = std::map<std::string, engine::Backend*, std::less<>>;

  bool is_remote(std::string_view model) const;
  Result<engine::Backend*> find(std::string_view model, bool embeddings);
  Result<engine::Backend*> look_up(std::string_view model, bool embeddings);
  engine::LlamaEngine& make(const models::Model& model, bool embeddings);

  const Clock& clock_;
  const config::Config& config_;
  engine::EnginePool& pool_;
  std::filesystem::path socket_dir_;
  models::Store store_;
  std::map<std::string, engine::RemoteEngine, std::less<>> remotes_;
  Known known_;
  Known known_embedders_;
  SteadyTime forget_at_{};
  std::function<void(int)> slots_changed_;
  bool default_available_ = false;
  SteadyTime look_again_{};
};

}  // namespace minimill::serve
