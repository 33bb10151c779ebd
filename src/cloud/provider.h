#pragma once

// A cloud API. Takes only what policy has cleared: a request that may not leave the device cannot
// be passed in.
//
// Tries again by itself, within limits, what is known to be safe and likely to pass: 408, 429 and
// 5xx before the first byte of an answer, and refused connections, with exponential back-off and
// jitter, or after Retry-After where the provider names a delay of at most max_retry_wait. A longer
// one is returned as kRateLimited with retry_after. Keys never appear in errors. Event-loop thread
// only.

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "http/client.h"
#include "policy/privacy.h"
#include "protocol/embeddings.h"

namespace minimill::cloud {

namespace asio = boost::asio;

struct ProviderOptions {
  std::string name;  // "openai"
  chat::Protocol protocol = chat::Protocol::kOpenAi;
  std::string base_url;             // "https://api.openai.com/v1", "https://api.anthropic.com"
  std::string key;                  // empty: sent without
  std::string key_env;              // where the key was looked for, for the error's hint
  std::vector<std::string> models;  // the first is the default
  int max_retries = 2;
  std::chrono::milliseconds first_backoff{500};
  std::chrono::milliseconds max_retry_wait{10'000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds idle_timeout{120'000};
};

class Provider {
 public:
  Provider(http::Client& client, ProviderOptions options);

  asio::awaitable<Result<chat::ChatAnswer>> complete(
      const policy::Cleared<chat::ChatRequest>& request, std::string_view model);
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      const policy::Cleared<chat::ChatRequest>& request, std::string_view model);
  /// Vectors of texts; kUnsupported at Anthropic, which makes none.
  asio::awaitable<Result<protocol::EmbeddingAnswer>> embed(
      const policy::Cleared<protocol::EmbeddingRequest>& request, std::string_view model,
      chat::Deadline deadline);
  /// The tokens of a prompt that came in Anthropic's protocol; kUnsupported elsewhere.
  asio::awaitable<Result<std::int64_t>> count_tokens(
      const policy::Cleared<chat::ChatRequest>& request, std::string_view model);

  const ProviderOptions& options() const { return options_; }
  bool serves(std::string_view model) const;

 private:
  asio::awaitable<Result<std::string>> post(http::ClientRequest out);

  http::Client& client_;
  ProviderOptions options_;
};

}  // namespace minimill::cloud
