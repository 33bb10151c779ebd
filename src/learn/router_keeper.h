#pragma once

// Keeps what the router has learnt in the ledger's file: saved at most once every kSaveEvery, and
// when stopping. Event-loop thread only.

#include <boost/asio/io_context.hpp>
#include <chrono>

#include "async/notifier.h"
#include "async/task_set.h"
#include "base/clock.h"
#include "ledger/ledger.h"
#include "route/router.h"

namespace minimill::learn {

namespace asio = boost::asio;

/// As it was saved last. A state that cannot be read is set aside, with a warning, and the router
/// starts from its prior.
Result<route::Router> load_router(ledger::Ledger& ledger, route::RouterOptions options);

class RouterKeeper {
 public:
  static constexpr std::chrono::seconds kSaveEvery{10};

  RouterKeeper(asio::io_context& io, const Clock& clock, const route::Router& router,
               ledger::Ledger& ledger);

  /// Begins to save in its turn; without, only stop() does.
  void start() { work_.start(keep()); }
  /// Saves now what is not saved yet.
  asio::awaitable<void> stop();
  /// The router has learnt something.
  void note_learnt() { learnt_ = true; }

 private:
  asio::awaitable<void> keep();
  void save();

  const Clock& clock_;
  const route::Router& router_;
  ledger::Ledger& ledger_;
  bool learnt_ = false;  // since it was last saved
  async::Notifier wake_;
  async::TaskSet work_;
};

}  // namespace minimill::learn
