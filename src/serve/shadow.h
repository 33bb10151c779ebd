#pragma once

// Shadow evaluation: a settable share of the requests whose lane the router chose is answered by
// the other lane, too, behind the app's back, and the two answers are compared. What was answered
// on the device costs money to compare, and so has a daily budget; what the cloud answered costs
// the device some idle time, and tells what it could have done. Never for requests that may not
// leave the device, nor where the app named a lane.
//
// Which requests are picked depends on their id alone, so that they are a fair sample of all: the
// quality bounds rest on that. Event-loop thread only.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

#include "async/task_set.h"
#include "lane/lanes.h"
#include "learn/outcomes.h"
#include "ledger/ledger.h"
#include "serve/backends.h"

namespace minimill::serve {

struct ShadowOptions {
  double share = 0;          // of requests, 0 to 1
  double usd_per_day = 0.1;  // that comparing may cost in the cloud
  std::string judge;         // a cloud model that compares; empty: by words
};

struct ShadowWork {
  RequestId id;
  chat::ChatRequest request;
  route::RouteInput input;
  std::string operation;
  chat::Lane answered = chat::Lane::kLocal;
  chat::ChatAnswer answer;
};

class Shadow {
 public:
  Shadow(asio::io_context& io, const Clock& clock, IdSource& ids, ShadowOptions options,
         const ModelSelector& selector, Engines& engines, Backends& backends, lane::Lanes& lanes,
         ledger::Ledger& ledger, learn::Outcomes& outcomes);

  /// Is this request to be compared? The same answer whenever it is asked.
  bool picks(const RequestId& id) const;
  /// Compares in the background. Left out where the budget is spent or too much is under way.
  void compare(ShadowWork work);
  asio::awaitable<void> stop() { return under_way_.stop(); }

 private:
  static constexpr std::size_t kMaxUnderWay = 4;

  asio::awaitable<void> carry_out(ShadowWork work);
  asio::awaitable<Result<chat::ChatAnswer>> ask(chat::Lane lane, std::string model,
                                                const chat::ChatRequest& request,
                                                const ShadowWork& work);
  bool affordable();

  const Clock& clock_;
  IdSource& ids_;
  ShadowOptions options_;
  const ModelSelector& selector_;
  Engines& engines_;
  Backends& backends_;
  lane::Lanes& lanes_;
  ledger::Ledger& ledger_;
  learn::Outcomes& outcomes_;
  async::TaskSet under_way_;
  std::int64_t day_ = -1;  // of UTC, that spent_usd_ is of
  double spent_usd_ = 0;
};

}  // namespace minimill::serve
