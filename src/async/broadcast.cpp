#include "async/broadcast.h"

#include <boost/asio/cancellation_state.hpp>

namespace minimill::async {

/// On the list for as long as it waits, also when the waiting coroutine is destroyed.
class Broadcast::Waiter {
 public:
  Waiter(std::list<asio::steady_timer*>& list, asio::steady_timer& timer)
      : list_(list), place_(list.insert(list.end(), &timer)) {}
  ~Waiter() { list_.erase(place_); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

 private:
  std::list<asio::steady_timer*>& list_;
  std::list<asio::steady_timer*>::iterator place_;
};

asio::awaitable<void> Broadcast::wait() {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer never(executor, asio::steady_timer::time_point::max());
  co_await wait_on(never);
}

asio::awaitable<void> Broadcast::wait_for(std::chrono::nanoseconds patience) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, patience);
  co_await wait_on(timer);
}

asio::awaitable<void> Broadcast::wait_on(asio::steady_timer& timer) {
  const Waiter waiter(waiting_, timer);
  constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
  co_await timer.async_wait(kToken);
}

void Broadcast::notify() {
  // cancel() only posts the wake-ups, so the list does not change under the loop.
  for (asio::steady_timer* timer : waiting_) timer->cancel();
}

asio::awaitable<bool> cancelled() {
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace minimill::async
