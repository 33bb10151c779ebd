#pragma once

// Makes effects outside happen: takes from the outbox what is pending, posts it, and records what
// came of it. At most kAtOnce requests at a time, each bounded in time.
//
// A receiver that does not answer 2xx is asked again with back-off, up to [outbox] max_attempts;
// then the effect is dead, with its reason, until somebody retries it. The Idempotency-Key of an
// effect is the same at every attempt: whoever kills the daemon between the delivery and its record
// makes it come again, and the receiver knows it by its key. Event-loop thread only.

#include <deque>
#include <set>

#include "async/task_set.h"
#include "base/clock.h"
#include "base/retry.h"
#include "config/config.h"
#include "http/client.h"
#include "policy/notify_policy.h"
#include "tasks/outbox.h"

namespace minimill::tasks {

class OutboxRunner {
 public:
  static constexpr std::size_t kAtOnce = 4;
  static constexpr std::chrono::seconds kRequestTime{30};
  static constexpr BackoffRange kBackoff{.first = Millis{500}, .longest = std::chrono::hours{1}};

  OutboxRunner(asio::io_context& io, const Clock& clock, Random& random,
               const config::OutboxConfig& config, const policy::NotifyPolicy& policy,
               http::Client& client, tasks::Outbox& outbox);

  void start();
  /// Waits, so long at most, until everything whose turn has come has been tried: a program that
  /// ends with its last task tells whoever waits for it.
  asio::awaitable<void> drain(Millis at_most);
  /// What is under way is sent again by the next daemon.
  asio::awaitable<void> stop();
  /// There is something new, or its time has moved.
  void wake() { wake_.notify(); }

 private:
  asio::awaitable<void> dispatch();
  asio::awaitable<void> worker();
  asio::awaitable<Result<>> deliver(std::int64_t row);
  /// Success is a status of 2xx.
  asio::awaitable<Result<>> post(const tasks::Effect& effect);

  const Clock& clock_;
  const config::OutboxConfig& config_;
  const policy::NotifyPolicy& policy_;
  http::Client& client_;
  tasks::Outbox& outbox_;
  async::Notifier wake_;
  async::Notifier work_;
  async::Notifier settled_;
  std::deque<std::int64_t> queue_;
  std::set<std::int64_t> held_;  // in the queue or with a worker
  Backoff backoff_;
  async::TaskSet loops_;
};

}  // namespace minimill::tasks
