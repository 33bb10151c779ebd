#pragma once

// A condition to wait for on the event loop: whoever waits goes on after the next notify(), or at a
// point in time, whichever comes first. Notifications are not counted.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace minimill::async {

class Notifier {
 public:
  explicit Notifier(const boost::asio::any_io_executor& executor)
      : timer_(executor, boost::asio::steady_timer::time_point::max()) {}

  void notify() { timer_.cancel(); }

  /// Any number may wait so at a time.
  boost::asio::awaitable<void> wait();

  /// One at a time, and nobody in wait() meanwhile.
  boost::asio::awaitable<void> wait_until(boost::asio::steady_timer::time_point deadline);

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace minimill::async
