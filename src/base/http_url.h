#pragma once

// An http:// or https:// URL (RFC 3986), taken apart so that two can be compared by what they mean
// and not by their letters: "http://127.0.0.1:90" is no beginning of "http://127.0.0.1:9000/".
//
// What a server or a proxy might read in another way than we do is refused: user names, control
// characters, backslashes, fragments, and dots that climb in the path.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill {

inline constexpr std::size_t kMaxUrlBytes = 2048;

struct HttpUrl {
  bool tls = false;
  std::string host;  // lower case; an IPv6 address stands in brackets
  std::uint16_t port = 0;
  std::string path;   // begins with "/"
  std::string query;  // without "?"; may be empty

  bool operator==(const HttpUrl&) const = default;
};

/// kInvalidArgument says what is wrong with it.
Result<HttpUrl> parse_http_url(std::string_view text);

/// The host is this machine by its very name: 127.0.0.0/8, [::1] or localhost.
bool is_loopback(const HttpUrl& url);

/// Same scheme, host and port, and the path is `allowed`'s or lies below it.
bool lies_under(const HttpUrl& url, const HttpUrl& allowed);

}  // namespace minimill
