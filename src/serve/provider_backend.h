#pragma once

// The providers as one backend. Several may serve a model: the pool chooses, and Call says whom.
// The door to the cloud: every request is cleared by policy here, as the pool takes no other.

#include <vector>

#include "cloud/pool.h"
#include "cloud/price_table.h"
#include "serve/backend.h"
#include "serve/model_selector.h"

namespace minimill::serve {

class ProviderBackend final : public Backend {
 public:
  ProviderBackend(const Clock& clock, const ModelSelector& selector,
                  const cloud::PriceTable& prices, cloud::Pool& pool)
      : clock_(clock), selector_(selector), prices_(prices), pool_(pool) {}

  chat::Destination destination() const override { return chat::Destination::kCloud; }
  bool available() override { return selector_.cloud_available(); }
  std::string default_model() const override { return selector_.default_model(chat::Lane::kCloud); }
  /// At the first provider that can do them all; at the one that answered, where one has.
  Result<protocol::Fit> fit(const chat::ChatRequest& request, const Call& call) const override;
  /// At whoever is cheapest of those that may be asked. Out of reach while every provider is known
  /// to be broken.
  Estimate estimate(const Size& size) const override;
  double cost_usd(std::string_view name, std::string_view model,
                  const chat::Usage& usage) const override;
  std::string name_of(std::string_view model) const override;

  asio::awaitable<Result<chat::ChatAnswer>> complete(const policy::Request& request,
                                                     Call& call) override;
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(const policy::Request& request,
                                                                    Call& call) override;
  asio::awaitable<Result<protocol::EmbeddingAnswer>> embed(const policy::Request& request,
                                                           const protocol::EmbeddingRequest& texts,
                                                           Call& call) override;
  asio::awaitable<Result<std::int64_t>> count_tokens(const policy::Request& request,
                                                     std::string_view model) override;
  void judged(const Call& call, bool passed) override {
    pool_.judged(call.done.provider, call.done.model, call.operation, passed);
  }

 private:
  bool is_ready() const;
  /// Whoever serves the model, or all where any will do, and can do what the request asks for.
  Result<std::vector<cloud::Candidate>> candidates(const chat::ChatRequest& request,
                                                   const Call& call) const;
  /// Puts the candidates into the call.
  Result<policy::Cleared<chat::ChatRequest>> prepare(const policy::Request& request,
                                                     Call& call) const;
  Result<cloud::Provider*> provider_of(std::string_view model) const;

  const Clock& clock_;
  const ModelSelector& selector_;
  const cloud::PriceTable& prices_;
  cloud::Pool& pool_;
};

}  // namespace minimill::serve
