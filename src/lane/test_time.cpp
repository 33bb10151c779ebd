#include "lane/test_time.h"

#include <algorithm>

namespace minimill::lane {
namespace {

constexpr double kKept = 0.95;  // of the past, with every service that ends
constexpr double kMostFactor = 30;
constexpr double kMostTrust = 2;

}  // namespace

double trust_in(int observed) { return std::min(1.0 + observed, kMostTrust); }

void TimeOnTest::start(const Prediction& prediction, double now_s) {
  in_service_s_ = in_service_s(now_s);
  at_s_ = now_s;
  ++running_;
  predicted_s_ += prediction.service_s;
  prior_s_ += prediction.service_s * prediction.trust;
  growth_ += 1 / prediction.trust;
  growth_from_ += now_s / prediction.trust;
}

void TimeOnTest::finish(const Prediction& prediction, double started_s, bool whole, double now_s) {
  in_service_s_ = in_service_s(now_s);
  at_s_ = now_s;
  --running_;
  predicted_s_ -= prediction.service_s;
  prior_s_ -= prediction.service_s * prediction.trust;
  growth_ -= 1 / prediction.trust;
  growth_from_ -= started_s / prediction.trust;
  // What rounding has left.
  if (running_ == 0) predicted_s_ = prior_s_ = growth_ = growth_from_ = 0;
  if (!whole) return;
  in_service_s_ *= kKept;
  ended_ = kKept * ended_ + 1;
  ended_predicted_s_ = kKept * ended_predicted_s_ + prediction.service_s;
  ended_prior_s_ = kKept * ended_prior_s_ + prediction.service_s * prediction.trust;
}

double TimeOnTest::factor(double now_s) const {
  const double seen = running_ + ended_;
  if (seen <= 0) return 1;
  const double prior_s = (prior_s_ + ended_prior_s_) / seen;
  return std::clamp((prior_s + in_service_s(now_s)) / (prior_s + ended_predicted_s_),
                    1 / kMostFactor, kMostFactor);
}

double TimeOnTest::rest_s(double now_s) const {
  return factor(now_s) * predicted_s_ + std::max(growth_ * now_s - growth_from_, 0.0);
}

}  // namespace minimill::lane
