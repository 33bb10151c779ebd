#include "engine/llama_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <fstream>
#include <optional>

#include "engine/fake_server_fixture.h"
#include "support/event_loop.h"
#include "support/temp_dir.h"

namespace minimill::engine {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class FakeHost final : public EngineHost {
 public:
  explicit FakeHost(asio::io_context& io) : servers(io) {}

  asio::awaitable<Result<std::filesystem::path>> llama_server() override { co_return program; }
  Result<std::unique_ptr<EngineProcess>> start(const std::vector<std::string>& command,
                                               std::function<void()> on_change) override {
    return servers.start(command, std::move(on_change));
  }
  Result<bool> enter() override {
    ++asked;
    return room;
  }
  void leave() override { ++left; }
  void became_idle() override { ++idle; }
  void has_slots(int number) override { slots = number; }

  FakeServers servers;
  Result<std::filesystem::path> program = std::filesystem::path("/usr/bin/llama-server");
  Result<bool> room = true;
  int asked = 0;
  int left = 0;
  int idle = 0;
  int slots = 0;
};

class LlamaEngineTest : public testing::Test {
 protected:
  LlamaEngineTest() {
    std::ofstream(folder / "m.gguf") << "weights";
    make(600s);
  }

  void make(std::chrono::milliseconds idle_stop) {
    LlamaEngineOptions options;
    options.idle_stop = idle_stop;
    options.name = "m";
    options.model = folder / "m.gguf";
    options.socket_dir = folder.path();
    engine.emplace(loop.io(), client, clock, host, std::move(options));
  }

  using Answer = std::shared_ptr<std::optional<Result<std::string>>>;
  Answer ask() {
    auto answer = std::make_shared<std::optional<Result<std::string>>>();
    asio::co_spawn(loop.io(), engine->post("/embeddings", "{}", {}),
                   [answer](std::exception_ptr, Result<std::string> said) { *answer = said; });
    return answer;
  }
  Result<std::string> answer_of(const Answer& answer) {
    EXPECT_TRUE(loop.until([&] { return answer->has_value(); }));
    return **answer;
  }
  Result<std::string> answer() { return answer_of(ask()); }

  bool comes_to(EngineState state) {
    return loop.until([&] { return engine->status().state == state; });
  }
  /// Time goes by, and whoever waits for it looks at the clock.
  void pass(std::chrono::milliseconds time) {
    clock.advance(time);
    engine->notify();
  }

