#pragma once

// What the simulated cloud can be told to do wrong, by name, with a probability each.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace minimill::simcloud {

enum class Fault {
  kNone,
  // Of one request.
  kUnauthorized,
  kRateLimited,
  kServerError,
  kUnavailable,
  kGarbage,
  kHalfEvent,
  kStall,
  kDisconnect,
  // Of a batch.
  kBatchFail,     // fails as a whole: OpenAI in validation, Anthropic with every line in error
  kBatchExpire,   // the second half of its lines is not answered in time
  kBatchHostile,  // its results hold garbage, an unknown id, one id twice, and lack another
  kBatchStall,    // is made, but the answer that says so does not come
  kBatchError,    // of each of its lines: it ends in an error
};

using FaultShares = std::map<Fault, double>;

Result<Fault> parse_fault(std::string_view text);
std::string_view name(Fault fault);

/// What an API answers for it; nullopt for faults that are no answers.
std::optional<Error> error_of(Fault fault);

/// `draw` in [0, 1) falls on one of the faults of single requests, or on none.
Fault request_fault(const FaultShares& shares, double draw);
/// The same among those of whole batches.
Fault batch_fault(const FaultShares& shares, double draw);

/// {"stall": 0.02}: sets the shares it names, 0 takes a fault out, and leaves the others. All or
/// none: an unknown name or a share outside 0 … 1 changes nothing.
Result<> apply_fault_shares(const json::object& wanted, FaultShares& shares);
json::object to_json(const FaultShares& shares);

}  // namespace minimill::simcloud
