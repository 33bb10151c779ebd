#pragma once

// What a caller of the cloud lane tells beside its request, and what it is told beside the answer.

#include <optional>
#include <string>

#include "base/clock.h"
#include "cloud/pool.h"
#include "ledger/ledger.h"

namespace minimill::serve {

struct CloudCall {
  std::string operation;   // recognised as; may be empty
  bool any_model = false;  // the app left the model open: every provider's first will do
  std::optional<double> max_cost_usd;  // of the request, by estimate

  cloud::Call done;  // how it went
};

/// Puts the attempts that did not give the answer before `rows`' last one, which becomes that of
/// whoever did; where nobody did, the last of them takes its place. Adds the choice's reason.
void add_cloud_attempts(ledger::RequestRecord& record, const cloud::Call& done);

}  // namespace minimill::serve
