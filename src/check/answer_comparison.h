#pragma once

// Does the device's answer say what the cloud's says? By form where they have one (the same JSON,
// the same tools called), by words else. A rough measure: how far it is to be believed is learnt.

#include <string>

#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::check {

struct Comparison {
  bool alike = false;
  std::string how;  // for the ledger: no word of an answer
};

Comparison compare_answers(const chat::ChatAnswer& local, const chat::ChatAnswer& cloud);

/// A judge's prompt, and what its answer says; kUpstream where that is neither yes nor no.
chat::ChatRequest judge_request(const chat::ChatRequest& asked, const chat::ChatAnswer& local,
                                const chat::ChatAnswer& cloud, std::string model);
Result<bool> judge_verdict(const chat::ChatAnswer& answer);

}  // namespace minimill::check
