#include "protocol/garbage.h"

#include <fmt/format.h>

#include <string>

namespace minimill::protocol {

std::unexpected<Error> garbage(std::string_view expected, std::string_view got) {
  constexpr std::size_t kShown = 80;
  std::string beginning(got.substr(0, kShown));
  for (char& c : beginning) c = c >= ' ' && c < '\x7f' ? c : '?';
  return fail(ErrorCode::kUpstream, fmt::format("expected {}, got '{}'", expected, beginning));
}

}  // namespace minimill::protocol
