#include "cloud/rate_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

namespace minimill::cloud {
namespace {

constexpr Millis kUnsaidReset{1'000};  // a limit whose reset is not told
constexpr double kMaxCount = 1e12;     // requests or tokens a window

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

Millis clamped_ms(double ms) {
  return Millis{static_cast<Millis::rep>(
      std::ceil(std::clamp(ms, 0.0, static_cast<double>(kMaxClosed.count()))))};
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  const char* begin = text.data() + at;
  const auto [end, error] = std::from_chars(begin, begin + count, value);
  if (error != std::errc{} || end != begin + count || value < 0) return std::nullopt;
  return value;
}

/// "2026-01-31T23:59:59Z", with a fraction or an offset ("+02:00") where there is one.
std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  auto seconds = std::chrono::sys_days{date} + std::chrono::hours{*hour} +
                 std::chrono::minutes{*minute} + std::chrono::seconds{*second};
  std::size_t at = 19;
  if (at < text.size() && text[at] == '.') {
    ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  }
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
    const auto hours = digits(text, at + 1, 2);
    const auto minutes = digits(text, at + 4, 2);
    if (!hours || !minutes) return std::nullopt;
    const auto offset = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
    seconds -= text[at] == '+' ? offset : -offset;
  } else if (at >= text.size() || (text[at] != 'Z' && text[at] != 'z')) {
    return std::nullopt;
  }
  return std::chrono::time_point_cast<Millis>(seconds);
}

std::optional<RateWindow> window_of(std::string_view limit_text, std::string_view remaining_text,
                                    std::optional<Millis> reset) {
  const auto limit = parse_number(limit_text);
  const auto remaining = parse_number(remaining_text);
  if (!limit || !remaining || *limit < 1 || *limit > kMaxCount) return std::nullopt;
  return RateWindow{.limit = *limit,
                    .remaining = std::clamp(*remaining, 0.0, *limit),
                    .reset = std::clamp(reset.value_or(kUnsaidReset), Millis{0}, kMaxClosed)};
}

std::optional<RateWindow> openai_window(const http::Headers& headers, std::string_view what) {
  return window_of(headers.get(fmt::format("x-ratelimit-limit-{}", what)),
                   headers.get(fmt::format("x-ratelimit-remaining-{}", what)),
                   parse_reset(headers.get(fmt::format("x-ratelimit-reset-{}", what))));
}

std::optional<RateWindow> anthropic_window(const http::Headers& headers, std::string_view what,
                                           WallTime now) {
  const auto at = parse_rfc3339(headers.get(fmt::format("anthropic-ratelimit-{}-reset", what)));
  std::optional<Millis> reset;
  if (at) reset = clamped_ms(in_ms(*at - now));
  return window_of(headers.get(fmt::format("anthropic-ratelimit-{}-limit", what)),
                   headers.get(fmt::format("anthropic-ratelimit-{}-remaining", what)), reset);
}

std::optional<Millis> retry_after_of(const http::Headers& headers) {
  constexpr double kMsPerSecond = 1000;
  if (const auto ms = parse_number(headers.get("retry-after-ms"))) return clamped_ms(*ms);
  if (const auto s = parse_number(headers.get("retry-after"))) {
    return clamped_ms(*s * kMsPerSecond);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Millis> parse_reset(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 4> kUnits{
      {{"ms", 1}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}}};
  if (text.empty()) return std::nullopt;
  if (const auto seconds = parse_number(text)) return clamped_ms(*seconds * 1'000);
  double total_ms = 0;
  while (!text.empty()) {
    const std::size_t size = text.find_first_not_of("0123456789.");
    if (size == 0 || size == std::string_view::npos) return std::nullopt;
    const auto value = parse_number(text.substr(0, size));
    if (!value) return std::nullopt;
    text.remove_prefix(size);
    const auto* const unit = std::ranges::find_if(
        kUnits, [text](const auto& each) { return text.starts_with(each.first); });
    if (unit == kUnits.end()) return std::nullopt;
    total_ms += *value * unit->second;
    text.remove_prefix(unit->first.size());
  }
  return clamped_ms(total_ms);
}

RateLimits read_rate_limits(const http::Headers& headers, WallTime now) {
  RateLimits limits;
  limits.requests = openai_window(headers, "requests");
  limits.tokens = openai_window(headers, "tokens");
  if (!limits.requests) limits.requests = anthropic_window(headers, "requests", now);
  if (!limits.tokens) limits.tokens = anthropic_window(headers, "tokens", now);
  limits.input_tokens = anthropic_window(headers, "input-tokens", now);
  limits.output_tokens = anthropic_window(headers, "output-tokens", now);
  limits.retry_after = retry_after_of(headers);
  const std::string_view should = headers.get("x-should-retry");
  if (should == "true") limits.should_retry = true;
  if (should == "false") limits.should_retry = false;
  return limits;
}

double RateHeadroom::Window::now_left(SteadyTime now) const {
  if (now >= full_at) return limit;
  const double whole = in_ms(full_at - told);
  const double passed = std::max(0.0, in_ms(now - told));
  return std::min(limit, remaining + (limit - remaining) * passed / whole);
}

void RateHeadroom::note(const RateLimits& said, SteadyTime now) {
  const std::array told{&said.requests, &said.tokens, &said.input_tokens, &said.output_tokens};
  for (std::size_t i = 0; i < told.size(); ++i) {
    const std::optional<RateWindow>& window = *told[i];
    if (!window) continue;
    windows_[i] = Window{.limit = window->limit,
                         .remaining = window->remaining,
                         .told = now,
                         .full_at = now + window->reset,
                         .counts_requests = i == 0,
                         .counts_input = i == 1 || i == 2};
  }
  // An answer to a request from before a refusal does not take the refusal back.
  if (said.retry_after) closed_until_ = std::max(closed_until_, now + *said.retry_after);
}

void RateHeadroom::spend(std::int64_t tokens) {
  for (std::optional<Window>& window : windows_) {
    if (!window) continue;
    const double taken = window->counts_requests ? 1.0
                         : window->counts_input  ? static_cast<double>(tokens)
                                                 : 0.0;
    window->remaining = std::max(0.0, window->remaining - taken);
  }
}

double RateHeadroom::headroom(SteadyTime now) const {
  if (now < closed_until_) return 0;
  double least = 1;
  for (const std::optional<Window>& window : windows_) {
    if (window) least = std::min(least, window->now_left(now) / window->limit);
  }
  return least;
}

SteadyTime RateHeadroom::next_at(SteadyTime now, std::int64_t prompt_tokens) const {
  SteadyTime at = std::max(now, closed_until_);
  for (const std::optional<Window>& window : windows_) {
    if (!window) continue;
    // A prompt larger than the whole limit would wait for ever: the provider may refuse it itself.
    const double wanted =
        window->counts_input ? std::min(window->limit, static_cast<double>(prompt_tokens)) : 1.0;
    const double left = window->now_left(now);
    if (left >= wanted) continue;
    const double missing_share = (wanted - left) / (window->limit - left);
    const auto wait =
        std::chrono::duration<double, std::milli>(missing_share * in_ms(window->full_at - now));
    at = std::max(at, now + std::chrono::ceil<Millis>(wait));
  }
  return at;
}

}  // namespace minimill::cloud
