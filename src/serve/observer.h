#pragma once

// Who wants to know of requests: budgets, service times, learning, shadow, and what is to come
// (traces, the live page). Every method does nothing by default; none waits, none may fail the
// request. They are told in the order in which they were added. Event-loop thread only.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/chat_event.h"
#include "ledger/ledger.h"
#include "policy/request.h"
#include "route/outcome_trust.h"
#include "route/route_input.h"

namespace minimill::serve {

/// A request under way, as observers may see it.
struct Observed {
  const RequestId& id;
  const policy::Request& request;
  const route::RouteInput& input;
  const chat::Decision& decision;
  chat::Lane lane;  // that answers: the decision's, unless it went another way
};

/// What an answer was found to be, by minimill itself.
struct Judged {
  route::OutcomeKind kind;
  bool ok = false;
  std::string detail;  // why not
};

class Observer {
 public:
  virtual ~Observer() = default;
  /// Its lane is chosen; it has not been waited for yet.
  virtual void decided(const Observed& /*request*/) {}
  /// It has its turn, and somebody is asked.
  virtual void began(const Observed& /*request*/, const ledger::Attempt& /*attempt*/) {}
  /// So many pieces of its streamed answer have come: tokens, or a few at a time.
  virtual void wrote(const Observed& /*request*/, std::int64_t /*pieces*/) {}
  /// Asked before the answer comes: is the whole of it to be kept for answered()?
  virtual bool wants_content(const Observed& /*request*/) const { return false; }
  virtual void judged(const Observed& /*request*/, const Judged& /*judged*/) {}
  /// It was answered well. `answer` is empty unless somebody wanted its content; `mean_logprob` is
  /// that of its first tokens where they were watched.
  virtual void answered(const Observed& /*request*/, const chat::ChatAnswer& /*answer*/,
                        std::optional<double> /*mean_logprob*/) {}
  /// It is over, however it ended.
  virtual void ended(const ledger::RequestRecord& /*record*/) {}
};

/// All of them as one. The ledger is the last to be told, and keeps the record.
class Observers {
 public:
  explicit Observers(ledger::Ledger& ledger) : ledger_(ledger) {}
  /// `observer` outlives this.
  void add(Observer& observer) { all_.push_back(&observer); }

  void decided(const Observed& request) const {
    for (Observer* each : all_) each->decided(request);
  }
  void began(const Observed& request, const ledger::Attempt& attempt) const {
    for (Observer* each : all_) each->began(request, attempt);
  }
  void wrote(const Observed& request, std::int64_t pieces) const {
    for (Observer* each : all_) each->wrote(request, pieces);
  }
  bool wants_content(const Observed& request) const {
    bool wanted = false;
    for (const Observer* each : all_) wanted = each->wants_content(request) || wanted;
    return wanted;
  }
  void judged(const Observed& request, const Judged& judged) const {
    for (Observer* each : all_) each->judged(request, judged);
  }
  void answered(const Observed& request, const chat::ChatAnswer& answer,
                std::optional<double> mean_logprob) const {
    for (Observer* each : all_) each->answered(request, answer, mean_logprob);
  }
  void ended(ledger::RequestRecord record) const {
    for (Observer* each : all_) each->ended(record);
    ledger_.record(std::move(record));
  }

 private:
  ledger::Ledger& ledger_;
  std::vector<Observer*> all_;
};

}  // namespace minimill::serve
