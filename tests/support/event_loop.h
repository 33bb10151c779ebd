#pragma once

// An event loop that a test turns by hand, so that tests read from top to bottom.
//
//   EventLoop loop;
//   Result<Response> answer = loop.run(client.fetch(request));
//   EXPECT_TRUE(loop.until([&] { return cancelled; }));

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace minimill::test {

class EventLoop {
 public:
  static constexpr std::chrono::seconds kPatience{60};  // of a machine under load, too

  boost::asio::io_context& io() { return io_; }

  /// Turns the loop until `done()`; false when that does not come to pass.
  template <class Done>
  bool until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds{50});
    }
    return true;
  }

  /// Does what is ready now.
  void poll() {
    io_.restart();
    io_.poll();
  }

  template <class T>
  T run(boost::asio::awaitable<T> work) {
    auto end = std::make_shared<std::pair<std::exception_ptr, std::optional<T>>>();
    boost::asio::co_spawn(io_, std::move(work), [end](std::exception_ptr failure, T value) {
      end->first = std::move(failure);
      end->second = std::move(value);
    });
    if (!until([&end] { return end->second.has_value(); }))
      throw std::runtime_error("no end of it");
    if (end->first) std::rethrow_exception(end->first);
    return std::move(*end->second);
  }

  void run(boost::asio::awaitable<void> work) {
    auto end = std::make_shared<std::optional<std::exception_ptr>>();
    boost::asio::co_spawn(io_, std::move(work),
                          [end](std::exception_ptr failure) { *end = std::move(failure); });
    if (!until([&end] { return end->has_value(); })) throw std::runtime_error("no end of it");
    if (**end) std::rethrow_exception(**end);
  }

 private:
  boost::asio::io_context io_{1};
};

}  // namespace minimill::test
