#pragma once

// A cloud API. Takes only what policy has cleared: a request that may not leave the device cannot
// be passed in.
//
// A chat is one attempt: who tries again, and where, is the pool's to say (pool.h). Embeddings and
// token counts are tried again here, within limits, where that is known to be safe and likely to
// pass: after 408, 429, 5xx and refused connections, with exponential back-off and jitter, or after
// Retry-After where the provider names a delay of at most max_retry_wait. Keys never appear in
// errors. Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "cloud/dialect_rules.h"
#include "cloud/rate_limits.h"
#include "http/client.h"
#include "policy/privacy.h"
#include "protocol/embeddings.h"

namespace minimill::cloud {

namespace asio = boost::asio;

struct ProviderOptions {
  std::string name;  // "openai"
  chat::Protocol protocol = chat::Protocol::kOpenAi;
  std::string base_url;                 // "https://api.openai.com/v1", "https://api.anthropic.com"
  std::string key;                      // empty: sent without
  std::string key_env;                  // where the key was looked for, for the error's hint
  std::string key_header;               // the header that carries it; empty: the protocol's own
  std::vector<std::string> models;      // the first is the default
  bool batch_api = false;               // it has its protocol's batch API
  std::optional<int> max_concurrent;    // requests at once; nullopt: as many as it takes
  std::vector<DialectRule> rules = {};  // what this provider, or others, want
  int max_retries = 2;
  std::chrono::milliseconds first_backoff{500};
  std::chrono::milliseconds max_retry_wait{10'000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds idle_timeout{120'000};
  std::chrono::milliseconds event_timeout{300'000};  // of a stream that only keeps alive
};

/// What a provider said beside its answer or error.
struct Told {
  int status = 0;  // 0: nothing came back
  RateLimits limits;
  chat::Usage used;          // by a stream that broke off before it said a word
  bool quota_spent = false;  // OpenAI's insufficient_quota, or 402: waiting does not help
};

class Provider {
 public:
  Provider(http::Client& client, ProviderOptions options);

  asio::awaitable<Result<chat::ChatAnswer>> complete(
      const policy::Cleared<chat::ChatRequest>& request, std::string_view model, Told& told);
  /// Comes with the first event; later ones are the stream's own matter.
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      const policy::Cleared<chat::ChatRequest>& request, std::string_view model, Told& told);
  /// Vectors of texts; kUnsupported at Anthropic, which makes none.
  asio::awaitable<Result<protocol::EmbeddingAnswer>> embed(
      const policy::Cleared<protocol::EmbeddingRequest>& request, std::string_view model,
      chat::Deadline deadline);
  /// The tokens of a prompt that came in Anthropic's protocol; kUnsupported elsewhere.
  asio::awaitable<Result<std::int64_t>> count_tokens(
      const policy::Cleared<chat::ChatRequest>& request, std::string_view model);

  const ProviderOptions& options() const { return options_; }
  bool serves(std::string_view model) const;
  /// What it wants of requests for this model.
  protocol::Dialect dialect(std::string_view model) const {
    return dialect_of(options_.rules, options_.name, model);
  }

 private:
  asio::awaitable<Result<std::string>> post(http::ClientRequest out);

  http::Client& client_;
  ProviderOptions options_;
};

}  // namespace minimill::cloud
