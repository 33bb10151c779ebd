#pragma once

// What may leave the device. A request that may not cannot be passed to a provider: providers take
// only a Cleared<…>, and only clear_for_cloud() here can make one.
// tests/compile_fail/ proves that nothing else does.

#include <string_view>
#include <utility>

#include "base/error.h"
#include "chat/chat_request.h"

namespace minimill::policy {

enum class Privacy {  // strictest first
  kLocalOnly,         // never leaves the device, whatever it costs
  kAllow,             // may go to a provider
};

std::string_view name(Privacy privacy);
/// Of two labels on what belongs together, the one that holds for both.
constexpr Privacy stricter(Privacy a, Privacy b) { return a < b ? a : b; }
/// "local-only" or "allow"; `field` names where the text came from in the error.
Result<Privacy> parse_privacy(std::string_view text, std::string_view field);

/// Something policy has let pass. Read-only, and made by no one else.
template <class T>
class Cleared {
 public:
  const T& operator*() const { return value_; }
  const T* operator->() const { return &value_; }

 private:
  explicit Cleared(T value) : value_(std::move(value)) {}
  template <class U>
  friend Result<Cleared<U>> clear_for_cloud(U request, Privacy privacy);
  T value_;
};

/// kForbidden where it is local-only.
Result<> may_leave(Privacy privacy);

/// kForbidden for a local-only request.
template <class T>
Result<Cleared<T>> clear_for_cloud(T request, Privacy privacy) {
  if (Result<> may = may_leave(privacy); !may) return std::unexpected(std::move(may.error()));
  return Cleared<T>(std::move(request));
}

}  // namespace minimill::policy
