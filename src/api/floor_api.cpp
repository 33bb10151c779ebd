#include "api/floor_api.h"

#include <fmt/format.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): getloadavg is POSIX's

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <thread>
#include <utility>

#include "api/json_response.h"
#include "api/overview.h"
#include "api/request_summary.h"
#include "base/rfc3339.h"
#include "models/memory.h"
#include "protocol/utf8.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

constexpr int kOk = 200;
constexpr std::size_t kShownWaiting = 24;  // in each lane; the number of all is told beside
constexpr std::size_t kShownRunning = 64;
constexpr std::size_t kMostAtOnce = 256;  // ended requests in one write
constexpr std::int64_t kDefaultDays = 30;

constexpr std::array kLanes{chat::Lane::kLocal, chat::Lane::kCloud};

json::string shown(std::string_view text) { return json::string(protocol::valid_utf8(text)); }

json::object machine_json() {
  double load = 0;
  json::object machine{{"processors", std::thread::hardware_concurrency()},
                       {"memory_available", models::available_memory()}};
  machine["load"] = ::getloadavg(&load, 1) == 1 ? json::value(load) : json::value(nullptr);
  return machine;
}

Result<std::int64_t> days_in(std::string_view query) {
  const std::string text = http::query_value(query, "days");
  if (text.empty()) return kDefaultDays;
  std::int64_t days = 0;
  const char* last = text.data() + text.size();
  const auto [end, ec] = std::from_chars(text.data(), last, days);
  if (ec == std::errc{} && end == last && days >= 1 && days <= FloorApi::kMostDays) return days;
  return fail_field("days", fmt::format("'days' must be between 1 and {}", FloorApi::kMostDays));
}

}  // namespace

FloorApi::FloorApi(const Clock& clock, floor::Floor& floor, const lane::Lanes& lanes,
                   const serve::Engines& engines, const route::Router& router,
                   ledger::Ledger& ledger, async::BlockingPool& offload)
    : clock_(clock),
      floor_(floor),
      lanes_(lanes),
      engines_(engines),
      router_(router),
      ledger_(ledger),
      offload_(offload),
      boot_(fmt::format("{:x}", unix_ms(clock.wall()))) {}

void FloorApi::add_to(Routes& routes) {
  using http::Request;
  using http::Responder;
  routes.add("GET", "/minimill/v1/floor", {"Who waits and who runs in the lanes", Who::kOwner},
             [this](Request&, Responder& out, const PathParts&) { return show(out); });
  routes.add(
      "GET", "/minimill/v1/events", {"The same as it changes, as server-sent events", Who::kOwner},
      [this](Request& request, Responder& out, const PathParts&) { return events(request, out); });
  routes.add("GET", "/minimill/v1/overview",
             {"What was asked, proved, spent and saved in the last days", Who::kOwner},
             [this](Request& request, Responder& out, const PathParts&) {
               return overview(request, out);
             });
  routes.add("GET", "/minimill/v1/requests",
             {"Requests, a page at a time, newest first", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts&) {
               return requests(request, out);
             });
}

json::object FloorApi::under_way_json(const floor::UnderWay& each) const {
  std::string_view phase = "queued";
  if (each.first_token) {
    phase = "writing";
  } else if (each.began) {
    phase = each.stream ? "reading" : "answering";
    for (const engine::EngineStatus& engine : engines_.statuses()) {
      const bool starting = engine.state == engine::EngineState::kStarting;
      if (each.lane == chat::Lane::kLocal && engine.name == each.model && starting) {
        phase = "loading";
      }
    }
  }
  json::object running{{"id", each.id.value},
                       {"app", shown(each.app)},
                       {"task", shown(each.task.value)},
                       {"run", shown(each.run.value)},
                       {"title", shown(protocol::utf8_prefix(each.title, kShownTitle))},
                       {"origin", chat::name(each.origin)},
                       {"operation", shown(each.operation)},
                       {"model", shown(each.model)},
                       {"backend", shown(each.backend)},
                       {"phase", phase},
                       {"p_local_ok", each.p_local_ok},
                       {"attempt", each.attempt},
                       {"since_ms", unix_ms(each.began.value_or(each.decided))},
                       {"tokens", each.tokens}};
  const Millis writing = each.first_token ? each.last_token - *each.first_token : Millis{0};
  running["tokens_per_second"] = writing.count() > 0
                                     ? json::value(static_cast<double>(each.tokens - 1) * 1000 /
                                                   static_cast<double>(writing.count()))
                                     : json::value(nullptr);
  return running;
}

