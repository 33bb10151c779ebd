#include "distill/calibration.h"

#include <algorithm>
#include <cmath>

#include "route/state_bytes.h"

namespace minimill::distill {
namespace {

enum Sign : std::uint32_t {
  kBias,
  kLogOdds,
  kMargin,
  kFamiliarity,
  kAgreement,
  kShort,
  kFirstPart
};

constexpr int kSweeps = 25;
constexpr double kMostLogOdds = 9;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double log_odds(double p) {
  p = std::clamp(p, 1e-6, 1 - 1e-6);
  return std::clamp(std::log(p / (1 - p)), -kMostLogOdds, kMostLogOdds);
}

struct Value {
  std::uint32_t sign;
  float value;
};

std::vector<Value> values_of(const Signs& signs) {
  const double margin = std::log((signs.probability + 1e-6) / (signs.runner_up + 1e-6));
  std::vector<Value> values{
      {kBias, 1},
      {kLogOdds, static_cast<float>(log_odds(signs.probability))},
      {kMargin, static_cast<float>(std::clamp(margin, 0.0, kMostLogOdds) / kMostLogOdds)},
      {kFamiliarity, static_cast<float>(signs.familiarity - 0.8)},
      {kAgreement, static_cast<float>(signs.agreement)},
      {kShort, static_cast<float>(1.0 / (1.0 + signs.words))}};
  for (const std::uint32_t part : signs.parts) {
    if (part < Calibration::kMostParts) values.push_back({kFirstPart + part, 1});
  }
  return values;
}

/// Precision of the prior about its mean: what a part says needs evidence.
double precision(std::uint32_t sign) { return sign >= kFirstPart ? 4.0 : 1.0; }
double prior_mean(std::uint32_t sign) { return sign == kLogOdds ? 1.0 : 0.0; }

}  // namespace

Calibration::Calibration() : weights_(kFirstPart + kMostParts) { weights_[kLogOdds] = 1; }

Calibration Calibration::fit(std::span<const Outcome> outcomes) {
  Calibration model;
  // Coordinate-wise Newton steps (Genkin, Lewis, Madigan 2007).
  struct Entry {
    std::uint32_t row;
    float value;
  };
  std::vector<std::vector<Entry>> columns(model.weights_.size());
  std::vector<double> scores;
  for (const Outcome& outcome : outcomes) {
    const auto row = static_cast<std::uint32_t>(scores.size());
    scores.push_back(0);
    for (const Value& each : values_of(outcome.signs)) {
      columns[each.sign].push_back({.row = row, .value = each.value});
      scores.back() += each.value * model.weights_[each.sign];
    }
  }
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (std::uint32_t sign = 0; sign < columns.size(); ++sign) {
      if (columns[sign].empty()) continue;
      double slope = precision(sign) * (model.weights_[sign] - prior_mean(sign));
      double curvature = precision(sign);
      for (const Entry& entry : columns[sign]) {
        const double p = sigmoid(scores[entry.row]);
        const Outcome& outcome = outcomes[entry.row];
        slope += outcome.weight * entry.value * (p - (outcome.right ? 1.0 : 0.0));
        curvature += outcome.weight * entry.value * entry.value * std::max(p * (1 - p), 0.02);
      }
      const double move = std::clamp(-slope / curvature, -1.0, 1.0);
      model.weights_[sign] += static_cast<float>(move);
      for (const Entry& entry : columns[sign]) scores[entry.row] += move * entry.value;
    }
  }
  return model;
}

double Calibration::p_right(const Signs& signs) const {
  double score = 0;
  for (const Value& each : values_of(signs)) score += each.value * weights_[each.sign];
  return sigmoid(std::clamp(score, -12.0, 12.0));
}

void Calibration::append_state(std::string& out) const { route::append_numbers(out, weights_); }

Result<> Calibration::take_state(std::string_view& bytes) {
  weights_.assign(kFirstPart + kMostParts, 0);
  if (route::take_numbers(bytes, weights_)) return {};
  return fail(ErrorCode::kCorrupt, "the model's calibration is damaged");
}

}  // namespace minimill::distill
