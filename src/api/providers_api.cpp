#include "api/providers_api.h"

#include <fmt/format.h>

#include <utility>

#include "api/json_response.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

constexpr int kOk = 200;
constexpr double kTail = 0.95;

json::value price_json(const std::optional<cloud::Price>& price) {
  if (!price) return nullptr;
  return json::object{{"input_usd_per_mtok", price->input_usd_per_mtok},
                      {"cached_input_usd_per_mtok", price->cached_input_usd_per_mtok},
                      {"output_usd_per_mtok", price->output_usd_per_mtok}};
}

/// What was measured; null where there is nothing yet.
json::value moments_json(const cloud::DecayedMoments& moments, SteadyTime now) {
  constexpr double kForgotten = 0.01;
  if (moments.weight(now) < kForgotten) return nullptr;
  return moments.mean();
}

json::value quantile_json(const cloud::DecayedDurations& durations, SteadyTime now) {
  constexpr double kForgotten = 0.01;
  if (durations.weight(now) < kForgotten) return nullptr;
  return in_ms(durations.quantile(kTail));
}

json::object health_json(const cloud::Health& health, SteadyTime now) {
  json::object shown{{"answers", health.duration_ms().weight(now)},
                     {"first_token_ms", moments_json(health.first_event_ms(), now)},
                     {"first_token_p95_ms", quantile_json(health.usual(true), now)},
                     {"tokens_per_second", moments_json(health.tokens_per_second(), now)},
                     {"duration_ms", moments_json(health.duration_ms(), now)},
                     {"duration_p95_ms", quantile_json(health.usual(false), now)},
                     {"spread", health.spread(now)},
                     {"error_rate", health.error_rate(now)},
                     {"cached_share", health.cached_share()},
                     {"headroom", health.headroom(now)},
                     {"breaker", cloud::name(health.breaker(now))},
                     {"at_a_time", health.in_flight()}};
  const bool fails = health.breaker(now) != cloud::Breaker::kClosed;
  if (fails && health.last_error()) shown["last_error"] = health.last_error()->message;
  return shown;
}

json::object catalogue_json(const cloud::CatalogueProvider& provider) {
  json::array models;
  for (const cloud::CatalogueModel& model : provider.models) {
    models.push_back({{"model", model.name}, {"price", price_json(model.price)}});
  }
  return {{"name", provider.name},
          {"configured", false},
          {"protocol", provider.protocol == chat::Protocol::kAnthropic ? "anthropic" : "openai"},
          {"base_url", provider.base_url},
          {"key_env", provider.key_env},
          {"prices_read", provider.read},
          {"batch_price_factor", provider.batch_price_factor},
          {"models", std::move(models)}};
}

Error no_provider(const std::string& name) {
  Error error;
  error.code = ErrorCode::kNotFound;
  error.message = fmt::format("no provider '{}'", name);
  error.hint = "see: minimill providers list";
  error.field = "name";
  return error;
}

}  // namespace

void ProvidersApi::add_to(Routes& routes) {
  routes.add("GET", "/minimill/v1/providers", {"Cloud providers and how they do", Who::kOwner},
             [this](http::Request&, http::Responder& out, const PathParts&) { return list(out); });
  routes.add("GET", "/minimill/v1/providers/{name}",
             {"One provider, configured or only known", Who::kOwner},
             [this](http::Request&, http::Responder& out, const PathParts& parts) {
               return show(parts[0], out);
             });
  routes.add("POST", "/minimill/v1/providers/{name}/test",
             {"Sends one short request to a provider, for its owner's money", Who::kOwner},
             [this](http::Request&, http::Responder& out, const PathParts& parts) {
               return test(parts[0], out);
             });
}

cloud::Provider* ProvidersApi::find(std::string_view name) const {
  for (cloud::Provider* provider : selector_.providers()) {
    if (provider->options().name == name) return provider;
  }
  return nullptr;
}

json::object ProvidersApi::model_json(const std::string& provider, const std::string& model) const {
  const cloud::Health* health = pool_.health(provider, model);
  json::object shown{{"model", model}, {"price", price_json(prices_.find(provider, model))}};
  shown["measured"] =
      health == nullptr ? json::value() : json::value(health_json(*health, clock_.steady()));
  return shown;
}

