#include "tasks/outbox_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "protocol/http_status.h"

namespace minimill::tasks {
namespace {

constexpr std::size_t kMaxAnswerBytes = 64
                                        << 10;  // read for its reason, and to keep the connection
constexpr std::chrono::seconds kLookAgain{5};
constexpr std::chrono::seconds kStoreRetry{1};  // after the outbox could not be read

}  // namespace

OutboxRunner::OutboxRunner(asio::io_context& io, const Clock& clock, Random& random,
                           const config::OutboxConfig& config, const policy::NotifyPolicy& policy,
                           http::Client& client, tasks::Outbox& outbox)
    : clock_(clock),
      config_(config),
      policy_(policy),
      client_(client),
      outbox_(outbox),
      wake_(io.get_executor()),
      work_(io.get_executor()),
      settled_(io.get_executor()),
      backoff_(random, kBackoff),
      loops_(io, "an outbox worker") {}

void OutboxRunner::start() {
  loops_.start(dispatch());
  for (std::size_t i = 0; i < kAtOnce; ++i) loops_.start(worker());
}

asio::awaitable<void> OutboxRunner::drain(Millis at_most) {
  const SteadyTime deadline = clock_.steady() + at_most;
  while (clock_.steady() < deadline) {
    const Result<std::vector<tasks::Outbox::Turn>> next = outbox_.next(1);
    const bool due = next && !next->empty() && next->front().at <= clock_.wall();
    if (!due && held_.empty()) co_return;
    co_await settled_.wait_until(deadline);
  }
}

asio::awaitable<void> OutboxRunner::stop() { co_await loops_.stop(); }

asio::awaitable<void> OutboxRunner::dispatch() {
  while (!loops_.stopping()) {
    const WallTime now = clock_.wall();
    SteadyTime look_again = clock_.steady() + kLookAgain;
    Result<std::vector<tasks::Outbox::Turn>> turns = outbox_.next(held_.size() + kAtOnce);
    if (!turns) {
      log::error("outbox: {}", turns.error().to_string());
      look_again = clock_.steady() + kStoreRetry;
      turns = std::vector<tasks::Outbox::Turn>{};
    }
    for (const tasks::Outbox::Turn& turn : *turns) {
      if (held_.contains(turn.row)) continue;
      if (turn.at > now) {
        look_again = std::min(look_again, clock_.steady() + (turn.at - now));
        break;
      }
      if (held_.size() >= kAtOnce) break;  // whoever is done first wakes us
      held_.insert(turn.row);
      queue_.push_back(turn.row);
      work_.notify();
    }
    co_await wake_.wait_until(look_again);
  }
}

asio::awaitable<void> OutboxRunner::worker() {
  while (!loops_.stopping()) {
    if (queue_.empty()) {
      co_await work_.wait();
      continue;
    }
    const std::int64_t row = queue_.front();
    queue_.pop_front();
    Result<> recorded = co_await deliver(row);
    if (!recorded) log::error("outbox: {}", recorded.error().to_string());
    held_.erase(row);
    wake_.notify();
    settled_.notify();
  }
}

asio::awaitable<Result<>> OutboxRunner::deliver(std::int64_t row) {
  Result<std::optional<tasks::Effect>> found = outbox_.find(row);
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found || (*found)->state != tasks::EffectState::kPending) co_return Result<>{};
  const tasks::Effect effect = std::move(**found);

  // What was allowed when the task came may be allowed no more.
  const Result<> allowed = policy_.admit(effect.url);
  if (!allowed) {
    std::string reason = allowed.error().to_string();
    co_return co_await outbox_.died(row, clock_.wall(), std::move(reason));
  }
  const Result<> posted = co_await post(effect);
  if (loops_.stopping()) co_return Result<>{};
  if (posted) co_return co_await outbox_.delivered(row, clock_.wall());

  std::string reason = posted.error().to_string();
  const int attempts = effect.attempts + 1;
  if (attempts >= config_.max_attempts) {
    log::warn("effect {} of task {} is given up after {} attempts", effect.id, effect.task.value,
              attempts);
    co_return co_await outbox_.died(row, clock_.wall(), std::move(reason));
  }
  const Millis asked = posted.error().retry_after.value_or(Millis{0});
  const WallTime next = clock_.wall() + backoff_.after(attempts, asked);
  co_return co_await outbox_.failed(row, next, std::move(reason));
}

asio::awaitable<Result<>> OutboxRunner::post(const tasks::Effect& effect) {
  http::ClientRequest request;
  request.method = "POST";
  request.url = effect.url;
  request.headers.add("content-type", "application/json");
  request.headers.add("idempotency-key", effect.id);
  request.headers.add("user-agent", "minimill");
  request.body = effect.body;
  request.total_timeout = kRequestTime;
  request.follow_redirects = false;  // an allowed origin may not send us to another
  Result<std::unique_ptr<http::Download>> answer = co_await client_.open(std::move(request));
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  const Result<std::string> said = co_await http::read_all(**answer, kMaxAnswerBytes);
  const int status = (*answer)->status();
  if (status / 100 == 2) co_return Result<>{};
  if (status / 100 == 3) {
    co_return fail(ErrorCode::kUpstream,
                   fmt::format("the receiver answered {}: redirects are not followed", status),
                   "let the task notify the URL it leads to");
  }
  co_return std::unexpected(protocol::upstream_error("the receiver", status, said ? *said : "",
                                                     (*answer)->headers().get("retry-after"),
                                                     unix_s(clock_.wall())));
}

}  // namespace minimill::tasks
