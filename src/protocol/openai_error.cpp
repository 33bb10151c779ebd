#include "base/json.h"
#include "protocol/openai.h"
#include "protocol/utf8.h"

namespace minimill::protocol::openai {
namespace {

/// The types that OpenAI's own clients tell apart.
std::string_view type_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnauthorized:
      return "authentication_error";
    case ErrorCode::kForbidden:
      return "permission_error";
    case ErrorCode::kRateLimited:
      return "rate_limit_error";
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kTooLarge:
    case ErrorCode::kContextExceeded:
    case ErrorCode::kUnsupported:
      return "invalid_request_error";
    default:
      return "server_error";
  }
}

/// OpenAI's clients look for this one; a path that is not there is none of theirs.
std::string_view code_of(const Error& error) {
  const bool is_model = error.code == ErrorCode::kNotFound && error.field == "model";
  return is_model ? "model_not_found" : name(error.code);
}

}  // namespace

std::string write_error(const Error& error) {
  const json::value param =
      error.field.empty() ? json::value(nullptr) : json::value(valid_utf8(error.field));
  return json::serialize(json::object{{"error",
                                       {{"message", valid_utf8(error.to_string())},
                                        {"type", type_of(error.code)},
                                        {"param", param},
                                        {"code", code_of(error)}}}});
}

std::string write_stream_error(const Error& error) {
  return "data: " + write_error(error) + "\n\n";
}

}  // namespace minimill::protocol::openai
