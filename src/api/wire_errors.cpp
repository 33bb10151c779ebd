#include "api/wire_errors.h"

#include "api/json_response.h"
#include "protocol/anthropic.h"
#include "protocol/ollama.h"
#include "protocol/openai.h"

namespace minimill::api {

std::string write_error_for(std::string_view path, const Error& error) {
  if (path.starts_with("/v1/messages")) return protocol::anthropic::write_error(error);
  if (path.starts_with("/v1/")) return protocol::openai::write_error(error);
  if (path.starts_with("/api/")) return protocol::ollama::write_error(error);
  return boost::json::serialize(to_json(error)) + '\n';
}

}  // namespace minimill::api
