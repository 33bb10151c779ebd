#pragma once

// What was learnt of an operation, in a file of its own: a checksum, a line of JSON (whose it is,
// whether it is pinned, what became of it), and the learner's state, in which no request and no
// answer is. Readable by its owner only, replaced whole or not at all.

#include <cstddef>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "distill/learner.h"

namespace minimill::distill {

struct SkillEvent {
  WallTime at{};
  std::string text;
};

struct Skilled {
  static constexpr std::size_t kMostEvents = 100;

  std::string app;
  std::string operation;
  OperationLearner learner;
  bool pinned = false;       // to the cloud
  std::size_t answered = 0;  // by the rung
  std::size_t right = 0;     // of those that were checked or compared
  std::size_t wrong = 0;
  std::string state;
  std::deque<SkillEvent> log;  // oldest first
};

/// Replaces the operation's file in `folder`, which is made where there is none.
Result<> write_skilled(const std::filesystem::path& folder, const Skilled& skilled);
void remove_skilled(const std::filesystem::path& folder, const Skilled& skilled);

/// All of the folder's. A damaged file is renamed, so that it is not in the way, and logged.
std::vector<Skilled> read_all_skilled(const std::filesystem::path& folder);

}  // namespace minimill::distill
