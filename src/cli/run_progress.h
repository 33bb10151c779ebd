#pragma once

// How far a run is: one line rewritten on a terminal, a line for every tenth elsewhere.

#include <boost/json.hpp>
#include <string_view>

#include "cli/terminal.h"

namespace minimill::cli {

class RunProgress {
 public:
  /// `progress` as the API's runs/{id} gives it.
  void show(const boost::json::object& progress);
  void plain(std::string_view text) { line_.plain(text); }

 private:
  ProgressLine line_;
  std::int64_t last_tenth_ = -1;
};

}  // namespace minimill::cli