  test::EventLoop loop;
  test::TempDir folder;
  ManualClock clock;
  http::Client client{loop.io()};
  FakeHost host{loop.io()};
  std::optional<LlamaEngine> engine;
};

TEST_F(LlamaEngineTest, StartsWithTheFirstRequestAndAnswersIt) {
  loop.poll();
  EXPECT_EQ(host.servers.started, 0);

  EXPECT_THAT(answer().value(), HasSubstr("42"));
  EXPECT_EQ(host.servers.started, 1);
  EXPECT_EQ(host.servers.command.front(), "/usr/bin/llama-server");
  EXPECT_EQ(engine->status().state, EngineState::kReady);
  EXPECT_EQ(engine->status().pid, 4711);
}

TEST_F(LlamaEngineTest, RequestsThatComeWhileItStartsShareOneProcess) {
  const Answer first = ask();
  const Answer second = ask();

  EXPECT_TRUE(answer_of(first));
  EXPECT_TRUE(answer_of(second));
  EXPECT_EQ(host.servers.started, 1);
  EXPECT_EQ(host.idle, 1);  // once both are answered
}

TEST_F(LlamaEngineTest, LearnsFromTheServerHowManySlotsAndHowMuchContextThereIs) {
  ASSERT_TRUE(answer());

  EXPECT_EQ(host.slots, 3);
  EXPECT_EQ(engine->context_tokens(), 512);
}

TEST_F(LlamaEngineTest, DeadEngineComesBackAfterTheBackOffAndNotBefore) {
  ASSERT_TRUE(answer());
  host.servers.last().die(139);
  ASSERT_TRUE(comes_to(EngineState::kStarting));

  pass(249ms);
  loop.poll();
  EXPECT_EQ(host.servers.started, 1);
  pass(1ms);
  ASSERT_TRUE(comes_to(EngineState::kReady));
  EXPECT_EQ(engine->status().restarts, 1);
  EXPECT_THAT(engine->status().error, HasSubstr("signal 11"));
  EXPECT_EQ(host.left, 0);  // it keeps its room
}

TEST_F(LlamaEngineTest, BackOffDoublesUntilAnEngineHasLivedForAWhile) {
  ASSERT_TRUE(answer());
  for (const auto delay : {250ms, 500ms, 1000ms}) {
    host.servers.last().die(1);
    ASSERT_TRUE(comes_to(EngineState::kStarting));
    pass(delay - 1ms);
    loop.poll();
    ASSERT_EQ(engine->status().state, EngineState::kStarting);
    pass(1ms);
    ASSERT_TRUE(comes_to(EngineState::kReady));
  }
  clock.advance(10s);
  host.servers.last().die(1);
  ASSERT_TRUE(comes_to(EngineState::kStarting));
  pass(250ms);
  EXPECT_TRUE(comes_to(EngineState::kReady));
}

TEST_F(LlamaEngineTest, RequestUnderWayAtADeathIsAnsweredByTheNextProcess) {
  host.servers.holds = true;
  const Answer request = ask();
  ASSERT_TRUE(comes_to(EngineState::kReady));
  loop.poll();

  host.servers.last().die(137);
  host.servers.release();
  ASSERT_TRUE(comes_to(EngineState::kStarting));
  pass(250ms);

  EXPECT_TRUE(answer_of(request));
  EXPECT_EQ(host.servers.started, 2);
}

TEST_F(LlamaEngineTest, GivesUpAfterThreeFailedStartsAndSaysWhyAndWhenToAskAgain) {
  host.servers.fails_with = 1;
  const Answer request = ask();
  for (int start = 1; start < 3; ++start) {
    ASSERT_TRUE(
        loop.until([&] { return host.servers.started == start && host.servers.running.empty(); }));
    pass(1s);
  }

  const Error error = answer_of(request).error();
  EXPECT_EQ(host.servers.started, 3);
  EXPECT_EQ(engine->status().state, EngineState::kFailed);
  EXPECT_GT(error.retry_after.value_or(0ms), 0ms);
  EXPECT_EQ(host.left, 1);

  // And meanwhile nobody waits for a start that would fail.
  EXPECT_FALSE(answer());
  EXPECT_EQ(host.servers.started, 3);
}

TEST_F(LlamaEngineTest, ModelThatIsGoneIsNotTriedAgain) {
  std::filesystem::remove(folder / "m.gguf");

  EXPECT_EQ(answer().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(host.servers.started, 0);
}

TEST_F(LlamaEngineTest, MissingLlamaServerIsSaidAsItIs) {
  host.program = fail(ErrorCode::kNotFound, "no llama-server here", "run make");

  const Error error = answer().error();
  EXPECT_EQ(error.message, "no llama-server here");
  EXPECT_EQ(error.hint, "run make");
}

TEST_F(LlamaEngineTest, IdleEngineIsStoppedAndLeavesItsRoom) {
  make(60s);
  ASSERT_TRUE(answer());

  pass(59s);
  loop.poll();
  EXPECT_EQ(engine->status().state, EngineState::kReady);
  pass(1s);
  ASSERT_TRUE(comes_to(EngineState::kStopped));
  ASSERT_TRUE(loop.until([&] { return host.left == 1; }));
  EXPECT_TRUE(host.servers.running.empty());

  EXPECT_TRUE(answer());  // and starts again
}

TEST_F(LlamaEngineTest, EngineAtWorkIsNotIdle) {
  make(60s);
  host.servers.holds = true;
  const Answer request = ask();
  ASSERT_TRUE(comes_to(EngineState::kReady));

  pass(600s);
  loop.poll();
  EXPECT_EQ(engine->status().state, EngineState::kReady);
  EXPECT_EQ(engine->status().in_flight, 1);

  host.servers.release();
  EXPECT_TRUE(answer_of(request));
}

TEST_F(LlamaEngineTest, OneThatDoesNotEndIsKilled) {
  ASSERT_TRUE(answer());
  host.servers.stubborn = true;
  engine->begin_stop();
  ASSERT_TRUE(comes_to(EngineState::kStopped));
  loop.poll();
  EXPECT_EQ(host.servers.running.size(), 1);

  pass(5s);
  EXPECT_TRUE(loop.until([&] { return host.servers.running.empty(); }));
}

TEST_F(LlamaEngineTest, WaitsUntilOthersHaveMadeRoom) {
  host.room = false;
  const Answer request = ask();
  ASSERT_TRUE(loop.until([&] { return host.asked == 1; }));
  loop.poll();
  EXPECT_EQ(host.servers.started, 0);

  host.room = true;
  engine->notify();
  EXPECT_TRUE(answer_of(request));
}

TEST_F(LlamaEngineTest, DoesNotWaitForEverForOthersThatAreAtWork) {
  host.room = fail(ErrorCode::kUnavailable, "there is no room for m while n is at work");
  const Answer request = ask();
  ASSERT_TRUE(loop.until([&] { return host.asked == 1; }));
  pass(9s);
  loop.poll();
  EXPECT_FALSE(request->has_value());

  pass(1s);
  EXPECT_THAT(answer_of(request).error().message, HasSubstr("n is at work"));
  EXPECT_EQ(host.servers.started, 0);
}

TEST_F(LlamaEngineTest, ModelThatDoesNotFitIsRefusedAtOnce) {
  host.room = fail(ErrorCode::kUnsupported, "m does not fit", "take a smaller one");

  const Error error = answer().error();
  EXPECT_EQ(error.message, "m does not fit");
  EXPECT_EQ(error.hint, "take a smaller one");
}

}  // namespace
}  // namespace minimill::engine
