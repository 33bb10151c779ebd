#include "check/answer_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/json.h"
#include "check/json_equal.h"

namespace minimill::check {
namespace {

constexpr std::size_t kMaxComparedBytes = 32 << 10;
constexpr std::size_t kShortWords = 6;  // answers this short must agree to the word
constexpr double kAlikeWords = 0.5;     // least F1 of the words of longer ones
constexpr std::size_t kMaxJudgedBytes = 8 << 10;

/// Lower-case words and numbers; punctuation parts them.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text.substr(0, kMaxComparedBytes)) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const bool letter = (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9') ||
                        (static_cast<unsigned char>(small) & 0x80U) != 0;
    if (letter) {
      word += small;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

/// The harmonic mean of how many of each one's words are the other's (Rajpurkar et al. 2016).
double word_f1(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  if (a.empty() || b.empty()) return a.empty() == b.empty() ? 1 : 0;
  std::map<std::string_view, int> left;
  for (const std::string& word : a) ++left[word];
  int shared = 0;
  for (const std::string& word : b) {
    int& count = left[word];
    if (count > 0) {
      --count;
      ++shared;
    }
  }
  return 2.0 * shared / static_cast<double>(a.size() + b.size());
}

bool same_calls(const chat::ChatAnswer& a, const chat::ChatAnswer& b) {
  const auto same = [](const chat::ToolCall& x, const chat::ToolCall& y) {
    const Result<json::value> of_x = parse_json(x.arguments);
    const Result<json::value> of_y = parse_json(y.arguments);
    return x.name == y.name && of_x && of_y && check::json_equal(*of_x, *of_y);
  };
  return std::ranges::equal(a.tool_calls(), b.tool_calls(), same);
}

}  // namespace

Comparison compare_answers(const chat::ChatAnswer& local, const chat::ChatAnswer& cloud) {
  if (!local.tool_calls().empty() || !cloud.tool_calls().empty()) {
    const bool same = same_calls(local, cloud);
    return {.alike = same, .how = same ? "the same tools called" : "other tools called"};
  }
  const Result<json::value> of_cloud = parse_json(cloud.text());
  if (of_cloud && (of_cloud->is_object() || of_cloud->is_array())) {
    const Result<json::value> of_local = parse_json(local.text());
    const bool same =
        of_local && check::json_equal(*of_local, *of_cloud, check::StringMatch::kTrimmed);
    return {.alike = same, .how = same ? "the same JSON" : "other JSON"};
  }
  const std::vector<std::string> a = words_of(local.text());
  const std::vector<std::string> b = words_of(cloud.text());
  if (b.size() <= kShortWords) {
    // The device may say more around it, as long as it says it.
    const bool there = !b.empty() && !std::ranges::search(a, b).empty();
    return {.alike = there, .how = there ? "the same words" : "other words"};
  }
  const double f1 = word_f1(a, b);
  return {.alike = f1 >= kAlikeWords, .how = fmt::format("{:.0f} % of the words shared", 100 * f1)};
}

chat::ChatRequest judge_request(const chat::ChatRequest& asked, const chat::ChatAnswer& local,
                                const chat::ChatAnswer& cloud, std::string model) {
  const auto shown = [](const std::string& text) { return text.substr(0, kMaxJudgedBytes); };
  const std::string prompt = fmt::format(
      "Two answers to the same request follow. Is answer A good enough, that is, right and as "
      "useful as answer B to who asked? Reply with only yes or no.\n\nRequest:\n{}\n\nAnswer A:\n"
      "{}\n\nAnswer B:\n{}",
      shown(chat::prompt_text(asked)), shown(local.text()), shown(cloud.text()));
  chat::RequestParts parts;
  parts.model = std::move(model);
  parts.messages.push_back(chat::text_message(chat::Role::kUser, prompt));
  parts.sampling.temperature = 0;
  parts.sampling.max_tokens = 8;
  return chat::ChatRequest(std::move(parts));
}

Result<bool> judge_verdict(const chat::ChatAnswer& answer) {
  const std::vector<std::string> words = words_of(answer.text());
  if (!words.empty() && words.front() == "yes") return true;
  if (!words.empty() && words.front() == "no") return false;
  return fail(ErrorCode::kUpstream, "the judge said neither yes nor no");
}

}  // namespace minimill::check
