#pragma once

// What LlamaEngine's two files share: requests (llama_engine.cpp) and supervision
// (llama_supervision.cpp).

#include <boost/asio/cancellation_signal.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/broadcast.h"
#include "engine/llama_engine.h"
#include "engine/openai_transport.h"

namespace minimill::engine {

/// Shared by the engine, its supervising coroutine and the streams under way. Of the three only the
/// engine's end closes it: the others then meet an error.
struct LlamaEngine::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& loop, http::Client& http_client, const Clock& the_clock,
       EngineHost& the_host, LlamaEngineOptions the_options)
      : io(loop),
        client(http_client),
        clock(the_clock),
        host(the_host),
        options(std::move(the_options)) {}

  // What requests do.
  asio::awaitable<Result<int>> ready(int stops_seen);
  asio::awaitable<void> death_of(int life);
  OpenAiServer server() const;
  Error stopped_error() const;

  // What the supervisor does: one coroutine from the first request to the idle stop.
  static asio::awaitable<void> supervise(std::shared_ptr<Impl> self);
  void begin_supervision();
  asio::awaitable<void> back_off();
  Result<> check_options() const;
  std::vector<std::string> command(const std::filesystem::path& llama_server) const;
  asio::awaitable<Result<>> enter();
  asio::awaitable<void> wait_until(SteadyTime deadline);  // or until something changes
  asio::awaitable<Result<>> start();
  asio::awaitable<bool> healthy();
  asio::awaitable<void> learn_props();
  asio::awaitable<bool> watch();  // true: it died
  asio::awaitable<void> end_process();
  void note_failure(Error error);
  void remove_socket() const;
  bool ending() const { return closing || stop_wanted; }
  bool alive() const { return process && process->running(); }

  asio::io_context& io;
  http::Client& client;
  const Clock& clock;
  EngineHost& host;  // not to be touched once `closing`
  const LlamaEngineOptions options;

  EngineState state = EngineState::kStopped;
  async::Broadcast changed;  // any of what is below
  std::unique_ptr<EngineProcess> process;
  std::string socket;
  std::int64_t context = 0;
  int lives = 0;  // processes started
  int restarts = 0;

  int in_flight = 0;
  SteadyTime last_used{};
  Millis idle_stop = options.idle_stop;  // 0: never

  bool supervised = false;
  int supervisions = 0;
  bool closing = false;      // the engine is being destroyed
  bool stop_wanted = false;  // stop() waits
  int stops = 0;
  asio::cancellation_signal cancel_supervision;

  int failures = 0;       // in a row, starts and early deaths: decides the back-off
  int failed_starts = 0;  // in a row
  int give_ups = 0;
  SteadyTime retry_at{};
  std::optional<Error> last_error;
};

}  // namespace minimill::engine
