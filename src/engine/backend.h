#pragma once

// Something on this machine that answers a chat: a llama-server that minimill runs (LlamaEngine),
// or an OpenAI-compatible server that is already there (RemoteEngine).

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::engine {

namespace asio = boost::asio;

enum class EngineState { kStopped, kStarting, kReady, kFailed };
std::string_view name(EngineState state);

struct EngineStatus {
  std::string name;  // the model's name
  EngineState state = EngineState::kStopped;
  int pid = 0;        // of llama-server; 0 where none runs, or it is not ours
  int restarts = 0;   // since the daemon started
  std::string error;  // of the last failure
};

class Backend {
 public:
  virtual ~Backend() = default;
  /// Starts the engine first where it does not run.
  virtual asio::awaitable<Result<chat::ChatAnswer>> complete(const chat::ChatRequest& request) = 0;
  virtual asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      const chat::ChatRequest& request) = 0;
  virtual EngineStatus status() const = 0;
  /// Tokens one request may use, prompt and answer together; 0: not known yet.
  virtual std::int64_t context_tokens() const = 0;
  /// Ends the child process, if it has one.
  virtual asio::awaitable<void> stop() = 0;
};

}  // namespace minimill::engine
