#pragma once

// What the simulated cloud says: a function from request and seed to answer, and how long it takes.

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "simcloud/sim_cloud.h"

namespace minimill::simcloud {

class Answering {
 public:
  explicit Answering(const SimCloudOptions& options);

  chat::ChatAnswer answer(const chat::ChatRequest& request) const;
  /// Log-normal around the configured mean; the same for the same `draw`.
  std::chrono::nanoseconds first_token_after(std::uint64_t draw) const;

 private:
  std::string text_for(const chat::ChatRequest& request, const std::string& prompt) const;

  const SimCloudOptions& options_;
  std::unordered_map<std::string, const GoldAnswer*> gold_;
};

/// SplitMix64's finaliser: spreads any number over all bits.
std::uint64_t scrambled(std::uint64_t number);
/// In [0, 1).
double unit_interval(std::uint64_t number);

}  // namespace minimill::simcloud
