#pragma once

// The ways in which it becomes known whether an answer was good, and how far each is to be
// believed. A kind's weight starts from what may be expected of it and follows how often it has
// agreed with stronger kinds about the same answer.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::route {

/// Strongest first.
enum class OutcomeKind : std::size_t {
  kCheck,       // the task's own check
  kForm,        // JSON or a schema was demanded, and broken
  kToolCall,    // a tool was called that is not there, or with arguments that are no JSON
  kFeedback,    // what the app says
  kJudge,       // a judge model compared it with the cloud's answer
  kComparison,  // it was compared with the cloud's answer
  kAskedAgain,  // the app asked the cloud the same again
  kFormKept,    // JSON or a schema was demanded, and kept
  kConfidence,  // how sure the model was of its tokens
  kCount,
};
std::string_view name(OutcomeKind kind);
/// Says good as readily as bad, so that estimates may be held against it.
bool is_two_sided(OutcomeKind kind);

class OutcomeTrust {
 public:
  OutcomeTrust();

  /// In (0, 1]: what an outcome of the kind weighs in learning.
  double weight(OutcomeKind kind) const;
  /// A stronger kind has spoken about an answer that this one had judged.
  void confirm(OutcomeKind kind, bool agreed);

  struct Record {
    double agreed = 0;
    double disagreed = 0;
  };
  const Record& record(OutcomeKind kind) const { return records_[static_cast<std::size_t>(kind)]; }

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  std::array<Record, static_cast<std::size_t>(OutcomeKind::kCount)> records_;
};

}  // namespace minimill::route
