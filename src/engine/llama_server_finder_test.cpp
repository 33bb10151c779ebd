#include "engine/llama_server_finder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "support/event_loop.h"
#include "support/temp_dir.h"

namespace minimill::engine {
namespace {

using namespace std::chrono_literals;

class LlamaServerFinderTest : public testing::Test {
 protected:
  Result<std::filesystem::path> find() { return loop.run(finder.find()); }
  Result<std::filesystem::path> search() {
    ++searches;
    searched_on = std::this_thread::get_id();
    return there;
  }

  test::EventLoop loop;
  test::TempDir folder;
  ManualClock clock;
  Result<std::filesystem::path> there = fail(ErrorCode::kNotFound, "none");
  int searches = 0;
  std::thread::id searched_on;
  async::BlockingPool pool;
  LlamaServerFinder finder{pool, clock, [this] { return search(); }};
};

TEST_F(LlamaServerFinderTest, SearchesOnAnotherThreadThanTheEventLoops) {
  EXPECT_FALSE(find());
  EXPECT_NE(searched_on, std::this_thread::get_id());
}

TEST_F(LlamaServerFinderTest, WhatWasFoundIsNotSearchedForAgainUntilItIsGone) {
  std::ofstream(folder / "llama-server") << "program";
  there = folder / "llama-server";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(find(), folder / "llama-server");
  clock.advance(24h);
  EXPECT_TRUE(find());
  EXPECT_EQ(searches, 1);

  std::filesystem::remove(folder / "llama-server");
  there = fail(ErrorCode::kNotFound, "none any more");
  EXPECT_EQ(find().error().message, "none any more");
}

TEST_F(LlamaServerFinderTest, FailureIsRememberedForAWhileAndThenLookedAtAgain) {
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(find());
  EXPECT_EQ(searches, 1);

  std::ofstream(folder / "llama-server") << "program";
  there = folder / "llama-server";
  clock.advance(LlamaServerFinder::kLookAgain - 1ms);
  EXPECT_FALSE(find());
  clock.advance(1ms);
  EXPECT_TRUE(find());
}

}  // namespace
}  // namespace minimill::engine
