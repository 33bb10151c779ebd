#pragma once

// Whom tasks may notify: URLs under one of [outbox] allow, compared by origin and path segments.

#include <string>
#include <vector>

#include "base/http_url.h"

namespace minimill::policy {

class NotifyPolicy {
 public:
  /// Entries that are no URL are passed over: the configuration's reader has refused them.
  explicit NotifyPolicy(const std::vector<std::string>& allow);

  /// kForbidden, with what to configure.
  Result<> admit(const std::string& url) const;

 private:
  std::vector<HttpUrl> allowed_;
};

}  // namespace minimill::policy
