#include "api/batch_api.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "api/json_response.h"
#include "base/json.h"

namespace minimill::api {
namespace {

constexpr int kOk = 200;
constexpr std::size_t kDefaultListed = 50;
constexpr std::size_t kMaxListed = 1000;

Result<std::size_t> limit_of(std::string_view query) {
  const std::string text = http::query_value(query, "limit");
  if (text.empty()) return kDefaultListed;
  std::size_t limit = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (ec != std::errc{} || end != text.data() + text.size() || limit > kMaxListed) {
    return fail_field("limit", fmt::format("'limit' must be between 0 and {}", kMaxListed));
  }
  return limit;
}

}  // namespace

void BatchApi::add_to(Routes& routes) {
  using http::Request;
  using http::Responder;
  routes.add(
      "GET", "/minimill/v1/batches", {"Lists batches of tasks at providers", Who::kOwn},
      [this](Request& request, Responder& out, const PathParts&) { return list(request, out); });
  routes.add("GET", "/minimill/v1/batches/{id}", {"One batch with its tasks", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return show(request, out, parts[0]);
             });
  routes.add("POST", "/minimill/v1/batches/{id}/cancel",
             {"Cancels a batch; its tasks are done in the ordinary lanes", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return cancel(request, out, parts[0]);
             });
}

asio::awaitable<void> BatchApi::list(http::Request& request, http::Responder& out) {
  const Result<std::size_t> limit = limit_of(request.query);
  if (!limit) {
    co_await send_json_error(limit.error(), out);
    co_return;
  }
  const std::size_t most = *limit;
  const policy::Scope scope = scope_of(request);
  std::function<Result<std::vector<tasks::Batch>>()> query = [this, most, &scope] {
    return store_.list(most, scope);
  };
  Result<std::vector<tasks::Batch>> batches =
      co_await offload_.run<Result<std::vector<tasks::Batch>>>(std::move(query));
  if (!batches) {
    co_await send_json_error(batches.error(), out);
    co_return;
  }
  json::array listed;
  for (const tasks::Batch& batch : *batches) listed.push_back(tasks::to_json(batch));
  json::object shown;
  shown["gathered"] = runner_.gathered();
  shown["batches"] = std::move(listed);
  const json::value answer = std::move(shown);
  co_await send_json(kOk, answer, out);
}

Result<json::value> BatchApi::find(const std::string& id, const policy::Scope& scope) const {
  const Result<std::optional<tasks::Batch>> batch = store_.find({id}, scope);
  if (!batch) return std::unexpected(batch.error());
  if (!*batch) {
    return fail(ErrorCode::kNotFound, fmt::format("no batch '{}'", id),
                "`minimill batch list` lists the batches there are");
  }
  const Result<std::vector<tasks::BatchTask>> tasks = store_.tasks_of({id});
  if (!tasks) return std::unexpected(tasks.error());
  json::array items;
  for (const tasks::BatchTask& task : *tasks) items.push_back(tasks::to_json(task));
  json::object shown = tasks::to_json(**batch);
  shown["items"] = std::move(items);
  return shown;
}

asio::awaitable<void> BatchApi::show(http::Request& request, http::Responder& out, std::string id) {
  const policy::Scope scope = scope_of(request);
  std::function<Result<json::value>()> query = [this, &id, &scope] { return find(id, scope); };
  Result<json::value> shown = co_await offload_.run<Result<json::value>>(std::move(query));
  if (shown) {
    co_await send_json(kOk, *shown, out);
  } else {
    co_await send_json_error(shown.error(), out);
  }
}

asio::awaitable<void> BatchApi::cancel(http::Request& request, http::Responder& out,
                                       std::string id) {
  const policy::Scope scope = scope_of(request);
  std::function<Result<json::value>()> query = [this, &id, &scope] { return find(id, scope); };
  Result<json::value> found = co_await offload_.run<Result<json::value>>(std::move(query));
  Result<> cancelled;
  if (found) {
    BatchId batch{id};
    cancelled = co_await runner_.cancel(std::move(batch));
  } else {
    cancelled = std::unexpected(std::move(found.error()));
  }
  if (!cancelled) {
    co_await send_json_error(cancelled.error(), out);
    co_return;
  }
  const json::value done = json::object{{"id", id}, {"cancel_asked", true}};
  co_await send_json(kOk, done, out);
}

}  // namespace minimill::api
