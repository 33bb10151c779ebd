#pragma once

// Makes the scheduler's job out of a piece of work: what it is expected to take in either lane, and
// whether it may change lanes. Learns how long things take from every request that is recorded.
// Event-loop thread only.

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "lane/lanes.h"
#include "lane/service_times.h"
#include "ledger/ledger.h"
#include "route/route_input.h"
#include "serve/backend.h"
#include "serve/observer.h"

namespace minimill::serve {

/// What of a piece of work the scheduler is told.
struct Work {
  std::string app;
  lane::Priority priority = lane::Priority::kBackground;
  chat::Lane lane = chat::Lane::kLocal;  // where it belongs
  std::string model;                     // there; elsewhere it is the lane's default
  std::string operation;
  std::size_t prompt_bytes = 0;
  std::int64_t max_tokens = 0;  // of the answer; 0: any
  bool may_move = false;        // may be carried out in the other lane, too
  std::optional<SteadyTime> deadline;
  lane::About about{};  // for whoever looks at the queue
};

class JobPlanner final : public Observer {
 public:
  /// Begins with what the ledger's newest requests took.
  JobPlanner(ledger::Ledger& ledger, const Backends& backends);

  void ended(const ledger::RequestRecord& record) override { learn(record); }

  lane::Job job(const Work& work) const;
  /// Of an answer of the cloud's, as far as it is known how long they are.
  std::int64_t expected_answer_tokens(std::string_view model, std::int64_t max_tokens) const;
  /// What the job would cost in the cloud, before it is known; 0 where no price is.
  double expected_usd(const Work& work) const;

 private:
  void learn(const ledger::RequestRecord& record);
  lane::Estimate estimate(const Work& work, chat::Lane lane) const;

  const Backends& backends_;
  lane::ServiceTimes times_;
};

/// For people: why a job ran in another lane than its own, as the decision's first reason.
chat::Reason move_reason(lane::Move move, chat::Lane to);

}  // namespace minimill::serve
