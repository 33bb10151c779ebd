#pragma once

// The shared data, for tests: read in place; absent elsewhere, and then the test says so and skips.

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace minimill::distill {

/// Empty where the file is not there.
inline std::vector<boost::json::object> shared_rows(const std::string& name) {
  const char* set = std::getenv("MINIMILL_DATA");
  std::ifstream in(std::string(set != nullptr ? set : MINIMILL_SHARED_DATA) + "/" + name);
  std::vector<boost::json::object> rows;
  for (std::string line; std::getline(in, line);) {
    rows.push_back(boost::json::parse(line).as_object());
  }
  return rows;
}

inline std::string text_of(const boost::json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : boost::json::serialize(value);
}

}  // namespace minimill::distill

#define MINIMILL_SKIP_WITHOUT(rows, name)                                                  \
  if ((rows).empty()) {                                                                    \
    GTEST_SKIP() << name << " is not here: set MINIMILL_DATA to the shared data's folder"; \
  }