json::object ProvidersApi::provider_json(const cloud::Provider& provider) const {
  const cloud::ProviderOptions& options = provider.options();
  json::array models;
  for (const std::string& model : options.models) {
    models.push_back(model_json(options.name, model));
  }
  const bool missing = options.key.empty() && !options.key_env.empty();
  const cloud::CatalogueProvider* known = config_.catalogue.find(options.name);
  const cloud::Gate* gate = pool_.gate(options.name);
  return {{"name", options.name},
          {"configured", true},
          {"protocol", options.protocol == chat::Protocol::kAnthropic ? "anthropic" : "openai"},
          {"base_url", options.base_url},
          {"key_env", options.key_env},
          {"key", options.key.empty() ? (missing ? "missing" : "none") : "set"},
          {"prices_read", known == nullptr ? "" : known->read},
          {"at_a_time", gate == nullptr ? 0 : gate->in_flight()},
          {"at_a_time_limit", gate == nullptr ? 0 : gate->limit()},
          {"waiting", gate == nullptr ? 0 : gate->waiting()},
          {"models", std::move(models)}};
}

asio::awaitable<void> ProvidersApi::list(http::Responder& out) const {
  json::array configured;
  for (const cloud::Provider* provider : selector_.providers()) {
    configured.push_back(provider_json(*provider));
  }
  json::array known;
  for (const cloud::CatalogueProvider& provider : config_.catalogue.providers()) {
    if (find(provider.name) == nullptr) known.emplace_back(provider.name);
  }
  const config::CloudConfig& cloud = config_.cloud;
  const json::value shown = json::object{{"prefer", cloud.prefer},
                                         {"weights",
                                          {{"fast", cloud.weights.fast},
                                           {"cheap", cloud.weights.cheap},
                                           {"steady", cloud.weights.steady}}},
                                         {"hedge_budget", cloud.hedge_budget},
                                         {"quality_margin", cloud.quality_margin},
                                         {"providers", std::move(configured)},
                                         {"known", std::move(known)}};
  co_await send_json(kOk, shown, out);
}

asio::awaitable<void> ProvidersApi::show(const std::string& name, http::Responder& out) const {
  const cloud::Provider* provider = find(name);
  const cloud::CatalogueProvider* known = config_.catalogue.find(name);
  if (provider == nullptr && known == nullptr) {
    const Error error = no_provider(name);
    co_await send_json_error(error, out);
    co_return;
  }
  json::value shown;
  if (provider != nullptr) {
    shown = provider_json(*provider);
  } else {
    shown = catalogue_json(*known);
  }
  co_await send_json(kOk, shown, out);
}

asio::awaitable<void> ProvidersApi::test(const std::string& name, http::Responder& out) {
  constexpr std::chrono::seconds kPatience{30};
  cloud::Provider* provider = find(name);
  if (provider == nullptr) {
    const Error error = no_provider(name);
    co_await send_json_error(error, out);
    co_return;
  }
  chat::RequestParts greeting;
  greeting.messages.push_back(chat::text_message(chat::Role::kUser, "Say OK."));
  greeting.sampling.max_tokens = 16;
  chat::ChatRequest hello(std::move(greeting));
  const SteadyTime began = clock_.steady();
  hello.deadline = began + kPatience;
  Result<policy::Cleared<chat::ChatRequest>> cleared =
      policy::clear_for_cloud(std::move(hello), policy::Privacy::kAllow);
  if (!cleared) {
    co_await send_json_error(cleared.error(), out);
    co_return;
  }
  cloud::Told told;
  const std::string model = provider->options().models.front();
  const Result<chat::ChatAnswer> answer = co_await provider->complete(*cleared, model, told);
  json::object result{{"provider", name},
                      {"model", model},
                      {"ok", answer.has_value()},
                      {"ms", in_ms(clock_.steady() - began)}};
  if (!answer) {
    result["error"] = answer.error().message;
    result["hint"] = answer.error().hint;
  }
  const json::value shown = std::move(result);
  co_await send_json(kOk, shown, out);
}

}  // namespace minimill::api
