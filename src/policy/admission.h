#pragma once

// The door: the one maker of a Request. Puts in what whoever asks left open (the app's defaults,
// then the configuration's), and refuses what the app may not ask for, or not now.
// Event-loop thread only.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "policy/app_store.h"
#include "policy/limits.h"
#include "policy/request.h"

namespace minimill::policy {

/// Of requests that say nothing, by apps for which nothing else is set.
struct AdmissionDefaults {
  Privacy privacy = Privacy::kAllow;
  bool accept_degraded = true;
};

class Admission {
 public:
  Admission(const Clock& clock, AppStore& apps, AdmissionDefaults defaults)
      : clock_(clock), apps_(apps), defaults_(defaults), limits_(clock) {}

  /// kForbidden (naming the field), kRateLimited: what the app may not ask for, or not now. What it
  /// may spend is its budgets' matter. A request for several choices counts as so many.
  Result<Request> admit(std::string_view app, chat::ChatRequest chat, Wishes wishes);
  /// A request of minimill's own, which no limit of an app's holds up: with the defaults alone.
  Request own(std::string_view app, chat::Origin origin, chat::ChatRequest chat,
              Privacy privacy) const;

  /// The only lane an app may use; nullopt: either.
  std::optional<chat::Lane> lane_of(std::string_view app) const;
  /// What holds for an app that says nothing.
  Privacy privacy_of(std::string_view app) const;
  /// Notices keys, limits and budgets that another program changed, at most every 200 ms. How often
  /// they have changed so far.
  std::uint64_t refresh();

 private:
  static constexpr std::chrono::milliseconds kLookAgain{200};

  const Clock& clock_;
  AppStore& apps_;
  AdmissionDefaults defaults_;
  Limits limits_;
  SteadyTime look_at_{};
};

}  // namespace minimill::policy
