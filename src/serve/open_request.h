#pragma once

// An app's request under way: its place in a lane and its row in the ledger, which is written once,
// when the request is closed or, if nobody came to that, when it is destroyed.

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "lane/lanes.h"
#include "ledger/ledger.h"
#include "policy/budgets.h"
#include "protocol/translation.h"
#include "serve/backends.h"
#include "serve/cloud_call.h"
#include "serve/gateway.h"

namespace minimill::serve {

class OpenRequest {
 public:
  OpenRequest(const Clock& clock, const Backends& backends, ledger::Ledger& ledger, RequestId id,
              Ask ask);
  ~OpenRequest();
  OpenRequest(const OpenRequest&) = delete;
  OpenRequest& operator=(const OpenRequest&) = delete;

  const Ask& ask() const { return ask_; }
  const chat::Decision& decision() const { return record_.decision; }
  chat::Lane lane() const { return record_.attempts.back().lane; }
  const std::string& model() const { return record_.attempts.back().model; }
  const route::RouteInput& input() const { return input_; }
  void decided(route::RouteInput input, chat::Decision decision) {
    input_ = std::move(input);
    record_.decision = std::move(decision);
  }
  /// `watched`: the backend shall say how likely its tokens are, whether the app wants to know or
  /// not.
  void begin_attempt(chat::Lane lane, std::string model, lane::Slot slot,
                     policy::Budgets::Hold hold, bool watched);
  /// Why it went another way than was decided; said before the decision's own reasons.
  void add_reason(chat::Reason reason);
  void fitted(protocol::Fit fit) { fit_ = std::move(fit); }
  /// What the attempt under way tells the cloud lane, and is told.
  CloudCall& cloud_call() { return cloud_call_; }
  const cloud::Call& cloud_done() const { return cloud_call_.done; }
  /// The cloud lane's answer has come, or begun to.
  void cloud_answered();
  void held(std::size_t tokens, std::chrono::nanoseconds took, double mean_logprob, double p);
  /// Takes out what only minimill wanted to know.
  void trim_logprobs(chat::ChatEvent& event) const;
  void trim_logprobs(chat::ChatAnswer& answer) const;
  void first_token();
  void fail_attempt(const Error& error);
  void end_attempt(const chat::Usage& usage);

  void close();
  void close(const Error& error);

  const RequestId& id() const { return record_.id; }
  /// What the router would learn from, once the app says how good the answer was.
  learn::RecentAnswer recent() const;
  Serving serving() const;
  double cost_usd() const { return record_.attempts.back().cost_usd; }

 private:
  void write(int status);
  double attempt_ms() const;
  /// Once per attempt in the cloud lane: who was asked there, and who answered.
  void settle_cloud();

  const Clock& clock_;
  const Backends& backends_;
  ledger::Ledger& ledger_;
  Ask ask_;
  route::RouteInput input_;
  ledger::RequestRecord record_;
  protocol::Fit fit_;
  bool wants_logprobs_;  // the app, that is
  lane::Slot slot_;
  policy::Budgets::Hold hold_;  // what the attempt is expected to cost
  SteadyTime attempt_started_{};
  CloudCall cloud_call_;
  bool cloud_settled_ = false;
  std::optional<double> mean_logprob_;  // of the attempt under way
  bool attempting_ = false;
  bool written_ = false;
};

}  // namespace minimill::serve
