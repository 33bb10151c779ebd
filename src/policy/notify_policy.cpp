#include "policy/notify_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace minimill::policy {

NotifyPolicy::NotifyPolicy(const std::vector<std::string>& allow) {
  for (const std::string& text : allow) {
    if (Result<HttpUrl> url = parse_http_url(text)) allowed_.push_back(std::move(*url));
  }
}

namespace {

/// What a receiver may take for a slash or for "..": it would then look elsewhere than is allowed.
bool may_climb(std::string_view url) {
  const std::string_view path = url.substr(0, url.find('?'));
  constexpr std::array<std::string_view, 6> kDisguised{"%2f", "%2F", "%5c", "%5C", "\\", "..;"};
  return std::ranges::any_of(
      kDisguised, [path](std::string_view each) { return path.find(each) != path.npos; });
}

}  // namespace

Result<> NotifyPolicy::admit(const std::string& text) const {
  Result<HttpUrl> url = parse_http_url(text);
  if (!url) return std::unexpected(std::move(url.error()).with_field("notify"));
  if (may_climb(text)) {
    return fail_field("notify", "a URL to notify has no encoded slashes and no '..;' in its path");
  }
  const bool allowed =
      std::ranges::any_of(allowed_, [&](const HttpUrl& under) { return lies_under(*url, under); });
  if (allowed) return {};
  // Its path may hold a secret: the origin says enough.
  const std::string origin =
      fmt::format("{}://{}:{}", url->tls ? "https" : "http", url->host, url->port);
  Error error{.code = ErrorCode::kForbidden,
              .message = fmt::format("tasks may not notify this URL of {}", origin),
              .hint =
                  "put the beginning of the URL into the configuration: [outbox] allow = "
                  "[\"https://host/path\"]",
              .field = "notify",
              .retry_after = {}};
  return std::unexpected(std::move(error));
}

}  // namespace minimill::policy
