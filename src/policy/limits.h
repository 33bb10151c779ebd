#pragma once

// How many requests apps have made of those they may in a minute. Event-loop thread only.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "policy/app.h"

namespace minimill::policy {

class Limits {
 public:
  explicit Limits(const Clock& clock) : clock_(clock) {}

  /// Takes so many requests out of the app's minute, or none; a bucket that fills evenly, so that
  /// what was not used may come at once. kRateLimited says when they may come.
  Result<> take_requests(const App& app, std::int64_t count = 1);

 private:
  struct Bucket {
    double requests = 0;
    SteadyTime filled_at{};
  };

  const Clock& clock_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace minimill::policy
