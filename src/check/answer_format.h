#pragma once

// What the app demands of an answer's form: a tool's call, JSON, or JSON that fits a schema.
// Checked here whatever the backend promised, so that a violation never reaches the app as an
// answer.

#include <optional>
#include <string>
#include <vector>

#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "check/json_schema.h"
#include "route/outcome_trust.h"

namespace minimill::check {

class AnswerFormat {
 public:
  /// kInvalidArgument for a schema that cannot be checked, naming where.
  static Result<AnswerFormat> of(const chat::ChatRequest& request);

  bool demands() const { return json_ || must_call_; }
  /// kUpstream says what is wrong with it. An answer that calls tools has no form to keep.
  Result<> check(const chat::ChatAnswer& answer) const;
  /// What an answer that check() refused teaches.
  static route::OutcomeKind broken_kind(const chat::ChatAnswer& answer) {
    return answer.tool_calls().empty() ? route::OutcomeKind::kForm : route::OutcomeKind::kToolCall;
  }

 private:
  bool must_call_ = false;
  std::string tool_;                // the one to be called; empty: any
  std::vector<std::string> tools_;  // there are
  bool json_ = false;
  std::optional<check::JsonSchema> schema_;
};

}  // namespace minimill::check
