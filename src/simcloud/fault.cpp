#include "simcloud/fault.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

namespace minimill::simcloud {
namespace {

constexpr std::array<std::pair<std::string_view, Fault>, 14> kFaults{{
    {"none", Fault::kNone},
    {"401", Fault::kUnauthorized},
    {"429", Fault::kRateLimited},
    {"500", Fault::kServerError},
    {"503", Fault::kUnavailable},
    {"garbage", Fault::kGarbage},
    {"half-event", Fault::kHalfEvent},
    {"stall", Fault::kStall},
    {"disconnect", Fault::kDisconnect},
    {"batch-fail", Fault::kBatchFail},
    {"batch-expire", Fault::kBatchExpire},
    {"batch-hostile", Fault::kBatchHostile},
    {"batch-stall", Fault::kBatchStall},
    {"batch-error", Fault::kBatchError},
}};

Fault drawn(const FaultShares& shares, double draw, Fault first, Fault last) {
  for (const auto& [fault, share] : shares) {
    if (fault < first || fault > last) continue;
    if (draw < share) return fault;
    draw -= share;
  }
  return Fault::kNone;
}

}  // namespace

std::string_view name(Fault fault) {
  const auto found = std::ranges::find(kFaults, fault, &std::pair<std::string_view, Fault>::second);
  return found == kFaults.end() ? "none" : found->first;
}

Result<Fault> parse_fault(std::string_view text) {
  for (const auto& [known, fault] : kFaults) {
    if (known == text) return fault;
  }
  std::vector<std::string_view> names;
  for (const auto& [known, fault] : kFaults) names.push_back(known);
  return fail_field("fault", fmt::format("no fault '{}'", text),
                    fmt::format("use {}", fmt::join(names, ", ")));
}

std::optional<Error> error_of(Fault fault) {
  Error error;
  switch (fault) {
    case Fault::kUnauthorized:
      error.code = ErrorCode::kUnauthorized;
      error.message = "simulated: wrong key";
      return error;
    case Fault::kRateLimited:
      error.code = ErrorCode::kRateLimited;
      error.message = "simulated: too many requests";
      error.retry_after = std::chrono::seconds{1};
      return error;
    case Fault::kServerError:
      error.code = ErrorCode::kInternal;
      error.message = "simulated: internal error";
      return error;
    case Fault::kUnavailable:
      error.code = ErrorCode::kUnavailable;
      error.message = "simulated: overloaded";
      return error;
    default:
      return std::nullopt;
  }
}

Fault request_fault(const FaultShares& shares, double draw) {
  return drawn(shares, draw, Fault::kUnauthorized, Fault::kDisconnect);
}

Fault batch_fault(const FaultShares& shares, double draw) {
  return drawn(shares, draw, Fault::kBatchFail, Fault::kBatchStall);
}

Result<> apply_fault_shares(const json::object& wanted, FaultShares& shares) {
  FaultShares changed = shares;
  for (const auto& [key, value] : wanted) {
    Result<Fault> fault = parse_fault(key);
    if (!fault) return std::unexpected(std::move(fault.error()));
    boost::system::error_code ec;
    const auto share = value.to_number<double>(ec);
    if (ec || !(share >= 0 && share <= 1)) {
      return fail_field(
          key, fmt::format("'{}' must be a probability between 0 and 1", std::string_view(key)));
    }
    if (share > 0) {
      changed[*fault] = share;
    } else {
      changed.erase(*fault);
    }
  }
  shares = std::move(changed);
  return {};
}

json::object to_json(const FaultShares& shares) {
  json::object object;
  for (const auto& [fault, share] : shares) object[name(fault)] = share;
  return object;
}

}  // namespace minimill::simcloud
