#pragma once

// The llama-server to run, looked for off the event loop and remembered: what was found for as long
// as it is there, what was not for a while, so that not every request looks again.

#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "async/blocking_pool.h"
#include "base/clock.h"
#include "base/error.h"

namespace minimill::engine {

namespace asio = boost::asio;

class LlamaServerFinder {
 public:
  static constexpr std::chrono::seconds kLookAgain{10};

  using Search = std::function<Result<std::filesystem::path>()>;

  /// `search` runs in `pool`; both `pool` and `clock` must outlive what find() has begun.
  LlamaServerFinder(async::BlockingPool& pool, const Clock& clock, Search search);

  asio::awaitable<Result<std::filesystem::path>> find();

 private:
  struct State;
  static asio::awaitable<Result<std::filesystem::path>> find(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace minimill::engine
