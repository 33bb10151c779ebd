#include "tasks/task_store.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "support/temp_dir.h"
#include "tasks/outbox.h"

namespace minimill::tasks {
namespace {

class TaskStoreTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    auto db = sqlite::Database::open(folder_ / "t.db", sqlite::Database::Mode::kReadWrite);
    ASSERT_TRUE(db.has_value());
    ASSERT_TRUE(migrate_tasks(*db).has_value());
    writer_.emplace(std::move(*db));
    store_.emplace(TaskStore::open(folder_ / "t.db", *writer_).value());
  }

  void reopen() {
    store_.reset();
    writer_.reset();
    open();
  }

  Result<> run(asio::awaitable<Result<>> work) {
    asio::io_context io;
    Result<> result;
    asio::co_spawn(io, std::move(work),
                   [&](std::exception_ptr, Result<> done) { result = std::move(done); });
    io.run();
    return result;
  }

  Result<> submit(std::string id, std::string title = "t", std::int64_t due_ms = 1000) {
    Submission task;
    task.spec.id = {std::move(id)};
    task.spec.title = std::move(title);
    task.due = from_unix_ms(due_ms);
    RunInfo info;
    info.id = run_;
    info.name = "file";
    info.fingerprint = "print";
    std::vector<Submission> tasks;
    tasks.push_back(std::move(task));
    return run(store_->submit(std::move(info), std::move(tasks)));
  }

  /// As another release, or a hand, may have left it.
  void edit(const std::string& sql) {
    writer_->post([sql](sqlite::Database& db) { return db.exec(sql.c_str()); });
    writer_->flush();
  }

  Task find(const std::string& id) { return store_->find({id}, run_).value().value(); }

  test::TempDir folder_;
  RunId run_{"run_1"};
  std::optional<sqlite::Writer> writer_;
  std::optional<TaskStore> store_;
};

TEST_F(TaskStoreTest, AcknowledgedTaskIsThereAfterReopening) {
  ASSERT_TRUE(submit("a").has_value());

  reopen();

  EXPECT_EQ(find("a").state, TaskState::kQueued);
}

TEST_F(TaskStoreTest, SubmittingTwiceAddsOnceAndOtherContentIsRefused) {
  ASSERT_TRUE(submit("a").has_value());

  EXPECT_TRUE(submit("a").has_value());
  const Result<> other = submit("a", "another title");

  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, ErrorCode::kConflict);
  EXPECT_EQ(store_->list({}).value().size(), 1U);
}

TEST_F(TaskStoreTest, DueTasksComeInOrderAndOnceBehindTheCursor) {
  ASSERT_TRUE(submit("late", "t", 3000).has_value());
  ASSERT_TRUE(submit("b", "t", 2000).has_value());
  ASSERT_TRUE(submit("a", "t", 1000).has_value());

  const auto due = store_->due(from_unix_ms(2500), {}, 10).value();

  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[0].id.value, "a");
  EXPECT_EQ(due[1].id.value, "b");
  EXPECT_TRUE(store_->due(from_unix_ms(2500), due[1].cursor, 10).value().empty());
  EXPECT_EQ(store_->next_due(due[1].cursor).value(), from_unix_ms(3000));
}

