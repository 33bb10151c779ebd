#pragma once

// A provider's batch API: many requests sent at once, answered within a day, at a discount. Both
// protocols; takes only what policy has cleared.
//
//   std::string body = co_await client.write(items, model);
//   Result<BatchStatus> made = co_await client.create(std::move(body), "batch_01J…");
//   … poll(made->id) until it has ended …
//   auto answers = co_await client.results(*made, ids);   // one for each id, or an error for it
//
// Nothing is tried again here: whoever owns the batch knows when to come back, and must look for it
// by name first where create() failed without a clear refusal. Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "cloud/provider.h"
#include "http/client.h"
#include "policy/privacy.h"
#include "protocol/batch.h"

namespace minimill::cloud {

struct BatchItem {
  std::string custom_id;  // at most 64 letters, digits, '_' and '-': Anthropic takes no others
  policy::Cleared<chat::ChatRequest> request;
};

using BatchAnswers = std::map<std::string, Result<chat::ChatAnswer>>;

/// What a batch's owner needs of a provider; BatchClient is the one that is real.
class BatchApi {
 public:
  virtual ~BatchApi() = default;

  /// What create() sends, the same for the same items.
  virtual asio::awaitable<std::string> write(const std::vector<BatchItem>& items,
                                             std::string_view model) = 0;
  /// `body` as write() made it. `name` goes along as Idempotency-Key, and into the metadata where
  /// there is such a thing: the same name needs the same body.
  virtual asio::awaitable<Result<protocol::BatchStatus>> create(std::string body,
                                                                std::string_view name) = 0;
  virtual asio::awaitable<Result<protocol::BatchStatus>> poll(std::string_view id) = 0;
  /// The batch that create() made under this name, not before `since_s` (Unix time). nullopt where
  /// there is none, and where keeps_names() is false: there create() again with the same name and
  /// body finds it.
  virtual asio::awaitable<Result<std::optional<protocol::BatchStatus>>> find(
      std::string_view name, std::int64_t since_s) = 0;
  virtual bool keeps_names() const = 0;
  virtual asio::awaitable<Result<protocol::BatchStatus>> cancel(std::string_view id) = 0;

  /// Of a batch that has ended: exactly one for each of `ids`.
  virtual asio::awaitable<Result<BatchAnswers>> results(const protocol::BatchStatus& batch,
                                                        std::set<std::string> ids) = 0;
  /// Has the provider delete what the batch left there, as far as it can. Best effort.
  virtual asio::awaitable<void> forget(const protocol::BatchStatus& batch) = 0;
};

class BatchClient final : public BatchApi {
 public:
  static constexpr std::size_t kMaxResultsBytes = std::size_t{256} << 20;

  BatchClient(http::Client& client, ProviderOptions options)
      : client_(client), options_(std::move(options)) {}

  asio::awaitable<std::string> write(const std::vector<BatchItem>& items,
                                     std::string_view model) override;
  asio::awaitable<Result<protocol::BatchStatus>> create(std::string body,
                                                        std::string_view name) override;
  asio::awaitable<Result<protocol::BatchStatus>> poll(std::string_view id) override;
  asio::awaitable<Result<std::optional<protocol::BatchStatus>>> find(std::string_view name,
                                                                     std::int64_t since_s) override;
  bool keeps_names() const override { return openai(); }  // Anthropic keeps none
  asio::awaitable<Result<protocol::BatchStatus>> cancel(std::string_view id) override;
  asio::awaitable<Result<BatchAnswers>> results(const protocol::BatchStatus& batch,
                                                std::set<std::string> ids) override;
  asio::awaitable<void> forget(const protocol::BatchStatus& batch) override;

 private:
  http::ClientRequest request(std::string method, std::string_view path) const;
  asio::awaitable<Result<std::string>> call(http::ClientRequest out);
  asio::awaitable<Result<protocol::BatchStatus>> read_status(http::ClientRequest out);
  asio::awaitable<Result<>> download(http::ClientRequest out, std::size_t& left,
                                     protocol::BatchResultsReader& reader);

  bool openai() const { return options_.protocol == chat::Protocol::kOpenAi; }

  http::Client& client_;
  ProviderOptions options_;
};

}  // namespace minimill::cloud
