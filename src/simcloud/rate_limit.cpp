#include "simcloud/rate_limit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/rfc3339.h"

namespace minimill::simcloud {
namespace {

constexpr double kSecondsPerMinute = 60;

struct Lie {
  std::string_view limit;
  std::string_view remaining;
  std::string_view reset;
};
constexpr std::array<Lie, 6> kLies{{
    {"-1", "-5", "-3s"},
    {"99999999999999999999", "1e400", "99999999999999999999s"},
    {"banana", "", "soon"},
    {"10", "1000000", "0s"},
    {"nan", "inf", "9999-99-99T99:99:99Z"},
    {"0", "0", "9223372036854775807ms"},
}};

void add(chat::Protocol protocol, std::string_view limit, std::string_view remaining,
         std::string_view reset, http::Headers& headers) {
  if (protocol == chat::Protocol::kAnthropic) {
    headers.add("anthropic-ratelimit-requests-limit", std::string(limit));
    headers.add("anthropic-ratelimit-requests-remaining", std::string(remaining));
    headers.add("anthropic-ratelimit-requests-reset", std::string(reset));
  } else {
    headers.add("x-ratelimit-limit-requests", std::string(limit));
    headers.add("x-ratelimit-remaining-requests", std::string(remaining));
    headers.add("x-ratelimit-reset-requests", std::string(reset));
  }
}

}  // namespace

RateLimit::RateLimit(const Clock& clock, int per_minute, bool lying_headers)
    : clock_(clock),
      per_minute_(per_minute),
      lying_(lying_headers),
      permits_(per_minute),
      refilled_(clock.steady()) {}

void RateLimit::refill() {
  const SteadyTime now = clock_.steady();
  const double per_second = per_minute_ / kSecondsPerMinute;
  permits_ = std::min<double>(
      per_minute_, permits_ + per_second * std::chrono::duration<double>(now - refilled_).count());
  refilled_ = now;
}

bool RateLimit::take() {
  if (per_minute_ <= 0) return true;
  refill();
  if (permits_ < 1) return false;
  permits_ -= 1;
  return true;
}

void RateLimit::add_headers(chat::Protocol protocol, http::Headers& headers) {
  if (lying_) {
    const Lie& lie = kLies[lies_++ % kLies.size()];
    add(protocol, lie.limit, lie.remaining, lie.reset, headers);
    return;
  }
  if (per_minute_ <= 0) return;
  refill();
  const double full_in_s = (per_minute_ - permits_) / (per_minute_ / kSecondsPerMinute);
  constexpr double kMsPerSecond = 1000;
  const std::string reset =
      protocol == chat::Protocol::kAnthropic
          ? rfc3339(clock_.wall() + Millis{static_cast<Millis::rep>(full_in_s * kMsPerSecond)})
          : fmt::format("{:.3g}s", full_in_s);
  add(protocol, std::to_string(per_minute_), std::to_string(static_cast<int>(permits_)), reset,
      headers);
}

}  // namespace minimill::simcloud
