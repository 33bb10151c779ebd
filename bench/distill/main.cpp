// Distillation, measured on the shared data (`make bench-distill`): a week of tasks lived day by
// day with a teacher that is right in 0.95, Banking77 in five folds, the learning curve of
// bookings, templates and lists of answers never seen, and what all of it takes.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "distill/learner.h"
#include "distill/micro_model.h"
#include "distill/shuffler.h"

namespace minimill::bench {
namespace {

namespace json = boost::json;
using distill::Example;
using distill::MicroModel;
using distill::OperationLearner;

/// Of this process: what it takes, whatever else the machine does.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + (static_cast<double>(time.tv_nsec) * 1e-9);
}
double seconds_since(double start) { return cpu_seconds() - start; }

std::vector<json::object> read_lines(const std::string& path) {
  std::ifstream in(path);
  if (!in) {
    fmt::print("cannot open {}: set MINIMILL_DATA to the folder of the shared data\n", path);
    std::exit(2);
  }
  std::vector<json::object> rows;
  for (std::string line; std::getline(in, line);) rows.push_back(json::parse(line).as_object());
  return rows;
}

std::string text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

std::string lower_trimmed(std::string_view from) {
  std::string out;
  for (const char c : from) out += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  const std::size_t first = out.find_first_not_of(" \n\t");
  return first == std::string::npos ? ""
                                    : out.substr(first, out.find_last_not_of(" \n\t") + 1 - first);
}

/// The checks of the week's tasks.
bool passes(const json::object& check, std::string_view answer) {
  const std::string type = text(check.at("type"));
  const json::value& value = check.at("value");
  if (type == "equals") return lower_trimmed(answer) == lower_trimmed(text(value));
  if (type == "final_number") return answer == "Answer: " + text(value);
  boost::system::error_code error;
  const json::value got = json::parse(answer, error);
  return !error && got == value;
}

std::string gold(const json::object& check) {
  const json::value& value = check.at("value");
  return check.at("type") == "final_number" ? "Answer: " + text(value) : text(value);
}

std::string wrong(const json::object& check) {
  if (check.at("type") == "equals") return "none of these";
  if (check.at("type") == "final_number") return gold(check) + "1";
  json::object altered = check.at("value").as_object();
  if (altered.empty()) return R"({"unexpected":true})";
  altered.begin()->value() = "something else";
  return json::serialize(altered);
}

struct Day {
  int tasks = 0;
  int local = 0;
  int tried = 0;  // and the check sent them on to the cloud
  int passed = 0;
  int cloud_passed = 0;
};

/// One learner an operation, each task lived as the daemon would.
void live_week(const std::vector<json::object>& tasks, bool checked, double teacher_right) {
  std::map<std::string, OperationLearner> learners;
  std::map<std::int64_t, Day> days;
  std::map<std::int64_t, std::map<std::string, std::pair<int, int>>> by_operation;
  distill::Shuffler random(7);
  double training = 0;
  double predicting = 0;
  int trainings = 0;
  for (const json::object& task : tasks) {
    const json::object& check = task.at("check").as_object();
    const std::string title = text(task.at("title"));
    const std::string request = title + "\n\n" + text(task.at("notes"));
    OperationLearner& learner = learners[title];
    Day& day = days[task.at("day").as_int64()];
    auto& counts = by_operation[task.at("day").as_int64()][title];
    ++day.tasks;
    ++counts.second;
    const bool teacher = static_cast<double>(random.below(1'000'000)) < teacher_right * 1e6;
    const std::string cloud = teacher ? gold(check) : wrong(check);
    day.cloud_passed += teacher ? 1 : 0;

    auto start = cpu_seconds();
    const OperationLearner::Verdict verdict = learner.predict(request, checked);
    predicting += seconds_since(start);
    const bool right = verdict.answer && passes(check, *verdict.answer);
    const OperationLearner::Judge judge = [&check](std::string_view a) { return passes(check, a); };
    std::string answer = cloud;
    bool good = teacher;
    if (verdict.answer && (right || !checked)) {
      ++day.local;
      ++counts.first;
      answer = *verdict.answer;
      good = right;
    } else if (verdict.answer) {
      ++day.tried;
    }
    day.passed += good ? 1 : 0;
    if (!verdict.answer || checked) {
      learner.learn({.request = request,
                     .answer = answer,
                     .teacher = !checked ? distill::Teacher::kUnknown
                                : good   ? distill::Teacher::kRight
                                         : distill::Teacher::kWrong},
                    checked ? &judge : nullptr);
    }
    if (learner.due()) {
      start = cpu_seconds();
      learner.adopt(OperationLearner::train(learner.training_set()));
      training += seconds_since(start);
      ++trainings;
    }
  }
  fmt::print("\nweek.jsonl, teacher right in {:.2f}, {}:\n", teacher_right,
             checked ? "answers checked" : "no checks, promise: at most 5 % wrong");
  fmt::print("  day  tasks  local  tried in vain  right  cloud-only right\n");
  for (const auto& [number, day] : days) {
    const double all = day.tasks;
    fmt::print("  {:3}  {:5}  {:4.0f}%  {:12.0f}%  {:4.0f}%  {:15.0f}%   ", number, day.tasks,
               100 * day.local / all, 100 * day.tried / all, 100 * day.passed / all,
               100 * day.cloud_passed / all);
    for (const auto& [title, counts] : by_operation[number]) {
      fmt::print("{}: {}/{}  ", title.substr(0, title.find(' ', 5)), counts.first, counts.second);
    }
    fmt::print("\n");
  }
  fmt::print("  {} trainings, {:.2f} s each; {:.0f} µs a prediction\n", trainings,
             training / std::max(trainings, 1),
             predicting / static_cast<double>(tasks.size()) * 1e6);
}

struct Curve {
  double right = 0;
  double answered_at_97 = 0;  // the largest share of which 97 % are right
  double train_s = 0;
  double predict_us = 0;
  std::size_t bytes = 0;
};

bool same(std::string_view a, std::string_view b) {
  boost::system::error_code error;
  const json::value left = json::parse(a, error);
  if (error) return a == b;
  const json::value right = json::parse(b, error);
  return !error && left == right;
}

Curve measure(const std::vector<Example>& learnt, const std::vector<Example>& held) {
  Curve curve;
  std::vector<distill::Form::Seen> seen;
  for (const Example& each : learnt) seen.push_back({.text = each.text, .answer = each.answer});
  auto start = cpu_seconds();
  const auto form = distill::Form::fit(seen, {});
  if (!form) return curve;
  const Result<MicroModel> model = MicroModel::train(learnt, *form);
  if (!model) return curve;
  curve.train_s = seconds_since(start);
  curve.bytes = model->encode().size();
  std::vector<std::pair<double, bool>> all;
  start = cpu_seconds();
  std::vector<MicroModel::Prediction> predictions;
  for (const Example& each : held) predictions.push_back(model->predict(each.text));
  curve.predict_us = seconds_since(start) / static_cast<double>(held.size()) * 1e6;
  double right = 0;
  for (std::size_t i = 0; i < held.size(); ++i) {
    const bool ok = same(predictions[i].answer, held[i].answer);
    right += ok ? 1 : 0;
    all.emplace_back(predictions[i].p_right, ok);
  }
  const auto count = static_cast<double>(held.size());
  curve.right = right / count;
  std::ranges::sort(all, std::greater{});
  double good = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    good += all[i].second ? 1 : 0;
    const auto answered = static_cast<double>(i + 1);
    if (good >= 0.97 * answered) curve.answered_at_97 = answered / count;
  }
  return curve;
}

