#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "cli/command.h"
#include "cli/overview_table.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "config/data_folder.h"

namespace minimill::cli {
namespace {

constexpr int kEvery_ms = 1000;
constexpr std::size_t kShownWaiting = 6;
constexpr std::size_t kShownDone = 8;
constexpr std::string_view kClear = "\x1b[H\x1b[2J\x1b[3J";

struct TopFlags {
  bool once = false;
  bool as_json = false;
};

struct Seen {
  json::object floor;
  json::object overview;
  json::object newest;  // a page of requests
};

std::string_view text(const json::object& object, std::string_view key) {
  return object.at(key).as_string();
}

/// What strangers wrote must not command the terminal.
std::string printable(std::string_view text) {
  std::string safe(text);
  std::ranges::replace_if(
      safe, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
  return safe;
}

std::string subject(const json::object& each) {
  const std::string_view title = each.contains("title") ? text(each, "title") : "";
  const std::string_view operation = text(each, "operation");
  return printable(!title.empty() ? title : !operation.empty() ? operation : "something new");
}

/// As it comes, digit for digit.
int print_json(ApiClient& api) {
  std::string out = "{";
  for (const auto& [name, path] : {std::pair{"floor", "/minimill/v1/floor"},
                                   std::pair{"overview", "/minimill/v1/overview?days=30"}}) {
    Result<std::string> text = api.get_text(path);
    if (!text) return report_error(text.error());
    while (text->ends_with('\n')) text->pop_back();
    out += fmt::format("{}\"{}\":{}", out.size() > 1 ? "," : "", name, *text);
  }
  fmt::print("{}}}\n", out);
  return kExitOk;
}

Result<Seen> look(ApiClient& api) {
  Result<json::object> floor = api.get("/minimill/v1/floor");
  if (!floor) return std::unexpected(std::move(floor.error()));
  Result<json::object> overview = api.get("/minimill/v1/overview?days=30");
  if (!overview) return std::unexpected(std::move(overview.error()));
  Result<json::object> newest = api.get(fmt::format("/minimill/v1/requests?limit={}", kShownDone));
  if (!newest) return std::unexpected(std::move(newest.error()));
  return Seen{std::move(*floor), std::move(*overview), std::move(*newest)};
}

void add_lane(std::string& out, const json::object& lane, std::int64_t now_ms) {
  const auto line = std::back_inserter(out);
  const auto age = [now_ms](const json::object& each) {
    const auto since_ms = each.at("since_ms").to_number<std::int64_t>();
    return ms_text(static_cast<double>(std::max<std::int64_t>(0, now_ms - since_ms)));
  };
  const std::string name(text(lane, "lane"));
  fmt::format_to(line, "\n{}  {} of {} at work, {} waiting, next in {:.1f} s\n",
                 colored(stdout, name == "local" ? Color::kYellow : Color::kBlue, name),
                 lane.at("running").to_number<int>(), lane.at("slots").to_number<int>(),
                 lane.at("waiting").to_number<std::int64_t>(),
                 lane.at("expected_wait_s").to_number<double>());
  for (const json::value& value : lane.at("requests").as_array()) {
    const json::object& each = value.as_object();
    const json::value& speed = each.at("tokens_per_second");
    fmt::format_to(line, "  > {:<34.34} {:<16.16} {:<10} {:>9} {}\n", subject(each),
                   printable(text(each, "app")), text(each, "phase"), age(each),
                   speed.is_null() ? std::string{}
                                   : fmt::format("{:.0f} tokens/s", speed.to_number<double>()));
  }
  std::size_t shown = 0;
  for (const json::value& value : lane.at("queue").as_array()) {
    if (++shown > kShownWaiting) break;
    const json::object& each = value.as_object();
    fmt::format_to(line, "  . {:<34.34} {:<16.16} {:<10} {:>9}\n", subject(each),
                   printable(text(each, "app")), "waiting", age(each));
  }
}

std::string drawn(const Seen& seen) {
  const json::object& all = seen.overview.at("all").as_object();
  const json::object& money = all.at("money").as_object();
  std::string out = fmt::format(
      "minimill, the last 30 days: {} on the device, {} of checks passed, spent {}, saved {}\n",
      percent_text(all.at("share_local").as_object().at("share")),
      percent_text(all.at("checks").as_object().at("share")),
      usd_text(money.at("spent_usd").to_number<double>()),
      usd_text(money.at("saved_usd").to_number<double>()));
  const auto now_ms = seen.floor.at("now_ms").to_number<std::int64_t>();
  for (const json::value& lane : seen.floor.at("lanes").as_array()) {
    add_lane(out, lane.as_object(), now_ms);
  }
  const auto line = std::back_inserter(out);
  fmt::format_to(line, "\ndone\n");
  for (const json::value& value : seen.newest.at("requests").as_array()) {
    const json::object& each = value.as_object();
    const json::value& good = each.at("good");
    fmt::format_to(line, "    {:<34.34} {:<6} {:<18.18} {:>9}  {}\n", subject(each),
                   text(each, "lane"), printable(text(each, "model")),
                   ms_text(each.at("duration_ms").to_number<double>()),
                   good.is_null()   ? ""
                   : good.as_bool() ? "right"
                                    : "wrong");
  }
  return out;
}

/// Waits a beat; false once somebody pressed q, or there is nobody to press anything.
bool go_on() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (::poll(&input, 1, kEvery_ms) <= 0) return true;
  char key = 0;
  return ::read(STDIN_FILENO, &key, 1) == 1 && key != 'q';
}

int top(const Context& context, const TopFlags& flags) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  const auto addresses = config::find_daemon(config->data_dir);
  if (!addresses || addresses->empty()) {
    return report_error({.code = ErrorCode::kUnavailable,
                         .message = "no daemon is running",
                         .hint = "start one: minimill serve",
                         .field = {},
                         .retry_after = {}});
  }
  ApiClient api(addresses->front());
  if (flags.as_json) return print_json(api);
  const bool once = flags.once || !is_terminal(stdout) || !is_terminal(stdin);
  while (true) {
    Result<Seen> seen = look(api);
    if (!seen) return report_error(seen.error());
    fmt::print("{}{}", once ? "" : kClear, drawn(*seen));
    if (!once) fmt::print("\n{}\n", colored(stdout, Color::kDim, "q and Enter: leave"));
    std::fflush(stdout);
    if (once || !go_on()) return kExitOk;
  }
}

}  // namespace

void add_top(CLI::App& app, Context& context) {
  auto flags = std::make_shared<TopFlags>();
  CLI::App* command = app.add_subcommand("top", "The mill floor in a terminal, as it changes");
  command->add_flag("--once", flags->once, "Show it once and leave");
  command->add_flag("--json", flags->as_json, "Print JSON, once");
  command->footer(
      "Examples:\n"
      "  minimill top\n"
      "  minimill top --json | jq '.floor.lanes[].waiting'");
  run_on_choice(command, context, flags, top);
}

}  // namespace minimill::cli
