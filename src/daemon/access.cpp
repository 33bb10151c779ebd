#include "daemon/access.h"

namespace minimill::daemon {

Ask Access::new_ask(const http::Request& request) const {
  Ask ask;
  ask.app = request.headers.get("user-agent");
  ask.privacy = config_.privacy;
  return ask;
}

Result<> Access::admit(const Ask& /*ask*/) { return {}; }

}  // namespace minimill::daemon
