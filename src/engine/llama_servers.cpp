#include "engine/llama_servers.h"

#include <utility>

#include "engine/guarded_process.h"
#include "engine/llama_server_finder.h"

namespace minimill::engine {

LlamaServers guarded_llama_servers(asio::io_context& io, async::BlockingPool& blocking,
                                   const Clock& clock, std::filesystem::path guard,
                                   LlamaServerPlaces places) {
  LlamaServers servers;
  auto search = [places = std::move(places)] { return find_llama_server(places); };
  const auto finder = std::make_shared<LlamaServerFinder>(blocking, clock, std::move(search));
  servers.find = [finder] { return finder->find(); };
  servers.start = [&io, guard = std::move(guard)](const std::vector<std::string>& command,
                                                  std::function<void()> on_change) {
    return GuardedProcess::start(io, guard, command, std::move(on_change));
  };
  return servers;
}

}  // namespace minimill::engine
