#include "daemon/distill_api.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "api/json_response.h"
#include "base/json.h"
#include "base/rfc3339.h"

namespace minimill::daemon {
namespace {

using api::PathParts;
using api::send_json;
using api::send_json_error;
using api::Who;

constexpr int kOk = 200;
constexpr std::string_view kOwnersTasks = "tasks";  // who asks for the tasks of the owner's
constexpr std::size_t kListed = 50;
constexpr std::size_t kMostListed = 10'000;
constexpr std::int64_t kMostDays = 3'650;
constexpr std::int64_t kMost_s = kMostDays * 86'400;

json::object to_json(const distill::Skill& skill) {
  return {{"app", skill.app},
          {"operation", skill.operation},
          {"state", skill.state},
          {"form", skill.form},
          {"examples", skill.examples},
          {"predictions", skill.predictions},
          {"share_right", skill.share_right},
          {"bar", skill.bar <= 1 ? json::value(skill.bar) : json::value(nullptr)},
          {"missing", skill.missing},
          {"answered", skill.answered},
          {"right", skill.right},
          {"wrong", skill.wrong}};
}

json::object to_json(const distill::Trace& trace) {
  return parse_json_object(distill::to_json_line(trace)).value_or(json::object{});
}

/// Whose it is, and how long: not what was asked.
json::object summary_of(const distill::Trace& trace) {
  json::object shown = to_json(trace);
  shown.erase("request");
  shown.erase("answer");
  shown.erase("decision");
  shown["at"] = rfc3339(trace.at);
  shown["bytes"] = trace.request.size() + trace.answer.size();
  return shown;
}

std::string app_in(std::string_view query) {
  std::string app = http::query_value(query, "app");
  return app.empty() ? std::string(kOwnersTasks) : app;
}

Result<std::size_t> limit_in(std::string_view query) {
  const std::string text = http::query_value(query, "limit");
  if (text.empty()) return kListed;
  std::size_t limit = 0;
  const char* last = text.data() + text.size();
  const auto [end, ec] = std::from_chars(text.data(), last, limit);
  if (ec == std::errc{} && end == last && limit <= kMostListed) return limit;
  return fail_field("limit", fmt::format("'limit' must be between 0 and {}", kMostListed));
}

Result<std::pair<std::string, distill::KeepRule>> rule_of(const std::string& body) {
  using What = distill::KeepRule::What;
  Result<json::object> parsed = parse_json_object(body);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  Fields fields(*parsed);
  std::string app = fields.required_string("app");
  const std::string what = fields.required_string("what");
  distill::KeepRule rule;
  rule.age =
      std::chrono::days{fields.optional_integer("days", 1, kMostDays).value_or(rule.age.count())};
  rule.local_only = fields.bool_or("local_only", false);
  if (what == "all") {
    rule.what = What::kAll;
  } else if (what == "nothing") {
    rule.what = What::kNothing;
  } else if (what != "tasks") {
    fields.reject("what", "'what' must be all, tasks or nothing");
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return std::pair{std::move(app), rule};
}

}  // namespace

void DistillApi::add_to(api::Routes& routes) {
  using http::Request;
  using http::Responder;
  routes.add("GET", "/minimill/v1/skills",
             {"What was learnt of each operation from the cloud's answers", Who::kOwner},
             [this](Request&, Responder& out, const PathParts&) { return list_skills(out); });
  routes.add("GET", "/minimill/v1/skills/{operation}",
             {"What was learnt of one operation, and what became of it", Who::kOwner},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return show_skill(request, out, parts[0]);
             });
  routes.add("POST", "/minimill/v1/skills/{operation}/pin",
             {"Keeps an operation's micro-model from answering, or lets it again", Who::kOwner},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return pin(request, out, parts[0]);
             });
  routes.add("GET", "/minimill/v1/traces",
             {"Lists what is kept to be learnt from, and by which rules", Who::kOwner},
             [this](Request& request, Responder& out, const PathParts&) {
               return list_traces(request, out);
             });
  routes.add("GET", "/minimill/v1/traces/{id}", {"One trace, whole", Who::kOwner},
             [this](Request&, Responder& out, const PathParts& parts) {
               return show_trace(out, parts[0]);
             });
  routes.add(
      "POST", "/minimill/v1/traces/purge",
      {"Purges traces, and what was learnt from them", Who::kOwner},
      [this](Request& request, Responder& out, const PathParts&) { return purge(request, out); });
  routes.add(
      "POST", "/minimill/v1/traces/keep", {"Says what is kept of an app's traffic", Who::kOwner},
      [this](Request& request, Responder& out, const PathParts&) { return keep(request, out); });
}

asio::awaitable<void> DistillApi::list_skills(http::Responder& out) {
  json::array skills;
  for (const distill::Skill& skill : ladder_.skills()) skills.push_back(to_json(skill));
  json::array missed;
  for (const distill::Missed& each : ladder_.missed()) {
    missed.push_back({{"app", each.app}, {"operation", each.operation}, {"answers", each.answers}});
  }
  json::object shown;
  shown["skills"] = std::move(skills);
  shown["not_kept"] = std::move(missed);
  const json::value answer = std::move(shown);
  co_await send_json(kOk, answer, out);
}

asio::awaitable<void> DistillApi::show_skill(http::Request& request, http::Responder& out,
                                             std::string operation) {
  Result<distill::Skill> skill = ladder_.skill(app_in(request.query), operation);
  if (!skill) {
    co_await send_json_error(skill.error(), out);
    co_return;
  }
  json::object shown = to_json(*skill);
  shown["templates"] = json::array(skill->templates.begin(), skill->templates.end());
  json::array log;
  for (const distill::SkillEvent& event : skill->log) {
    log.push_back({{"at", rfc3339(event.at)}, {"text", event.text}});
  }
  shown["log"] = std::move(log);
  const json::value answer = std::move(shown);
  co_await send_json(kOk, answer, out);
}

