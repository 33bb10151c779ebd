#include "policy/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace minimill::policy {
namespace {

using std::chrono::milliseconds;

constexpr double kSecondsPerMinute = 60;
constexpr double kMsPerSecond = 1000;

std::unexpected<Error> limited(std::string message, milliseconds retry_after) {
  Error error;
  error.code = ErrorCode::kRateLimited;
  error.message = std::move(message);
  error.hint = "wait, or raise the app's limit: minimill key set";
  error.retry_after = retry_after;
  return std::unexpected(std::move(error));
}

}  // namespace

Result<> Limits::take_request(const App& app) {
  if (!app.requests_per_minute) return {};
  const auto capacity = static_cast<double>(*app.requests_per_minute);
  const SteadyTime now = clock_.steady();
  const auto [found, is_new] = buckets_.try_emplace(app.name, Bucket{capacity, now});
  Bucket& bucket = found->second;
  const double passed = std::chrono::duration<double>(now - bucket.filled_at).count();
  bucket.requests = std::min(capacity, bucket.requests + passed * capacity / kSecondsPerMinute);
  bucket.filled_at = now;
  if (bucket.requests >= 1) {
    bucket.requests -= 1;
    return {};
  }
  const double wait_s = (1 - bucket.requests) * kSecondsPerMinute / capacity;
  return limited(
      fmt::format("the app '{}' may make {} requests a minute", app.name, *app.requests_per_minute),
      milliseconds{static_cast<std::int64_t>(std::ceil(wait_s * kMsPerSecond))});
}

}  // namespace minimill::policy
