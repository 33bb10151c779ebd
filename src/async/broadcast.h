#pragma once

// Wakes every coroutine that waits for "something has changed"; each then looks for itself whether
// it was what it waits for.
//
//   while (!done) co_await changed.wait_for(patience);     // … done = true; changed.notify();
//
// On one event loop nothing can change between the look and the wait, so no wake-up is lost.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <list>

namespace minimill::async {

namespace asio = boost::asio;

class Broadcast {
 public:
  Broadcast() = default;
  Broadcast(const Broadcast&) = delete;
  Broadcast& operator=(const Broadcast&) = delete;

  /// Returns at the next notify(), or when the coroutine is cancelled.
  asio::awaitable<void> wait();
  /// The same, or after `patience`.
  asio::awaitable<void> wait_for(std::chrono::nanoseconds patience);
  void notify();

 private:
  class Waiter;
  asio::awaitable<void> wait_on(asio::steady_timer& timer);

  std::list<asio::steady_timer*> waiting_;
};

/// Whether the coroutine that asks has been cancelled. Asking first keeps the next co_await from
/// throwing.
asio::awaitable<bool> cancelled();

}  // namespace minimill::async
