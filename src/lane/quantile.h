#pragma once

// Summaries of samples.

#include <vector>

namespace minimill::lane {

/// 0 where there are none.
double mean(const std::vector<double>& samples);
/// By linear interpolation between order statistics (Hyndman and Fan's type 7); `p` in [0, 1].
double quantile(std::vector<double> samples, double p);

}  // namespace minimill::lane