void print(std::string_view what, const Curve& curve) {
  fmt::print(
      "  {:24} right {:.3f}  answered at 97 % right {:.2f}  training {:6.2f} s  {:4.0f} µs  {:5} "
      "kB\n",
      what, curve.right, curve.answered_at_97, curve.train_s, curve.predict_us, curve.bytes / 1024);
}

void banking(const std::string& data) {
  std::vector<Example> all;
  for (const json::object& row : read_lines(data + "/distill/banking77-train.jsonl")) {
    all.push_back({.text = text(row.at("text")), .answer = text(row.at("label"))});
  }
  distill::Shuffler(3).shuffle(all);
  fmt::print("\nBanking77, five folds (to reach: .90, 10 s, 100 µs; .75 answered at 97 %):\n");
  Curve mean;
  constexpr int kFolds = 5;
  for (int fold = 0; fold < kFolds; ++fold) {
    std::vector<Example> learnt;
    std::vector<Example> held;
    for (std::size_t i = 0; i < all.size(); ++i) {
      (i % kFolds == static_cast<std::size_t>(fold) ? held : learnt).push_back(all[i]);
    }
    const Curve curve = measure(learnt, held);
    mean.right += curve.right / kFolds;
    mean.answered_at_97 += curve.answered_at_97 / kFolds;
    mean.train_s += curve.train_s / kFolds;
    mean.predict_us += curve.predict_us / kFolds;
    mean.bytes += curve.bytes / kFolds;
  }
  print("mean", mean);
}

void bookings(const std::string& data) {
  std::vector<Example> all;
  for (const json::object& row : read_lines(data + "/distill/restaurant8k-train.jsonl")) {
    all.push_back({.text = text(row.at("text")), .answer = text(row.at("slots"))});
  }
  distill::Shuffler(3).shuffle(all);
  fmt::print("\nBookings, exact (to reach: .70 from 200, .85 from 1,500; .45 and .70 at 97 %):\n");
  const std::vector<Example> held(all.begin(), all.begin() + 2000);
  for (const std::size_t count : {50U, 200U, 500U, 1500U, 4000U}) {
    const std::size_t repeats = count <= 200 ? 4 : 1;
    Curve mean;
    for (std::size_t i = 0; i < repeats; ++i) {
      const auto from = all.begin() + 2000 + static_cast<std::ptrdiff_t>(i * count);
      const Curve curve = measure({from, from + static_cast<std::ptrdiff_t>(count)}, held);
      const auto share = static_cast<double>(repeats);
      mean.right += curve.right / share;
      mean.answered_at_97 += curve.answered_at_97 / share;
      mean.train_s += curve.train_s / share;
      mean.predict_us += curve.predict_us / share;
      mean.bytes = curve.bytes;
    }
    print(fmt::format("{} examples", count), mean);
  }
}

