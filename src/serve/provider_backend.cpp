#include "serve/provider_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

protocol::Target target_of(const cloud::Provider& provider) {
  return provider.options().protocol == chat::Protocol::kAnthropic ? protocol::Target::kAnthropic
                                                                   : protocol::Target::kOpenAi;
}

/// Leaves out who would cost more than is allowed, but for the cheapest: whether even that is too
/// dear has been decided before.
void keep_affordable(std::vector<cloud::Candidate>& able, const chat::ChatRequest& request,
                     double max_cost_usd, const cloud::Pool& pool) {
  constexpr std::int64_t kUsualAnswerTokens = 512;
  const std::int64_t prompt = chat::estimated_prompt_tokens(request);
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

Result<cloud::Provider*> ProviderBackend::provider_of(std::string_view model) const {
  cloud::Provider* provider = selector_.provider_of(model);
  if (provider == nullptr) return fail_no_provider(model);
  return provider;
}

Result<std::vector<cloud::Candidate>> ProviderBackend::candidates(const chat::ChatRequest& request,
                                                                  const Call& call) const {
  std::vector<cloud::Candidate> able;
  std::optional<Error> unable;
  for (cloud::Provider* provider : selector_.providers()) {
    if (!call.any_model && !provider->serves(call.model)) continue;
    if (Result<protocol::Fit> fit = protocol::fit_request(request, target_of(*provider)); !fit) {
      unable = std::move(fit.error());
      continue;
    }
    able.push_back({.provider = provider,
                    .model = call.any_model ? provider->options().models.front() : call.model});
  }
  if (able.empty() && unable) return std::unexpected(std::move(*unable));
  if (able.empty()) return fail_no_provider(selector_.providers().empty() ? "" : call.model);
  if (call.max_cost_usd) keep_affordable(able, request, *call.max_cost_usd, pool_);
  return able;
}

Result<protocol::Fit> ProviderBackend::fit(const chat::ChatRequest& request,
                                           const Call& call) const {
  if (!call.done.provider.empty()) {
    for (const cloud::Provider* each : selector_.providers()) {
      if (each->options().name != call.done.provider) continue;
      return protocol::fit_request(request, target_of(*each));
    }
  }
  Result<std::vector<cloud::Candidate>> able = candidates(request, call);
  if (!able) return std::unexpected(std::move(able.error()));
  return protocol::fit_request(request, target_of(*able->front().provider));
}

bool ProviderBackend::is_ready() const {
  const SteadyTime now = clock_.steady();
  return std::ranges::any_of(selector_.providers(), [&](const cloud::Provider* provider) {
    const cloud::ProviderOptions& options = provider->options();
    const cloud::Health* health = pool_.health(options.name, options.models.front());
    return health == nullptr || health->breaker(now) != cloud::Breaker::kOpen;
  });
}

Estimate ProviderBackend::estimate(const Size& size) const {
  std::optional<double> least;
  for (const cloud::Provider* provider : selector_.providers()) {
    if (!size.any_model && !provider->serves(size.model)) continue;
    const std::string_view served =
        size.any_model ? std::string_view(provider->options().models.front()) : size.model;
    const double cost = prices_.cost_usd(provider->options().name, served, size.usage);
    least = std::min(least.value_or(cost), cost);
  }
  return {.ready = is_ready(), .usd = least.value_or(0)};
}

double ProviderBackend::cost_usd(std::string_view name, std::string_view model,
                                 const chat::Usage& usage) const {
  return prices_.cost_usd(name, model, usage);
}

std::string ProviderBackend::name_of(std::string_view model) const {
  const cloud::Provider* provider = selector_.provider_of(model);
  return provider == nullptr ? std::string{} : provider->options().name;
}

Result<policy::Cleared<chat::ChatRequest>> ProviderBackend::prepare(const policy::Request& request,
                                                                    Call& call) const {
  Result<policy::Cleared<chat::ChatRequest>> cleared =
      policy::clear_for_cloud(request.chat, request.privacy);
  if (!cleared) return cleared;
  Result<std::vector<cloud::Candidate>> able = candidates(request.chat, call);
  if (!able) return std::unexpected(std::move(able.error()));
  call.done.candidates = std::move(*able);
  call.done.operation = call.operation;
  call.done.app = request.app;
  return cleared;
}

asio::awaitable<Result<chat::ChatAnswer>> ProviderBackend::complete(const policy::Request& request,
                                                                    Call& call) {
  Result<policy::Cleared<chat::ChatRequest>> cleared = prepare(request, call);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  co_return co_await pool_.complete(std::move(*cleared), call.done);
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> ProviderBackend::stream(
    const policy::Request& request, Call& call) {
  Result<policy::Cleared<chat::ChatRequest>> cleared = prepare(request, call);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  co_return co_await pool_.stream(std::move(*cleared), call.done);
}

asio::awaitable<Result<protocol::EmbeddingAnswer>> ProviderBackend::embed(
    const policy::Request& request, const protocol::EmbeddingRequest& texts, Call& call) {
  Result<policy::Cleared<protocol::EmbeddingRequest>> cleared =
      policy::clear_for_cloud(texts, request.privacy);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  Result<cloud::Provider*> provider = provider_of(call.model);
  if (!provider) co_return std::unexpected(std::move(provider.error()));
  co_return co_await (*provider)->embed(*cleared, call.model, request.chat.deadline);
}

asio::awaitable<Result<std::int64_t>> ProviderBackend::count_tokens(const policy::Request& request,
                                                                    std::string_view model) {
  Result<policy::Cleared<chat::ChatRequest>> cleared =
      policy::clear_for_cloud(request.chat, request.privacy);
  if (!cleared) co_return std::unexpected(std::move(cleared.error()));
  Result<cloud::Provider*> provider = provider_of(model);
  if (!provider) co_return std::unexpected(std::move(provider.error()));
  co_return co_await (*provider)->count_tokens(*cleared, model);
}

}  // namespace minimill::serve