json::object FloorApi::lane_json(chat::Lane lane) const {
  json::array running;
  for (const auto& [id, each] : floor_.under_way()) {
    if (each.lane != lane || !each.began || running.size() == kShownRunning) continue;
    running.push_back(under_way_json(each));
  }
  json::array waiting;
  const std::int64_t now_ms = unix_ms(clock_.wall());
  for (const lane::Scheduler::Waiter& waiter : lanes_.waiters(lane, kShownWaiting)) {
    const lane::About& about = waiter.job.about;
    waiting.push_back({{"app", shown(waiter.job.app)},
                       {"task", shown(about.task)},
                       {"run", shown(about.run)},
                       {"title", shown(about.title)},
                       {"operation", shown(about.operation)},
                       {"interactive", waiter.job.priority == lane::Priority::kInteractive},
                       {"since_ms", now_ms - static_cast<std::int64_t>(waiter.waited_s * 1000)}});
  }
  return {{"lane", chat::name(lane)},
          {"slots", lanes_.slots(lane)},
          {"running", lanes_.running(lane)},
          {"waiting", lanes_.waiting(lane)},
          {"expected_wait_s", lanes_.expected_wait_s(lane, lane::Priority::kInteractive)},
          {"requests", std::move(running)},
          {"queue", std::move(waiting)}};
}

json::object FloorApi::floor_json() const {
  json::array lanes;
  for (const chat::Lane lane : kLanes) lanes.push_back(lane_json(lane));
  json::array engines;
  for (const engine::EngineStatus& status : engines_.statuses()) {
    engines.push_back({{"model", shown(status.name)},
                       {"state", engine::name(status.state)},
                       {"in_flight", status.in_flight},
                       {"restarts", status.restarts},
                       {"error", shown(status.error)}});
  }
  return {{"now_ms", unix_ms(clock_.wall())},
          {"lanes", std::move(lanes)},
          {"engines", std::move(engines)},
          {"machine", machine_json()}};
}

asio::awaitable<void> FloorApi::show(http::Responder& out) {
  const json::value answer = floor_json();
  co_await send_json(kOk, answer, out);
}

std::string FloorApi::lanes_signature() const {
  std::string signature;
  for (const chat::Lane lane : kLanes) {
    signature +=
        fmt::format("{}/{}/{} ", lanes_.waiting(lane), lanes_.running(lane), lanes_.slots(lane));
  }
  for (const engine::EngineStatus& status : engines_.statuses()) {
    signature += fmt::format("{} ", static_cast<int>(status.state));
  }
  return signature;
}

std::shared_ptr<const std::string> FloorApi::frame() {
  std::string lanes = lanes_signature();
  if (!frame_ || frame_version_ != floor_.version() || frame_lanes_ != lanes) {
    frame_version_ = floor_.version();
    frame_lanes_ = std::move(lanes);
    frame_ = std::make_shared<const std::string>(
        "event: floor\ndata: " + json::serialize(floor_json()) + "\n\n");
  }
  return frame_;
}

std::string FloorApi::ended_events(std::uint64_t& after) const {
  std::string events;
  const std::deque<floor::Ended>& ended = floor_.ended();
  if (!ended.empty() && ended.front().number > after + 1) {
    after = floor_.last_number();
    return fmt::format("id: {}-{}\nevent: gap\ndata: {{}}\n\n", boot_, after);
  }
  std::size_t taken = 0;
  const std::uint64_t behind = floor_.last_number() - after;
  for (auto each = ended.end() - static_cast<std::ptrdiff_t>(behind);
       each != ended.end() && taken < kMostAtOnce; ++each, ++taken) {
    after = each->number;
    events += fmt::format("id: {}-{}\nevent: ended\ndata: {}\n\n", boot_, after,
                          json::serialize(request_summary_json(each->record, {})));
  }
  return events;
}

