#include "chat/closed_question.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/json.h"

namespace minimill::chat {
namespace {

constexpr std::string_view kSchemaName = "decision";
constexpr std::string_view kField = "answer";
constexpr double kLeast = 1e-9;  // of a probability that is written as a logarithm

const json::object* object_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

/// Did the backend weigh the options: one token, whose alternatives are options?
std::optional<std::vector<double>> weighed(const ChatAnswer& answer,
                                           std::span<const std::string> options) {
  if (answer.logprobs().size() != 1 || answer.logprobs().front().top.size() != options.size()) {
    return std::nullopt;
  }
  std::vector<double> p(options.size(), 0.0);
  double sum = 0;
  for (const TokenLogprob& each : answer.logprobs().front().top) {
    const auto at = std::ranges::find(options, each.token);
    if (at == options.end()) return std::nullopt;
    sum += p[static_cast<std::size_t>(at - options.begin())] =
        std::exp(std::min(0.0, each.logprob));
  }
  if (!(sum > 0)) return std::nullopt;
  for (double& each : p) each /= sum;
  return p;
}

/// Of the tokens that the option is written with.
double probability_of_text(const ChatAnswer& answer, std::string_view option) {
  const std::string quoted = json::serialize(json::string(option));
  const std::size_t begin = answer.text().rfind(quoted);
  if (begin == std::string::npos || answer.logprobs().empty()) return 1;
  double sum = 0;
  std::size_t at = 0;
  for (const TokenLogprob& token : answer.logprobs()) {
    const std::size_t end = at + token.token.size();
    if (end > begin + 1 && at < begin + quoted.size() - 1) sum += std::min(0.0, token.logprob);
    at = end;
  }
  return std::exp(sum);
}

}  // namespace

ChatRequest closed_question(std::string model, std::string text, std::vector<Image> images,
                            std::span<const std::string> options) {
  RequestParts parts;
  parts.model = std::move(model);
  Message message = text_message(Role::kUser, std::move(text));
  for (Image& image : images) message.parts.emplace_back(std::move(image));
  parts.messages.push_back(std::move(message));
  parts.response_format = ResponseFormat::kJsonSchema;
  const json::object property{{"type", "string"},
                              {"enum", json::array(options.begin(), options.end())}};
  const json::object schema{{"type", "object"},
                            {"properties", {{kField, property}}},
                            {"required", json::array{kField}},
                            {"additionalProperties", false}};
  parts.json_schema = {{"name", kSchemaName}, {"schema", schema}, {"strict", true}};
  parts.top_logprobs = static_cast<std::int64_t>(options.size());
  ChatRequest request(std::move(parts));
  request.logprobs = true;
  return request;
}

std::optional<std::vector<std::string>> options_of(const ChatRequest& request) {
  if (request.response_format() != ResponseFormat::kJsonSchema) return std::nullopt;
  const json::value* name = request.json_schema().if_contains("name");
  if (name == nullptr || !name->is_string() || name->get_string() != kSchemaName) {
    return std::nullopt;
  }
  const json::object* found = object_in(request.json_schema(), "schema");
  if (found != nullptr) found = object_in(*found, "properties");
  if (found != nullptr && found->size() != 1) return std::nullopt;
  if (found != nullptr) found = object_in(*found, kField);
  const json::value* listed = found == nullptr ? nullptr : found->if_contains("enum");
  if (listed == nullptr || !listed->is_array()) return std::nullopt;
  std::vector<std::string> options;
  for (const json::value& each : listed->get_array()) {
    if (!each.is_string()) return std::nullopt;
    options.emplace_back(each.get_string());
  }
  if (options.size() < 2) return std::nullopt;
  return options;
}

std::string closed_answer(std::string_view option) {
  std::string answer = R"({"answer":)";
  append_json_string(answer, option);
  return answer + "}";
}

std::optional<std::size_t> option_in(std::string_view answer,
                                     std::span<const std::string> options) {
  const Result<json::object> parsed = parse_json_object(answer);
  const json::value* named = parsed ? parsed->if_contains(kField) : nullptr;
  if (named == nullptr || !named->is_string()) return std::nullopt;
  const auto at = std::ranges::find(options, std::string_view(named->get_string()));
  if (at == options.end()) return std::nullopt;
  return static_cast<std::size_t>(at - options.begin());
}

AnswerParts weighed_answer(std::span<const std::string> options, std::span<const double> p) {
  const auto best = static_cast<std::size_t>(std::ranges::max_element(p) - p.begin());
  const auto token = [&](std::size_t i) {
    return TokenLogprob{
        .token = options[i], .logprob = std::log(std::max(p[i], kLeast)), .top = {}};
  };
  AnswerParts answer;
  answer.text = closed_answer(options[best]);
  answer.logprobs.push_back(token(best));
  for (std::size_t i = 0; i < options.size(); ++i) answer.logprobs.front().top.push_back(token(i));
  return answer;
}

std::vector<double> option_probabilities(const ChatAnswer& answer,
                                         std::span<const std::string> options) {
  if (std::optional<std::vector<double>> p = weighed(answer, options)) return *p;
  const std::optional<std::size_t> named = option_in(answer.text(), options);
  if (!named) return {};
  const double likely = probability_of_text(answer, options[*named]);
  const double rest =
      (1 - likely) / static_cast<double>(std::max<std::size_t>(1, options.size() - 1));
  std::vector<double> p(options.size(), rest);
  p[*named] = likely;
  return p;
}

}  // namespace minimill::chat
