#include "async/loop_watch.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <ctime>
#include <vector>

namespace minimill::async {
namespace {

using std::chrono::milliseconds;

void compute(milliseconds cpu) {
  const auto spent = [] {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
  };
  const auto until = spent() + cpu;
  while (spent() < until) {
  }
}

std::vector<LoopWatch::Hold> reported_of(const std::vector<std::function<void()>>& handlers,
                                         milliseconds limit) {
  asio::io_context io;
  std::vector<LoopWatch::Hold> reported;
  LoopWatch watch(limit, [&](const LoopWatch::Hold& hold) { reported.push_back(hold); });
  for (const auto& handler : handlers) asio::post(io, handler);
  watch.run(io);
  return reported;
}

TEST(LoopWatch, NamesTheHandlerThatHeldTheLoop) {
  const auto reported = reported_of({[] { LoopWatch::doing("POST", "/quick"); },
                                     [] {
                                       LoopWatch::doing("POST", "/slow");
                                       compute(milliseconds{60});
                                     },
                                     [] { LoopWatch::doing("POST", "/quick"); }},
                                    milliseconds{50});

  ASSERT_EQ(reported.size(), 1U);
  EXPECT_EQ(reported.front().doing, "POST /slow");
  EXPECT_GE(reported.front().cpu, milliseconds{60});
}

TEST(LoopWatch, WhatOneHandlerSaidIsNotTheNextOnes) {
  const auto reported = reported_of(
      {[] { LoopWatch::doing("before"); }, [] { compute(milliseconds{60}); }}, milliseconds{50});

  ASSERT_EQ(reported.size(), 1U);
  EXPECT_EQ(reported.front().doing, "");
}

TEST(LoopWatch, CutsOffWhatIsSaidAtLength) {
  const auto reported = reported_of({[] {
                                      LoopWatch::doing(std::string(1'000, 'x'), "more");
                                      compute(milliseconds{60});
                                    }},
                                    milliseconds{50});

  ASSERT_EQ(reported.size(), 1U);
  EXPECT_LT(reported.front().doing.size(), 100U);
}

}  // namespace
}  // namespace minimill::async
