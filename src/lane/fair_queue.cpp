#include "lane/fair_queue.h"

#include <algorithm>
#include <utility>

namespace minimill::lane {
namespace {

constexpr std::size_t kMostIdle = 1024;  // apps remembered though nothing of theirs waits

}  // namespace

void FairQueue::push(std::string_view app, const Entry& entry) {
  auto found = apps_.find(app);
  if (found == apps_.end()) {
    found = apps_.emplace(std::string(app), App{}).first;
    found->second.number = next_number_++;
  }
  App& owner = found->second;
  if (owner.waiting.empty()) {
    owner.virtual_s = std::max(owner.virtual_s, virtual_s_);
    turns_.insert(turn_of(owner));
  }
  owner.waiting.emplace(entry.key, entry.ticket);
  ++size_;
  work_s_ += entry.service_s;
}

FairQueue::Apps::iterator FairQueue::remove(std::string_view app, const Entry& entry) {
  const auto found = apps_.find(app);
  App& owner = found->second;
  owner.waiting.erase({entry.key, entry.ticket});
  --size_;
  work_s_ -= entry.service_s;
  if (owner.waiting.empty()) turns_.erase(turn_of(owner));
  return found;
}

void FairQueue::erase(std::string_view app, const Entry& entry) {
  const auto found = remove(app, entry);
  // Whoever is not ahead of the rest has nothing to be remembered for.
  if (found->second.waiting.empty() && found->second.virtual_s <= virtual_s_) apps_.erase(found);
}

void FairQueue::serve(std::string_view app, const Entry& entry) {
  const auto found = remove(app, entry);
  App& owner = found->second;
  virtual_s_ = std::max(virtual_s_, owner.virtual_s);
  const bool waits = !owner.waiting.empty();
  if (waits) turns_.erase(turn_of(owner));
  owner.virtual_s += entry.service_s;
  if (waits) turns_.insert(turn_of(owner));
  if (apps_.size() - turns_.size() <= kMostIdle) return;
  std::erase_if(apps_, [](const auto& each) { return each.second.waiting.empty(); });
}

void FairQueue::correct(std::string_view app, double seconds) {
  const auto found = apps_.find(app);
  if (found == apps_.end()) return;
  App& owner = found->second;
  const bool waits = !owner.waiting.empty();
  if (waits) turns_.erase(turn_of(owner));
  owner.virtual_s = std::max(owner.virtual_s + seconds, 0.0);
  if (waits) turns_.insert(turn_of(owner));
}

std::optional<FairQueue::Front> FairQueue::front() const {
  if (turns_.empty()) return std::nullopt;
  const auto& [key, ticket] = *turns_.begin()->app->waiting.begin();
  return Front{.ticket = ticket, .key = key};
}

}  // namespace minimill::lane
