#pragma once

// Identifiers as distinct types: a TaskId cannot be passed where a RequestId is meant.
//
// A new id is a prefix and a ULID (https://github.com/ulid/spec): 48 bits of Unix milliseconds,
// then 80 random bits, in Crockford base 32. Ids therefore sort by the time they were made; with a
// SystemRandom nobody can guess one from others.

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace minimill {

template <class Tag>
struct Id {
  std::string value;

  auto operator<=>(const Id&) const = default;
  bool empty() const { return value.empty(); }
};

using RequestId = Id<struct RequestTag>;  // "req_01J…"
using TaskId = Id<struct TaskTag>;        // "task_01J…", or what the task's file calls it
using RunId = Id<struct RunTag>;          // "run_01J…": one carrying out of a file of tasks
using BatchId = Id<struct BatchTag>;      // "batch_01J…": tasks sent through a batch API at once

/// Makes ids. Not thread-safe: each thread that makes ids owns one, and its Random.
class IdSource {
 public:
  /// Both outlive it.
  IdSource(const Clock& clock, Random& random) : clock_(clock), random_(random) {}

  RequestId request() { return {prefixed("req_")}; }
  TaskId task() { return {prefixed("task_")}; }
  RunId run() { return {prefixed("run_")}; }
  BatchId batch() { return {prefixed("batch_")}; }

 private:
  std::string prefixed(std::string_view prefix);

  const Clock& clock_;
  Random& random_;
};

}  // namespace minimill

template <class Tag>
struct std::hash<minimill::Id<Tag>> {
  std::size_t operator()(const minimill::Id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.value);
  }
};
