#pragma once

// One attempt at a backend: what its caller tells beside the request, and what it is told beside
// the answer.

#include <optional>
#include <string>

#include "cloud/pool.h"
#include "ledger/ledger.h"

namespace minimill::serve {

struct Call {
  std::string model;       // asked for there
  bool any_model = false;  // the app left the model open: every provider's first will do
  std::string operation;   // recognised as; may be empty
  std::optional<double> max_cost_usd;  // of the request, by estimate

  cloud::Call done{};  // how it went, where there was a choice of who answers
};

/// Puts the attempts that did not give the answer before `record`'s last one, which becomes that of
/// whoever did; where nobody did, the last of them takes its place. Adds the choice's reason.
void add_lost_attempts(ledger::RequestRecord& record, const cloud::Call& done);

}  // namespace minimill::serve
