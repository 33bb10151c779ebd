#pragma once

// One attempt: a request, a lane and a model in, an answer out. The seam at which policy stands:
// the cloud lane is reached only through clear_for_cloud(). Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "chat/chat_event.h"
#include "cloud/price_table.h"
#include "daemon/model_selector.h"
#include "policy/privacy.h"
#include "protocol/embeddings.h"
#include "protocol/translation.h"
#include "route/decision.h"

namespace minimill::daemon {

class Backends {
 public:
  Backends(Engines& engines, const ModelSelector& selector, const cloud::PriceTable& prices)
      : engines_(engines), selector_(selector), prices_(prices) {}

  asio::awaitable<Result<chat::ChatAnswer>> complete(route::Lane lane, std::string_view model,
                                                     const chat::ChatRequest& request,
                                                     policy::Privacy privacy);
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      route::Lane lane, std::string_view model, const chat::ChatRequest& request,
      policy::Privacy privacy);

  /// Vectors of texts. The engine's own, or those of a provider that speaks OpenAI's protocol.
  asio::awaitable<Result<protocol::EmbeddingAnswer>> embed(
      route::Lane lane, std::string_view model, const protocol::EmbeddingRequest& request,
      policy::Privacy privacy, chat::Deadline deadline);

  /// The tokens of a prompt, counted by whoever would answer it.
  asio::awaitable<Result<std::int64_t>> count_tokens(route::Lane lane, std::string_view model,
                                                     const chat::ChatRequest& request,
                                                     policy::Privacy privacy);

  /// How the request's fields fare there; kUnsupported names one that the backend cannot do.
  Result<protocol::Fit> fit(route::Lane lane, std::string_view model,
                            const chat::ChatRequest& request) const;

  /// The engine's or provider's name, for the ledger.
  std::string backend_name(route::Lane lane, std::string_view model) const;
  /// What these tokens cost where they were used; the device is free.
  double cost_usd(route::Lane lane, std::string_view model, const chat::Usage& usage) const;
  /// What they would have cost on the default cloud model.
  double cloud_cost_usd(const chat::Usage& usage) const;

 private:
  Engines& engines_;
  const ModelSelector& selector_;
  const cloud::PriceTable& prices_;
};

}  // namespace minimill::daemon
