#include "learn/recent_answers.h"

#include <functional>
#include <utility>

namespace minimill::learn {
namespace {

std::size_t key_of(std::string_view app, std::string_view text) {
  const std::hash<std::string_view> hash;
  return hash(text) * 31 + hash(app);
}

}  // namespace

void RecentAnswers::remember(const RequestId& id, RecentAnswer answer) {
  const std::size_t bytes = answer.input.text.size();
  if (bytes > kMaxBytes) return;
  const std::size_t key = key_of(answer.input.app, answer.input.text);
  if (!answers_.emplace(id.value, std::move(answer)).second) return;
  by_text_[key] = id.value;
  bytes_ += bytes;
  oldest_first_.push_back(id.value);
  while (oldest_first_.size() > kMaxAnswers || bytes_ > kMaxBytes) forget_oldest();
}

RecentAnswer* RecentAnswers::find(std::string_view id) {
  const auto found = answers_.find(std::string(id));
  return found == answers_.end() ? nullptr : &found->second;
}

std::string RecentAnswers::same_asked(std::string_view app, std::string_view text) const {
  const auto found = by_text_.find(key_of(app, text));
  if (found == by_text_.end()) return {};
  const auto answer = answers_.find(found->second);
  const bool same = answer != answers_.end() && answer->second.input.text == text;
  return same ? found->second : std::string();
}

void RecentAnswers::forget_oldest() {
  const std::string id = std::move(oldest_first_.front());
  oldest_first_.pop_front();
  const auto node = answers_.extract(id);
  if (node.empty()) return;
  const route::RouteInput& input = node.mapped().input;
  bytes_ -= input.text.size();
  const auto newest = by_text_.find(key_of(input.app, input.text));
  if (newest != by_text_.end() && newest->second == id) by_text_.erase(newest);
}

}  // namespace minimill::learn
