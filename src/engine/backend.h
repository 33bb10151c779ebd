#pragma once

// Something on this machine that answers a chat: a llama-server that minimill runs (LlamaEngine),
// or an OpenAI-compatible server that is already there (RemoteEngine).

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "chat/destination.h"

namespace minimill::engine {

namespace asio = boost::asio;

enum class EngineState { kStopped, kStarting, kReady, kFailed };
std::string_view name(EngineState state);

struct EngineStatus {
  std::string name;  // the model's name
  EngineState state = EngineState::kStopped;
  int pid = 0;        // of llama-server; 0 where none runs, or it is not ours
  int restarts = 0;   // since the daemon started
  int in_flight = 0;  // requests under way
  SteadyTime last_used{};
  std::string error;                   // of the last failure
  std::optional<SteadyTime> stops_at;  // where it runs and would be stopped if nothing comes
};

class Backend {
 public:
  virtual ~Backend() = default;
  /// Starts the engine first where it does not run.
  virtual asio::awaitable<Result<chat::ChatAnswer>> complete(const chat::ChatRequest& request) = 0;
  virtual asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      const chat::ChatRequest& request) = 0;
  /// POSTs JSON to another of its endpoints, named from its base URL on ("/embeddings"), and
  /// returns what it answers.
  virtual asio::awaitable<Result<std::string>> post(std::string path, std::string body,
                                                    chat::Deadline deadline) = 0;
  /// Starts it now, without a request, where it is ours to start.
  virtual asio::awaitable<Result<>> warm_up() { co_return Result<>{}; }
  /// How long it is kept without a request from now on; negative: until it is stopped.
  virtual void keep_alive(std::chrono::seconds /*time*/) {}
  virtual EngineStatus status() const = 0;
  /// Tokens one request may use, prompt and answer together; 0: not known yet.
  virtual std::int64_t context_tokens() const = 0;
  /// kDevice, or kHouse for a server on another machine, which gets only what may leave this one.
  virtual chat::Destination destination() const = 0;
  /// Ends the child process, if it has one.
  virtual asio::awaitable<void> stop() = 0;
};

}  // namespace minimill::engine
