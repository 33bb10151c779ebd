#pragma once

// Shadow evaluation: a settable share of the requests whose lane the router chose is answered by
// the other lane, too, behind the app's back, and the two answers are compared. What was answered
// on the device costs money to compare, and so has a daily budget; what the cloud answered costs
// the device some idle time, and tells what it could have done. Never for requests that may not
// leave the device, nor where the app named a lane.
//
// What a rung answered (serve/rung.h) is compared by a share of its own, which the rung names, and
// tells of the rung, not of the device's language model.
//
// Which requests are picked depends on their id alone, so that they are a fair sample of all: the
// quality bounds rest on that. Event-loop thread only.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>

#include "async/task_set.h"
#include "learn/outcomes.h"
#include "ledger/ledger.h"
#include "policy/admission.h"
#include "serve/backend.h"
#include "serve/observer.h"
#include "serve/rung.h"
#include "serve/service.h"

namespace minimill::serve {

struct ShadowOptions {
  double share = 0;          // of requests, 0 to 1
  double usd_per_day = 0.1;  // that comparing may cost in the cloud
  std::string judge;         // a cloud model that compares; empty: by words
};

class Shadow final : public Observer {
 public:
  /// What was spent today before is read from `ledger`.
  Shadow(asio::io_context& io, const Clock& clock, ShadowOptions options, Service& service,
         const policy::Admission& admission, const Backends& backends, ledger::Ledger& ledger,
         learn::Outcomes& outcomes, Rung* rung);

  bool wants_content(const Observed& request) const override;
  /// Compares in the background. Left out where the budget is spent or too much is under way.
  void answered(const Observed& request, const chat::ChatAnswer& answer,
                std::optional<double> mean_logprob) override;
  void ended(const ledger::RequestRecord& record) override;
  asio::awaitable<void> stop() { return under_way_.stop(); }

 private:
  static constexpr std::size_t kMaxUnderWay = 4;

  struct Comparison {
    RequestId id;
    policy::Request request;
    route::RouteInput input;
    std::string operation;
    bool rung = false;  // that answered
    chat::Lane answered = chat::Lane::kLocal;
    chat::ChatAnswer answer;
  };

  /// Is this request to be compared? The same answer whenever it is asked.
  bool picks(const Observed& request) const;
  asio::awaitable<void> carry_out(Comparison work);
  asio::awaitable<Result<chat::ChatAnswer>> ask(chat::Lane lane, std::string model,
                                                chat::ChatRequest chat, const Comparison& work);
  bool affordable();

  const Clock& clock_;
  ShadowOptions options_;
  Service& service_;
  const policy::Admission& admission_;
  const Backends& backends_;
  ledger::Ledger& ledger_;
  learn::Outcomes& outcomes_;
  Rung* rung_;
  async::TaskSet under_way_;
  std::int64_t day_ = -1;  // of UTC, that spent_usd_ is of
  double spent_usd_ = 0;
};

}  // namespace minimill::serve
