#include "cli/replay_source.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <random>
#include <unordered_map>

#include "base/json.h"
#include "replay/arrivals.h"

namespace minimill::cli {
namespace {

constexpr std::size_t kPage = 1000;
constexpr double kLongest_s = 86'400;

std::unexpected<Error> not_understood(std::string_view part) {
  return fail(
      ErrorCode::kInvalidArgument, fmt::format("--service: '{}' is not understood", part),
      "write measured, or local=7.4,cloud=43,hard=60 in seconds, with spread=none or seed=7");
}

Result<double> seconds_of(std::string_view part, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good =
      error == std::errc{} && end == text.data() + text.size() && value > 0 && value <= kLongest_s;
  if (!good) return not_understood(part);
  return value;
}

double number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// All tasks of a run, by id.
Result<std::unordered_map<std::string, json::object>> tasks_of(ApiClient& api,
                                                               const std::string& run) {
  std::unordered_map<std::string, json::object> tasks;
  for (std::size_t offset = 0;;) {
    Result<json::object> page =
        api.get(fmt::format("/minimill/v1/tasks?whole=true&run={}&limit={}&offset={}",
                            url_encoded(run), kPage, offset));
    if (!page) return std::unexpected(std::move(page.error()));
    json::array& listed = page->at("tasks").as_array();
    for (json::value& each : listed) {
      std::string id = text_of(each.as_object(), "id");
      tasks.emplace(std::move(id), std::move(each.as_object()));
    }
    if (!page->contains("next_offset")) return tasks;
    offset += listed.size();
  }
}

struct Estimated {
  double good_enough = 0;
  std::string operation;
};

Result<std::vector<Estimated>> estimates_of(ApiClient& api,
                                            const std::vector<tasks::TaskSpec>& tasks) {
  constexpr std::size_t kAtOnce = 500;
  std::vector<Estimated> estimates;
  for (std::size_t from = 0; from < tasks.size(); from += kAtOnce) {
    json::array examples;
    for (std::size_t i = from; i < std::min(from + kAtOnce, tasks.size()); ++i) {
      tasks::Task task;
      task.spec = tasks[i];
      examples.push_back(json::object{{"prompt", task.prompt()}});
    }
    const json::value asked = json::object{{"examples", std::move(examples)}};
    Result<json::object> answer = api.post("/minimill/v1/router/estimate", asked);
    if (!answer) return std::unexpected(std::move(answer.error()));
    for (const json::value& each : answer->at("estimates").as_array()) {
      estimates.push_back({.good_enough = number_of(each.as_object(), "good_enough"),
                           .operation = text_of(each.as_object(), "operation")});
    }
  }
  return estimates;
}

}  // namespace

Result<GivenTimes> parse_given_times(std::string_view text) {
  GivenTimes times;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const auto equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    if (name == "spread" && (value == "none" || value == "exponential")) {
      times.exponential = value == "exponential";
      continue;
    }
    Result<double> number = seconds_of(part, value);
    if (!number) return std::unexpected(std::move(number.error()));
    if (name == "local") {
      times.local_s = *number;
    } else if (name == "cloud") {
      times.cloud_s = *number;
    } else if (name == "hard") {
      times.hard_s = *number;
    } else if (name == "seed") {
      times.seed = static_cast<std::uint64_t>(std::llround(*number));
    } else {
      return not_understood(part);
    }
  }
  return times;
}

Result<std::optional<std::string>> newest_run_of(ApiClient& api, std::string_view name) {
  Result<json::object> runs = api.get("/minimill/v1/runs");
  if (!runs) return std::unexpected(std::move(runs.error()));
  for (const json::value& each : runs->at("runs").as_array()) {
    const json::object& run = each.as_object();
    if (text_of(run, "name") == name) return text_of(run, "run");
  }
  return std::nullopt;
}

Result<std::vector<replay::ReplayTask>> measured_tasks(ApiClient& api, const std::string& run,
                                                       const std::vector<tasks::TaskSpec>& tasks) {
  const auto measured = tasks_of(api, run);
  if (!measured) return std::unexpected(measured.error());
  const std::vector<double> arrivals = replay::arrival_seconds(tasks);
  std::vector<replay::ReplayTask> replayed;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto found = measured->find(tasks[i].id.value);
    if (found == measured->end() || text_of(found->second, "state") != "done") continue;
    const json::object& task = found->second;
    const double local_s = number_of(task, "local_s");
    const double cloud_s = number_of(task, "cloud_s");
    replay::ReplayTask& each = replayed.emplace_back();
    each.arrives_s = arrivals[i];
    each.operation = text_of(task, "operation");
    each.may_move = tasks[i].privacy != policy::Privacy::kLocalOnly;
    each.usd = number_of(task, "cost_usd");
    // What the device tried in vain is part of what the task took in the cloud's lane.
    each.lane = cloud_s > 0 ? chat::Lane::kCloud : chat::Lane::kLocal;
    each.took_s[chat::index(each.lane)] = local_s + cloud_s;
  }
  if (!replayed.empty()) return replayed;
  return fail(ErrorCode::kNotFound,
              fmt::format("the run '{}' has carried out none of these tasks", run),
              "`minimill report --list` lists the runs there are");
}

Result<std::vector<replay::ReplayTask>> given_tasks(ApiClient& api, const GivenTimes& times,
                                                    const config::RouterConfig& router,
                                                    const std::vector<tasks::TaskSpec>& tasks) {
  const Result<std::vector<Estimated>> estimates = estimates_of(api, tasks);
  if (!estimates) return std::unexpected(estimates.error());
  const std::vector<double> arrivals = replay::arrival_seconds(tasks);
  std::mt19937_64 random(times.seed);
  std::exponential_distribution<double> size(1);
  std::vector<replay::ReplayTask> replayed;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const bool local_only = tasks[i].privacy == policy::Privacy::kLocalOnly;
    const double bar = tasks[i].check.is_null() ? router.threshold : router.threshold_checked;
    const double drawn = times.exponential ? size(random) : 1;
    replay::ReplayTask& each = replayed.emplace_back();
    each.arrives_s = arrivals[i];
    each.operation = (*estimates)[i].operation;
    each.may_move = !local_only;
    if (local_only || (*estimates)[i].good_enough >= bar) {
      each.took_s = {times.local_s * drawn, times.cloud_s * drawn};
    } else {
      each.lane = chat::Lane::kCloud;
      each.took_s = {std::nullopt, times.hard_s * drawn};
    }
  }
  return replayed;
}

}  // namespace minimill::cli
