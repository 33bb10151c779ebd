#pragma once

// What the router may read of a piece of work.

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "chat/chat_request.h"
#include "chat/decision.h"
#include "policy/privacy.h"

namespace minimill::route {

/// What the router may read. Never the wire format, never a task's gold label.
struct RouteInput {
  std::string title;  // a task's; empty for an app's request
  std::string text;   // everything the model would read
  std::string app;    // who asks, for its quality bound
  std::string model;  // the local model that would answer
  int turns = 1;      // messages from the user
  int tools = 0;
  int images = 0;
  bool wants_json = false;
  bool verifiable = false;  // a check will tell whether the answer is right
  policy::Privacy privacy = policy::Privacy::kAllow;
  std::optional<chat::Lane> forced;  // the app named a lane or a model
  bool local_available = true;
  bool cloud_available = true;
  std::int64_t local_context_tokens = 0;  // 0: unknown
  std::optional<double> threshold;        // this request's own bar; else the router's
  double pressure = 0;                    // how near the hard limit its budget is, 0 to 1
  std::string pressed_by;                 // which one that is, for people
  std::optional<Error> cloud_closed;      // why nothing may be spent on it now
  bool accepts_degraded = true;           // rather a worse answer from the device than none
};

RouteInput route_input(const chat::ChatRequest& request);

}  // namespace minimill::route
