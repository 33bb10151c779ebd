#include "engine/engine_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "engine/fake_server_fixture.h"
#include "support/event_loop.h"
#include "support/temp_dir.h"

namespace minimill::engine {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::uint64_t kGb = 1'000'000'000;

class EnginePoolTest : public testing::Test {
 protected:
  EnginePoolTest() { make({.memory = 10 * kGb}); }

  void make(ResidencyLimits limits) {
    LlamaServers found;
    found.find = [] { return program(); };
    found.start = [this](const std::vector<std::string>& command, std::function<void()> on_change) {
      return servers.start(command, std::move(on_change));
    };
    pool.emplace(loop.io(), client, clock, limits, std::move(found));
  }
  static asio::awaitable<Result<std::filesystem::path>> program() {
    co_return std::filesystem::path("/usr/bin/llama-server");
  }

  LlamaEngine& add(const std::string& name, std::uint64_t gigabytes) {
    std::ofstream(folder / name) << "weights";
    LlamaEngineOptions options;
    options.name = name;
    options.model = folder / name;
    options.socket_dir = folder.path();
    options.idle_stop = 0s;
    const EngineNeed need{.file = options.model.string(), .weights = gigabytes * kGb};
    return pool->add(std::move(options), need);
  }

  using Answer = std::shared_ptr<std::optional<Result<std::string>>>;
  Answer ask(LlamaEngine& engine) {
    auto answer = std::make_shared<std::optional<Result<std::string>>>();
    asio::co_spawn(loop.io(), engine.post("/embeddings", "{}", {}),
                   [answer](std::exception_ptr, Result<std::string> said) { *answer = said; });
    return answer;
  }
  Result<std::string> answer_of(const Answer& answer) {
    EXPECT_TRUE(loop.until([&] { return answer->has_value(); }));
    clock.advance(1s);
    return **answer;
  }
  Result<std::string> answer(LlamaEngine& engine) { return answer_of(ask(engine)); }

  test::EventLoop loop;
  test::TempDir folder;
  ManualClock clock;
  http::Client client{loop.io()};
  FakeServers servers{loop.io()};
  std::optional<EnginePool> pool;
};

TEST_F(EnginePoolTest, ModelsThatFitTogetherStayTogether) {
  LlamaEngine& a = add("a", 4);
  LlamaEngine& b = add("b", 4);

  EXPECT_TRUE(answer(a));
  EXPECT_TRUE(answer(b));
  EXPECT_EQ(servers.running.size(), 2);
}

TEST_F(EnginePoolTest, LeastRecentlyUsedOneGoesForTheNewcomerAndComesBackWhenAskedFor) {
  LlamaEngine& a = add("a", 4);
  LlamaEngine& b = add("b", 4);
  LlamaEngine& c = add("c", 4);
  ASSERT_TRUE(answer(a));
  ASSERT_TRUE(answer(b));
  ASSERT_TRUE(answer(a));  // now b is the older one

  EXPECT_TRUE(answer(c));
  EXPECT_EQ(a.status().state, EngineState::kReady);
  EXPECT_EQ(b.status().state, EngineState::kStopped);
  EXPECT_EQ(servers.running.size(), 2);

  EXPECT_TRUE(answer(b));
  EXPECT_EQ(a.status().state, EngineState::kStopped);
}

TEST_F(EnginePoolTest, NumberOfEnginesIsBounded) {
  make({.memory = 0, .engines = 1});
  LlamaEngine& a = add("a", 1);
  LlamaEngine& b = add("b", 1);
  for (int turn = 0; turn < 3; ++turn) {
    ASSERT_TRUE(answer(a));
    ASSERT_TRUE(answer(b));
    ASSERT_EQ(servers.running.size(), 1);
  }
}

TEST_F(EnginePoolTest, NewcomerWaitsForTheOneAtWorkToBecomeIdle) {
  LlamaEngine& a = add("a", 6);
  LlamaEngine& b = add("b", 6);
  servers.holds = true;
  const Answer working = ask(a);
  ASSERT_TRUE(loop.until([&] { return a.status().state == EngineState::kReady; }));
  const Answer waiting = ask(b);
  loop.poll();
  EXPECT_EQ(servers.started, 1);

  servers.release();

  EXPECT_TRUE(answer_of(working));
  EXPECT_TRUE(answer_of(waiting));
  EXPECT_EQ(servers.running.size(), 1);
}

TEST_F(EnginePoolTest, TwoThatStartAtOnceAreNotBothLetIn) {
  LlamaEngine& a = add("a", 6);
  LlamaEngine& b = add("b", 6);
  const Answer first = ask(a);
  const Answer second = ask(b);

  EXPECT_TRUE(answer_of(first));
  EXPECT_TRUE(answer_of(second));
  EXPECT_EQ(servers.running.size(), 1);
}

TEST_F(EnginePoolTest, ModelThatIsTooBigForTheMachineIsRefusedAndNobodyGoesForIt) {
  LlamaEngine& a = add("a", 4);
  LlamaEngine& big = add("big", 11);
  ASSERT_TRUE(answer(a));

  const Error error = answer(big).error();

  EXPECT_THAT(error.message, HasSubstr("big does not fit: it takes 11.0 GB"));
  EXPECT_THAT(error.hint, HasSubstr("[local] memory"));
  EXPECT_EQ(a.status().state, EngineState::kReady);
}

TEST_F(EnginePoolTest, HoweverAFileIsSpelledItIsOneEngine) {
  add("a", 1);
  std::filesystem::create_symlink(folder / "a", folder / "link");

  const std::string key = EnginePool::key(folder / "a", false);
  EXPECT_EQ(EnginePool::key(folder / "link", false), key);
  EXPECT_EQ(EnginePool::key(folder.path() / "." / "x" / ".." / "a", false), key);
  EXPECT_NE(EnginePool::key(folder / "a", true), key);
  EXPECT_NE(pool->find(key), nullptr);
}

TEST_F(EnginePoolTest, StoppedPoolRunsNothing) {
  LlamaEngine& a = add("a", 1);
  LlamaEngine& b = add("b", 1);
  ASSERT_TRUE(answer(a));
  ASSERT_TRUE(answer(b));

  loop.run(pool->stop());

  EXPECT_TRUE(servers.running.empty());
}

}  // namespace
}  // namespace minimill::engine
