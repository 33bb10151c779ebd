#pragma once

// The llama-servers of this machine, one for each model file, as many at once as fit into its
// memory. An engine that has to start and finds no room stops those that are idle, the least
// recently used first, waits for those at work, or is refused with what would help.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "engine/llama_engine.h"
#include "engine/llama_servers.h"
#include "engine/residency.h"
#include "http/client.h"

namespace minimill::engine {

namespace asio = boost::asio;

class EnginePool {
 public:
  EnginePool(asio::io_context& io, http::Client& client, const Clock& clock, ResidencyLimits limits,
             LlamaServers servers);
  ~EnginePool();
  EnginePool(const EnginePool&) = delete;
  EnginePool& operator=(const EnginePool&) = delete;

  /// Files are told apart by their canonical path, so that however a model is spelled, one engine
  /// runs it; a server that embeds is another than the one that chats.
  static std::string key(const std::filesystem::path& file, bool embeddings);

  LlamaEngine* find(std::string_view key);
  /// Under the key of its file; there must be none of that key. Takes no room before its first
  /// request. `on_slots`: told how many requests the server really
  /// answers at once, whenever it is ready.
  LlamaEngine& add(LlamaEngineOptions options, EngineNeed need,
                   std::function<void(int)> on_slots = {});

  std::vector<EngineStatus> statuses() const;
  /// Ends it; the next request starts it again.
  asio::awaitable<void> stop(std::string_view key);
  asio::awaitable<void> stop();

 private:
  class Seat;

  Result<bool> enter(Seat& seat);
  void notify_waiting();

  asio::io_context& io_;
  http::Client& client_;
  const Clock& clock_;
  ResidencyLimits limits_;
  LlamaServers servers_;
  std::map<std::string, std::unique_ptr<Seat>, std::less<>> seats_;
};

}  // namespace minimill::engine
