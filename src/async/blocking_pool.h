#pragma once

// A thread for work that would hold up the event loop: long queries, reports, big JSON.
//
//   Result<Report> report = co_await offload.run<Result<Report>>([&] { return … });
//
// The work runs on the one offload thread; the coroutine goes on where it was.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>

namespace minimill::async {

namespace asio = boost::asio;

class BlockingPool {
 public:
  /// What `work` refers to must outlive this object, or the work's end.
  template <class T>
  asio::awaitable<T> run(std::function<T()> work) {
    auto result = std::make_shared<std::optional<T>>();
    auto home = co_await asio::this_coro::executor;
    auto initiate = [this, result, home, work = std::move(work)](auto handler) mutable {
      auto job = [result, home, work = std::move(work), handler = std::move(handler)]() mutable {
        result->emplace(work());
        asio::post(home, std::move(handler));
      };
      asio::post(thread_, std::move(job));
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiate),
                                                                         asio::use_awaitable);
    co_return std::move(**result);
  }

 private:
  asio::thread_pool thread_{1};
};

}  // namespace minimill::async
