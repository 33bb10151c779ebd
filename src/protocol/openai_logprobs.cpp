#include "protocol/answer_fields.h"
#include "protocol/openai_fields.h"

namespace minimill::protocol::openai {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxTokens = 200'000;  // of one answer
constexpr std::size_t kMaxTop = 20;

double number_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0.0;
}

chat::TokenLogprob one_token(const json::object& entry) {
  return {.token = std::string(text_in(entry, "token")),
          .logprob = number_in(entry, "logprob"),
          .top = {}};
}

json::object token_json(const chat::TokenLogprob& token) {
  json::array bytes;
  for (const char byte : token.token) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"token", token.token}, {"logprob", token.logprob}, {"bytes", std::move(bytes)}};
}

}  // namespace

std::vector<chat::TokenLogprob> logprobs_in(const json::object& choice) {
  std::vector<chat::TokenLogprob> tokens;
  const json::object* logprobs = object_in(choice, "logprobs");
  const json::array* content = logprobs == nullptr ? nullptr : array_in(*logprobs, "content");
  if (content == nullptr || content->size() > kMaxTokens) return tokens;
  for (const json::value& each : *content) {
    const json::object* entry = each.if_object();
    if (entry == nullptr) continue;
    chat::TokenLogprob& token = tokens.emplace_back(one_token(*entry));
    const json::array* top = array_in(*entry, "top_logprobs");
    if (top == nullptr || top->size() > kMaxTop) continue;
    for (const json::value& other : *top) {
      if (const json::object* named = other.if_object()) token.top.push_back(one_token(*named));
    }
  }
  return tokens;
}

json::object logprobs_json(const std::vector<chat::TokenLogprob>& tokens) {
  json::array content;
  for (const chat::TokenLogprob& token : tokens) {
    json::object entry = token_json(token);
    json::array top;
    for (const chat::TokenLogprob& other : token.top) top.push_back(token_json(other));
    entry["top_logprobs"] = std::move(top);
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

}  // namespace minimill::protocol::openai
