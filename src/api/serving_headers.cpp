#include "api/serving_headers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "api/headers.h"

namespace minimill::api {
namespace {

constexpr double kMaxCostUsd = 1e6;
constexpr double kMaxDeadlineMs = 86'400'000;
constexpr std::size_t kMaxLabelBytes = 128;
constexpr std::size_t kMaxReasonBytes = 200;

/// The whole of `text` as a number in [low, high].
Result<double> number(std::string_view header, std::string_view text, double low, double high) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || !std::isfinite(value) || value < low || value > high) {
    return fail_field(std::string(header),
                      fmt::format("must be a number from {} to {}", low, high));
  }
  return value;
}

bool is_visible(char c) { return c > ' ' && c < '\x7f'; }

/// Header values are ASCII: what is not becomes "?", and the rest is cut.
std::string header_text(std::string_view text) {
  std::string out(text.substr(0, kMaxReasonBytes));
  std::ranges::replace_if(out, [](char c) { return !is_visible(c) && c != ' '; }, '?');
  return out;
}

}  // namespace

Result<> read_wishes(const http::Headers& headers, policy::Wishes& wishes,
                     chat::Deadline& deadline) {
  if (headers.has(header::kDegraded)) {
    const std::string_view accepts = headers.get(header::kDegraded);
    if (accepts != "accept" && accepts != "refuse") {
      return fail_field(header::kDegraded, "must be 'accept' or 'refuse'");
    }
    wishes.accepts_degraded = accepts == "accept";
  }
  if (headers.has(header::kPrivacy)) {
    Result<policy::Privacy> privacy =
        policy::parse_privacy(headers.get(header::kPrivacy), header::kPrivacy);
    if (!privacy) return std::unexpected(std::move(privacy.error()));
    wishes.privacy = *privacy;
  }
  if (headers.has(header::kMaxCost)) {
    Result<double> usd = number(header::kMaxCost, headers.get(header::kMaxCost), 0, kMaxCostUsd);
    if (!usd) return std::unexpected(std::move(usd.error()));
    wishes.max_cost_usd = *usd;
  }
  if (headers.has(header::kDeadline)) {
    Result<double> ms =
        number(header::kDeadline, headers.get(header::kDeadline), 1, kMaxDeadlineMs);
    if (!ms) return std::unexpected(std::move(ms.error()));
    deadline = std::chrono::steady_clock::now() +
               std::chrono::milliseconds{static_cast<std::int64_t>(*ms)};
  }
  if (headers.has(header::kLabel)) {
    const std::string_view label = headers.get(header::kLabel);
    if (label.empty() || label.size() > kMaxLabelBytes || !std::ranges::all_of(label, is_visible)) {
      return fail_field(header::kLabel, "must be 1 to 128 visible ASCII characters");
    }
    wishes.label = label;
  }
  return {};
}

http::Headers serving_headers(const serve::Serving& serving, std::string_view content_type) {
  http::Headers headers{{"content-type", std::string(content_type)},
                        {header::kRequestId, serving.id.value},
                        {header::kLane, std::string(chat::name(serving.lane))},
                        {header::kModel, header_text(serving.model)},
                        {header::kProbability, fmt::format("{:.3f}", serving.decision.p_local_ok)},
                        {header::kQueued, fmt::format("{:.0f}", serving.queued_ms)}};
  if (!serving.escalated.empty()) {
    headers.add(header::kReason, header_text(serving.escalated));
  } else if (!serving.decision.reasons.empty()) {
    headers.add(header::kReason, header_text(serving.decision.reasons.front().text));
  }
  if (const std::string_view degraded = chat::degraded(serving.decision); !degraded.empty()) {
    headers.add(header::kDegraded, header_text(degraded));
  }
  if (!serving.emulated.empty()) {
    headers.add(header::kEmulated,
                header_text(fmt::format("{}", fmt::join(serving.emulated, ", "))));
  }
  if (!serving.left_out.empty()) {
    headers.add(header::kLeftOut,
                header_text(fmt::format("{}", fmt::join(serving.left_out, ", "))));
  }
  return headers;
}

void add_retry_after(const Error& error, http::Headers& headers) {
  if (!error.retry_after) return;
  const double seconds = std::chrono::duration<double>(*error.retry_after).count();
  headers.add("retry-after", fmt::format("{}", static_cast<std::int64_t>(std::ceil(seconds))));
}

}  // namespace minimill::api
