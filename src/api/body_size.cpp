#include "api/body_size.h"

#include <fmt/format.h>

#include <algorithm>

namespace minimill::api {

Result<> check_values(std::string_view body) {
  const auto commas = static_cast<std::size_t>(std::ranges::count(body, ','));
  if (commas < kMaxValues) return {};
  return fail(ErrorCode::kTooLarge, fmt::format("the body has over {} values", kMaxValues),
              "send it in parts");
}

}  // namespace minimill::api
