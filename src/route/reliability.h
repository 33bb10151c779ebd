#pragma once

// How true the estimates have been: each is made before its outcome is known, and counted in one of
// ten bins. Old ones fade. The expected calibration error is the mean distance between what was
// foretold and what came true, weighted by how often (Naeini, Cooper, Hauskrecht 2015).

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::route {

class Reliability {
 public:
  static constexpr std::size_t kBins = 10;
  struct Bin {
    double count = 0;
    double foretold = 0;  // sum of estimates
    double good = 0;
  };

  void add(double estimate, bool good, double weight = 1);
  const std::array<Bin, kBins>& bins() const { return bins_; }
  double count() const;
  double expected_calibration_error() const;  // 0 where there is nothing

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  std::array<Bin, kBins> bins_{};
};

}  // namespace minimill::route
