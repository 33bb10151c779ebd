#include "daemon/backends.h"

#include <fmt/format.h>

#include <utility>

#include "protocol/anthropic.h"

namespace minimill::daemon {
namespace {

std::unexpected<Error> fail_no_provider(std::string_view model) {
  if (model.empty()) {
    return fail(ErrorCode::kUnavailable, "no cloud provider is configured",
                "add a [[provider]] to the configuration, or serve with --sim-cloud to try it out");
  }
  return fail(ErrorCode::kNotFound, fmt::format("no provider serves the model '{}'", model),
              "add it to a provider's models in the configuration");
}

/// What policy let pass, and who is to get it.
template <class T>
struct Outgoing {
  policy::Cleared<T> request;
  cloud::Provider* provider;
};

template <class T>
Result<Outgoing<T>> outgoing(const ModelSelector& selector, std::string_view model,
                             const T& request, policy::Privacy privacy) {
  Result<policy::Cleared<T>> cleared = policy::clear_for_cloud(request, privacy);
  if (!cleared) return std::unexpected(std::move(cleared.error()));
  cloud::Provider* provider = selector.provider_of(model);
  if (provider == nullptr) return fail_no_provider(model);
  return Outgoing<T>{std::move(*cleared), provider};
}

}  // namespace

asio::awaitable<Result<chat::ChatAnswer>> Backends::complete(route::Lane lane,
                                                             std::string_view model,
                                                             const chat::ChatRequest& request,
                                                             policy::Privacy privacy) {
  if (lane == route::Lane::kLocal) {
    Result<engine::Backend*> engine = engines_.find(model);
    if (!engine) co_return std::unexpected(std::move(engine.error()));
    co_return co_await (*engine)->complete(request);
  }
  auto out = outgoing(selector_, model, request, privacy);
  if (!out) co_return std::unexpected(std::move(out.error()));
  co_return co_await out->provider->complete(out->request, model);
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> Backends::stream(
    route::Lane lane, std::string_view model, const chat::ChatRequest& request,
    policy::Privacy privacy) {
  if (lane == route::Lane::kLocal) {
    Result<engine::Backend*> engine = engines_.find(model);
    if (!engine) co_return std::unexpected(std::move(engine.error()));
    co_return co_await (*engine)->stream(request);
  }
  auto out = outgoing(selector_, model, request, privacy);
  if (!out) co_return std::unexpected(std::move(out.error()));
  co_return co_await out->provider->stream(out->request, model);
}

asio::awaitable<Result<protocol::EmbeddingAnswer>> Backends::embed(
    route::Lane lane, std::string_view model, const protocol::EmbeddingRequest& request,
    policy::Privacy privacy, chat::Deadline deadline) {
  if (lane == route::Lane::kLocal) {
    Result<engine::Backend*> engine = engines_.find_embedder(model);
    if (!engine) co_return std::unexpected(std::move(engine.error()));
    std::string body = protocol::write_embedding_request(request, model);
    std::string path = "/embeddings";
    Result<std::string> said = co_await (*engine)->post(std::move(path), std::move(body), deadline);
    if (!said) co_return std::unexpected(std::move(said.error()));
    co_return protocol::parse_embedding_answer(*said, request.inputs());
  }
  auto out = outgoing(selector_, model, request, privacy);
  if (!out) co_return std::unexpected(std::move(out.error()));
  co_return co_await out->provider->embed(out->request, model, deadline);
}

asio::awaitable<Result<std::int64_t>> Backends::count_tokens(route::Lane lane,
                                                             std::string_view model,
                                                             const chat::ChatRequest& request,
                                                             policy::Privacy privacy) {
  if (lane == route::Lane::kLocal) {
    Result<engine::Backend*> engine = engines_.find(model);
    if (!engine) co_return std::unexpected(std::move(engine.error()));
    std::string body = protocol::anthropic::write_count_request(request, model);
    std::string path = "/messages/count_tokens";
    Result<std::string> said =
        co_await (*engine)->post(std::move(path), std::move(body), request.deadline);
    if (!said) co_return std::unexpected(std::move(said.error()));
    co_return protocol::anthropic::parse_count(*said);
  }
  auto out = outgoing(selector_, model, request, privacy);
  if (!out) co_return std::unexpected(std::move(out.error()));
  co_return co_await out->provider->count_tokens(out->request, model);
}

Result<protocol::Fit> Backends::fit(route::Lane lane, std::string_view model,
                                    const chat::ChatRequest& request) const {
  const cloud::Provider* provider = nullptr;
  if (lane == route::Lane::kCloud) provider = selector_.provider_of(model);
  protocol::Target target = protocol::Target::kLlamaServer;
  if (provider != nullptr) {
    target = provider->options().protocol == chat::Protocol::kAnthropic
                 ? protocol::Target::kAnthropic
                 : protocol::Target::kOpenAi;
  }
  return protocol::fit_request(request, target);
}

std::string Backends::backend_name(route::Lane lane, std::string_view model) const {
  if (lane == route::Lane::kLocal) return std::string(model);
  const cloud::Provider* provider = selector_.provider_of(model);
  return provider == nullptr ? std::string{} : provider->options().name;
}

double Backends::cost_usd(route::Lane lane, std::string_view model,
                          const chat::Usage& usage) const {
  return lane == route::Lane::kLocal ? 0.0 : prices_.cost_usd(model, usage);
}

double Backends::cloud_cost_usd(const chat::Usage& usage) const {
  return prices_.cost_usd(selector_.default_model(route::Lane::kCloud), usage);
}

}  // namespace minimill::daemon
