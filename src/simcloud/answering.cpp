#include "simcloud/answering.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <optional>
#include <ranges>

#include "base/json.h"
#include "simcloud/sample_json.h"
#include "simcloud/tool_calls.h"

namespace minimill::simcloud {
namespace {

constexpr std::int64_t kBytesPerToken = 4;  // a rule of thumb for English
constexpr std::string_view kMark = "[simulated] ";

std::int64_t tokens_in(std::size_t bytes) {
  return static_cast<std::int64_t>(bytes) / kBytesPerToken + 1;
}

/// FNV-1a: the same on every machine, unlike std::hash.
std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return scrambled(hash);
}

std::string last_user_text(const chat::ChatRequest& request) {
  for (const chat::Message& message : std::views::reverse(request.messages())) {
    if (message.role == chat::Role::kUser) return message.text();
  }
  return {};
}

/// What the prompt wants said, between <answer> and </answer>: for apps that put the prompt into
/// words of their own, where no gold answer would be found.
std::optional<std::string> answer_in(const std::string& prompt) {
  constexpr std::string_view kBegin = "<answer>";
  const std::size_t begin = prompt.find(kBegin);
  const std::size_t end = prompt.find("</answer>", begin);
  if (begin == prompt.npos || end == prompt.npos) return std::nullopt;
  return prompt.substr(begin + kBegin.size(), end - begin - kBegin.size());
}

/// Up to where the app wants it to stop.
void stop_at(const std::vector<std::string>& stops, std::string& text) {
  std::size_t end = text.size();
  for (const std::string& stop : stops) end = std::min(end, text.find(stop));
  text.resize(end);
}

std::string filler(std::int64_t tokens) {
  constexpr std::string_view kWords = "This text stands in for an answer of the cloud. ";
  const auto bytes = static_cast<std::size_t>(tokens * kBytesPerToken);
  std::string text(kMark);
  while (text.size() < bytes) text += kWords;
  return text;
}

}  // namespace

std::uint64_t scrambled(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15ULL;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9ULL;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebULL;
  return number ^ (number >> 31);
}

double unit_interval(std::uint64_t number) {
  return static_cast<double>(scrambled(number) >> 11) * 0x1.0p-53;
}

Answering::Answering(const SimCloudOptions& options) : options_(options) {
  for (const GoldAnswer& each : options.gold) gold_.emplace(each.prompt, &each);
}

std::string Answering::text_for(const chat::ChatRequest& request, const std::string& prompt) const {
  if (const auto gold = gold_.find(prompt); gold != gold_.end()) {
    const bool right = unit_interval(hash_of(prompt, options_.seed)) < options_.p_correct;
    return right ? gold->second->right : gold->second->wrong;
  }
  if (std::optional<std::string> wanted = answer_in(prompt)) return *wanted;
  if (request.response_format() == chat::ResponseFormat::kJsonSchema) {
    const json::value* schema = request.json_schema().if_contains("schema");
    return json::serialize(schema == nullptr ? json::value(json::object{}) : sample_of(*schema));
  }
  if (request.response_format() == chat::ResponseFormat::kJsonObject)
    return R"({"simulated":true})";
  if (const std::optional<std::string> results = what_tools_said(request)) {
    return std::string(kMark) + *results;
  }
  return filler(options_.answer_tokens);
}

chat::ChatAnswer Answering::answer(const chat::ChatRequest& request) const {
  chat::AnswerParts answer;
  answer.model = request.model().starts_with("sim-") ? request.model() : "sim-" + request.model();
  const std::string prompt = last_user_text(request);
  answer.usage.prompt_tokens = tokens_in(chat::prompt_text(request).size());
  answer.tool_calls = calls_for(request);
  if (!answer.tool_calls.empty()) {
    answer.finish = chat::FinishReason::kToolCalls;
    for (const chat::ToolCall& call : answer.tool_calls) {
      answer.usage.completion_tokens += tokens_in(call.arguments.size());
    }
    return chat::ChatAnswer(std::move(answer));
  }
  answer.text = text_for(request, prompt);
  stop_at(request.sampling().stop, answer.text);
  answer.usage.completion_tokens = tokens_in(answer.text.size());
  const std::int64_t most = request.sampling().max_tokens.value_or(answer.usage.completion_tokens);
  if (answer.usage.completion_tokens > most) {
    answer.usage.completion_tokens = most;
    answer.text.resize(static_cast<std::size_t>(most * kBytesPerToken));
    answer.finish = chat::FinishReason::kLength;
  }
  return chat::ChatAnswer(std::move(answer));
}

std::chrono::nanoseconds Answering::first_token_after(std::uint64_t draw) const {
  const double sigma = options_.latency_sigma;
  // Box and Muller: a normal number from two uniform ones. The mean of exp(N(mu, sigma²)) is
  // exp(mu + sigma²/2), hence the shift.
  const double u = std::max(unit_interval(draw), 1e-12);
  const double v = unit_interval(draw ^ 0x5bd1e995);
  const double normal = std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  const double factor = std::exp(sigma * normal - sigma * sigma / 2);
  const std::chrono::duration<double> mean = options_.first_token;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(mean * factor);
}

}  // namespace minimill::simcloud
