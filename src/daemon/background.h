#pragma once

// Loops that run beside everything else, with one owner that cancels them and waits until they have
// ended. Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "daemon/wake.h"

namespace minimill::daemon {

namespace asio = boost::asio;

class Background {
 public:
  /// `what` names the loops in the log, should one end by an exception: a bug of ours.
  Background(asio::io_context& io, std::string what);

  void spawn(asio::awaitable<void> loop);
  /// Cancels the loops (terminally) and returns once all have ended.
  asio::awaitable<void> stop();
  bool stopping() const { return stopping_; }

 private:
  asio::io_context& io_;
  std::string what_;
  std::vector<std::unique_ptr<asio::cancellation_signal>> loops_;
  int running_ = 0;
  bool stopping_ = false;
  Wake ended_;
};

}  // namespace minimill::daemon
