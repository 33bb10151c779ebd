#include "base/http_url.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace minimill {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::string_view kHint = "give a URL like https://host/path";

std::unexpected<Error> bad(std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("a URL {}", why), std::string(kHint));
}

std::string lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool is_url_byte(char c) { return c > ' ' && c < '\x7f' && c != '\\' && c != '#'; }

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool is_address_byte(char c) {
  return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

bool is_good_host(std::string_view host) {
  if (host.starts_with('[')) {
    if (host.size() < 4 || !host.ends_with(']')) return false;
    return std::ranges::all_of(host.substr(1, host.size() - 2), is_address_byte);
  }
  return !host.empty() && std::ranges::all_of(host, is_name_byte);
}

/// "." or ".." as they are, or with escaped dots.
bool is_dots(std::string_view segment) {
  std::string plain = lowered(segment);
  for (auto at = plain.find("%2e"); at != std::string::npos; at = plain.find("%2e", at)) {
    plain.replace(at, 3, ".");
  }
  return plain == "." || plain == "..";
}

bool climbs(std::string_view path) {
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (is_dots(path.substr(0, slash))) return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
  return false;
}

/// "host:port" into its parts; the port stays as it was where there is none.
bool split_authority(std::string_view authority, HttpUrl& url) {
  const auto after_host = authority.find(':', authority.starts_with('[') ? authority.find(']') : 0);
  url.host = lowered(authority.substr(0, after_host));
  if (!is_good_host(url.host)) return false;
  if (after_host == std::string_view::npos) return true;
  const std::string_view port = authority.substr(after_host + 1);
  const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  return ec == std::errc{} && end == port.data() + port.size() && url.port != 0;
}

/// Four decimal numbers, so that no name that begins with "127." is taken for an address.
bool is_loopback_v4(std::string_view host) {
  std::array<int, 4> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string_view digits = host.substr(0, host.find('.'));
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), parts[i]);
    if (ec != std::errc{} || end != digits.data() + digits.size()) return false;
    if (parts[i] < 0 || parts[i] > 255) return false;
    host.remove_prefix(digits.size());
    const bool last = i + 1 == parts.size();
    if (last != host.empty()) return false;
    if (!last) host.remove_prefix(1);
  }
  return parts[0] == 127;
}

}  // namespace

Result<HttpUrl> parse_http_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes) return bad(fmt::format("of over {} bytes", kMaxUrlBytes));
  if (!std::ranges::all_of(text, is_url_byte)) {
    return bad(
        "with a space, a control character, a backslash, a fragment or a letter beyond ASCII");
  }
  const auto colon = text.find("://");
  const std::string scheme = lowered(text.substr(0, colon));
  if (colon == std::string_view::npos || (scheme != "http" && scheme != "https")) {
    return bad("that is neither http:// nor https://");
  }
  HttpUrl url;
  url.tls = scheme == "https";
  url.port = url.tls ? kHttpsPort : kHttpPort;
  const std::string_view rest = text.substr(colon + 3);
  const auto authority_end = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority = rest.substr(0, authority_end);
  if (authority.find('@') != std::string_view::npos) return bad("with a user name or password");
  if (!split_authority(authority, url)) return bad("whose host or port cannot be read");

  const std::string_view target = rest.substr(authority_end);
  const auto question = std::min(target.find('?'), target.size());
  url.path = target.substr(0, question);
  if (question < target.size()) url.query = target.substr(question + 1);
  if (url.path.empty()) url.path = "/";
  if (climbs(url.path)) return bad("with '.' or '..' in its path");
  return url;
}

bool is_loopback(const HttpUrl& url) {
  return url.host == "localhost" || url.host == "[::1]" || is_loopback_v4(url.host);
}

bool lies_under(const HttpUrl& url, const HttpUrl& allowed) {
  if (url.tls != allowed.tls || url.host != allowed.host || url.port != allowed.port) return false;
  if (!url.path.starts_with(allowed.path)) return false;
  return allowed.path.ends_with('/') || url.path.size() == allowed.path.size() ||
         url.path[allowed.path.size()] == '/';
}

}  // namespace minimill
