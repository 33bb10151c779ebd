#pragma once

// Who asks, and what they may: apps by their keys, with their limits, budgets and defaults.
//
// Without any key, this machine's apps are let in and called what their User-Agent says. Once there
// is a key, every app needs one; but for programs of the user's own on the Unix socket, whose names
// the kernel tells. Event-loop thread only.

#include "api/routes.h"
#include "config/config.h"
#include "http/server.h"
#include "policy/app_store.h"
#include "policy/limits.h"
#include "serve/gateway.h"
#include "tasks/task.h"

namespace minimill::api {

class Access {
 public:
  /// `always_keyed`: others than this machine can reach us, so that a key is needed even where
  /// there is none any more.
  Access(const Clock& clock, const config::Config& config, bool always_keyed,
         policy::AppStore& apps);

  static constexpr std::size_t kMaxNameBytes = 128;

  /// Sets request.principal and is_owner. kUnauthorized where a key is needed and there is none, or
  /// a wrong one.
  Result<> identify(http::Request& request);

  /// An ask by whoever sent `request`, with their defaults.
  serve::Ask new_ask(const http::Request& request) const;
  /// kForbidden, kRateLimited: what the app may not ask for, or not now. Puts the app's lane in the
  /// ask. What it may spend is its budgets' matter (Spending).
  Result<> admit(serve::Ask& ask);
  /// The same for a task that comes from `request`, which counts as one request for "auto"; its
  /// privacy is settled, from the app's default or else the configuration's.
  Result<> admit(const http::Request& request, tasks::TaskSpec& task);

  /// Lets in whoever may use a route that is for `who`: kUnauthorized, kForbidden. The only place
  /// that decides it.
  Result<> may_use(http::Request& request, Who who);

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
