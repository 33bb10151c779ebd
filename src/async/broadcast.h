#pragma once

// Wakes every coroutine that waits for "something has changed"; each then looks for itself whether
// it was what it waits for.
//
//   while (!done) co_await changed.wait_until(deadline);     // … done = true; changed.notify();
//
// On one event loop nothing can change between the look and the wait, so no wake-up is lost.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>

#include "base/clock.h"

namespace minimill::async {

namespace asio = boost::asio;

class Broadcast {
 public:
  Broadcast() = default;
  Broadcast(const Broadcast&) = delete;
  Broadcast& operator=(const Broadcast&) = delete;

  /// Returns at the next notify(), at `deadline`, or when the coroutine is cancelled.
  asio::awaitable<void> wait_until(SteadyTime deadline);
  asio::awaitable<void> wait() { return wait_until(SteadyTime::max()); }
  void notify();

 private:
  class Waiter;
  std::list<asio::steady_timer*> waiting_;
};

/// Whether the coroutine that asks has been cancelled. Asking first keeps the next co_await from
/// throwing.
asio::awaitable<bool> cancelled();

}  // namespace minimill::async
