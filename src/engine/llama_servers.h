#pragma once

// How llama-servers come about: found once, and started under a guard. A test's are none.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/blocking_pool.h"
#include "base/clock.h"
#include "engine/engine_host.h"
#include "engine/llama_server_search.h"

namespace minimill::engine {

struct LlamaServers {
  std::function<asio::awaitable<Result<std::filesystem::path>>()> find;
  std::function<Result<std::unique_ptr<EngineProcess>>(const std::vector<std::string>& command,
                                                       std::function<void()> on_change)>
      start;
};

/// The real ones. `guard` is the minimill binary itself (see guard.h); `blocking`, where they are
/// looked for, and `clock` must outlive them.
LlamaServers guarded_llama_servers(asio::io_context& io, async::BlockingPool& blocking,
                                   const Clock& clock, std::filesystem::path guard,
                                   LlamaServerPlaces places);

}  // namespace minimill::engine
