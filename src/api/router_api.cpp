#include "api/router_api.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "api/json_response.h"
#include "api/openai_exchange.h"
#include "api/router_example.h"
#include "api/why.h"
#include "base/json.h"

namespace minimill::api {
namespace {

constexpr int kOk = 200;
constexpr std::size_t kMaxExamples = 1'000;  // a request
constexpr std::size_t kAtATime = 8;          // examples, between which others get their turn

json::object to_json(const route::Record& record) {
  return {{"right", record.good}, {"wrong", record.bad}};
}

json::object to_json(const route::Operation& operation) {
  json::object models;
  for (const auto& [model, record] : operation.by_model) models[model] = to_json(record);
  return {{"operation", operation.slug},   {"title", operation.title},
          {"seen", operation.seen},        {"local", to_json(operation.local)},
          {"models", std::move(models)},   {"cloud", to_json(operation.cloud)},
          {"to_prove", operation.to_prove}};
}

json::object to_json(const route::Reliability& reliability) {
  json::array bins;
  for (const route::Reliability::Bin& bin : reliability.bins()) {
    bins.push_back({{"outcomes", bin.count},
                    {"foretold", bin.count > 0 ? bin.foretold / bin.count : 0},
                    {"came_true", bin.count > 0 ? bin.good / bin.count : 0}});
  }
  return {{"outcomes", reliability.count()},
          {"expected_calibration_error", reliability.expected_calibration_error()},
          {"bins", std::move(bins)}};
}

json::object to_json(const route::BoundStatus& status) {
  return {{"app", status.bound.app},
          {"operation", status.bound.operation},
          {"max_loss", status.bound.risk.max_loss},
          {"confidence", status.bound.risk.confidence},
          {"kept", status.bar <= 1},
          {"bar", status.bar <= 1 ? json::value(status.bar) : json::value()},
          {"audits", status.audits},
          {"missing", status.missing}};
}

json::array trust_json(const route::OutcomeTrust& trust) {
  json::array kinds;
  for (std::size_t i = 0; i < static_cast<std::size_t>(route::OutcomeKind::kCount); ++i) {
    const auto kind = static_cast<route::OutcomeKind>(i);
    kinds.push_back({{"kind", route::name(kind)},
                     {"weight", trust.weight(kind)},
                     {"agreed", trust.record(kind).agreed},
                     {"disagreed", trust.record(kind).disagreed}});
  }
  return kinds;
}

Result<std::vector<RouterExample>> read_examples(std::string_view body) {
  const Result<json::object> object = parse_json_object(body);
  if (!object) return std::unexpected(object.error());
  Fields fields(*object);
  const json::array* listed = fields.optional_array("examples");
  if (listed == nullptr) return fail_field("examples", "there are no examples", "send a list");
  if (listed->size() > kMaxExamples) {
    return fail_field("examples", "there are too many",
                      fmt::format("send at most {} at a time", kMaxExamples));
  }
  std::vector<RouterExample> examples;
  for (std::size_t i = 0; i < listed->size(); ++i) {
    const json::object* each = (*listed)[i].if_object();
    Result<RouterExample> example = each == nullptr ? fail_field("examples", "must be objects", "")
                                                    : read_router_example(*each);
    if (!example) {
      return std::unexpected(std::move(example.error()).context(fmt::format("example {}", i)));
    }
    examples.push_back(std::move(*example));
  }
  return examples;
}

}  // namespace

RouterApi::RouterApi(const Clock& clock, ChatApi& chats, serve::Service& service,
                     route::Router& router, learn::RouterKeeper& keeper)
    : clock_(clock), chats_(chats), service_(service), router_(router), keeper_(keeper) {}

void RouterApi::add_to(Routes& routes) {
  routes.add("POST", "/v1/route",
             {"Where this chat would go, and why; it is not carried out", Who::kOwn,
              chat::Protocol::kOpenAi},
             [this](http::Request& request, http::Responder& out, const PathParts&) {
               return route(request, out);
             });
  routes.add("GET", "/minimill/v1/router",
             {"What the router has learnt: operations, calibration, quality bounds", Who::kOwner},
             [this](http::Request&, http::Responder& out, const PathParts&) { return show(out); });
  routes.add(
      "POST", "/minimill/v1/router/train",
      {"Learn from {examples: [{prompt, operation, local_ok, cloud_ok, model}]}", Who::kOwner},
      [this](http::Request& request, http::Responder& out, const PathParts&) {
        return examples(request, out, true);
      });
  routes.add("POST", "/minimill/v1/router/estimate",
             {"Estimates for examples, learning nothing", Who::kOwner},
             [this](http::Request& request, http::Responder& out, const PathParts&) {
               return examples(request, out, false);
             });
  routes.add(
      "GET", "/minimill/v1/router/state", {"All that the router has learnt, as bytes", Who::kOwner},
      [this](http::Request&, http::Responder& out, const PathParts&) { return get_state(out); });
  routes.add("PUT", "/minimill/v1/router/state",
             {"Replace what the router has learnt", Who::kOwner},
             [this](http::Request& request, http::Responder& out, const PathParts&) {
               return put_state(request, out);
             });
}

asio::awaitable<void> RouterApi::get_state(http::Responder& out) {
  http::Headers headers{{"content-type", "application/octet-stream"}};
  std::string body = router_.save();
  co_await out.send(kOk, std::move(headers), std::move(body));
}

asio::awaitable<void> RouterApi::route(http::Request& request, http::Responder& out) {
  OpenAiExchange exchange(clock_);
  Result<policy::Request> asked = co_await chats_.read(request, exchange);
  Result<chat::Decision> decision = std::unexpected(Error{});
  if (asked) {
    decision = service_.decide(*asked);
  } else {
    decision = std::unexpected(std::move(asked.error()));
  }
  if (!decision) {
    std::string body = exchange.error(decision.error());
    co_await send_error(decision.error(), std::move(body), out);
    co_return;
  }
  const json::value answer = to_json(*decision);
  co_await send_json(kOk, answer, out);
}

asio::awaitable<void> RouterApi::show(http::Responder& out) {
  json::array operations;
  for (const route::Operation& each : router_.operations()) operations.push_back(to_json(each));
  json::array bounds;
  for (const route::BoundStatus& each : router_.bounds()) bounds.push_back(to_json(each));
  json::array models;
  for (const std::string& each : router_.models()) models.push_back(json::string(each));
  const json::value shown = json::object{{"threshold", router_.options().threshold},
                                         {"threshold_checked", router_.options().threshold_checked},
                                         {"bounds", std::move(bounds)},
                                         {"calibration", to_json(router_.reliability())},
                                         {"outcomes", trust_json(router_.trust())},
                                         {"local_models", std::move(models)},
                                         {"operations", std::move(operations)}};
  co_await send_json(kOk, shown, out);
}

asio::awaitable<void> RouterApi::examples(const http::Request& request, http::Responder& out,
                                          bool train) {
  Result<std::vector<RouterExample>> read = read_examples(request.body);
  if (!read) {
    co_await send_json_error(read.error(), out);
    co_return;
  }
  const auto loop = co_await asio::this_coro::executor;
  json::array estimates;
  for (std::size_t i = 0; i < read->size(); ++i) {
    RouterExample& example = (*read)[i];
    if (i % kAtATime == kAtATime - 1) co_await asio::post(loop, asio::use_awaitable);
    if (train) {
      teach(router_, example);
      continue;
    }
    const route::Estimate estimate = router_.estimate(example.input);
    estimates.push_back({{"local", estimate.local},
                         {"cloud", estimate.cloud},
                         {"good_enough", estimate.good_enough},
                         {"operation", router_.operation_of(example.input)}});
  }
  if (train) keeper_.note_learnt();
  const json::value answer = train ? json::object{{"learnt", read->size()}}
                                   : json::object{{"estimates", std::move(estimates)}};
  co_await send_json(kOk, answer, out);
}

asio::awaitable<void> RouterApi::put_state(const http::Request& request, http::Responder& out) {
  Result<route::Router> loaded = route::Router::load(request.body, router_.options());
  if (!loaded) {
    Error error = std::move(loaded.error());
    error.code = ErrorCode::kInvalidArgument;
    error.hint = "send what GET /minimill/v1/router/state of the same version gave";
    co_await send_json_error(error, out);
    co_return;
  }
  router_ = std::move(*loaded);
  keeper_.note_learnt();
  const json::value answer = json::object{{"operations", router_.operations().size()}};
  co_await send_json(kOk, answer, out);
}

}  // namespace minimill::api
