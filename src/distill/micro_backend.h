#pragma once

// The device's lane with the ladder's first rung before its language models: what the rung has an
// answer to it answers at once, and everything else is the models'.

#include <memory>
#include <string>

#include "base/clock.h"
#include "serve/backend.h"
#include "serve/rung.h"

namespace minimill::distill {

namespace asio = boost::asio;

class MicroBackend final : public serve::Backend {
 public:
  /// `next`: the language models.
  MicroBackend(const Clock& clock, serve::Rung& rung, serve::Backend& next)
      : clock_(clock), rung_(rung), next_(next) {}

  chat::Destination destination() const override { return chat::Destination::kDevice; }
  bool available() override { return next_.available(); }
  std::string default_model() const override { return next_.default_model(); }
  std::int64_t context_tokens() const override { return next_.context_tokens(); }
  Result<protocol::Fit> fit(const chat::ChatRequest& request,
                            const serve::Call& call) const override {
    return next_.fit(request, call);
  }
  serve::Estimate estimate(const serve::Size& size) const override { return next_.estimate(size); }
  double cost_usd(std::string_view name, std::string_view model,
                  const chat::Usage& usage) const override {
    return next_.cost_usd(name, model, usage);
  }
  std::string name_of(std::string_view model) const override { return next_.name_of(model); }

  asio::awaitable<Result<chat::ChatAnswer>> complete(const policy::Request& request,
                                                     serve::Call& call) override;
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(const policy::Request& request,
                                                                    serve::Call& call) override;
  asio::awaitable<Result<protocol::EmbeddingAnswer>> embed(const policy::Request& request,
                                                           const protocol::EmbeddingRequest& texts,
                                                           serve::Call& call) override {
    return next_.embed(request, texts, call);
  }
  asio::awaitable<Result<std::int64_t>> count_tokens(const policy::Request& request,
                                                     std::string_view model) override {
    return next_.count_tokens(request, model);
  }
  void judged(const serve::Call& call, bool passed) override { next_.judged(call, passed); }

 private:
  /// The rung's answer, asked for anew: the request may have waited since it was decided. nullopt:
  /// the models are to be asked, and `call` says so.
  std::optional<chat::AnswerParts> answer(const policy::Request& request, serve::Call& call) const;

  const Clock& clock_;
  serve::Rung& rung_;
  serve::Backend& next_;
};

}  // namespace minimill::distill
