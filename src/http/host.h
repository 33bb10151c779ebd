#pragma once

// The host of a Host header or an Origin: "localhost:4177", "[::1]:80", "minimill.example".

#include <string_view>

namespace minimill::http {

/// "name:port" → "name", "[::1]:80" → "[::1]"; "" where the rest is no port.
std::string_view without_port(std::string_view host);

/// "localhost", "127.0.0.1" or "[::1]": names that no DNS server can point elsewhere.
bool is_loopback_name(std::string_view host);

}  // namespace minimill::http
