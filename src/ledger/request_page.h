#pragma once

// Requests a page at a time, newest first, by key: the next page begins where the last one ended,
// so that the thousandth page of a million rows is as quick as the first. A page also ends once
// kMostLooked rows have been looked at, so that searching for what is not there is bounded; the
// next page goes on from there.

#include <cstdint>
#include <optional>
#include <string>

#include "chat/decision.h"

namespace minimill::ledger {

inline constexpr std::size_t kMostOnAPage = 200;
inline constexpr std::int64_t kMostLooked = 50'000;

/// Behind this request in the order of the list.
struct RequestCursor {
  std::int64_t at_ms = 0;
  std::string id;
};

struct RequestFilter {
  std::optional<std::string> app;
  std::string operation;
  std::string origin;
  std::optional<chat::Lane> lane;  // decided
  bool failed = false;             // those alone whose app got an error
  std::string text;  // in id, task, app, operation, model or label; without regard to case, ASCII
  std::optional<RequestCursor> after;
  std::size_t limit = 50;
};

}  // namespace minimill::ledger
