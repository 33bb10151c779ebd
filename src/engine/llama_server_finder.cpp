#include "engine/llama_server_finder.h"

#include <optional>
#include <utility>

namespace minimill::engine {

/// Shared with the searches under way, which may outlive the object.
struct LlamaServerFinder::State {
  async::BlockingPool& pool;
  const Clock& clock;
  Search search;
  std::optional<Result<std::filesystem::path>> known;
  SteadyTime look_again{};
};

LlamaServerFinder::LlamaServerFinder(async::BlockingPool& pool, const Clock& clock, Search search)
    : state_(std::make_shared<State>(pool, clock, std::move(search))) {}

asio::awaitable<Result<std::filesystem::path>> LlamaServerFinder::find() { return find(state_); }

asio::awaitable<Result<std::filesystem::path>> LlamaServerFinder::find(
    std::shared_ptr<State> state) {
  if (state->known) {
    std::error_code gone;
    const bool good = *state->known ? std::filesystem::exists(**state->known, gone)
                                    : state->clock.steady() < state->look_again;
    if (good) co_return *state->known;
  }
  Search search = state->search;
  Result<std::filesystem::path> found =
      co_await state->pool.run<Result<std::filesystem::path>>(std::move(search));
  state->known = found;
  state->look_again = state->clock.steady() + kLookAgain;
  co_return found;
}

}  // namespace minimill::engine
