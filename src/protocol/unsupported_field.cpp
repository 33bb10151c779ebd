#include "protocol/unsupported_field.h"

#include <utility>

namespace minimill::protocol {

std::unexpected<Error> unsupported_field(std::string path, std::string message, std::string hint) {
  Error error{.code = ErrorCode::kUnsupported,
              .message = std::move(message),
              .hint = std::move(hint),
              .field = std::move(path),
              .retry_after = {}};
  return std::unexpected(std::move(error));
}

}  // namespace minimill::protocol
