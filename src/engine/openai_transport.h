#pragma once

// One request to one OpenAI-compatible server, over a Unix socket or a URL: what LlamaEngine
// and RemoteEngine have in common. Retries nothing, but says of each failure whether it was the
// transfer that broke or the server that said no.

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "chat/chat_event.h"
#include "http/client.h"
#include "http/sse_reader.h"
#include "protocol/openai.h"

namespace minimill::engine {

namespace asio = boost::asio;

inline constexpr std::string_view kChatPath = "/chat/completions";

struct OpenAiServer {
  explicit OpenAiServer(const Clock& the_clock) : clock(the_clock) {}

  const Clock& clock;                          // what a date in retry-after is compared with
  std::string who;                             // for messages: "smollm2:135m"
  std::string base_url;                        // "http://127.0.0.1:11434/v1"
  std::string unix_socket;                     // empty for TCP
  std::string key;                             // sent as a bearer token if not empty
  std::chrono::milliseconds total_timeout{0};  // of the whole answer; 0: none
};

struct CallFailure {
  enum class Kind {
    kRefused,  // an answer that says no, or nonsense: the same again would not help
    kBroken,   // no connection, or the transfer broke off: the server may have died
    kLoading,  // 503: not ready yet
  };
  Kind kind = Kind::kRefused;
  Error error;
};

template <class T>
using CallResult = std::expected<T, CallFailure>;

/// A streamed answer. Destroying it closes the connection, at which llama-server stops computing.
class OpenAiStream {
 public:
  OpenAiStream(std::string who, std::unique_ptr<http::Download> download);

  /// As ChatStream::next(); an end before Finish is kBroken.
  asio::awaitable<CallResult<std::optional<chat::ChatEvent>>> next();
  const std::string& model() const { return reader_.model(); }

 private:
  std::string who_;
  std::unique_ptr<http::Download> download_;
  http::SseReader sse_;
  protocol::openai::StreamReader reader_;
  std::deque<chat::ChatEvent> ready_;
  bool finished_ = false;
};

/// `body` is that of POST /chat/completions with "stream": true, or false.
asio::awaitable<CallResult<std::unique_ptr<OpenAiStream>>> open_chat_stream(http::Client& client,
                                                                            OpenAiServer server,
                                                                            std::string body);
/// The body that a 2xx answers to a POST of JSON to `path` ("/embeddings").
asio::awaitable<CallResult<std::string>> call(http::Client& client, OpenAiServer server,
                                              std::string path, std::string body);

}  // namespace minimill::engine
