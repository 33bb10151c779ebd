#include "route/reliability.h"

#include <algorithm>
#include <cmath>

#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr double kForgetting = 0.9995;  // per outcome: the last two thousand matter

}  // namespace

void Reliability::add(double estimate, bool good, double weight) {
  for (Bin& bin : bins_) {
    bin.count *= kForgetting;
    bin.foretold *= kForgetting;
    bin.good *= kForgetting;
  }
  const auto which = static_cast<std::size_t>(std::clamp(estimate, 0.0, 1.0) * kBins);
  Bin& bin = bins_[std::min(which, kBins - 1)];
  bin.count += weight;
  bin.foretold += weight * estimate;
  bin.good += good ? weight : 0;
}

double Reliability::count() const {
  double count = 0;
  for (const Bin& bin : bins_) count += bin.count;
  return count;
}

double Reliability::expected_calibration_error() const {
  double distance = 0;
  for (const Bin& bin : bins_) distance += std::abs(bin.foretold - bin.good);
  const double all = count();
  return all > 0 ? distance / all : 0;
}

void Reliability::append_state(std::string& out) const {
  for (const Bin& bin : bins_) {
    append_number(out, bin.count);
    append_number(out, bin.foretold);
    append_number(out, bin.good);
  }
}

Result<> Reliability::take_state(std::string_view& bytes) {
  for (Bin& bin : bins_) {
    const bool whole = take_number(bytes, bin.count) && take_number(bytes, bin.foretold) &&
                       take_number(bytes, bin.good) && bin.count >= 0;
    if (!whole) return fail(ErrorCode::kCorrupt, "the reliability curve is damaged");
  }
  return {};
}

}  // namespace minimill::route
