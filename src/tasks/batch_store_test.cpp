#include "tasks/batch_store.h"

#include <gtest/gtest.h>

#include "support/event_loop.h"
#include "support/temp_dir.h"
#include "tasks/task_store.h"

namespace minimill::tasks {
namespace {

class BatchStoreTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    auto db = sqlite::Database::open(folder_ / "t.db", sqlite::Database::Mode::kReadWrite);
    ASSERT_TRUE(migrate_tasks(*db).has_value());
    ASSERT_TRUE(migrate_batches(*db).has_value());
    writer_.emplace(std::move(*db));
    tasks_.emplace(TaskStore::open(folder_ / "t.db", *writer_).value());
    batches_.emplace(BatchStore::open(folder_ / "t.db", *writer_).value());
  }

  void reopen() {
    batches_.reset();
    tasks_.reset();
    writer_.reset();
    open();
  }

  void submit(const std::string& id) {
    Submission task;
    task.spec.id = {id};
    task.spec.title = "t";
    RunInfo info;
    info.id = run_;
    std::vector<Submission> tasks;
    tasks.push_back(std::move(task));
    ASSERT_TRUE(loop_.run(tasks_->submit(std::move(info), std::move(tasks))));
  }

  void begin(const std::vector<std::string>& ids) {
    Batch batch;
    batch.id = {"batch_1"};
    batch.provider = "sim";
    batch.model = "m";
    std::vector<BatchTask> tasks;
    for (const std::string& id : ids) {
      BatchTask task;
      task.request = {"req_" + id};
      task.run = run_;
      task.task = {id};
      tasks.push_back(std::move(task));
    }
    ASSERT_TRUE(loop_.run(batches_->begin(std::move(batch), std::move(tasks))));
  }

  Task find(const std::string& id) { return tasks_->find({id}, run_).value().value(); }
  Batch batch() { return batches_->find({"batch_1"}).value().value(); }

  test::EventLoop loop_;
  test::TempDir folder_;
  RunId run_{"run_1"};
  std::optional<sqlite::Writer> writer_;
  std::optional<TaskStore> tasks_;
  std::optional<BatchStore> batches_;
};

TEST_F(BatchStoreTest, BatchAndItsLeasesSurviveARestart) {
  submit("a");
  begin({"a"});

  reopen();
  ASSERT_TRUE(loop_.run(tasks_->requeue_running(WallTime{}, Millis{60'000})));
  ASSERT_TRUE(loop_.run(batches_->requeue_strays()));

  EXPECT_EQ(find("a").state, TaskState::kRunning);
  EXPECT_TRUE(find("a").batched);
  EXPECT_EQ(find("a").attempts, 1);
  ASSERT_EQ(batches_->open_batches().value().size(), 1U);
  EXPECT_EQ(batch().state, BatchState::kSending);
  EXPECT_EQ(batch().waiting, 1);
}

TEST_F(BatchStoreTest, TaskThatWasCancelledMeanwhileIsNotInTheBatch) {
  submit("a");
  submit("b");
  ASSERT_TRUE(loop_.run(tasks_->cancel({"a"}, run_, WallTime{})));

  begin({"a", "b"});

  const std::vector<BatchTask> tasks = batches_->tasks_of({"batch_1"}).value();
  ASSERT_EQ(tasks.size(), 1U);
  EXPECT_EQ(tasks[0].task.value, "b");
  EXPECT_TRUE(batches_->has_had(run_, {"b"}).value());
  EXPECT_FALSE(batches_->has_had(run_, {"a"}).value());
}

TEST_F(BatchStoreTest, TaskIsSettledOnceWithItsCost) {
  submit("a");
  begin({"a"});
  Task task = find("a");
  task.state = TaskState::kDone;
  task.answer = "first";

  ASSERT_TRUE(loop_.run(
      batches_->settle(*tasks_, {"batch_1"}, {"req_a"}, BatchTaskState::kAnswered, task, 0.5)));
  task.answer = "second";
  ASSERT_TRUE(loop_.run(
      batches_->settle(*tasks_, {"batch_1"}, {"req_a"}, BatchTaskState::kAnswered, task, 0.5)));

  EXPECT_EQ(find("a").answer, "first");
  EXPECT_EQ(batch().cost_usd, 0.5);
  EXPECT_EQ(batch().answered, 1);
}

TEST_F(BatchStoreTest, LateAnswerIsCountedOnceAndChangesNoTask) {
  submit("a");
  begin({"a"});
  Task task = find("a");
  task.state = TaskState::kQueued;
  task.batched = false;
  ASSERT_TRUE(loop_.run(
      batches_->settle(*tasks_, {"batch_1"}, {"req_a"}, BatchTaskState::kGivenBack, task, 0)));

  ASSERT_TRUE(loop_.run(batches_->note_late({"batch_1"}, {"req_a"}, 0.25)));
  ASSERT_TRUE(loop_.run(batches_->note_late({"batch_1"}, {"req_a"}, 0.25)));

  EXPECT_EQ(batch().cost_usd, 0.25);
  EXPECT_EQ(batch().given_back, 1);
  EXPECT_EQ(find("a").state, TaskState::kQueued);
}

TEST_F(BatchStoreTest, TaskLeasedToNoOpenBatchIsQueuedAgain) {
  submit("a");
  begin({"a"});
  ASSERT_TRUE(loop_.run(batches_->end({"batch_1"}, BatchState::kFailed, "lost", WallTime{})));

  ASSERT_TRUE(loop_.run(batches_->requeue_strays()));

  EXPECT_EQ(find("a").state, TaskState::kQueued);
  EXPECT_FALSE(find("a").batched);
}

TEST_F(BatchStoreTest, EndedBatchCannotBeCancelled) {
  submit("a");
  begin({"a"});
  EXPECT_TRUE(loop_.run(batches_->ask_cancel({"batch_1"})));
  EXPECT_TRUE(batch().cancel_asked);
  ASSERT_TRUE(loop_.run(batches_->end({"batch_1"}, BatchState::kEnded, "", WallTime{})));

  EXPECT_EQ(loop_.run(batches_->ask_cancel({"batch_1"})).error().code, ErrorCode::kConflict);
  EXPECT_EQ(loop_.run(batches_->ask_cancel({"batch_2"})).error().code, ErrorCode::kNotFound);
}

TEST_F(BatchStoreTest, ProgressCountsTasksInBatches) {
  submit("a");
  submit("b");
  begin({"a"});

  const Progress progress = tasks_->progress(run_).value();

  EXPECT_EQ(progress.running_batch, 1);
  EXPECT_EQ(progress.running_cloud, 0);
  EXPECT_EQ(progress.waiting, 1);
}

TEST_F(BatchStoreTest, BatchOfAnotherAppDoesNotExist) {
  Batch of_mail;
  of_mail.id = {"batch_2"};
  of_mail.app = "mail";
  std::vector<BatchTask> none;
  ASSERT_TRUE(loop_.run(batches_->begin(std::move(of_mail), std::move(none))));
  const policy::Scope spy = policy::Scope::of_app("spy");

  EXPECT_FALSE(batches_->find({"batch_2"}, spy).value().has_value());
  EXPECT_TRUE(batches_->list(10, spy).value().empty());
  EXPECT_EQ(batches_->find({"batch_2"}, policy::Scope::of_app("mail")).value()->app, "mail");
  EXPECT_EQ(batches_->list(10, policy::Scope::everything()).value().size(), 1U);
}

}  // namespace
}  // namespace minimill::tasks
