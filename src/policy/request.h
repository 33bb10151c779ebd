#pragma once

// A request that was let in: what is asked, by whom, and what it may. Made by Admission alone, and
// not changed after; everybody past the door gets the same value.

#include <optional>
#include <string>

#include "base/ids.h"
#include "chat/chat_request.h"
#include "chat/decision.h"
#include "chat/origin.h"
#include "policy/privacy.h"

namespace minimill::policy {

/// What a model's name leaves open: the lane (no `lane`) or the model in it (`model` empty).
struct ModelChoice {
  std::optional<chat::Lane> lane;
  std::string model;
  std::optional<double> quality;  // "auto:quality=0.95": the chance of a good answer asked for

  bool operator==(const ModelChoice&) const = default;
};

/// What whoever asks would like, beside the request itself.
struct Wishes {
  ModelChoice choice;
  std::optional<Privacy> privacy;        // unset: the app's default, then the configuration's
  std::optional<bool> accepts_degraded;  // unset: the configuration's
  std::optional<double> max_cost_usd;    // estimated before: a bound on the order of magnitude
  std::string label;                     // the app's own name for what this belongs to
};

struct Request {
  chat::ChatRequest chat;
  std::string app;  // who asks, as the ledger knows them
  chat::Origin origin = chat::Origin::kApp;
  ModelChoice choice;
  Privacy privacy = Privacy::kAllow;
  bool accepts_degraded = true;  // rather the device's answer to hard work than none
  std::optional<double> max_cost_usd;
  std::string label;   // nothing is decided by it
  RequestId parent{};  // the request that this one belongs to

  // Of a task's request.
  TaskId task{};
  RunId run{};
  std::string title;
  bool verifiable = false;  // a check will tell whether the answer is right
};

}  // namespace minimill::policy
