#include <fmt/format.h>

#include <limits>
#include <utility>

#include "base/json.h"
#include "protocol/embeddings.h"
#include "protocol/request_limits.h"

namespace minimill::protocol {
namespace {

using Tokens = std::vector<std::int64_t>;

constexpr std::int64_t kMaxTokenId = std::numeric_limits<std::int32_t>::max();

std::unexpected<Error> fail_at(const std::string& path, std::string_view what) {
  return fail_field(path, fmt::format("'{}' {}", path, what));
}

Result<Tokens> parse_tokens(const json::array& list, const std::string& path) {
  if (list.empty() || list.size() > kMaxEmbeddingInputTokens) {
    return fail_at(path, fmt::format("must have 1 to {} tokens", kMaxEmbeddingInputTokens));
  }
  Tokens tokens;
  tokens.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    json::error_code ec;
    const auto token = list[i].is_number() ? list[i].to_number<std::int64_t>(ec) : -1;
    if (ec || token < 0 || token > kMaxTokenId) {
      return fail_at(fmt::format("{}[{}]", path, i), "must be a token's number");
    }
    tokens.push_back(token);
  }
  return tokens;
}

Result<std::string> parse_text(const json::value& value, const std::string& path) {
  const json::string* text = value.if_string();
  if (text == nullptr || text->empty()) return fail_at(path, "must be a text that is not empty");
  return std::string(*text);
}

/// Strings, or lists of tokens: what the first entry is, the others have to be.
Result<> parse_list(const json::array& list, EmbeddingRequest& request) {
  if (list.empty() || list.size() > kMaxEmbeddingInputs) {
    return fail_at("input", fmt::format("must have 1 to {} entries", kMaxEmbeddingInputs));
  }
  const bool of_tokens = list.front().is_array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string at = fmt::format("input[{}]", i);
    if (of_tokens) {
      const json::array* numbers = list[i].if_array();
      if (numbers == nullptr) return fail_at(at, "must be an array of tokens");
      Result<Tokens> tokens = parse_tokens(*numbers, at);
      if (!tokens) return std::unexpected(std::move(tokens.error()));
      request.tokens.push_back(std::move(*tokens));
    } else {
      Result<std::string> text = parse_text(list[i], at);
      if (!text) return std::unexpected(std::move(text.error()));
      request.texts.push_back(std::move(*text));
    }
  }
  return {};
}

Result<> parse_input(const json::value& input, EmbeddingRequest& request) {
  const json::array* list = input.if_array();
  if (list == nullptr) {
    Result<std::string> text = parse_text(input, "input");
    if (!text) return std::unexpected(std::move(text.error()));
    request.texts.push_back(std::move(*text));
    return {};
  }
  if (list->empty() || !list->front().is_number()) return parse_list(*list, request);
  Result<Tokens> tokens = parse_tokens(*list, "input");
  if (!tokens) return std::unexpected(std::move(tokens.error()));
  request.tokens.push_back(std::move(*tokens));
  return {};
}

}  // namespace

Result<EmbeddingRequest> parse_embedding_request(std::string_view text) {
  const Result<json::object> body = parse_json_object(text);
  if (!body) return std::unexpected(body.error());
  EmbeddingRequest request;
  Fields fields(*body);
  request.model = fields.required_string("model");
  if (request.model.empty() || request.model.size() > kMaxModelBytes) {
    fields.reject("model", fmt::format("must have 1 to {} bytes", kMaxModelBytes));
  }
  const std::string format = fields.string_or("encoding_format", "float");
  if (format != "float" && format != "base64") {
    fields.reject("encoding_format", "is none that minimill knows", "use float or base64");
  }
  request.base64 = format == "base64";
  request.dimensions = fields.optional_integer("dimensions", 1, kMaxEmbeddingDimensions);
  (void)fields.optional_string("user");  // no backend of ours needs it; a wrong one is still wrong
  const json::value* input = fields.find("input");
  if (input == nullptr) fields.reject("input", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (Result<> read = parse_input(*input, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  return request;
}

std::string write_embedding_request(const EmbeddingRequest& request, std::string_view model) {
  json::array input(request.texts.begin(), request.texts.end());
  for (const Tokens& tokens : request.tokens) {
    input.push_back(json::array(tokens.begin(), tokens.end()));
  }
  return json::serialize(
      json::object{{"model", model}, {"input", std::move(input)}, {"encoding_format", "float"}});
}

}  // namespace minimill::protocol
