#include "route/risk_control.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr int kBars = 50;  // from 1 down to 0

}  // namespace

double binomial_tail(std::size_t successes, std::size_t trials, double rate) {
  if (successes >= trials || rate <= 0) return 1;
  if (rate >= 1) return 0;
  const double n = static_cast<double>(trials);
  double log_term = n * std::log1p(-rate);  // of no success
  double sum = std::exp(log_term);
  for (std::size_t k = 1; k <= successes; ++k) {
    log_term += std::log((n - static_cast<double>(k) + 1) / static_cast<double>(k)) +
                std::log(rate) - std::log1p(-rate);
    sum += std::exp(log_term);
  }
  return std::min(sum, 1.0);
}

void RiskControl::audit(double estimate, bool lost) {
  audits_.push_back({.estimate = static_cast<float>(estimate), .lost = lost});
  if (audits_.size() > kMostAudits) audits_.pop_front();
}

void RiskControl::forget(std::size_t keep) {
  while (audits_.size() > keep) audits_.pop_front();
}

double RiskControl::bar(const RiskOptions& options) const {
  // lost[i]: how many of the audits with an estimate in [i, i + 1) / kBars lost something.
  std::array<std::size_t, kBars> lost{};
  for (const Audit& audit : audits_) {
    if (!audit.lost) continue;
    const auto at = static_cast<std::size_t>(std::clamp(audit.estimate, 0.0F, 1.0F) * kBars);
    ++lost[std::min<std::size_t>(at, kBars - 1)];
  }
  double safe = kNone;
  std::size_t losses = 0;
  for (std::size_t i = kBars; i-- > 0;) {
    losses += lost[i];
    if (binomial_tail(losses, audits_.size(), options.max_loss) > 1 - options.confidence) break;
    safe = static_cast<double>(i) / kBars;
  }
  return safe;
}

std::size_t RiskControl::missing(const RiskOptions& options) const {
  const double needed = std::ceil(std::log(1 - options.confidence) / std::log1p(-options.max_loss));
  const auto whole = static_cast<std::size_t>(std::max(needed, 1.0));
  return whole > audits_.size() ? whole - audits_.size() : 0;
}

void RiskControl::append_state(std::string& out) const {
  append_number(out, static_cast<std::uint32_t>(audits_.size()));
  for (const Audit& audit : audits_) {
    append_number(out, audit.estimate);
    append_number(out, static_cast<std::uint8_t>(audit.lost));
  }
}

Result<> RiskControl::take_state(std::string_view& bytes) {
  std::uint32_t count = 0;
  bool whole = take_number(bytes, count) && count <= kMostAudits;
  for (std::uint32_t i = 0; whole && i < count; ++i) {
    Audit audit;
    std::uint8_t lost = 0;
    whole = take_number(bytes, audit.estimate) && take_number(bytes, lost) && lost <= 1;
    audit.lost = lost != 0;
    audits_.push_back(audit);
  }
  if (whole) return {};
  return fail(ErrorCode::kCorrupt, "the audits are damaged");
}

}  // namespace minimill::route
