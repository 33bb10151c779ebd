#include "base/json.h"
#include "protocol/openai.h"

namespace minimill::protocol::openai {
namespace {

/// The types that OpenAI's own clients tell apart.
std::string_view type_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnauthorized: return "authentication_error";
    case ErrorCode::kForbidden: return "permission_error";
    case ErrorCode::kRateLimited: return "rate_limit_error";
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kTooLarge:
    case ErrorCode::kUnsupported: return "invalid_request_error";
    default: return "server_error";
  }
}

std::string_view code_of(ErrorCode code) {
  return code == ErrorCode::kNotFound ? "model_not_found" : name(code);
}

}  // namespace

std::string write_error(const Error& error) {
  const json::value param = error.field.empty() ? json::value(nullptr) : json::value(error.field);
  return json::serialize(json::object{{"error",
                                       {{"message", error.to_string()},
                                        {"type", type_of(error.code)},
                                        {"param", param},
                                        {"code", code_of(error.code)}}}});
}

std::string write_stream_error(const Error& error) { return "data: " + write_error(error) + "\n\n"; }

}  // namespace minimill::protocol::openai
