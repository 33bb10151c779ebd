#pragma once

// The one place where a request becomes a record of the ledger: whose it is and what it asked for.
// What was decided and what came of it is added by whoever carries it out.

#include "base/clock.h"
#include "base/ids.h"
#include "ledger/ledger.h"
#include "policy/request.h"

namespace minimill::serve {

ledger::RequestRecord record_of(const policy::Request& request, RequestId id, WallTime at);

}  // namespace minimill::serve
