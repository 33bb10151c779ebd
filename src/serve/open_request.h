#pragma once

// A request under way: its place in a lane and its row in the ledger, which is written once,
// when the request is closed or, if nobody came to that, when it is destroyed.

#include <optional>
#include <string>

#include "base/clock.h"
#include "lane/lanes.h"
#include "ledger/ledger.h"
#include "policy/budgets.h"
#include "protocol/translation.h"
#include "serve/backend.h"
#include "serve/decider.h"
#include "serve/observer.h"
#include "serve/service.h"
#include "serve/stage.h"

namespace minimill::serve {

class OpenRequest {
 public:
  OpenRequest(const Clock& clock, const Backends& backends, const Observers& observers,
              RequestId id, policy::Request request, Considered considered);
  ~OpenRequest();
  OpenRequest(const OpenRequest&) = delete;
  OpenRequest& operator=(const OpenRequest&) = delete;

  const policy::Request& request() const { return request_; }
  const Considered& considered() const { return considered_; }
  Considered& considered() { return considered_; }
  const chat::Decision& decision() const { return record_.decision; }
  const RequestId& id() const { return record_.id; }
  chat::Lane lane() const;
  /// As observers may see it.
  Observed observed() const;

  void decided(chat::Decision decision);
  /// Why it went another way than was decided; said before the decision's own reasons.
  void add_reason(chat::Reason reason);

  /// `watched`: the backend shall say how likely its tokens are, whether the app wants to know or
  /// not.
  /// `longest`: after that it has failed, so that an answer without an end holds its slot no
  /// longer; an earlier deadline of the app's stands.
  void begin_attempt(std::string model, lane::Slot slot, policy::Budgets::Hold hold, bool watched,
                     std::chrono::milliseconds longest);
  Backend& backend() const { return backends_[lane()]; }
  /// What goes out in the attempt under way: the request, for stages to change.
  policy::Request& outgoing();
  void staged(Staged staged) { staged_ = std::move(staged); }
  Staged take_staged() { return std::move(staged_); }
  /// What the attempt under way tells its backend, and is told.
  Call& call() { return call_; }
  void fitted(protocol::Fit fit) { fit_ = std::move(fit); }
  /// Somebody has answered, or begun to: `call()` says who.
  void backend_answered();
  void held(std::size_t tokens, std::chrono::nanoseconds took, double mean_logprob, double p);
  /// Takes out what only minimill wanted to know.
  void trim_logprobs(chat::ChatEvent& event) const;
  void trim_logprobs(chat::ChatAnswer& answer) const;
  /// What the attempt under way has used for certain, whether its answer is taken or not.
  void used(const chat::Usage& usage);
  /// An event of a streamed answer has come from the backend.
  void came(const chat::ChatEvent& event);
  /// What the backend of a stream has told so far.
  const chat::Usage& told() const { return told_; }
  /// An event of a streamed answer goes to the app.
  void passed_on();
  /// The answer had begun. What is kept of the error that follows are not the backend's own words,
  /// which may repeat the prompt or the answer.
  void broke_off() { broke_off_ = true; }
  void fail_attempt(const Error& error);
  void end_attempt(const chat::Usage& usage);

  void close();
  void close(const Error& error);

  std::optional<double> mean_logprob() const { return mean_logprob_; }
  Serving serving() const;
  double cost_usd() const { return record_.attempts.back().cost_usd; }

 private:
  void write(int status);
  double attempt_ms() const;
  /// Once per attempt: who was asked, and who answered.
  void settle_call();
  /// What an answer that came in part has used, as far as anybody can tell.
  void estimate_usage();

  const Clock& clock_;
  const Backends& backends_;
  const Observers& observers_;
  policy::Request request_;
  Considered considered_;
  ledger::RequestRecord record_;
  protocol::Fit fit_;
  bool wants_logprobs_;  // the app, that is
  chat::Deadline own_deadline_;
  lane::Slot slot_;
  policy::Budgets::Hold hold_;  // what the attempt is expected to cost
  SteadyTime attempt_started_{};
  Call call_;
  std::optional<policy::Request> changed_;  // what stages made of the request
  Staged staged_;
  std::optional<double> mean_logprob_;  // of the attempt under way
  chat::Usage told_;                    // of its answer, by its backend, so far
  std::int64_t pieces_ = 0;             // of its answer, so far
  std::size_t bytes_ = 0;               // in them
  bool broke_off_ = false;
  bool settled_ = false;
  bool attempting_ = false;
  bool written_ = false;
};

}  // namespace minimill::serve
