#include "base/retry.h"

#include <algorithm>

namespace minimill {

bool is_transient(ErrorCode code) {
  switch (code) {
    case ErrorCode::kRateLimited:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kUpstream:
    case ErrorCode::kIo:
      return true;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnauthorized:
    case ErrorCode::kForbidden:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kTooLarge:
    case ErrorCode::kContextExceeded:
    case ErrorCode::kCancelled:
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported:
    case ErrorCode::kInternal:
      return false;
  }
  return false;
}

Millis Backoff::after(int failures, Millis asked) const {
  Millis ceiling = std::min(range_.first, range_.longest);
  for (int i = 1; i < failures && ceiling < range_.longest && ceiling > Millis{0}; ++i) {
    ceiling = std::min(2 * ceiling, range_.longest);
  }
  const Millis sure = ceiling / 2;
  const auto drawn =
      static_cast<Millis::rep>(static_cast<double>((ceiling - sure).count()) * random_.unit());
  return std::min(std::max(sure + Millis{drawn}, asked), range_.longest);
}

}  // namespace minimill