TEST_F(TaskStoreTest, TaskThatWasRunningWhenTheDaemonDiedIsCarriedOutAgain) {
  ASSERT_TRUE(submit("a").has_value());
  ASSERT_TRUE(run(store_->lease(find("a"), from_unix_ms(1500), from_unix_ms(9999))).has_value());
  ASSERT_TRUE(store_->due(from_unix_ms(2000), {}, 10).value().empty());

  reopen();
  ASSERT_TRUE(run(store_->requeue_running(from_unix_ms(2000), Millis{60'000})).has_value());

  EXPECT_EQ(store_->due(from_unix_ms(2000), {}, 10).value().size(), 1U);
  EXPECT_EQ(find("a").attempts, 1);
}

TEST_F(TaskStoreTest, CancelledTaskCannotBeLeasedNorSavedOver) {
  ASSERT_TRUE(submit("a").has_value());
  Task task = find("a");

  ASSERT_TRUE(run(store_->cancel({"a"}, run_, from_unix_ms(1600))).has_value());

  EXPECT_FALSE(run(store_->lease(task, from_unix_ms(1500), from_unix_ms(9999))).has_value());
  task.state = TaskState::kDone;
  EXPECT_TRUE(run(store_->save(task)).has_value());
  EXPECT_EQ(find("a").state, TaskState::kCancelled);
  EXPECT_FALSE(run(store_->cancel({"a"}, run_, from_unix_ms(1600))).has_value());
}

TEST_F(TaskStoreTest, RetryWaitsAndKeepsItsArrival) {
  ASSERT_TRUE(submit("a").has_value());
  Task task = find("a");
  task.not_before = from_unix_ms(5000);
  ASSERT_TRUE(run(store_->save(task)).has_value());

  EXPECT_TRUE(store_->due(from_unix_ms(4000), {}, 10).value().empty());
  EXPECT_EQ(store_->due(from_unix_ms(5000), {}, 10).value().size(), 1U);
  EXPECT_EQ(find("a").due, from_unix_ms(1000));
}

TEST_F(TaskStoreTest, ProgressCountsByStateAndLane) {
  ASSERT_TRUE(submit("a").has_value());
  ASSERT_TRUE(submit("b").has_value());
  Task task = find("a");
  task.state = TaskState::kDone;
  task.lane = chat::Lane::kCloud;
  task.cloud_passed = true;
  ASSERT_TRUE(run(store_->save(task)).has_value());

  const Progress progress = store_->progress(run_).value();

  EXPECT_EQ(progress.total, 2);
  EXPECT_EQ(progress.waiting, 1);
  EXPECT_EQ(progress.done_cloud, 1);
  EXPECT_EQ(progress.passed, 1);
  EXPECT_EQ(store_->unfinished_run("print", policy::Scope::everything()).value()->unfinished, 1);
}

TEST_F(TaskStoreTest, TasksAndRunsOfAnotherAppDoNotExist) {
  Submission task;
  task.spec.id = {"a"};
  task.spec.title = "t";
  RunInfo info;
  info.id = run_;
  info.name = "file";
  info.fingerprint = "print";
  info.app = "mail";
  const std::vector<Submission> tasks{task};
  ASSERT_TRUE(run(store_->submit(info, tasks)).has_value());
  const policy::Scope mail = policy::Scope::of_app("mail");
  const policy::Scope spy = policy::Scope::of_app("spy");

  EXPECT_FALSE(store_->find({"a"}, run_, spy).value().has_value());
  EXPECT_FALSE(store_->find({"a"}, {}, spy).value().has_value());
  EXPECT_TRUE(store_->list({.run = {}, .state = {}, .scope = spy}).value().empty());
  EXPECT_TRUE(store_->runs(10, spy).value().empty());
  EXPECT_FALSE(store_->find_run(run_, spy).value().has_value());
  EXPECT_FALSE(store_->unfinished_run("print", spy).value().has_value());

  EXPECT_EQ(store_->find({"a"}, {}, mail).value()->app, "mail");
  EXPECT_EQ(store_->list({.run = {}, .state = {}, .scope = mail}).value().size(), 1U);
  EXPECT_EQ(store_->runs(10, policy::Scope::everything()).value().front().app, "mail");
}

TEST_F(TaskStoreTest, NobodyAddsToAnotherAppsRun) {
  ASSERT_TRUE(submit("a").has_value());  // the owner's
  Submission task;
  task.spec.id = {"b"};
  task.spec.title = "t";
  RunInfo info;
  info.id = run_;
  info.app = "spy";
  const std::vector<Submission> tasks{task};

  EXPECT_EQ(run(store_->submit(info, tasks)).error().code, ErrorCode::kForbidden);
  EXPECT_FALSE(store_->find({"b"}, run_).value().has_value());
}

TEST_F(TaskStoreTest, RowThatCannotBeReadIsShownAmongTheOthersAndStopsNone) {
  for (const char* id : {"a", "poison", "b"}) ASSERT_TRUE(submit(id));
  edit("UPDATE tasks SET spec = '{\"id\": \"poison\", \"title\": 7}' WHERE id = 'poison'");

  const std::vector<Task> listed = store_->list({}).value();

  ASSERT_EQ(listed.size(), 3U);
  EXPECT_EQ(store_->due(from_unix_ms(2000), {}, 10).value().size(), 3U);
  EXPECT_TRUE(find("a").unreadable.empty());
  const Task poison = find("poison");
  EXPECT_EQ(poison.spec.id.value, "poison");
  EXPECT_NE(poison.unreadable.find("title"), std::string::npos);
  EXPECT_EQ(poison.spec.privacy, policy::Privacy::kLocalOnly);
  EXPECT_NE(json::serialize(to_json(poison)).find("unreadable"), std::string::npos);
}

TEST_F(TaskStoreTest, RowThatCannotBeReadCanBeFailedAndRetriedAndTellsWhomItWasToNotify) {
  ASSERT_TRUE(submit("poison"));
  edit("UPDATE tasks SET spec = 'no JSON', notify = 'http://127.0.0.1:1/'");
  Task poison = find("poison");
  poison.state = TaskState::kFailed;
  poison.error = poison.unreadable;

  ASSERT_TRUE(run(store_->save(poison)));

  EXPECT_EQ(find("poison").state, TaskState::kFailed);
  Outbox outbox = Outbox::open(folder_ / "t.db", *writer_).value();
  EXPECT_EQ(outbox.list({}).value().size(), 1U);
  EXPECT_TRUE(run(store_->retry({"poison"}, run_, from_unix_ms(3000))));
}

TEST_F(TaskStoreTest, RowOfAnotherReleaseIsReadAsItWasMeant) {
  ASSERT_TRUE(submit("a"));
  // A field of a later release; a check, a URL and a deadline that this one would not take.
  edit(
      "UPDATE tasks SET spec = '{\"id\": \"a\", \"title\": \"t\", \"colour\": \"red\", "
      "\"check\": {\"regex\": \"(\"}, \"notify\": \"ftp://x\", \"deadline_s\": 1e12}'");

  const Task task = find("a");

  EXPECT_EQ(task.unreadable, "");
  EXPECT_EQ(task.spec.title, "t");
  EXPECT_EQ(task.spec.notify, "ftp://x");
  EXPECT_EQ(task.spec.deadline_s, 1e12);
  EXPECT_FALSE(task.spec.check.is_null());
}

TEST_F(TaskStoreTest, WhatANewerReleaseStoredInAnotherFormIsNotGuessed) {
  ASSERT_TRUE(submit("a"));
  for (const char* spec : {R"({"v": 2, "id": "a", "title": "t"})",
                           R"({"id": "a", "title": "t", "privacy": "eyes-only"})"}) {
    edit(std::string("UPDATE tasks SET spec = '") + spec + "'");

    EXPECT_FALSE(find("a").unreadable.empty()) << spec;
  }
}

}  // namespace
}  // namespace minimill::tasks
