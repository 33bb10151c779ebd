#pragma once

// What the app demands of an answer's form: a tool's call, JSON, or JSON that fits a schema.
// Checked here whatever the backend promised, so that a violation never reaches the app as an
// answer.

#include <optional>

#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "lane/json_schema.h"

namespace minimill::daemon {

class AnswerFormat {
 public:
  /// kInvalidArgument for a schema that cannot be checked, naming where.
  static Result<AnswerFormat> of(const chat::ChatRequest& request);

  bool demands() const { return json_ || must_call_; }
  /// kUpstream says what is wrong with it. An answer that calls tools has no form to keep.
  Result<> check(const chat::ChatAnswer& answer) const;

 private:
  bool must_call_ = false;
  std::string tool_;  // the one to be called; empty: any
  bool json_ = false;
  std::optional<lane::JsonSchema> schema_;
};

}  // namespace minimill::daemon