asio::awaitable<void> FloorApi::events(http::Request& request, http::Responder& out) {
  if (watching_ >= kMostWatching) {
    const Error full =
        fail(ErrorCode::kUnavailable, "too many pages are watching", "close some of them").error();
    co_await send_json_error(full, out);
    co_return;
  }
  struct Watching {
    int& count;
    explicit Watching(int& of) : count(of) { ++count; }
    ~Watching() { --count; }
  };
  const Watching watching(watching_);
  // Where another daemon had numbered it, or nothing is said, there is nothing to resume.
  std::uint64_t after = floor_.last_number();
  const std::string_view last = request.headers.get("last-event-id");
  if (const std::string prefix = boot_ + "-"; last.starts_with(prefix)) {
    std::uint64_t number = 0;
    const std::string_view digits = last.substr(prefix.size());
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (ec == std::errc{}) after = std::min(after, number);
  }
  http::Headers headers{{"content-type", "text/event-stream"}, {"cache-control", "no-store"}};
  Result<> sent = co_await out.start(kOk, std::move(headers));
  std::string news = fmt::format(
      "retry: 500\nid: {}-{}\nevent: hello\ndata: {{\"boot\": \"{}\"}}\n\n", boot_, after, boot_);
  std::shared_ptr<const std::string> shown;
  asio::steady_timer pace(co_await asio::this_coro::executor);
  constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
  SteadyTime spoke = clock_.steady();
  while (sent && !floor_.closed()) {
    news += ended_events(after);
    std::shared_ptr<const std::string> now = frame();
    if (now != shown) news += *now;
    shown = std::move(now);
    if (news.empty() && clock_.steady() - spoke >= kHeartbeat) news = ": still here\n\n";
    if (news.empty()) {
      co_await floor_.changed().wait_for(kLanesEvery);
    } else {
      sent = co_await out.write(news);
      news.clear();
      spoke = clock_.steady();
      pace.expires_after(kPace);
      co_await pace.async_wait(kToken);
    }
    if (co_await async::cancelled()) co_return;
  }
  if (sent) co_await out.finish();
}

asio::awaitable<void> FloorApi::overview(http::Request& request, http::Responder& out) {
  const Result<std::int64_t> days = days_in(request.query);
  if (!days) {
    co_await send_json_error(days.error(), out);
    co_return;
  }
  const WallTime until =
      std::chrono::floor<std::chrono::days>(clock_.wall()) + std::chrono::days{1};
  const Span span{.since = until - std::chrono::days{*days}, .until = until};
  const std::vector<route::BoundStatus> bounds = router_.bounds();
  std::function<Result<json::value>()> query = [this, &span, &bounds]() -> Result<json::value> {
    Result<std::vector<ledger::FiguresRow>> rows = ledger_.figures(span.since, span.until);
    if (!rows) return std::unexpected(std::move(rows.error()));
    return overview_json(span, *rows, bounds);
  };
  Result<json::value> made = co_await offload_.run<Result<json::value>>(std::move(query));
  if (made) {
    co_await send_json(kOk, *made, out);
  } else {
    co_await send_json_error(made.error(), out);
  }
}

asio::awaitable<void> FloorApi::requests(http::Request& request, http::Responder& out) {
  Result<ledger::RequestFilter> filter = read_request_filter(request.query);
  if (!filter) {
    co_await send_json_error(filter.error(), out);
    co_return;
  }
  if (!request.is_owner) filter->app = request.principal;
  std::function<Result<json::value>()> query = [this, &filter]() -> Result<json::value> {
    Result<ledger::RequestPage> page = ledger_.page(*filter);
    if (!page) return std::unexpected(std::move(page.error()));
    json::array listed;
    for (const ledger::RequestRecord& record : page->requests) {
      Result<std::vector<ledger::Outcome>> outcomes = ledger_.outcomes(record.id);
      if (!outcomes) return std::unexpected(std::move(outcomes.error()));
      listed.push_back(request_summary_json(record, *outcomes));
    }
    json::object shown{{"requests", std::move(listed)}};
    shown["next"] = page->next ? json::value(cursor_text(*page->next)) : json::value(nullptr);
    return shown;
  };
  Result<json::value> made = co_await offload_.run<Result<json::value>>(std::move(query));
  if (made) {
    co_await send_json(kOk, *made, out);
  } else {
    co_await send_json_error(made.error(), out);
  }
}

}  // namespace minimill::api
