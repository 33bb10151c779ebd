#pragma once

// What was asked of the simulated cloud: method, path, batch and time of each request, never a
// prompt. The newest kKept are remembered.

#include <deque>
#include <string>

#include "base/clock.h"
#include "base/json.h"

namespace minimill::simcloud {

class RequestLog {
 public:
  static constexpr std::size_t kKept = 20'000;

  /// `batch`: the batch it is about, or made; empty for others.
  void add(WallTime at, std::string method, std::string path, std::string batch = {});

  /// {"total", "requests": [{"at_ms", "method", "path", "batch"}]}, oldest first.
  json::object to_json() const;

 private:
  struct Entry {
    WallTime at{};
    std::string method;
    std::string path;
    std::string batch;
  };
  std::deque<Entry> entries_;
  std::int64_t total_ = 0;
};

}  // namespace minimill::simcloud
