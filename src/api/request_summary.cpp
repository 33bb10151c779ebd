#include "api/request_summary.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "chat/origin.h"
#include "http/server.h"
#include "protocol/utf8.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  return ec == std::errc{} && end == text.data() + text.size();
}

Result<> read_cursor(std::string_view text, ledger::RequestFilter& filter) {
  if (text.empty()) return {};
  const std::size_t dot = text.find('.');
  ledger::RequestCursor cursor;
  if (dot == std::string_view::npos || !read_number(text.substr(0, dot), cursor.at_ms)) {
    return fail_field("after", "'after' must be the 'next' of another page");
  }
  cursor.id = text.substr(dot + 1);
  filter.after = std::move(cursor);
  return {};
}

}  // namespace

json::object request_summary_json(const ledger::RequestRecord& record,
                                  const std::vector<ledger::Outcome>& outcomes) {
  const auto shown = [](std::string_view text) { return json::string(protocol::valid_utf8(text)); };
  const ledger::Attempt none;
  const ledger::Attempt& last = record.attempts.empty() ? none : record.attempts.back();
  double queued_ms = 0;
  double duration_ms = 0;
  double cost_usd = 0;
  bool lanes[chat::kLaneCount] = {};
  for (const ledger::Attempt& attempt : record.attempts) {
    queued_ms += attempt.queued_ms;
    duration_ms += attempt.duration_ms;
    cost_usd += attempt.cost_usd;
    lanes[chat::index(attempt.lane)] = true;
  }
  bool escalated = lanes[0] && last.lane == chat::Lane::kCloud;
  json::value good = nullptr;
  for (const ledger::Outcome& outcome : outcomes) {
    escalated = escalated || outcome.kind == "escalated";
    if (outcome.kind != "escalated") good = outcome.ok;  // the last word counts
  }
  const chat::Lane lane = record.attempts.empty() ? record.decision.lane : last.lane;
  return {{"id", record.id.value},
          {"at_ms", unix_ms(record.at)},
          {"app", shown(record.app)},
          {"origin", chat::name(record.origin)},
          {"task", shown(record.task.value)},
          {"run", shown(record.run.value)},
          {"operation", shown(record.decision.operation)},
          {"lane", chat::name(lane)},
          {"model", shown(record.attempts.empty() ? record.decision.model : last.model)},
          {"backend", shown(last.backend)},
          {"status", record.status},
          {"error", shown(last.error)},
          {"attempts", record.attempts.size()},
          {"escalated", escalated},
          {"good", std::move(good)},
          {"p_local_ok", record.decision.p_local_ok},
          {"queued_ms", queued_ms},
          {"first_token_ms", last.first_token_ms},
          {"duration_ms", duration_ms},
          {"prompt_tokens", last.usage.prompt_tokens},
          {"completion_tokens", last.usage.completion_tokens},
          {"cost_usd", cost_usd},
          {"cloud_usd", record.cloud_usd}};
}

Result<ledger::RequestFilter> read_request_filter(std::string_view query) {
  constexpr std::size_t kMostSearched = 200;  // bytes
  ledger::RequestFilter filter;
  if (std::string app = http::query_value(query, "app"); !app.empty()) filter.app = std::move(app);
  filter.operation = http::query_value(query, "operation");
  filter.text = http::query_value(query, "q");
  if (filter.text.size() > kMostSearched) return fail_field("q", "'q' is too long");
  filter.failed = http::query_value(query, "failed") == "1";
  filter.origin = http::query_value(query, "origin");
  if (!filter.origin.empty()) {
    if (Result<chat::Origin> known = chat::parse_origin(filter.origin); !known) {
      return std::unexpected(std::move(known.error()));
    }
  }
  if (const std::string lane = http::query_value(query, "lane"); !lane.empty()) {
    if (lane != "local" && lane != "cloud") {
      return fail_field("lane", "'lane' must be local or cloud");
    }
    filter.lane = lane == "local" ? chat::Lane::kLocal : chat::Lane::kCloud;
  }
  if (const std::string limit = http::query_value(query, "limit"); !limit.empty()) {
    if (!read_number(limit, filter.limit) || filter.limit > ledger::kMostOnAPage) {
      return fail_field("limit",
                        fmt::format("'limit' must be between 1 and {}", ledger::kMostOnAPage));
    }
  }
  if (Result<> read = read_cursor(http::query_value(query, "after"), filter); !read) {
    return std::unexpected(std::move(read.error()));
  }
  return filter;
}

std::string cursor_text(const ledger::RequestCursor& cursor) {
  return fmt::format("{}.{}", cursor.at_ms, cursor.id);
}

}  // namespace minimill::api
