#include "tasks/task_retention.h"

#include <gtest/gtest.h>

#include "support/event_loop.h"
#include "support/temp_dir.h"
#include "tasks/batch_store.h"
#include "tasks/task_store.h"

namespace minimill::tasks {
namespace {

constexpr WallTime kNow{std::chrono::days{20'000}};
constexpr WallTime kOld = kNow - std::chrono::days{100};

class TaskRetention : public testing::Test {
 protected:
  TaskRetention() : db_(open()) {
    EXPECT_TRUE(migrate_tasks(db_));
    EXPECT_TRUE(migrate_batches(db_));
    writer_.emplace(open());
    store_.emplace(TaskStore::open(folder_ / "t.db", *writer_).value());
  }
  sqlite::Database open() {
    return sqlite::Database::open(folder_ / "t.db", sqlite::Database::Mode::kReadWrite).value();
  }

  void submit(const std::string& id, std::vector<TaskId> after = {}) {
    std::vector<Submission> tasks(1);
    tasks[0].spec.id = {id};
    tasks[0].spec.title = "t";
    tasks[0].spec.after = std::move(after);
    tasks[0].due = kOld;
    RunInfo run;
    run.id = run_;
    run.created = kOld;
    ASSERT_TRUE(loop_.run(store_->submit(std::move(run), std::move(tasks))));
  }
  void end(const std::string& id, WallTime at, TaskState state = TaskState::kDone) {
    Task task = find(id).value();
    task.state = state;
    task.finished = at;
    ASSERT_TRUE(loop_.run(store_->save(std::move(task))));
  }
  std::optional<Task> find(const std::string& id) { return store_->find({id}, run_).value(); }

  std::int64_t prune(std::string_view kind) {
    for (const ledger::Prunable& each : prunable_tasks()) {
      if (each.name != kind) continue;
      const WallTime before = kNow - std::chrono::days{90};
      const std::int64_t counted = each.count(db_, before).value();
      const std::int64_t rows = each.prune(db_, before, 100).value();
      EXPECT_EQ(rows, counted);
      return rows;
    }
    return -1;
  }

  const test::TempDir folder_;
  test::EventLoop loop_;
  RunId run_{"run_1"};
  sqlite::Database db_;
  std::optional<sqlite::Writer> writer_;
  std::optional<TaskStore> store_;
};

TEST_F(TaskRetention, TasksThatEndedLongAgoGoAndTheirRunWithTheLast) {
  submit("old");
  submit("young");
  end("old", kOld);
  end("young", kNow);

  EXPECT_EQ(prune("tasks"), 1);
  EXPECT_EQ(prune("runs"), 0);

  EXPECT_FALSE(find("old"));
  EXPECT_TRUE(find("young"));
  ASSERT_TRUE(db_.exec("UPDATE tasks SET finished_ms = 0"));
  EXPECT_EQ(prune("tasks"), 1);
  EXPECT_EQ(prune("runs"), 1);
}

TEST_F(TaskRetention, UndoneTaskStaysHoweverOldItIsAndSoDoesWhatItComesAfter) {
  submit("waits");
  submit("before");
  end("before", kOld);
  submit("after", {{"before"}});

  EXPECT_EQ(prune("tasks"), 0);

  end("after", kOld);
  EXPECT_EQ(prune("tasks"), 2);
  EXPECT_TRUE(find("waits"));
}

TEST_F(TaskRetention, TaskThatOthersFailedAfterStaysUntilTheyAreGone) {
  submit("root");
  submit("later", {{"root"}});
  end("root", kOld, TaskState::kFailed);

  EXPECT_EQ(prune("tasks"), 1);  // "later", which failed because of it
  EXPECT_TRUE(find("root"));
  EXPECT_EQ(prune("tasks"), 1);
}

TEST_F(TaskRetention, TaskWhoseEffectIsStillToHappenStays) {
  submit("a");
  ASSERT_TRUE(db_.exec("UPDATE tasks SET notify = 'http://127.0.0.1:1/'"));
  end("a", kOld);
  ASSERT_TRUE(db_.exec("UPDATE outbox SET next_ms = 0"));

  EXPECT_EQ(prune("effects"), 0);
  EXPECT_EQ(prune("tasks"), 0);

  ASSERT_TRUE(db_.exec("UPDATE outbox SET state = 2"));  // given up
  EXPECT_EQ(prune("effects"), 1);
  EXPECT_EQ(prune("tasks"), 1);
}

TEST_F(TaskRetention, BatchGoesOnceItIsOver) {
  ASSERT_TRUE(db_.exec(
      "INSERT INTO batches(id, provider, model, state, created_ms, ended_ms) "
      "VALUES('open', 'p', 'm', 1, 0, NULL), ('over', 'p', 'm', 2, 0, 0);"
      "INSERT INTO batch_tasks(batch, request, run, task, take_back_ms, operation, p_local_ok, "
      "threshold, reasons) VALUES('over', 'r', 'run_1', 'a', 0, '', 0, 0, '')"));

  EXPECT_EQ(prune("batches"), 1);
  EXPECT_EQ(prune("batches"), 0);
}

}  // namespace
}  // namespace minimill::tasks
