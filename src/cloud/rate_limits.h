#pragma once

// What a provider's response headers say about how much more it will take, in OpenAI's dialect
// (x-ratelimit-remaining-requests: 59, x-ratelimit-reset-requests: 6m0s) and in Anthropic's
// (anthropic-ratelimit-tokens-remaining: 4000, …-reset: 2026-01-01T00:00:30Z), with retry-after,
// retry-after-ms and x-should-retry, which both send.
//
// Headers may lie: what is no number is passed over, what is out of range is brought back into it,
// and no header alone closes a provider for more than kMaxClosed.
//
// Sources: OpenAI's "Rate limits" guide, Anthropic's "Rate limits" page, RFC 9110 section 10.2.3
// (retry-after), RFC 3339.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"

namespace minimill::cloud {

/// The longest that headers alone may keep a provider closed.
inline constexpr Millis kMaxClosed{60'000};

/// One limit, as the last response told it.
struct RateWindow {
  double limit = 0;      // > 0
  double remaining = 0;  // 0 … limit
  Millis reset{};        // until it is full again, 0 … kMaxClosed
  bool operator==(const RateWindow&) const = default;
};

/// What one response said.
struct RateLimits {
  std::optional<RateWindow> requests = {};
  std::optional<RateWindow> tokens = {};
  std::optional<RateWindow> input_tokens = {};
  std::optional<RateWindow> output_tokens = {};
  std::optional<Millis> retry_after = {};  // 0 … kMaxClosed
  std::optional<bool> should_retry = {};   // x-should-retry: what the provider itself thinks of it
  bool operator==(const RateLimits&) const = default;
};

/// Never fails: what cannot be understood has not been said.
RateLimits read_rate_limits(const http::Headers& headers, WallTime now);

/// "1s", "6m0s", "20ms", "1h2m3.5s", as OpenAI writes durations; a bare number is seconds.
std::optional<Millis> parse_reset(std::string_view text);

/// How much a provider will still take, from the last that it said. A value; not thread-safe.
class RateHeadroom {
 public:
  void note(const RateLimits& said, SteadyTime now);
  /// A request has gone out that the provider has not spoken about yet.
  void spend(std::int64_t tokens);
  /// The smallest share left of any limit, 0 … 1; 1 where none is known. Limits fill up evenly
  /// until their reset.
  double headroom(SteadyTime now) const;
  /// When the next request may go: `now` at the earliest, and within kMaxClosed of the last
  /// response.
  SteadyTime next_at(SteadyTime now, std::int64_t prompt_tokens) const;

 private:
  struct Window {
    double limit = 0;
    double remaining = 0;
    SteadyTime told{};
    SteadyTime full_at{};
    bool counts_requests = false;
    bool counts_input = false;
    double now_left(SteadyTime now) const;
  };
  std::array<std::optional<Window>, 4> windows_;
  SteadyTime closed_until_{};
};

}  // namespace minimill::cloud
