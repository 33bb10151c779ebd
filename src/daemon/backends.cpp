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
  Result<policy::Cleared<chat::ChatRequest>> cleared = policy::clear_for_cloud(request, privacy);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  cloud::Provider* provider = selector_.provider_of(model);
  if (provider == nullptr) co_return fail_no_provider(model);
  co_return co_await provider->complete(*cleared, model);
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> Backends::stream(
    route::Lane lane, std::string_view model, const chat::ChatRequest& request,
    policy::Privacy privacy) {
  if (lane == route::Lane::kLocal) {
    Result<engine::Backend*> engine = engines_.find(model);
    if (!engine) co_return std::unexpected(std::move(engine.error()));
    co_return co_await (*engine)->stream(request);
  }
  Result<policy::Cleared<chat::ChatRequest>> cleared = policy::clear_for_cloud(request, privacy);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  cloud::Provider* provider = selector_.provider_of(model);
  if (provider == nullptr) co_return fail_no_provider(model);
  co_return co_await provider->stream(*cleared, model);
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
  Result<policy::Cleared<protocol::EmbeddingRequest>> cleared =
      policy::clear_for_cloud(request, privacy);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  cloud::Provider* provider = selector_.provider_of(model);
  if (provider == nullptr) co_return fail_no_provider(model);
  co_return co_await provider->embed(*cleared, model, deadline);
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
  Result<policy::Cleared<chat::ChatRequest>> cleared = policy::clear_for_cloud(request, privacy);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  cloud::Provider* provider = selector_.provider_of(model);
  if (provider == nullptr) co_return fail_no_provider(model);
  co_return co_await provider->count_tokens(*cleared, model);
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
