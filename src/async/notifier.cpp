#include "async/notifier.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace minimill::async {

namespace asio = boost::asio;

asio::awaitable<void> Notifier::wait() {
  constexpr auto kNever = asio::steady_timer::time_point::max();
  // Setting the expiry would wake whoever waits already.
  if (timer_.expiry() != kNever) timer_.expires_at(kNever);
  co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> Notifier::wait_until(asio::steady_timer::time_point deadline) {
  timer_.expires_at(deadline);
  co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace minimill::async
