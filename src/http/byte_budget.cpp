#include "http/byte_budget.h"

namespace minimill::http {
namespace {

std::size_t counted(std::size_t bytes) { return bytes <= ByteBudget::kFree ? 0 : bytes; }

}  // namespace

bool ByteBudget::Share::hold(std::size_t bytes) {
  const std::size_t wanted = counted(bytes);
  if (wanted > held_) {
    const std::size_t more = wanted - held_;
    const auto peers = budget_.by_peer_.find(peer_);
    const std::size_t of_peer = peers == budget_.by_peer_.end() ? 0 : peers->second;
    if (budget_.used_ + more > budget_.total_ || of_peer + more > budget_.per_peer_) return false;
  }
  hold_anyway(bytes);
  return true;
}

void ByteBudget::Share::hold_anyway(std::size_t bytes) {
  const std::size_t wanted = counted(bytes);
  if (wanted == held_) return;
  budget_.used_ += wanted - held_;  // unsigned: less is added as well
  const auto peer = budget_.by_peer_.try_emplace(peer_, 0).first;
  peer->second += wanted - held_;
  if (peer->second == 0) budget_.by_peer_.erase(peer);
  held_ = wanted;
}

}  // namespace minimill::http
