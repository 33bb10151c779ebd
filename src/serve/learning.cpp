#include "serve/learning.h"

#include <string>
#include <utility>

#include "serve/rung.h"

namespace minimill::serve {

void Learning::decided(const Observed& request) {
  const bool named = request.request.origin == chat::Origin::kApp &&
                     request.request.choice.lane == chat::Lane::kCloud;
  if (named) outcomes_.asked_cloud(request.request.app, request.input.text);
}

void Learning::judged(const Observed& request, const Judged& judged) {
  // What the cloud answered is for its own record (Backend::judged).
  if (request.lane != chat::Lane::kLocal) return;
  if (is_rung(request.decision)) {
    if (!judged.ok) outcomes_.rung(request.id, judged.kind, false, judged.detail);
    return;
  }
  if (judged.ok) {
    outcomes_.fine(request.input, request.decision.operation, judged.kind);
  } else {
    outcomes_.local(request.id, request.input, request.decision.operation, judged.kind, false,
                    judged.detail);
  }
}

void Learning::answered(const Observed& request, const chat::ChatAnswer& /*answer*/,
                        std::optional<double> mean_logprob) {
  if (request.request.origin != chat::Origin::kApp) return;
  learn::RecentAnswer recent;
  recent.input = request.input;
  recent.operation = request.decision.operation;
  // What is said of a rung's answer tells nothing of the device's language model.
  recent.lane = is_rung(request.decision) ? chat::Lane::kCloud : request.lane;
  recent.p_before = request.decision.p_local_ok;
  recent.mean_logprob = mean_logprob;
  outcomes_.remember(request.id, std::move(recent));
}

}  // namespace minimill::serve