asio::awaitable<void> DistillApi::pin(http::Request& request, http::Responder& out,
                                      std::string operation) {
  Result<json::object> body = parse_json_object(request.body.empty() ? "{}" : request.body);
  if (!body) {
    co_await send_json_error(body.error(), out);
    co_return;
  }
  Fields fields(*body);
  std::string app = fields.string_or("app", kOwnersTasks);
  const std::string to = fields.required_string("to");
  if (to != "cloud" && to != "auto") fields.reject("to", "'to' must be cloud or auto");
  if (!fields.ok()) {
    co_await send_json_error(fields.error(), out);
    co_return;
  }
  const Result<> pinned = co_await ladder_.pin(std::move(app), std::move(operation), to == "cloud");
  if (!pinned) {
    co_await send_json_error(pinned.error(), out);
    co_return;
  }
  json::object shown;
  shown["pinned"] = to == "cloud";
  const json::value answer = std::move(shown);
  co_await send_json(kOk, answer, out);
}

asio::awaitable<void> DistillApi::list_traces(http::Request& request, http::Responder& out) {
  const Result<std::size_t> limit = limit_in(request.query);
  if (!limit) {
    co_await send_json_error(limit.error(), out);
    co_return;
  }
  distill::TraceFilter filter;
  filter.app = http::query_value(request.query, "app");
  filter.operation = http::query_value(request.query, "operation");
  const Result<std::vector<distill::Trace>> traces =
      co_await ladder_.traces(std::move(filter), *limit);
  if (!traces) {
    co_await send_json_error(traces.error(), out);
    co_return;
  }
  if (http::query_value(request.query, "format") == "jsonl") {
    std::string lines;
    for (const distill::Trace& trace : *traces) lines += distill::to_json_line(trace) + "\n";
    http::Headers headers{{"content-type", "application/jsonl"}};
    co_await out.send(kOk, std::move(headers), std::move(lines));
    co_return;
  }
  json::array listed;
  for (const distill::Trace& trace : *traces) listed.push_back(summary_of(trace));
  json::array rules;
  for (const auto& [app, rule] : ladder_.rules()) {
    rules.push_back({{"app", app},
                     {"what", distill::name(rule.what)},
                     {"days", rule.age.count()},
                     {"local_only", rule.local_only}});
  }
  json::object shown;
  shown["traces"] = std::move(listed);
  shown["rules"] = std::move(rules);
  const json::value answer = std::move(shown);
  co_await send_json(kOk, answer, out);
}

asio::awaitable<void> DistillApi::show_trace(http::Responder& out, std::string id) {
  distill::TraceFilter filter;
  filter.id = id;
  Result<std::vector<distill::Trace>> found = co_await ladder_.traces(std::move(filter), 1);
  if (found && found->empty()) {
    found = fail(ErrorCode::kNotFound, fmt::format("no trace of '{}' is kept", id),
                 "minimill trace list shows what there is");
  }
  if (!found) {
    co_await send_json_error(found.error(), out);
    co_return;
  }
  json::object shown = to_json(found->front());
  shown["at"] = rfc3339(found->front().at);
  const json::value answer = std::move(shown);
  co_await send_json(kOk, answer, out);
}

Result<distill::TraceFilter> DistillApi::filter_of(const std::string& body) const {
  Result<json::object> parsed = parse_json_object(body.empty() ? "{}" : body);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  Fields fields(*parsed);
  distill::TraceFilter filter;
  filter.id = fields.string_or("id", "");
  filter.app = fields.string_or("app", "");
  filter.operation = fields.string_or("operation", "");
  const std::optional<std::int64_t> older_s = fields.optional_integer("older_s", 0, kMost_s);
  if (older_s) filter.before = clock_.wall() - std::chrono::seconds{*older_s};
  const bool all = fields.bool_or("all", false);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  const bool some =
      !filter.id.empty() || !filter.app.empty() || !filter.operation.empty() || older_s;
  if (some || all) return filter;
  return fail(ErrorCode::kInvalidArgument, "which traces?",
              "name an id, an app, an operation or an age, or say 'all'");
}

asio::awaitable<void> DistillApi::purge(http::Request& request, http::Responder& out) {
  Result<distill::TraceFilter> filter = filter_of(request.body);
  if (!filter) {
    co_await send_json_error(filter.error(), out);
    co_return;
  }
  const Result<std::size_t> purged = co_await ladder_.purge(std::move(*filter));
  if (!purged) {
    co_await send_json_error(purged.error(), out);
    co_return;
  }
  json::object shown;
  shown["purged"] = *purged;
  const json::value answer = std::move(shown);
  co_await send_json(kOk, answer, out);
}

asio::awaitable<void> DistillApi::keep(http::Request& request, http::Responder& out) {
  Result<std::pair<std::string, distill::KeepRule>> rule = rule_of(request.body);
  if (!rule) {
    co_await send_json_error(rule.error(), out);
    co_return;
  }
  const Result<> kept = co_await ladder_.keep(std::move(rule->first), rule->second);
  if (!kept) {
    co_await send_json_error(kept.error(), out);
    co_return;
  }
  json::object shown;
  shown["kept"] = distill::name(rule->second.what);
  shown["days"] = rule->second.age.count();
  const json::value answer = std::move(shown);
  co_await send_json(kOk, answer, out);
}

}  // namespace minimill::daemon
