#include "async/task_set.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <utility>

#include "base/log.h"

namespace minimill::async {

TaskSet::TaskSet(asio::io_context& io, std::string what)
    : io_(io), what_(std::move(what)), ended_(io.get_executor()) {}

void TaskSet::start(asio::awaitable<void> work) {
  if (stopping_) return;
  auto signal = std::make_shared<asio::cancellation_signal>();
  const auto place = running_.insert(running_.end(), signal);
  auto ended = [this, place](const std::exception_ptr& failure) {
    running_.erase(place);
    ended_.notify();
    if (!failure || stopping_) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      log::error("{} ended: {}", what_, error.what());
    }
  };
  asio::co_spawn(io_, std::move(work),
                 asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
}

asio::awaitable<void> TaskSet::stop() {
  stopping_ = true;
  // A copy: whoever ends at once takes itself off the list.
  const auto running = running_;
  for (const auto& each : running) each->emit(asio::cancellation_type::terminal);
  while (!running_.empty()) co_await ended_.wait();
}

}  // namespace minimill::async
