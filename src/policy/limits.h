#pragma once

// How many requests apps have made of those they may in a minute. Event-loop thread only.

#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "policy/app.h"

namespace minimill::policy {

class Limits {
 public:
  explicit Limits(const Clock& clock) : clock_(clock) {}

  /// Takes one request out of the app's minute; a bucket that fills evenly, so that what was not
  /// used may come at once. kRateLimited says when the next may come.
  Result<> take_request(const App& app);

 private:
  struct Bucket {
    double requests = 0;
    SteadyTime filled_at{};
  };

  const Clock& clock_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace minimill::policy
