#include "api/outbox_api.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "api/json_response.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

constexpr int kOk = 200;
constexpr std::size_t kMaxListed = 1000;

Result<tasks::Outbox::Filter> filter_of(std::string_view query) {
  tasks::Outbox::Filter filter;
  if (const std::string state = http::query_value(query, "state"); !state.empty()) {
    Result<tasks::EffectState> parsed = tasks::parse_effect_state(state);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    filter.state = *parsed;
  }
  if (const std::string limit = http::query_value(query, "limit"); !limit.empty()) {
    const char* end = limit.data() + limit.size();
    const auto [read, ec] = std::from_chars(limit.data(), end, filter.limit);
    if (ec != std::errc{} || read != end || filter.limit > kMaxListed) {
      return fail_field("limit", fmt::format("'limit' must be between 0 and {}", kMaxListed));
    }
  }
  return filter;
}

}  // namespace

OutboxApi::OutboxApi(const Clock& clock, tasks::Outbox& outbox, tasks::Outbox& reader,
                     async::BlockingPool& offload, tasks::OutboxRunner& runner)
    : clock_(clock), outbox_(outbox), reader_(reader), offload_(offload), runner_(runner) {}

void OutboxApi::add_to(Routes& routes) {
  using http::Request;
  using http::Responder;
  routes.add(
      "GET", "/minimill/v1/outbox", {"Lists effects outside: what tasks notify", Who::kOwn},
      [this](Request& request, Responder& out, const PathParts&) { return list(request, out); });
  routes.add("POST", "/minimill/v1/outbox/{id}/retry",
             {"Tries an effect anew that was given up", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return retry(request, out, parts[0]);
             });
  routes.add("POST", "/minimill/v1/outbox/retry",
             {"Tries all effects anew that were given up", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts&) {
               return retry_all(request, out);
             });
}

asio::awaitable<void> OutboxApi::list(http::Request& request, http::Responder& out) {
  Result<tasks::Outbox::Filter> filter = filter_of(request.query);
  if (!filter) {
    co_await send_json_error(filter.error(), out);
    co_return;
  }
  filter->scope = scope_of(request);
  std::function<Result<json::value>()> query = [this, &filter]() -> Result<json::value> {
    Result<std::vector<tasks::Effect>> effects = reader_.list(*filter);
    if (!effects) return std::unexpected(std::move(effects.error()));
    json::array listed;
    for (const tasks::Effect& effect : *effects) listed.push_back(tasks::to_json(effect));
    return json::object{{"effects", std::move(listed)}};
  };
  Result<json::value> listed = co_await offload_.run<Result<json::value>>(std::move(query));
  if (listed) {
    co_await send_json(kOk, *listed, out);
  } else {
    co_await send_json_error(listed.error(), out);
  }
}

asio::awaitable<void> OutboxApi::retry(http::Request& request, http::Responder& out,
                                       std::string id) {
  policy::Scope scope = scope_of(request);
  Result<> retried = co_await outbox_.retry(id, std::move(scope), clock_.wall());
  if (!retried) {
    co_await send_json_error(retried.error(), out);
    co_return;
  }
  runner_.wake();
  const json::value done = json::object{{"id", id}, {"state", "pending"}};
  co_await send_json(kOk, done, out);
}

asio::awaitable<void> OutboxApi::retry_all(http::Request& request, http::Responder& out) {
  policy::Scope scope = scope_of(request);
  Result<std::int64_t> retried = co_await outbox_.retry_all(std::move(scope), clock_.wall());
  if (!retried) {
    co_await send_json_error(retried.error(), out);
    co_return;
  }
  runner_.wake();
  const json::value done = json::object{{"retried", *retried}};
  co_await send_json(kOk, done, out);
}

}  // namespace minimill::api
