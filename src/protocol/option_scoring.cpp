#include "protocol/option_scoring.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/json.h"
#include "chat/closed_question.h"
#include "protocol/answer_fields.h"
#include "protocol/openai.h"

namespace minimill::protocol {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr double kBias = 40;  // the same for each letter: their ratios stay the model's
constexpr std::size_t kMostListed = 512;

/// The first token's alternatives, where the body has them.
const json::array* alternatives_in(const json::object& body) {
  const json::array* choices = array_in(body, "choices");
  if (choices == nullptr || choices->empty()) return nullptr;
  const json::object* choice = choices->front().if_object();
  const json::object* logprobs = choice == nullptr ? nullptr : object_in(*choice, "logprobs");
  const json::array* content = logprobs == nullptr ? nullptr : array_in(*logprobs, "content");
  if (content == nullptr || content->empty()) return nullptr;
  const json::object* token = content->front().if_object();
  return token == nullptr ? nullptr : array_in(*token, "top_probs");
}

std::int64_t count_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

chat::Usage usage_in(const json::object& body) {
  const json::object* usage = object_in(body, "usage");
  if (usage == nullptr) return {};
  const json::object* details = object_in(*usage, "prompt_tokens_details");
  return {.prompt_tokens = count_in(*usage, "prompt_tokens"),
          .completion_tokens = count_in(*usage, "completion_tokens"),
          .cached_prompt_tokens = details == nullptr ? 0 : count_in(*details, "cached_tokens")};
}

}  // namespace

std::vector<std::size_t> random_order(std::size_t options, Random& random) {
  std::vector<std::size_t> order(options);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = options; i > 1; --i) {  // Fisher and Yates
    std::swap(order[i - 1], order[static_cast<std::size_t>(random.bits() % i)]);
  }
  return order;
}

std::string write_scoring_request(const chat::ChatRequest& question,
                                  std::span<const std::string> options,
                                  std::span<const std::size_t> order, std::string_view model) {
  std::string list = "\n\nThe possible answers:\n";
  json::object bias;
  for (std::size_t i = 0; i < order.size(); ++i) {
    list += fmt::format("{}. {}\n", kLetters[i], options[order[i]]);
    bias[kLetters.substr(i, 1)] = kBias;
  }
  list += "Reply with nothing but the letter of the right one.";
  chat::ChatRequest asked = question;
  asked.logprobs = false;
  asked.edit([&list](chat::RequestParts& parts) {
    parts.messages.back().parts.emplace_back(chat::Text{std::move(list)});
    parts.response_format = chat::ResponseFormat::kText;
    parts.json_schema = {};
    parts.top_logprobs = 0;
  });
  const std::string written = openai::write_chat_request(asked, model, false, Target::kLlamaServer);
  json::object body = parse_json_object(written).value_or(json::object{});
  body["max_tokens"] = 1;
  body["temperature"] = 1.0;
  body["top_k"] = 0;
  body["top_p"] = 1.0;
  body["min_p"] = 0.0;
  body["logit_bias"] = std::move(bias);
  body["logprobs"] = true;
  body["top_logprobs"] = order.size();
  body["post_sampling_probs"] = true;
  body["chat_template_kwargs"] = {{"enable_thinking", false}};
  return json::serialize(body);
}

Result<chat::ChatAnswer> read_scoring_answer(std::string_view text,
                                             std::span<const std::string> options,
                                             std::span<const std::size_t> order) {
  const Result<json::object> body = parse_json_object(text);
  if (!body) return std::unexpected(body.error());
  const json::array* listed = alternatives_in(*body);
  std::vector<double> p(options.size(), 0.0);
  double sum = 0;
  for (std::size_t i = 0; listed != nullptr && i < std::min(listed->size(), kMostListed); ++i) {
    const json::object* each = (*listed)[i].if_object();
    const json::value* likely = each == nullptr ? nullptr : each->if_contains("prob");
    const std::string_view token = each == nullptr ? std::string_view() : text_in(*each, "token");
    if (likely == nullptr || !likely->is_number() || token.size() != 1) continue;
    const std::size_t letter = kLetters.find(token);
    const double value = likely->to_number<double>();
    if (letter >= order.size() || !(value >= 0 && value <= 1)) continue;
    sum += value - std::exchange(p[order[letter]], value);
  }
  if (!(sum > 0)) {
    return fail(ErrorCode::kUnsupported, "the engine tells no probabilities of its tokens");
  }
  for (double& each : p) each /= sum;
  chat::AnswerParts answer = chat::weighed_answer(options, p);
  answer.model = text_in(*body, "model");
  answer.usage = usage_in(*body);
  return chat::ChatAnswer(std::move(answer));
}

}  // namespace minimill::protocol
