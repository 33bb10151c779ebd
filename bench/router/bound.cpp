#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <mutex>
#include <thread>

#include "route/nearest.h"
#include "route/text_model.h"
#include "sections.h"
#include "table.h"

namespace minimill::bench {
namespace {

constexpr int kDays = 30;
constexpr int kRequestsPerDay = 150;
constexpr double kAuditShare = 0.1;
constexpr double kMaxLoss = 0.05;
constexpr double kConfidence = 0.9;

struct Work {
  route::RouteInput input;
  std::string operation;
  bool local_ok = false;
  bool cloud_ok = false;
};

/// Operations with words of their own, some requests of each harder than others; how well the
/// device does an operation changes every few weeks, for better or worse, without notice.
class Traffic {
 public:
  explicit Traffic(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < kOperations; ++i) {
      Operation operation;
      for (int word = 0; word < kVocabulary; ++word) operation.words.push_back(made_up_word());
      operation.p_local = drawn_p();
      operations_.push_back(std::move(operation));
    }
    for (int word = 0; word < kVocabulary; ++word) common_.push_back(made_up_word());
  }

  void next_day() {
    for (Operation& operation : operations_) {
      if (random_.chance(kChangesPerDay)) operation.p_local = drawn_p();
    }
  }

  Work next() {
    const std::size_t which = random_.below(operations_.size());
    const Operation& operation = operations_[which];
    Work work;
    work.operation = fmt::format("operation-{}", static_cast<char>('a' + which));
    const bool hard = random_.chance(0.3);
    for (int i = 0; i < 16; ++i) {
      const std::vector<std::string>& from = i % 3 == 0 ? common_ : operation.words;
      work.input.text += from[random_.below(from.size())] + ' ';
    }
    if (hard) work.input.text += "justify the strategy";
    work.local_ok = random_.chance(std::max(0.0, operation.p_local - (hard ? 0.3 : 0)));
    work.cloud_ok = random_.chance(0.96);
    return work;
  }

 private:
  static constexpr int kOperations = 8;
  static constexpr int kVocabulary = 40;
  static constexpr double kChangesPerDay = 0.04;

  struct Operation {
    std::vector<std::string> words;
    double p_local = 0;
  };

  double drawn_p() { return 0.5 + 0.5 * std::sqrt(random_.uniform()); }
  std::string made_up_word() {
    std::string word;
    for (int i = 0; i < 6; ++i) word += static_cast<char>('a' + random_.below(26));
    return word;
  }

  Random random_;
  std::vector<Operation> operations_;
  std::vector<std::string> common_;
};

struct Result {
  double loss = 0;   // share of requests that lost something
  double local = 0;  // share that stayed
};

/// Decides, and is told of the audits.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual bool stays(const Work& work) = 0;
  virtual void audit(const Work& work) = 0;
};

class RouterPolicy final : public Policy {
 public:
  explicit RouterPolicy(route::RouterOptions options) : router_(std::move(options)) {}
  bool stays(const Work& work) override {
    return router_.decide(titled(work))->lane == chat::Lane::kLocal;
  }
  void audit(const Work& work) override {
    const route::RouteInput input = titled(work);
    router_.recognise(input);
    router_.audit(input, work.operation, work.cloud_ok && !work.local_ok);
    router_.learn(input, work.operation, work.local_ok);
    router_.learn_cloud(input, work.operation, work.cloud_ok);
  }

 private:
  static route::RouteInput titled(const Work& work) {
    route::RouteInput input = work.input;
    input.title = work.operation;
    return input;
  }
  route::Router router_;
};

/// The mean of the twenty audits that are most alike.
class NeighbourPolicy final : public Policy {
 public:
  explicit NeighbourPolicy(double bar) : bar_(bar) {}

  bool stays(const Work& work) override {
    if (std::ssize(audits_) < kNearest) return false;
    const route::Sketch sketch = sketch_of(work);
    std::vector<std::pair<float, bool>> alike;
    for (const auto& [other, good] : audits_)
      alike.emplace_back(route::cosine(sketch, other), good);
    std::ranges::partial_sort(alike, alike.begin() + kNearest, std::ranges::greater{});
    const auto good = std::count_if(alike.begin(), alike.begin() + kNearest,
                                    [](const auto& each) { return each.second; });
    return static_cast<double>(good) >= bar_ * kNearest;
  }

