#pragma once

// Makes effects outside happen: takes from the outbox what is pending, posts it, and records what
// came of it. At most kAtOnce requests at a time, each bounded in time.
//
// A receiver that does not answer 2xx is asked again with back-off, up to [outbox] max_attempts;
// then the effect is dead, with its reason, until somebody retries it. The Idempotency-Key of an
// effect is the same at every attempt: whoever kills the daemon between the delivery and its record
// makes it come again, and the receiver knows it by its key. Event-loop thread only.

#include <deque>
#include <random>
#include <set>

#include "base/clock.h"
#include "daemon/background.h"
#include "daemon/config.h"
#include "daemon/notify_policy.h"
#include "http/client.h"
#include "lane/outbox.h"

namespace minimill::daemon {

class OutboxRunner {
 public:
  static constexpr std::size_t kAtOnce = 4;
  static constexpr std::chrono::seconds kRequestTime{30};
  static constexpr Millis kFirstBackoff{500};  // doubles with every attempt
  static constexpr Millis kLongestBackoff{std::chrono::hours{1}};

  OutboxRunner(asio::io_context& io, const Clock& clock, const OutboxConfig& config,
               const NotifyPolicy& policy, http::Client& client, lane::Outbox& outbox);

  void start();
  /// What is under way is sent again by the next daemon.
  asio::awaitable<void> stop();
  /// There is something new, or its time has moved.
  void wake() { wake_.notify(); }

 private:
  asio::awaitable<void> dispatch();
  asio::awaitable<void> worker();
  asio::awaitable<Result<>> deliver(std::int64_t row);
  /// Success is a status of 2xx.
  asio::awaitable<Result<>> post(const lane::Effect& effect);
  Millis backoff(int attempts);

  const Clock& clock_;
  const OutboxConfig& config_;
  const NotifyPolicy& policy_;
  http::Client& client_;
  lane::Outbox& outbox_;
  Wake wake_;
  Wake work_;
  std::deque<std::int64_t> queue_;
  std::set<std::int64_t> held_;  // in the queue or with a worker
  std::minstd_rand jitter_{std::random_device{}()};
  Background loops_;
};

}  // namespace minimill::daemon
