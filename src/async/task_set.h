#pragma once

// Work that goes on by itself, with an owner who cancels it and waits for it: nothing is left
// running behind whoever started it, and nobody's failure goes unheard. Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <list>
#include <memory>
#include <string>

#include "async/notifier.h"

namespace minimill::async {

namespace asio = boost::asio;

class TaskSet {
 public:
  /// `what` names the work in the log, should it end by an exception.
  TaskSet(asio::io_context& io, std::string what);

  /// Nothing is started any more once stop() has been called.
  void start(asio::awaitable<void> work);
  std::size_t running() const { return running_.size(); }
  bool stopping() const { return stopping_; }
  /// Cancels everything and waits for its end.
  asio::awaitable<void> stop();

 private:
  asio::io_context& io_;
  std::string what_;
  std::list<std::shared_ptr<asio::cancellation_signal>> running_;
  Notifier ended_;
  bool stopping_ = false;
};

}  // namespace minimill::async
