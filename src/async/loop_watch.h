#pragma once

// Who holds the event loop: while one handler computes, nobody else is served.
//
//   LoopWatch watch(too_long, [](const LoopWatch::Hold& hold) { … });
//   watch.run(io);                                  // in place of io.run()
//   LoopWatch::doing("POST /v1/chat/completions");  // from whatever begins or ends work on the
//   loop
//
// What is measured is the thread's CPU time: what the handler computed, and not how long a busy
// machine let the process wait. Handlers of less than a millisecond in all are counted with the
// next one, and cost one reading of the time of day each.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace minimill::async {

namespace asio = boost::asio;

class LoopWatch {
 public:
  struct Hold {
    std::chrono::nanoseconds cpu{};
    std::string doing;  // what the handler said last; "" where it said nothing
  };
  using Report = std::function<void(const Hold&)>;

  /// What a handler may compute before it is reported: longer than anything a user would notice.
  static std::chrono::nanoseconds too_long();

  /// Reports each handler that took longer than `limit`, on the loop's thread, after its end.
  LoopWatch(std::chrono::nanoseconds limit, Report report)
      : limit_(limit), report_(std::move(report)) {}

  /// Until the loop has nothing left to do or is stopped.
  void run(asio::io_context& io);

  /// The longest of all.
  const Hold& longest() const { return longest_; }

  /// Says what the handler under way is about; cheap, and cut off after some eighty bytes.
  static void doing(std::string_view what, std::string_view more = {});

 private:
  std::chrono::nanoseconds limit_;
  Report report_;
  Hold longest_;
};

}  // namespace minimill::async