  void audit(const Work& work) override {
    audits_.emplace_back(sketch_of(work), work.local_ok || !work.cloud_ok);
    terms_.add(route::extract_features(work.input));
  }

 private:
  static constexpr int kNearest = 20;

  route::Sketch sketch_of(const Work& work) const {
    const route::Features features = route::extract_features(work.input);
    const std::vector<route::Term> terms = terms_.of(features);
    return route::sketch_of(std::span(terms).first(features.words.size()));
  }

  double bar_;
  std::vector<std::pair<route::Sketch, bool>> audits_;
  route::TextTerms terms_;
};

Result month(std::uint64_t seed, Policy& policy) {
  Traffic traffic(seed);
  Random audits(seed + 7'777'777);
  Result result;
  for (int day = 0; day < kDays; ++day) {
    if (day > 0) traffic.next_day();
    for (int i = 0; i < kRequestsPerDay; ++i) {
      const Work work = traffic.next();
      if (policy.stays(work)) {
        result.local += 1;
        result.loss += work.cloud_ok && !work.local_ok ? 1 : 0;
      }
      if (audits.chance(kAuditShare)) policy.audit(work);
    }
  }
  constexpr double kAll = kDays * kRequestsPerDay;
  result.loss /= kAll;
  result.local /= kAll;
  return result;
}

}  // namespace

void bench_bound(int seeds) {
  using Make = std::unique_ptr<Policy> (*)();
  const std::vector<std::pair<std::string, Make>> policies{
      {"minimill, bound of 5 %",
       []() -> std::unique_ptr<Policy> {
         return std::make_unique<RouterPolicy>(route::RouterOptions{
             .threshold = 0.6,
             .threshold_checked = 0.6,
             .bounds = {{.app = {},
                         .operation = {},
                         .risk = {.max_loss = kMaxLoss, .confidence = kConfidence}}}});
       }},
      {"the same estimates, fixed bar 70 %",
       []() -> std::unique_ptr<Policy> {
         return std::make_unique<RouterPolicy>(
             route::RouterOptions{.threshold = 0.7, .threshold_checked = 0.7, .bounds = {}});
       }},
      {"the same estimates, fixed bar 85 %",
       []() -> std::unique_ptr<Policy> {
         return std::make_unique<RouterPolicy>(
             route::RouterOptions{.threshold = 0.85, .threshold_checked = 0.85, .bounds = {}});
       }},
      {"20 nearest, bar 85 %",
       []() -> std::unique_ptr<Policy> { return std::make_unique<NeighbourPolicy>(0.85); }},
  };
  Table table(fmt::format(
      "A month of drifting traffic ({} a day, {:.0f} % audited), {} seeds: lose at most {:.0f} %, "
      "in all but {:.0f} % of months",
      kRequestsPerDay, 100 * kAuditShare, seeds, 100 * kMaxLoss, 100 * (1 - kConfidence)));
  for (const auto& [name, make] : policies) {
    std::vector<Result> results(static_cast<std::size_t>(seeds));
    const auto work = [&results, make = make](std::size_t first, std::size_t step) {
      for (std::size_t seed = first; seed < results.size(); seed += step) {
        const std::unique_ptr<Policy> policy = make();
        results[seed] = month(seed + 1, *policy);
      }
    };
    const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
    std::vector<std::jthread> running;
    for (std::size_t i = 0; i < threads; ++i) running.emplace_back(work, i, threads);
    running.clear();
    for (const Result& result : results) {
      table.at(name, "lost").add(result.loss);
      table.at(name, "local").add(result.local);
    }
    const auto broken =
        std::ranges::count_if(results, [](const Result& result) { return result.loss > kMaxLoss; });
    table.at(name, "months broken").add(static_cast<double>(broken) / seeds);
    fmt::print(stderr, "bound: {}\n", name);
  }
  table.print();
}

}  // namespace minimill::bench
