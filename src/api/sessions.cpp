#include "api/sessions.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/log.h"
#include "http/origin.h"
#include "policy/key.h"

namespace minimill::api {
namespace {

constexpr std::string_view kState = "page-sessions";

/// The value of one cookie in a Cookie header (RFC 6265, section 4.2.1); "" where it is not there.
std::string_view cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    std::string_view pair = header.substr(0, header.find(';'));
    header.remove_prefix(std::min(pair.size() + 1, header.size()));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) {
      return pair.substr(name.size() + 1);
    }
  }
  return {};
}

}  // namespace

Sessions::Sessions(const Clock& clock, ledger::Ledger& ledger) : clock_(clock), ledger_(ledger) {
  const Result<std::optional<std::string>> saved = ledger_.load_state(kState);
  if (!saved) log::error("the page's sessions cannot be read: {}", saved.error().to_string());
  std::string_view lines = saved && *saved ? std::string_view(**saved) : std::string_view{};
  while (!lines.empty()) {  // "hash made_ms\n"
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    std::int64_t made_ms = 0;
    const std::string_view number = line.substr(space + 1);
    std::from_chars(number.data(), number.data() + number.size(), made_ms);
    sessions_.emplace(line.substr(0, space), from_unix_ms(made_ms));
  }
  drop_old(sessions_, kLife);
}

void Sessions::drop_old(Hashes& hashes, Millis life) const {
  const WallTime now = clock_.wall();
  std::erase_if(hashes, [&](const auto& each) { return now - each.second >= life; });
  while (hashes.size() > kMost) {
    hashes.erase(std::ranges::min_element(hashes, {}, &Hashes::value_type::second));
  }
}

void Sessions::save() const {
  std::string lines;
  for (const auto& [hash, made] : sessions_) {
    lines += hash + " " + std::to_string(unix_ms(made)) + "\n";
  }
  ledger_.save_state(std::string(kState), std::move(lines));
}

Result<std::string> Sessions::make_link() {
  Result<std::string> token = policy::make_key();
  if (!token) return token;
  links_[policy::hash_of(*token)] = clock_.wall();
  drop_old(links_, kLinkLife);
  return token;
}

Result<std::string> Sessions::redeem(std::string_view token) {
  drop_old(links_, kLinkLife);
  if (links_.erase(policy::hash_of(token)) == 0) {
    return fail(ErrorCode::kForbidden, "this link has been used, or is too old",
                "get a new one with: minimill open");
  }
  Result<std::string> cookie = policy::make_key();
  if (!cookie) return cookie;
  sessions_[policy::hash_of(*cookie)] = clock_.wall();
  drop_old(sessions_, kLife);
  save();
  return cookie;
}

std::string Sessions::cookie_name(const http::Request& request) {
  const std::string_view host = request.headers.get("host");
  const std::size_t colon = host.rfind(':');
  std::string port;
  if (colon != std::string_view::npos) port = host.substr(colon + 1);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return std::ranges::all_of(port, is_digit) && !port.empty() ? "minimill-" + port : "minimill";
}

bool Sessions::knows(const http::Request& request) const {
  const std::string_view cookie = cookie_value(request.headers.get("cookie"), cookie_name(request));
  if (cookie.empty() || !http::is_same_origin(request)) return false;
  const auto found = sessions_.find(policy::hash_of(cookie));
  return found != sessions_.end() && clock_.wall() - found->second < kLife;
}

}  // namespace minimill::api
