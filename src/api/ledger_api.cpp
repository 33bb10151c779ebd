#include "api/ledger_api.h"

#include <charconv>
#include <utility>

#include "api/json_response.h"
#include "base/json.h"
#include "base/rfc3339.h"

namespace minimill::api {
namespace {

constexpr int kOk = 200;
constexpr std::int64_t kMost_s = std::int64_t{100} * 366 * 86'400;

/// `options` with what was asked for in place of its `keep`.
Result<ledger::RetentionOptions> older_than(ledger::RetentionOptions options,
                                            std::optional<std::int64_t> older_s) {
  if (!older_s) return options;
  if (*older_s < 1 || *older_s > kMost_s) {
    return fail_field("older_s", "'older_s' must be a span of time in seconds, at least 1");
  }
  options.keep = std::chrono::seconds{*older_s};
  return options;
}

Result<std::optional<std::int64_t>> older_in(std::string_view query) {
  const std::string text = http::query_value(query, "older_s");
  if (text.empty()) return std::nullopt;
  std::int64_t seconds = 0;
  const char* last = text.data() + text.size();
  const auto [end, ec] = std::from_chars(text.data(), last, seconds);
  if (ec != std::errc{} || end != last) {
    return fail_field("older_s", "'older_s' must be a whole number of seconds");
  }
  return seconds;
}

json::object to_json(const ledger::Usage& usage, const ledger::RetentionOptions& options) {
  json::array kinds;
  for (const ledger::Usage::Kind& kind : usage.kinds) {
    json::object& shown = kinds.emplace_back(json::object{{"kind", kind.name}}).as_object();
    shown["bytes"] = kind.bytes ? json::value(*kind.bytes) : json::value(nullptr);
    shown["prunable_rows"] = kind.prunable_rows;
    if (kind.oldest) shown["oldest_at"] = rfc3339(*kind.oldest);
  }
  return {{"file_bytes", usage.file_bytes},
          {"free_bytes", usage.free_bytes},
          {"keep_s", options.keep.count()},
          {"max_bytes", options.max_bytes},
          {"kinds", std::move(kinds)}};
}

}  // namespace

void LedgerApi::add_to(Routes& routes) {
  using http::Request;
  using http::Responder;
  routes.add(
      "GET", "/minimill/v1/ledger",
      {"What the database holds, and what would be pruned", Who::kOwner},
      [this](Request& request, Responder& out, const PathParts&) { return show(request, out); });
  routes.add(
      "POST", "/minimill/v1/ledger/prune", {"Prunes what is old from the database", Who::kOwner},
      [this](Request& request, Responder& out, const PathParts&) { return prune(request, out); });
}

asio::awaitable<void> LedgerApi::show(http::Request& request, http::Responder& out) {
  const Result<std::optional<std::int64_t>> older_s = older_in(request.query);
  Result<ledger::RetentionOptions> options =
      older_s ? older_than(retention_.options(), *older_s) : std::unexpected(older_s.error());
  if (!options) {
    co_await send_json_error(options.error(), out);
    co_return;
  }
  // For ever: nothing is from before the beginning of time.
  const WallTime before = options->keep.count() > 0 ? clock_.wall() - options->keep : WallTime{};
  std::function<Result<ledger::Usage>()> query = [this, before] {
    return ledger::usage(reader_, retention_.kinds(), before);
  };
  Result<ledger::Usage> usage = co_await offload_.run<Result<ledger::Usage>>(std::move(query));
  if (!usage) {
    co_await send_json_error(usage.error(), out);
    co_return;
  }
  const json::value answer = to_json(*usage, *options);
  co_await send_json(kOk, answer, out);
}

asio::awaitable<void> LedgerApi::prune(http::Request& request, http::Responder& out) {
  Result<json::object> body = parse_json_object(request.body.empty() ? "{}" : request.body);
  Result<ledger::RetentionOptions> options = retention_.options();
  if (body) {
    Fields fields(*body);
    const std::optional<std::int64_t> older_s = fields.optional_integer("older_s");
    options =
        fields.ok() ? older_than(retention_.options(), older_s) : std::unexpected(fields.error());
  } else {
    options = std::unexpected(body.error());
  }
  if (!options) {
    co_await send_json_error(options.error(), out);
    co_return;
  }
  ledger::RetentionRunner::Pruned done;
  const Result<> pruned = co_await retention_.prune(*options, done);
  if (!pruned) {
    co_await send_json_error(pruned.error(), out);
    co_return;
  }
  json::object rows;
  for (const auto& [kind, count] : done) rows[kind] = count;
  json::object shown;
  shown["pruned"] = std::move(rows);
  const json::value answer = std::move(shown);
  co_await send_json(kOk, answer, out);
}

}  // namespace minimill::api
