#include "lane/service_times.h"

#include <algorithm>
#include <cmath>

namespace minimill::lane {
namespace {

constexpr double kForgetting = 0.99;        // the newest hundred samples count
constexpr double kFewest = 0.05;            // a mean moves at least so far with each sample
constexpr double kFirstAnswerTokens = 120;  // before anything is known
constexpr double kShrink = 3;               // samples that the lane's own mean is worth
constexpr double kMostFactor = 8;
constexpr double kLongest_s = 86'400;
constexpr double kShortest_s = 0.001;
constexpr double kMostCovariance = 1e4;
constexpr std::size_t kMostKept = 1024;  // models, operations

/// a, b per 1,000 tokens, c per 100 tokens: a small model on a laptop, a large one far away.
constexpr std::array<std::array<double, 3>, chat::kLaneCount> kFirst{
    {{0.1, 0.6, 2.5}, {0.8, 0.1, 1.3}}};

template <class Map>
void forget_oldest(Map& map) {
  if (map.size() <= kMostKept) return;
  map.erase(
      std::ranges::min_element(map, {}, [](const auto& each) { return each.second.learnt_at; }));
}

}  // namespace

ServiceTimes::Speed::Speed(chat::Lane lane) : weights_(kFirst[chat::index(lane)]) {
  for (std::size_t i = 0; i < kTerms; ++i) covariance_[i][i] = 1;
}

double ServiceTimes::Speed::seconds(const Vector& sizes) const {
  double sum = 0;
  for (std::size_t i = 0; i < kTerms; ++i) sum += std::max(weights_[i], 0.0) * sizes[i];
  return std::clamp(sum, kShortest_s, kLongest_s);
}

void ServiceTimes::Speed::learn(const Vector& sizes, double seconds) {
  Vector gain{};
  double scale = kForgetting;
  double predicted = 0;
  for (std::size_t i = 0; i < kTerms; ++i) {
    for (std::size_t j = 0; j < kTerms; ++j) gain[i] += covariance_[i][j] * sizes[j];
    scale += sizes[i] * gain[i];
    predicted += weights_[i] * sizes[i];
  }
  const Vector unscaled = gain;
  for (double& each : gain) each /= scale;
  for (std::size_t i = 0; i < kTerms; ++i) weights_[i] += gain[i] * (seconds - predicted);
  for (std::size_t i = 0; i < kTerms; ++i) {
    for (std::size_t j = 0; j < kTerms; ++j) {
      covariance_[i][j] = (covariance_[i][j] - gain[i] * unscaled[j]) / kForgetting;
    }
    // What is never seen is forgotten without end: the estimate would blow up.
    covariance_[i][i] = std::min(covariance_[i][i], kMostCovariance);
  }
}

void ServiceTimes::History::learn(double tokens, double factor) {
  count += 1;
  const double step = std::max(1 / count, kFewest);
  answer_tokens += step * (tokens - answer_tokens);
  log_factor += step * (std::log(factor) - log_factor);
}

ServiceTimes::Vector ServiceTimes::sizes(double prompt_tokens, double answer_tokens) {
  return {1, prompt_tokens / 1000, answer_tokens / 100};
}

const ServiceTimes::Speed* ServiceTimes::speed_of(chat::Lane lane, std::string_view model) const {
  const auto found = speeds_.find({lane, std::string(model)});
  return found == speeds_.end() ? nullptr : &found->second;
}

const ServiceTimes::History* ServiceTimes::history_of(chat::Lane lane,
                                                      std::string_view operation) const {
  const auto found = operations_.find({lane, std::string(operation)});
  return operation.empty() || found == operations_.end() ? nullptr : &found->second;
}

void ServiceTimes::learn(const ServiceSample& sample) {
  const bool possible = sample.seconds > 0 && sample.seconds < kLongest_s &&
                        sample.prompt_tokens >= 0 && sample.answer_tokens >= 0;
  if (!possible) return;
  Key key{sample.lane, std::string(sample.model)};
  if (speeds_.size() >= kMostKept && !speeds_.contains(key)) speeds_.erase(speeds_.begin());
  Speed& speed = speeds_.try_emplace(std::move(key), sample.lane).first->second;
  const auto tokens = static_cast<double>(sample.answer_tokens);
  const Vector sizes = ServiceTimes::sizes(static_cast<double>(sample.prompt_tokens), tokens);
  const double factor =
      std::clamp(sample.seconds / speed.seconds(sizes), 1 / kMostFactor, kMostFactor);
  speed.learn(sizes, sample.seconds);
  lanes_[chat::index(sample.lane)].learn(tokens, 1);
  if (sample.operation.empty()) return;
  History& history = operations_[{sample.lane, std::string(sample.operation)}];
  history.learn(tokens, factor);
  history.learnt_at = ++learnt_;
  forget_oldest(operations_);
}

ServicePrediction ServiceTimes::predict(chat::Lane lane, std::string_view model,
                                        std::string_view operation, std::int64_t prompt_tokens,
                                        std::int64_t max_tokens) const {
  const History& all = lanes_[chat::index(lane)];
  double tokens =
      (all.count * all.answer_tokens + kShrink * kFirstAnswerTokens) / (all.count + kShrink);
  double log_factor = 0;
  if (const History* own = history_of(lane, operation)) {
    tokens = (own->count * own->answer_tokens + kShrink * tokens) / (own->count + kShrink);
    log_factor = own->count * own->log_factor / (own->count + kShrink);
  }
  if (max_tokens > 0) tokens = std::min(tokens, static_cast<double>(max_tokens));
  const Vector sizes =
      ServiceTimes::sizes(static_cast<double>(std::max<std::int64_t>(prompt_tokens, 0)), tokens);
  const Speed* speed = speed_of(lane, model);
  const double seconds = speed == nullptr ? Speed(lane).seconds(sizes) : speed->seconds(sizes);
  return {.seconds = std::clamp(seconds * std::exp(log_factor), kShortest_s, kLongest_s),
          .answer_tokens = tokens};
}

}  // namespace minimill::lane
