#pragma once

// A request, a lane and a model in, an answer out. The seam at which policy stands: the cloud lane
// is reached only through clear_for_cloud(). In the cloud lane several providers may serve a model:
// the pool chooses, and CloudCall says whom. Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "chat/chat_event.h"
#include "chat/decision.h"
#include "cloud/pool.h"
#include "cloud/price_table.h"
#include "policy/privacy.h"
#include "protocol/embeddings.h"
#include "protocol/translation.h"
#include "serve/cloud_call.h"
#include "serve/model_selector.h"

namespace minimill::serve {

class Backends {
 public:
  Backends(Engines& engines, const ModelSelector& selector, const cloud::PriceTable& prices,
           cloud::Pool& pool)
      : engines_(engines), selector_(selector), prices_(prices), pool_(pool) {}

  asio::awaitable<Result<chat::ChatAnswer>> complete(chat::Lane lane, std::string_view model,
                                                     const chat::ChatRequest& request,
                                                     policy::Privacy privacy, CloudCall& call);
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      chat::Lane lane, std::string_view model, const chat::ChatRequest& request,
      policy::Privacy privacy, CloudCall& call);

  /// Vectors of texts. The engine's own, or those of a provider that speaks OpenAI's protocol.
  asio::awaitable<Result<protocol::EmbeddingAnswer>> embed(
      chat::Lane lane, std::string_view model, const protocol::EmbeddingRequest& request,
      policy::Privacy privacy, chat::Deadline deadline);

  /// The tokens of a prompt, counted by whoever would answer it.
  asio::awaitable<Result<std::int64_t>> count_tokens(chat::Lane lane, std::string_view model,
                                                     const chat::ChatRequest& request,
                                                     policy::Privacy privacy);

  /// How the request's fields fare there; kUnsupported names one that the backend cannot do. In the
  /// cloud lane: at the first provider that can do them all.
  Result<protocol::Fit> fit(chat::Lane lane, std::string_view model,
                            const chat::ChatRequest& request, bool any_model) const;
  /// The same, at the provider that answered.
  Result<protocol::Fit> fit_at(std::string_view provider, const chat::ChatRequest& request) const;
  /// An answer's check, for the record by which models are good enough for an operation.
  void judged(std::string_view provider, std::string_view model, std::string_view operation,
              bool passed) {
    pool_.judged(provider, model, operation, passed);
  }

  /// False while every provider is known to be broken: nobody need wait for them then.
  bool cloud_ready() const;

  /// The engine's or provider's name, for the ledger.
  std::string backend_name(chat::Lane lane, std::string_view model) const;
  /// What these tokens cost where they were used; the device is free.
  double cost_usd(chat::Lane lane, std::string_view model, const chat::Usage& usage) const;
  /// The same at a provider, which may have a price of its own.
  double cost_usd(chat::Lane lane, std::string_view backend, std::string_view model,
                  const chat::Usage& usage) const;
  /// The same at whoever is cheapest of those that may be asked: where the app left the model open,
  /// every provider's first one.
  double least_cloud_cost_usd(std::string_view model, bool any_model,
                              const chat::Usage& usage) const;
  /// What they would have cost on the default cloud model.
  double cloud_cost_usd(const chat::Usage& usage) const;

 private:
  Engines& engines_;
  const ModelSelector& selector_;
  const cloud::PriceTable& prices_;
  cloud::Pool& pool_;

  /// Whoever serves the model, or all where any will do, and can do what the request asks for.
  Result<std::vector<cloud::Candidate>> candidates(std::string_view model,
                                                   const chat::ChatRequest& request,
                                                   const CloudCall& call) const;
};

}  // namespace minimill::serve