/// Learners that have lived the week are asked what they have not seen.
void unseen(const std::string& data, const std::vector<json::object>& tasks) {
  std::map<std::string, OperationLearner> learners;
  for (const json::object& task : tasks) {
    const json::object& check = task.at("check").as_object();
    const OperationLearner::Judge judge = [&check](std::string_view a) { return passes(check, a); };
    learners[text(task.at("title"))].learn(
        {.request = text(task.at("title")) + "\n\n" + text(task.at("notes")),
         .answer = gold(check),
         .teacher = distill::Teacher::kRight},
        &judge);
  }
  for (auto& [title, learner] : learners) {
    learner.adopt(OperationLearner::train(learner.training_set()));
    for (int i = 0; i < 3; ++i) learner.adopt(OperationLearner::train(learner.training_set()));
  }
  // Proof is not what is looked at here: whatever has a candidate that is not novel counts.
  std::map<std::string, std::pair<int, int>> answered;
  const auto ask = [&](const std::string& kind, OperationLearner& learner,
                       const std::string& request) {
    const auto verdict = learner.predict(request, true);
    auto& counts = answered[kind];
    ++counts.second;
    const bool novel = verdict.reason == distill::Abstention::kNovelTemplate ||
                       verdict.reason == distill::Abstention::kNovelOptions ||
                       verdict.reason == distill::Abstention::kNovelText ||
                       verdict.reason == distill::Abstention::kNotLearnt;
    if (!novel) ++counts.first;
  };
  const auto replaced = [](std::string all, std::string_view what, std::string_view with) {
    const std::size_t at = all.find(what);
    if (at != std::string::npos) all.replace(at, what.size(), with);
    return all;
  };
  for (const json::object& task : tasks) {
    const std::string title = text(task.at("title"));
    OperationLearner& learner = learners[title];
    const std::string request = title + "\n\n" + text(task.at("notes"));
    ask("seen (for comparison)", learner, request);
    const std::size_t list = request.rfind("one of: ");
    if (list != std::string::npos) {
      ask("another list of answers", learner,
          request.substr(0, list) + "one of: refund, invoice, complaint, praise.");
      ask("one answer more", learner, replaced(request, "one of: ", "one of: other, "));
      ask("an answer less", learner, request.substr(0, request.rfind(',')) + ".");
      ask("the opposite", learner, replaced(request, "exactly one of", "which it is not, of"));
    }
    ask("another instruction", learner,
        "Summarise what follows in one sentence, in French.\n\n" + text(task.at("notes")));
    ask("an instruction more", learner, request + "\nAnswer in German.");
    ask("another wrapper", learner, "Ticket #17\n" + request + "\n--\nsent from my phone");
  }
  const json::object intents = json::parse([&] {
                                 std::ifstream in(data + "/intents/clinc150.json");
                                 return std::string(std::istreambuf_iterator<char>(in), {});
                               }())
                                   .as_object();
  OperationLearner& triage = learners["Triage this customer mail"];
  for (const json::value& row : intents.at("oos_val").as_array()) {
    const std::string said = text(row.as_array()[0]);
    ask("bare text", triage, said);
    ask("bare text with another question", triage,
        "From: customer\n\n" + said + "\n\nIs it urgent? Answer with exactly one of: yes, no.");
  }
  fmt::print("\nUnseen (to reach: at most 1 % answered):\n");
  for (const auto& [kind, counts] : answered) {
    fmt::print("  {:34} {:5.1f} % of {} not taken for novel\n", kind,
               100.0 * counts.first / counts.second, counts.second);
  }
}

}  // namespace
}  // namespace minimill::bench

int main(int argc, char** argv) {
  using namespace minimill::bench;
  const char* set = std::getenv("MINIMILL_DATA");
  const std::string data = set != nullptr ? set : "../shared/data";
  const std::string only = argc > 1 ? argv[1] : "";
  const auto tasks = read_lines(data + "/tasks/week.jsonl");
  if (only.empty() || only == "week") {
    live_week(tasks, true, 0.95);
    live_week(tasks, false, 0.95);
    live_week(tasks, false, 1.0);
  }
  if (only.empty() || only == "unseen") unseen(data, tasks);
  if (only.empty() || only == "banking") banking(data);
  if (only.empty() || only == "bookings") bookings(data);
}
