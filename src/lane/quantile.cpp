#include "lane/quantile.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace minimill::lane {

double mean(const std::vector<double>& samples) {
  if (samples.empty()) return 0;
  return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

double quantile(std::vector<double> samples, double p) {
  if (samples.empty()) return 0;
  std::ranges::sort(samples);
  const double place = p * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, samples.size() - 1);
  return std::lerp(samples[below], samples[above], place - std::floor(place));
}

}  // namespace minimill::lane
