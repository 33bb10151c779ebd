#include "table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace minimill::bench {

double Spread::mean() const {
  return values_.empty() ? 0
                         : std::accumulate(values_.begin(), values_.end(), 0.0) /
                               static_cast<double>(values_.size());
}

double Spread::deviation() const {
  if (values_.size() < 2) return 0;
  double squares = 0;
  for (const double value : values_) squares += (value - mean()) * (value - mean());
  return std::sqrt(squares / static_cast<double>(values_.size() - 1));
}

Spread& Table::at(const std::string& row, const std::string& column) {
  const auto note = [](std::vector<std::string>& names, const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  note(rows_, row);
  note(columns_, column);
  return cells_[{row, column}];
}

void Table::print(int digits) const {
  constexpr int kFirst = 40;
  constexpr int kWidth = 18;
  fmt::print("\n{}\n{:<{}}", title_, "", kFirst);
  for (const std::string& column : columns_) fmt::print("{:>{}}", column, kWidth);
  fmt::print("\n");
  for (const std::string& row : rows_) {
    fmt::print("{:<{}}", row, kFirst);
    for (const std::string& column : columns_) {
      const auto found = cells_.find({row, column});
      std::string cell;
      if (found != cells_.end()) {
        const Spread& spread = found->second;
        cell = fmt::format("{:.{}f}", spread.mean(), digits);
        if (spread.count() > 1) cell += fmt::format(" ± {:.{}f}", spread.deviation(), digits);
      }
      fmt::print("{:>{}}", cell, kWidth);
    }
    fmt::print("\n");
  }
}

}  // namespace minimill::bench
