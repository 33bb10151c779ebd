#include "serve/backends.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "chat/token_estimate.h"
#include "protocol/anthropic.h"

namespace minimill::serve {
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

/// Leaves out who would cost more than is allowed, but for the cheapest: whether even that is too
/// dear has been decided before.
void keep_affordable(std::vector<cloud::Candidate>& able, const chat::ChatRequest& request,
                     double max_cost_usd, const cloud::Pool& pool) {
  constexpr std::int64_t kUsualAnswerTokens = 512;
  const std::int64_t prompt = chat::estimated_tokens(chat::prompt_text(request).size());
  const std::int64_t answer = request.sampling().max_tokens.value_or(kUsualAnswerTokens);
  const auto cost = [&](const cloud::Candidate& candidate) {
    return pool.facts(candidate, {}, prompt, answer).price_usd.value_or(0);
  };
  const auto cheapest = std::ranges::min_element(able, {}, cost);
  std::vector<cloud::Candidate> affordable;
  for (const cloud::Candidate& candidate : able) {
    if (cost(candidate) <= max_cost_usd) affordable.push_back(candidate);
  }
  if (affordable.empty()) affordable.push_back(*cheapest);
  able = std::move(affordable);
}

}  // namespace

asio::awaitable<Result<chat::ChatAnswer>> Backends::complete(chat::Lane lane,
                                                             std::string_view model,
                                                             const chat::ChatRequest& request,
                                                             policy::Privacy privacy,
                                                             CloudCall& call) {
  if (lane == chat::Lane::kLocal) {
    Result<engine::Backend*> engine = engines_.find(model);
    if (!engine) co_return std::unexpected(std::move(engine.error()));
    co_return co_await (*engine)->complete(request);
  }
  Result<policy::Cleared<chat::ChatRequest>> cleared = policy::clear_for_cloud(request, privacy);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  Result<std::vector<cloud::Candidate>> able = candidates(model, request, call);
  if (!able) co_return std::unexpected(std::move(able.error()));
  call.done.candidates = std::move(*able);
  call.done.operation = call.operation;
  co_return co_await pool_.complete(std::move(*cleared), call.done);
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> Backends::stream(
    chat::Lane lane, std::string_view model, const chat::ChatRequest& request,
    policy::Privacy privacy, CloudCall& call) {
  if (lane == chat::Lane::kLocal) {
    Result<engine::Backend*> engine = engines_.find(model);
    if (!engine) co_return std::unexpected(std::move(engine.error()));
    co_return co_await (*engine)->stream(request);
  }
  Result<policy::Cleared<chat::ChatRequest>> cleared = policy::clear_for_cloud(request, privacy);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  Result<std::vector<cloud::Candidate>> able = candidates(model, request, call);
  if (!able) co_return std::unexpected(std::move(able.error()));
  call.done.candidates = std::move(*able);
  call.done.operation = call.operation;
  co_return co_await pool_.stream(std::move(*cleared), call.done);
}

asio::awaitable<Result<protocol::EmbeddingAnswer>> Backends::embed(
    chat::Lane lane, std::string_view model, const protocol::EmbeddingRequest& request,
    policy::Privacy privacy, chat::Deadline deadline) {
  if (lane == chat::Lane::kLocal) {
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

asio::awaitable<Result<std::int64_t>> Backends::count_tokens(chat::Lane lane,
                                                             std::string_view model,
                                                             const chat::ChatRequest& request,
                                                             policy::Privacy privacy) {
  if (lane == chat::Lane::kLocal) {
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

namespace {

protocol::Target target_of(const cloud::Provider& provider) {
  return provider.options().protocol == chat::Protocol::kAnthropic ? protocol::Target::kAnthropic
                                                                   : protocol::Target::kOpenAi;
}

}  // namespace

Result<std::vector<cloud::Candidate>> Backends::candidates(std::string_view model,
                                                           const chat::ChatRequest& request,
                                                           const CloudCall& call) const {
  std::vector<cloud::Candidate> able;
  std::optional<Error> unable;
  for (cloud::Provider* provider : selector_.providers()) {
    if (!call.any_model && !provider->serves(model)) continue;
    if (Result<protocol::Fit> fit = protocol::fit_request(request, target_of(*provider)); !fit) {
      unable = std::move(fit.error());
      continue;
    }
    able.push_back(
        {.provider = provider,
         .model = call.any_model ? provider->options().models.front() : std::string(model)});
  }
  if (able.empty() && unable) return std::unexpected(std::move(*unable));
  if (able.empty()) return fail_no_provider(selector_.providers().empty() ? "" : model);
  if (call.max_cost_usd) keep_affordable(able, request, *call.max_cost_usd, pool_);
  return able;
}

Result<protocol::Fit> Backends::fit(chat::Lane lane, std::string_view model,
                                    const chat::ChatRequest& request, bool any_model) const {
  if (lane == chat::Lane::kLocal) {
    return protocol::fit_request(request, protocol::Target::kLlamaServer);
  }
  CloudCall call;
  call.any_model = any_model;
  Result<std::vector<cloud::Candidate>> able = candidates(model, request, call);
  if (!able) return std::unexpected(std::move(able.error()));
  return protocol::fit_request(request, target_of(*able->front().provider));
}

Result<protocol::Fit> Backends::fit_at(std::string_view provider,
                                       const chat::ChatRequest& request) const {
  for (const cloud::Provider* each : selector_.providers()) {
    if (each->options().name == provider) return protocol::fit_request(request, target_of(*each));
  }
  return fail_no_provider("");
}

bool Backends::cloud_ready() const {
  const SteadyTime now = std::chrono::steady_clock::now();
  return std::ranges::any_of(selector_.providers(), [&](const cloud::Provider* provider) {
    const cloud::ProviderOptions& options = provider->options();
    const cloud::Health* health = pool_.health(options.name, options.models.front());
    return health == nullptr || health->breaker(now) != cloud::Breaker::kOpen;
  });
}

std::string Backends::backend_name(chat::Lane lane, std::string_view model) const {
  if (lane == chat::Lane::kLocal) return std::string(model);
  const cloud::Provider* provider = selector_.provider_of(model);
  return provider == nullptr ? std::string{} : provider->options().name;
}

double Backends::cost_usd(chat::Lane lane, std::string_view model, const chat::Usage& usage) const {
  return lane == chat::Lane::kLocal ? 0.0 : prices_.cost_usd(model, usage);
}

double Backends::cost_usd(chat::Lane lane, std::string_view backend, std::string_view model,
                          const chat::Usage& usage) const {
  return lane == chat::Lane::kLocal ? 0.0 : prices_.cost_usd(backend, model, usage);
}

double Backends::least_cloud_cost_usd(std::string_view model, bool any_model,
                                      const chat::Usage& usage) const {
  std::optional<double> least;
  for (const cloud::Provider* provider : selector_.providers()) {
    if (!any_model && !provider->serves(model)) continue;
    const std::string_view served =
        any_model ? std::string_view(provider->options().models.front()) : model;
    const double cost = prices_.cost_usd(provider->options().name, served, usage);
    least = std::min(least.value_or(cost), cost);
  }
  return least.value_or(0);
}

double Backends::cloud_cost_usd(const chat::Usage& usage) const {
  return prices_.cost_usd(selector_.default_model(chat::Lane::kCloud), usage);
}

}  // namespace minimill::serve
