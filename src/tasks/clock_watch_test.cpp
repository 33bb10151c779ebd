#include "tasks/clock_watch.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "support/temp_dir.h"

namespace minimill::tasks {
namespace {

class ClockWatchTest : public testing::Test {
 protected:
  ClockWatchTest() : clock_(system_) {
    auto db = sqlite::Database::open(folder_ / "t.db", sqlite::Database::Mode::kReadWrite);
    EXPECT_TRUE(tasks::migrate_tasks(*db).has_value());
    writer_.emplace(std::move(*db));
    store_.emplace(tasks::TaskStore::open(folder_ / "t.db", *writer_).value());
    watch_.emplace(io_, clock_, *store_, [this] { ++moved_; });
  }

  void run(asio::awaitable<void> work) {
    asio::co_spawn(io_, std::move(work), [](const std::exception_ptr&) {});
    io_.restart();
    io_.run();
  }

  asio::awaitable<void> submit(std::string id, Millis in) {
    tasks::RunInfo info;
    info.id = {"r"};
    info.created = clock_.wall();
    tasks::Submission task;
    task.spec.id = {std::move(id)};
    task.spec.title = "t";
    task.due = clock_.wall() + in;
    std::vector<tasks::Submission> tasks;
    tasks.push_back(std::move(task));
    Result<> stored = co_await store_->submit(std::move(info), std::move(tasks));
    EXPECT_TRUE(stored.has_value());
  }

  /// How many are due now, and when the next one is, from now.
  std::size_t due() { return store_->due(clock_.wall(), {}, 10).value().size(); }
  Millis until_next(WallTime after) {
    const tasks::DueCursor cursor{.ready_ms = unix_ms(after), .row = 1'000};
    return *store_->next_due(cursor).value() - clock_.wall();
  }

  test::TempDir folder_;
  asio::io_context io_;
  ManualClock system_;
  EvenClock clock_;
  std::optional<sqlite::Writer> writer_;
  std::optional<tasks::TaskStore> store_;
  std::optional<ClockWatch> watch_;
  int moved_ = 0;
};

TEST_F(ClockWatchTest, TasksSubmittedBeforeAndAfterAJumpKeepTheirDelays) {
  for (const Millis jump : {Millis{std::chrono::hours{4}}, Millis{-std::chrono::hours{9}}}) {
    const int moved_before = moved_;
    run(submit("soon" + std::to_string(jump.count()), std::chrono::minutes{10}));
    system_.jump_wall(jump);
    run(submit("unseen" + std::to_string(jump.count()), Millis{0}));  // before the watch has looked
    const std::size_t due_before = due();

    run(watch_->look());

    EXPECT_EQ(moved_, moved_before + 1);
    EXPECT_EQ(due(), due_before);
    EXPECT_EQ(until_next(clock_.wall()), Millis{std::chrono::minutes{10}});
    EXPECT_EQ(clock_.wall(), system_.wall());
  }
}

TEST_F(ClockWatchTest, WithoutAJumpNothingIsMoved) {
  run(submit("soon", std::chrono::minutes{10}));
  system_.advance(std::chrono::minutes{5});

  run(watch_->look());

  EXPECT_EQ(moved_, 0);
  EXPECT_EQ(until_next(clock_.wall()), Millis{std::chrono::minutes{5}});
}

}  // namespace
}  // namespace minimill::tasks
