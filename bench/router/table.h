#pragma once

// Mean and spread of what several runs gave, in tables for people.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace minimill::bench {

class Spread {
 public:
  void add(double value) { values_.push_back(value); }
  double mean() const;
  double deviation() const;
  std::size_t count() const { return values_.size(); }

 private:
  std::vector<double> values_;
};

/// Rows by columns of spreads, in the order they first came.
class Table {
 public:
  explicit Table(std::string title) : title_(std::move(title)) {}
  Spread& at(const std::string& row, const std::string& column);
  void print(int digits = 3) const;

 private:
  std::string title_;
  std::vector<std::string> rows_;
  std::vector<std::string> columns_;
  std::map<std::pair<std::string, std::string>, Spread> cells_;
};

}  // namespace minimill::bench
