#include "daemon/background.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <utility>

#include "base/log.h"

namespace minimill::daemon {

Background::Background(asio::io_context& io, std::string what)
    : io_(io), what_(std::move(what)), ended_(io.get_executor()) {}

void Background::spawn(asio::awaitable<void> loop) {
  auto& signal = loops_.emplace_back(std::make_unique<asio::cancellation_signal>());
  ++running_;
  auto ended = [this](const std::exception_ptr& failure) {
    --running_;
    ended_.notify();
    if (!failure || stopping_) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      log::error("{} ended: {}", what_, error.what());
    }
  };
  asio::co_spawn(io_, std::move(loop),
                 asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
}

asio::awaitable<void> Background::stop() {
  stopping_ = true;
  for (const auto& loop : loops_) loop->emit(asio::cancellation_type::terminal);
  while (running_ > 0) co_await ended_.wait();
}

}  // namespace minimill::daemon
