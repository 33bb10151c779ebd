#include "daemon/recent_answers.h"

#include <utility>

namespace minimill::daemon {

void RecentAnswers::remember(const RequestId& id, RecentAnswer answer) {
  const std::size_t bytes = answer.input.text.size();
  if (bytes > kMaxBytes) return;
  if (!answers_.emplace(id.value, std::move(answer)).second) return;
  bytes_ += bytes;
  oldest_first_.push_back(id.value);
  while (oldest_first_.size() > kMaxAnswers || bytes_ > kMaxBytes) forget_oldest();
}

std::optional<RecentAnswer> RecentAnswers::take(std::string_view id) {
  auto node = answers_.extract(std::string(id));
  if (node.empty()) return std::nullopt;
  bytes_ -= node.mapped().input.text.size();
  return std::move(node.mapped());
}

void RecentAnswers::forget_oldest() {
  take(oldest_first_.front());
  oldest_first_.pop_front();
}

}  // namespace minimill::daemon
