#include "protocol/ollama_embed.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "base/json.h"
#include "protocol/ollama_fields.h"

namespace minimill::protocol::ollama {
namespace {

/// What both endpoints have beside the texts.
Result<> parse_common(const json::object& body, EmbedRequest& request) {
  Fields fields(body);
  request.embedding.model = read_model(fields);
  request.truncate = fields.bool_or("truncate", true);
  request.embedding.dimensions = fields.optional_integer("dimensions", 1, kMaxEmbeddingDimensions);
  request.keep_alive = read_keep_alive(fields);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return note_options(body, request.emulated);
}

Result<> parse_input(const json::value& input, std::vector<std::string>& texts) {
  if (const json::string* text = input.if_string()) {
    if (!text->empty()) texts.emplace_back(*text);
    return {};
  }
  const json::array* list = input.if_array();
  if (list == nullptr || list->size() > kMaxEmbedInputs) {
    return fail_field("input",
                      fmt::format("'input' must be a text or at most {} texts", kMaxEmbedInputs));
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json::string* text = (*list)[i].if_string();
    if (text == nullptr || text->empty()) {
      const std::string at = fmt::format("input[{}]", i);
      return fail_field(at, fmt::format("'{}' must be a text that is not empty", at));
    }
    texts.emplace_back(*text);
  }
  return {};
}

Result<EmbedRequest> parse(std::string_view text, std::string_view key) {
  const Result<json::object> body = parse_json_object(text);
  if (!body) return std::unexpected(body.error());
  EmbedRequest request;
  if (Result<> read = parse_common(*body, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  Fields fields(*body);
  if (key == "prompt") {
    if (std::string prompt = fields.string_or(key, ""); !prompt.empty()) {
      request.embedding.texts.push_back(std::move(prompt));
    }
  } else if (const json::value* input = fields.find(key)) {
    if (Result<> read = parse_input(*input, request.embedding.texts); !read) {
      return std::unexpected(std::move(read.error()));
    }
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  request.load_only = request.embedding.texts.empty();
  return request;
}

}  // namespace

Result<EmbedRequest> parse_embed_request(std::string_view body) { return parse(body, "input"); }

Result<EmbedRequest> parse_embeddings_request(std::string_view body) {
  return parse(body, "prompt");
}

std::string write_embed_answer(const EmbeddingAnswer& answer, const Durations& durations) {
  std::string out = R"({"model":)";
  append_json_string(out, answer.model);
  out += R"(,"embeddings":[)";
  for (std::size_t i = 0; i < answer.vectors.size(); ++i) {
    if (i > 0) out += ',';
    append_vector(out, answer.vectors[i]);
  }
  fmt::format_to(std::back_inserter(out),
                 R"(],"total_duration":{},"load_duration":{},"prompt_eval_count":{}}})",
                 durations.total.count(), durations.load.count(), answer.prompt_tokens);
  return out;
}

std::string write_embeddings_answer(const EmbeddingAnswer& answer) {
  std::string out = R"({"embedding":)";
  append_vector(out, answer.vectors.empty() ? std::vector<float>() : answer.vectors.front());
  out += '}';
  return out;
}

}  // namespace minimill::protocol::ollama
