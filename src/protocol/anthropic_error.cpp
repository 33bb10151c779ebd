#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/utf8.h"

namespace minimill::protocol::anthropic {
namespace {

std::string_view type_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnauthorized:
      return "authentication_error";
    case ErrorCode::kForbidden:
      return "permission_error";
    case ErrorCode::kNotFound:
      return "not_found_error";
    case ErrorCode::kTooLarge:
      return "request_too_large";
    case ErrorCode::kRateLimited:
      return "rate_limit_error";
    case ErrorCode::kUnavailable:
      return "overloaded_error";
    case ErrorCode::kTimeout:
      return "timeout_error";
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kConflict:
    case ErrorCode::kContextExceeded:
    case ErrorCode::kUnsupported:
      return "invalid_request_error";
    default:
      return "api_error";
  }
}

}  // namespace

std::string write_error(const Error& error) {
  return json::serialize(json::object{
      {"type", "error"},
      {"error", {{"type", type_of(error.code)}, {"message", valid_utf8(error.to_string())}}}});
}

std::string write_stream_error(const Error& error) {
  return "event: error\ndata: " + write_error(error) + "\n\n";
}

}  // namespace minimill::protocol::anthropic
