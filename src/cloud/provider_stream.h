#pragma once

// A provider's streamed answer: bytes → server-sent events → ChatEvents, in either protocol.

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "chat/chat_event.h"
#include "http/client.h"
#include "http/sse_reader.h"
#include "protocol/anthropic.h"
#include "protocol/openai.h"

namespace minimill::cloud {

namespace asio = boost::asio;

/// Whether the frames themselves go along with what was read from them (chat::Frame).
enum class Frames {
  kNone,
  kAll,
  kWithoutUsage,  // but for those that hold nothing but token counts: the app did not ask for them
};

/// What a stream may not do.
struct StreamGuard {
  std::string secret;  // is in no error
  /// Longest without an event that says something of the answer: comments and pings keep a
  /// connection alive, but a provider that sends nothing else would hold its place for ever.
  std::chrono::milliseconds event_timeout{300'000};
};

class ProviderStream final : public chat::ChatStream {
 public:
  ProviderStream(std::string provider, chat::Protocol protocol,
                 std::unique_ptr<http::Download> download, Frames frames = Frames::kNone,
                 StreamGuard guard = {});

  /// Waits for the first event that says something of an answer, without taking it.
  asio::awaitable<Result<>> begin();
  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override;
  const std::string& model() const override;
  /// What it has told so far, but for answers that the provider itself calls failed.
  const chat::Usage& used() const { return used_; }

 private:
  asio::awaitable<Result<>> read_more();
  Result<> take(const http::SseEvent& event);
  Error blotted(Error error) const;
  bool passes(const std::vector<chat::ChatEvent>& events) const;
  bool done() const;
  bool has_spoken() const;
  Error ended_early() const;

  std::string provider_;
  std::unique_ptr<http::Download> download_;
  Frames frames_;
  StreamGuard guard_;
  SteadyTime last_event_;
  http::SseReader sse_;
  std::variant<protocol::openai::StreamReader, protocol::anthropic::StreamReader> reader_;
  std::deque<chat::ChatEvent> ready_;
  chat::Usage used_;
  std::optional<Error> failure_;  // told once what came before it has gone out
  bool finished_ = false;         // the answer has ended well
  bool ended_ = false;            // so has the transfer
};

}  // namespace minimill::cloud
