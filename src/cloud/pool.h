#pragma once

// All providers as one: carries a request out at the best of those that can serve it.
//
//   Call call{.candidates = {{&groq, "llama-3.3-70b-versatile"}, {&openai, "gpt-4o-mini"}}, …};
//   Result<chat::ChatAnswer> answer = co_await pool.complete(std::move(cleared), call);
//   call.provider, call.why, call.lost   // who answered, why that one, and what was tried beside
//   it
//
// Failover: when a provider fails before its first byte, the next best is asked at once. Only when
// all have failed is there a pause, exponential with jitter or as the providers ask, and another
// round, at most max_retries of them; none that would have to wait longer than max_wait.
// Each provider is sent as many at once as it takes (Gate); beyond that a request goes to another
// that can serve it, or waits for whichever has room first, the apps in fair turns. A refusal
// because of too many at once (429) is waited out here and counts as no round. Hedging: when
// nothing has come within the p95 of what is usual there, a second request goes to the next best,
// or to the same one where there is no other; whichever answers first is taken, and the other
// cancelled. Not more than the hedge budget allows.
//
// Takes only what policy has cleared. A caller that is cancelled cancels all that it started.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "chat/chat_event.h"
#include "cloud/choice.h"
#include "cloud/gate.h"
#include "cloud/health.h"
#include "cloud/hedge_budget.h"
#include "cloud/pass_record.h"
#include "cloud/price_table.h"
#include "cloud/provider.h"
#include "policy/privacy.h"

namespace minimill::cloud {

struct PoolOptions {
  Preference preference;
  double quality_margin = kQualityMargin;
  double hedge_budget = 0.05;  // share of requests; 0: none
  int max_retries = 2;         // rounds after the first
  Millis first_backoff{500};
  Millis max_wait{10'000};
  std::size_t max_waiting = 1024;  // requests, for a provider to take them
};

/// A provider and one of its models, fit for the request.
struct Candidate {
  Provider* provider = nullptr;
  std::string model;
};

/// One attempt that did not give the answer.
struct LostAttempt {
  std::string provider;
  std::string model;
  double duration_ms = 0;
  chat::Usage usage;  // estimated, where it was cancelled
  double cost_usd = 0;
  std::string error;
  bool hedge = false;
};

/// One request: what is to be chosen from, and then how it went.
struct Call {
  std::vector<Candidate> candidates;  // in the order in which ties are broken
  std::string operation;              // recognised as; may be empty
  std::string app;                    // providers are shared fairly between apps

  std::vector<LostAttempt> lost;
  std::string provider;  // who answers; empty where nobody did
  std::string model;
  std::string why;      // one line
  SteadyTime began{};   // the attempt that gave the answer
  bool hedged = false;  // it was the second of two
};

class Pool {
 public:
  /// Answers from which on "usual" is known well enough to hedge.
  static constexpr double kHedgeAfter = 10;

  Pool(const Clock& clock, const PriceTable& prices, PoolOptions options);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  asio::awaitable<Result<chat::ChatAnswer>> complete(policy::Cleared<chat::ChatRequest> request,
                                                     Call& call);
  /// Comes with the first event.
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      policy::Cleared<chat::ChatRequest> request, Call& call);
  /// Waits for the last of what has been cancelled.
  asio::awaitable<void> stop();

  /// An answer's check: what the (model, operation) record is made of.
  void judged(std::string_view provider, std::string_view model, std::string_view operation,
              bool passed);

  /// nullptr where it was never a candidate.
  const Health* health(std::string_view provider, std::string_view model) const;
  /// What is known of one for a task of that size.
  Facts facts(const Candidate& candidate, std::string_view operation, std::int64_t prompt_tokens,
              std::int64_t answer_tokens) const;
  const PoolOptions& options() const { return options_; }

  /// Counts it in capacity() before it is first asked.
  void expect(const Provider& provider) { gate_of(provider); }
  /// nullptr where it is not known.
  const Gate* gate(std::string_view provider) const;
  /// Beyond how many requests in here another could only wait, wherever it may go; at least 1.
  int capacity() const { return capacity_; }
  /// Called whenever capacity() has changed.
  void on_capacity(std::function<void(int)> changed) { on_capacity_ = std::move(changed); }

 private:
  template <class T>
  struct Race;
  template <class T>
  class Attempts;
  struct News;
  struct Running;

  template <class T>
  asio::awaitable<Result<T>> carry_out(policy::Cleared<chat::ChatRequest> request, Call& call);
  Health& health_of(const Candidate& candidate);
  Gate& gate_of(const Provider& provider);
  std::int64_t expected_answer_tokens(const chat::ChatRequest& request,
                                      const std::string& operation) const;
  void learn_length(const std::string& operation, const chat::Usage& usage);
  Millis backoff(int round);
  /// Somebody has come, gone, or begun to wait.
  void update_capacity();
  void tell_probed();

  const Clock& clock_;
  const PriceTable& prices_;
  PoolOptions options_;
  HedgeBudget budget_;
  std::map<std::string, Health, std::less<>> health_;  // by "provider/model"
  PassRecord passes_;
  std::map<std::string, DecayedMoments, std::less<>> answer_tokens_;  // by operation
  std::map<std::string, Gate, std::less<>> gates_;                    // by provider
  std::list<News*> for_probe_;  // races that wait for a half-open breaker's probe to end
  std::uint64_t next_guest_ = 0;
  std::size_t waiting_ = 0;  // races
  int capacity_ = 1;
  std::function<void(int)> on_capacity_;
  std::shared_ptr<Running> running_;
  std::minstd_rand jitter_{std::random_device{}()};
};

}  // namespace minimill::cloud
