#include "async/loop_watch.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace minimill::async {
namespace {

constexpr std::size_t kMaxSaid = 96;

/// What this thread's handler is about. A fixed place: said with every request.
struct Said {
  std::array<char, kMaxSaid> text{};
  std::size_t size = 0;

  void append(std::string_view more) {
    const std::size_t fits = std::min(more.size(), text.size() - size);
    std::copy_n(more.begin(), fits, text.begin() + static_cast<std::ptrdiff_t>(size));
    size += fits;
  }
};

thread_local Said said;

/// The thread's CPU time costs a system call, the time of day none: the one is read only once the
/// other has moved by so much, so that many small handlers share a reading.
constexpr std::chrono::nanoseconds kLook = std::chrono::milliseconds{1};

std::chrono::nanoseconds read(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

}  // namespace

std::chrono::nanoseconds LoopWatch::too_long() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return std::chrono::milliseconds{200};  // they take ten times as long
#else
  return std::chrono::milliseconds{20};
#endif
}

void LoopWatch::doing(std::string_view what, std::string_view more) {
  said.size = 0;
  said.append(what);
  if (more.empty()) return;
  said.append(" ");
  said.append(more);
}

void LoopWatch::run(asio::io_context& io) {
  std::chrono::nanoseconds looked = read(CLOCK_MONOTONIC);
  std::chrono::nanoseconds before = read(CLOCK_THREAD_CPUTIME_ID);
  said.size = 0;
  while (io.run_one() > 0) {
    const std::chrono::nanoseconds at = read(CLOCK_MONOTONIC);
    if (at - looked > kLook) {
      looked = at;
      const std::chrono::nanoseconds now = read(CLOCK_THREAD_CPUTIME_ID);
      const std::chrono::nanoseconds took = now - before;
      if (took > longest_.cpu || took > limit_) {
        const Hold hold{.cpu = took, .doing = std::string(said.text.data(), said.size)};
        if (took > longest_.cpu) longest_ = hold;
        if (took > limit_) report_(hold);
      }
      before = now;
    }
    said.size = 0;
  }
}

}  // namespace minimill::async
