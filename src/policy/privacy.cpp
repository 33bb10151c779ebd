#include "policy/privacy.h"

#include <fmt/format.h>

namespace minimill::policy {

std::string_view name(Privacy privacy) {
  return privacy == Privacy::kLocalOnly ? "local-only" : "allow";
}

Result<Privacy> parse_privacy(std::string_view text, std::string_view field) {
  if (text == "local-only") return Privacy::kLocalOnly;
  if (text == "allow") return Privacy::kAllow;
  return fail_field(std::string(field), fmt::format("no privacy level '{}'", text),
                    "use local-only or allow");
}

Result<> may_leave(Privacy privacy) {
  if (privacy != Privacy::kLocalOnly) return {};
  return fail(ErrorCode::kForbidden, "this request is local-only and may not leave the device",
              "start a local model (minimill pull), or send it with privacy 'allow'");
}

}  // namespace minimill::policy
