#include <fmt/format.h>

#include <limits>

#include "base/json.h"
#include "protocol/anthropic.h"

namespace minimill::protocol::anthropic {

Result<std::int64_t> parse_count(std::string_view body) {
  const Result<boost::json::object> object = parse_json_object(body);
  if (!object) return fail(ErrorCode::kUpstream, "the count of tokens is no JSON object");
  Fields fields(*object);
  const std::optional<std::int64_t> tokens =
      fields.optional_integer("input_tokens", 0, std::numeric_limits<std::int64_t>::max());
  if (!fields.ok() || !tokens) return fail(ErrorCode::kUpstream, "the answer has no input_tokens");
  return *tokens;
}

std::string write_count(std::int64_t tokens) {
  return fmt::format(R"({{"input_tokens":{}}})", tokens);
}

}  // namespace minimill::protocol::anthropic
