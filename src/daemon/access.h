#pragma once

// Who asks, and what they may: apps by their keys, with their limits, budgets and defaults.

#include "daemon/config.h"
#include "daemon/gateway.h"
#include "http/server.h"

namespace minimill::daemon {

class Access {
 public:
  explicit Access(const Config& config) : config_(config) {}

  /// An ask by whoever sent `request`, with their defaults.
  Ask new_ask(const http::Request& request) const;
  /// kForbidden, kRateLimited: what the app may not ask for, or not now.
  Result<> admit(const Ask& ask);

 private:
  const Config& config_;
};

}  // namespace minimill::daemon
