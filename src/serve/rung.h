#pragma once

// What answers on the device before any language model does: learnt from what the cloud answered,
// cheap, and able to tell when it had better not answer (distill::Ladder). Here is what the others
// have to know of it. Event-loop thread only.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "chat/decision.h"
#include "policy/request.h"
#include "route/route_input.h"

namespace minimill::serve {

/// The name of a micro-model, as backend and as model, in the ledger and in answers.
inline constexpr std::string_view kMicroModel = "micro-model";

/// What a rung says to a request.
struct Offer {
  std::optional<std::string> answer;  // may go out
  std::string why;     // for people: of the answer, or of there being none; empty: it knows nothing
  double p_right = 0;  // of what it would answer
  double bar = 0;      // from which on it does

  using Weight = std::pair<std::string, double>;
  /// How likely each answer is, not calibrated: of one out of a closed set, where log-probabilities
  /// were asked for.
  std::vector<Weight> weights = {};
};

/// What became of a task's answer.
struct CheckedAnswer {
  const RequestId& id;
  const policy::Request& request;
  const route::RouteInput& input;
  std::string_view operation;
  std::string_view model;
  chat::Lane lane = chat::Lane::kCloud;
  std::string_view answer;
  double cost_usd = 0;
  std::optional<bool> passed;  // its check; nullopt: it brought none
  /// Runs that check on another answer; empty where there is none.
  std::function<bool(std::string_view)> check;
};

class Rung {
 public:
  virtual ~Rung() = default;

  /// False while it knows no operation at all: nobody need ask.
  virtual bool knows_any() const = 0;
  virtual Offer offer(const policy::Request& request, const route::RouteInput& input,
                      std::string_view operation) const = 0;
  /// A task was answered, by whomever.
  virtual void checked(const CheckedAnswer& answer) = 0;

  /// How many of its answers to an app's requests are to be compared with the cloud's, 0 to 1.
  virtual double audit_share(std::string_view app, std::string_view operation) const = 0;
  /// One was. `right`: it was as good.
  virtual void audited(std::string_view app, std::string_view operation, bool right) = 0;
};

/// Was it a rung that answered, or is it to?
inline bool is_rung(const chat::Decision& decision) {
  return decision.lane == chat::Lane::kLocal && decision.model == kMicroModel;
}

}  // namespace minimill::serve
