#pragma once

// Who asks, and what they may: apps by their keys, with their limits, budgets and defaults.
//
// Without any key, this machine's apps are let in and called what their User-Agent says. Once there
// is a key, every app needs one; but for programs of the user's own on the Unix socket, whose names
// the kernel tells. Event-loop thread only.

#include "config/config.h"
#include "http/server.h"
#include "policy/app_store.h"
#include "policy/limits.h"
#include "serve/gateway.h"

namespace minimill::api {

class Access {
 public:
  /// `always_keyed`: others than this machine can reach us, so that a key is needed even where
  /// there is none any more.
  Access(const Clock& clock, const config::Config& config, bool always_keyed,
         policy::AppStore& apps);

  /// Sets request.principal. kUnauthorized where a key is needed and there is none, or a wrong one.
  Result<> identify(http::Request& request);

  /// An ask by whoever sent `request`, with their defaults.
  serve::Ask new_ask(const http::Request& request) const;
  /// kForbidden, kRateLimited: what the app may not ask for, or not now. Puts the app's lane in the
  /// ask. What it may spend is its budgets' matter (Spending).
  Result<> admit(serve::Ask& ask);
  /// kForbidden for apps with keys: which models this machine has is its owner's to say.
  Result<> may_change_models(const http::Request& request) const;
  /// kForbidden for apps with keys: a test is paid for by the machine's owner.
  Result<> may_test_providers(const http::Request& request) const;
  /// kForbidden for apps with keys: what is learnt of all apps is not one app's to read or change.
  Result<> may_teach(const http::Request& request) const;

 private:
  static constexpr std::chrono::milliseconds kLookAgain{200};

  void look_again();

  const Clock& clock_;
  const config::Config& config_;
  bool always_keyed_;
  policy::AppStore& apps_;
  policy::Limits limits_;
  SteadyTime look_at_{};
};

}  // namespace minimill::api
