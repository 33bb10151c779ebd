#include "cloud/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "cloud/attempts.h"

namespace minimill::cloud {
namespace {

constexpr std::int64_t kUsualAnswerTokens = 256;
constexpr std::size_t kMaxOperations = 1024;  // whose answers' length is remembered

std::string key_of(std::string_view provider, std::string_view model) {
  return fmt::format("{}/{}", provider, model);
}

}  // namespace

Pool::Pool(const Clock& clock, const PriceTable& prices, PoolOptions options)
    : clock_(clock),
      prices_(prices),
      options_(options),
      budget_(options.hedge_budget),
      running_(std::make_shared<Running>()) {}

template <class T>
asio::awaitable<Result<T>> Pool::carry_out(policy::Cleared<chat::ChatRequest> request, Call& call) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto race = std::make_shared<Race<T>>(executor, std::move(request));
  Attempts<T> attempts(*this, race, call);
  while (true) {
    if (std::optional<Result<T>> end = attempts.settle()) co_return std::move(*end);
    const Result<SteadyTime> look_again = attempts.proceed();
    if (!look_again) co_return std::unexpected(look_again.error());
    if (!race->has_come) {
      race->timer.expires_at(*look_again);
      co_await race->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    race->has_come = false;
    const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      co_return fail(ErrorCode::kCancelled, "the request was cancelled");
    }
  }
}

asio::awaitable<Result<chat::ChatAnswer>> Pool::complete(policy::Cleared<chat::ChatRequest> request,
                                                         Call& call) {
  co_return co_await carry_out<chat::ChatAnswer>(std::move(request), call);
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> Pool::stream(
    policy::Cleared<chat::ChatRequest> request, Call& call) {
  co_return co_await carry_out<std::unique_ptr<chat::ChatStream>>(std::move(request), call);
}

asio::awaitable<void> Pool::stop() {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  News none_left(executor);
  while (running_->count > 0) {
    running_->none_left = &none_left;
    none_left.timer.expires_at(SteadyTime::max());
    co_await none_left.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  running_->none_left = nullptr;
}

void Pool::judged(std::string_view provider, std::string_view model, std::string_view operation,
                  bool passed) {
  if (operation.empty() || provider.empty()) return;
  passes_.note(key_of(provider, model), operation, passed, clock_.steady());
}

const Health* Pool::health(std::string_view provider, std::string_view model) const {
  const auto found = health_.find(key_of(provider, model));
  return found == health_.end() ? nullptr : &found->second;
}

Health& Pool::health_of(const Candidate& candidate) {
  return health_[key_of(candidate.provider->options().name, candidate.model)];
}

Facts Pool::facts(const Candidate& candidate, std::string_view operation,
                  std::int64_t prompt_tokens, std::int64_t answer_tokens) const {
  static const Health kUnknown;
  const std::string& provider = candidate.provider->options().name;
  const Health* const measured = health(provider, candidate.model);
  const Health& health = measured == nullptr ? kUnknown : *measured;
  const SteadyTime now = clock_.steady();
  Facts facts;
  facts.name = provider;
  facts.known = health.service().weight(now);
  facts.expected_s = health.service().expected_s(static_cast<double>(answer_tokens));
  if (const auto price = prices_.find(provider, candidate.model)) {
    const auto cached =
        static_cast<std::int64_t>(health.cached_share() * static_cast<double>(prompt_tokens));
    facts.price_usd = cost_usd(*price, {.prompt_tokens = prompt_tokens,
                                        .completion_tokens = answer_tokens,
                                        .cached_prompt_tokens = cached});
  }
  facts.spread = health.spread(now);
  facts.error_rate = health.error_rate(now);
  facts.headroom = health.headroom(now);
  if (!operation.empty()) {
    facts.quality = passes_.share(key_of(provider, candidate.model), operation, now);
  }
  facts.breaker = health.breaker(now);
  const SteadyTime at = health.next_at(now, prompt_tokens);
  if (at == SteadyTime::max()) {
    facts.wait.reset();
  } else {
    facts.wait = std::chrono::ceil<Millis>(at - now);
  }
  return facts;
}

std::int64_t Pool::expected_answer_tokens(const chat::ChatRequest& request,
                                          const std::string& operation) const {
  std::int64_t tokens = kUsualAnswerTokens;
  const auto known = answer_tokens_.find(operation);
  if (known != answer_tokens_.end()) tokens = static_cast<std::int64_t>(known->second.mean()) + 1;
  return std::clamp<std::int64_t>(tokens, 1, request.sampling().max_tokens.value_or(tokens));
}

void Pool::learn_length(const std::string& operation, const chat::Usage& usage) {
  if (answer_tokens_.size() >= kMaxOperations && !answer_tokens_.contains(operation)) return;
  answer_tokens_[operation].add(static_cast<double>(usage.completion_tokens), clock_.steady());
}

/// Exponential with jitter, so that those who failed together do not return together.
Millis Pool::backoff(int round) {
  const auto ceiling = options_.first_backoff * (1 << round);
  std::uniform_int_distribution<Millis::rep> draw(ceiling.count() / 2, ceiling.count());
  return Millis{draw(jitter_)};
}

void Pool::tell_waiting() {
  for (News* news : waiting_) news->tell();
}

}  // namespace minimill::cloud
