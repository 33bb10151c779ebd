#pragma once

// The engines as one backend: llama-servers of ours, and servers that already run on this machine,
// or in the house: those get only what may leave the device. What they answer is free. A closed
// question is not generated but scored, where the engine can (protocol/option_scoring.h).

#include "base/random.h"
#include "serve/backend.h"
#include "serve/engines.h"

namespace minimill::serve {

class EngineBackend final : public Backend {
 public:
  /// `random`: in which order the options of closed questions are shown.
  EngineBackend(Engines& engines, Random& random) : engines_(engines), random_(random) {}

  chat::Destination destination() const override { return chat::Destination::kDevice; }
  bool available() override { return engines_.default_available(); }
  std::string default_model() const override { return engines_.default_model(); }
  std::int64_t context_tokens() const override { return engines_.context_tokens(); }
  Result<protocol::Fit> fit(const chat::ChatRequest& request, const Call& call) const override;
  Estimate estimate(const Size& /*size*/) const override { return {}; }
  double cost_usd(std::string_view /*name*/, std::string_view /*model*/,
                  const chat::Usage& /*usage*/) const override {
    return 0;
  }
  std::string name_of(std::string_view model) const override { return std::string(model); }

  asio::awaitable<Result<chat::ChatAnswer>> complete(const policy::Request& request,
                                                     Call& call) override;
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(const policy::Request& request,
                                                                    Call& call) override;
  asio::awaitable<Result<protocol::EmbeddingAnswer>> embed(const policy::Request& request,
                                                           const protocol::EmbeddingRequest& texts,
                                                           Call& call) override;
  asio::awaitable<Result<std::int64_t>> count_tokens(const policy::Request& request,
                                                     std::string_view model) override;

 private:
  Engines& engines_;
  Random& random_;
};

}  // namespace minimill::serve
