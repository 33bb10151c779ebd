// What the store promises of tasks that come after others, of failures, keys, effects and clocks
// that jump.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/json.h"
#include "support/event_loop.h"
#include "support/temp_dir.h"
#include "tasks/outbox.h"
#include "tasks/task_store.h"

namespace minimill::tasks {
namespace {

const policy::Scope kAll = policy::Scope::everything();

using testing::HasSubstr;

constexpr WallTime kNow{Millis{1'700'000'000'000}};
constexpr Millis kLongestBackoff{60'000};

template <class T>
T run(asio::awaitable<T> work) {
  asio::io_context io;
  std::optional<T> result;
  asio::co_spawn(io, std::move(work),
                 [&](const std::exception_ptr&, T done) { result.emplace(std::move(done)); });
  io.run();
  return std::move(*result);
}

class Promises : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    auto db = sqlite::Database::open(folder_ / "t.db", sqlite::Database::Mode::kReadWrite);
    ASSERT_TRUE(migrate_tasks(*db).has_value());
    writer_.emplace(std::move(*db));
    store_.emplace(TaskStore::open(folder_ / "t.db", *writer_).value());
    outbox_.emplace(Outbox::open(folder_ / "t.db", *writer_).value());
    store_->on_ended([this](const Consequences& then) { told_ = then; });
  }

  static Submission task(std::string id, std::vector<std::string> after = {},
                         std::string notify = {}) {
    Submission made;
    made.spec.id = {std::move(id)};
    made.spec.title = "t";
    for (std::string& each : after) made.spec.after.push_back({std::move(each)});
    made.spec.notify = std::move(notify);
    made.due = kNow;
    return made;
  }

  RunInfo info() const {
    RunInfo info;
    info.id = run_;
    info.name = "file";
    info.created = kNow;
    return info;
  }

  Result<> submit(std::vector<Submission> tasks) {
    return run(store_->submit(info(), std::move(tasks)));
  }

  Task find(const std::string& id) { return store_->find({id}, run_).value().value(); }

  Result<> end(const std::string& id, TaskState state, std::string error = {}) {
    Task task = find(id);
    task.state = state;
    task.finished = kNow + Millis{10};
    task.error = std::move(error);
    return run(store_->save(std::move(task)));
  }

  std::vector<std::string> due(WallTime at = kNow + std::chrono::seconds{1}) {
    std::vector<std::string> ids;
    // Named: what .value() refers to would not outlive the loop's head.
    const std::vector<DueTask> tasks = store_->due(at, {}, 1000).value();
    for (const DueTask& task : tasks) ids.push_back(task.id.value);
    return ids;
  }

  std::vector<Effect> effects() { return outbox_->list({}).value(); }

  test::TempDir folder_;
  RunId run_{"run_1"};
  Consequences told_;
  std::optional<sqlite::Writer> writer_;
  std::optional<TaskStore> store_;
  std::optional<Outbox> outbox_;
};

TEST_F(Promises, TaskWaitsUntilAllItComesAfterAreDone) {
  ASSERT_TRUE(submit({task("c", {"a", "b"}), task("a"), task("b")}).has_value());
  EXPECT_THAT(due(), testing::ElementsAre("a", "b"));
  EXPECT_EQ(find("c").blocked_by, 2);

  ASSERT_TRUE(end("a", TaskState::kDone).has_value());
  EXPECT_THAT(due(), testing::ElementsAre("b"));
  ASSERT_TRUE(end("b", TaskState::kDone).has_value());

  EXPECT_THAT(due(), testing::ElementsAre("c"));
  EXPECT_TRUE(told_.unblocked);
  EXPECT_EQ(find("c").not_before, kNow + Millis{10});  // ready when the last of them was done
}

TEST_F(Promises, UnknownIdsAndCyclesAreRefusedAndNothingIsStored) {
  const Result<> unknown = submit({task("a"), task("b", {"nobody"})});
  const Result<> cycle = submit({task("a", {"b"}), task("b", {"a"})});

  EXPECT_THAT(unknown.error().message, HasSubstr("'b' comes after 'nobody'"));
  EXPECT_EQ(unknown.error().field, "after");
  EXPECT_THAT(cycle.error().message, HasSubstr("a → b → a"));
  EXPECT_TRUE(store_->list({}).value().empty());
}

TEST_F(Promises, WhatComesAfterATaskOfBeforeWaitsForItOrNot) {
  ASSERT_TRUE(submit({task("done"), task("open")}).has_value());
  ASSERT_TRUE(end("done", TaskState::kDone).has_value());

  ASSERT_TRUE(submit({task("x", {"done"}), task("y", {"open"})}).has_value());

  EXPECT_THAT(due(), testing::UnorderedElementsAre("open", "x"));
}

TEST_F(Promises, FailureReachesAllThatCameAfterWithItsReason) {
  ASSERT_TRUE(submit({task("a"), task("b", {"a"}), task("c", {"b"}), task("d")}).has_value());

  ASSERT_TRUE(end("a", TaskState::kFailed, "no engine").has_value());

  for (const char* id : {"b", "c"}) {
    EXPECT_EQ(find(id).state, TaskState::kFailed);
    EXPECT_EQ(find(id).error, "comes after 'a', which failed: no engine");
    EXPECT_TRUE(find(id).finished.has_value());
  }
  EXPECT_EQ(find("d").state, TaskState::kQueued);
}

TEST_F(Promises, CancellingReachesAllThatComeAfter) {
  ASSERT_TRUE(submit({task("a"), task("b", {"a"})}).has_value());

  ASSERT_TRUE(run(store_->cancel({"a"}, run_, kNow)).has_value());
  ASSERT_TRUE(submit({task("late", {"b"})}).has_value());

  EXPECT_EQ(find("b").error, "comes after 'a', which was cancelled");
  EXPECT_EQ(find("late").error, "comes after 'a', which was cancelled");
}

TEST_F(Promises, RetryRevivesWhatFailedBecauseOfIt) {
  ASSERT_TRUE(submit({task("a"), task("b", {"a"}), task("c", {"b"})}).has_value());
  ASSERT_TRUE(end("a", TaskState::kFailed, "no engine").has_value());

  const Result<> of_dependent = run(store_->retry({"b"}, run_, kNow + kLongestBackoff));
  ASSERT_TRUE(run(store_->retry({"a"}, run_, kNow)).has_value());

  EXPECT_EQ(of_dependent.error().code, ErrorCode::kConflict);
  EXPECT_THAT(of_dependent.error().hint, HasSubstr("task retry a"));
  EXPECT_THAT(due(), testing::ElementsAre("a"));
  EXPECT_EQ(find("a").attempts, 0);
  EXPECT_EQ(find("a").error, "");
  ASSERT_TRUE(end("a", TaskState::kDone).has_value());
  ASSERT_TRUE(end("b", TaskState::kDone).has_value());
  EXPECT_THAT(due(), testing::ElementsAre("c"));
}

TEST_F(Promises, RevivedTaskThatComesAfterAnotherFailureStaysFailedAndSaysSo) {
  ASSERT_TRUE(
      submit({task("a"), task("b"), task("both", {"a", "b"}), task("z", {"both"})}).has_value());
  ASSERT_TRUE(end("a", TaskState::kFailed, "one").has_value());
  ASSERT_TRUE(end("b", TaskState::kFailed, "two").has_value());

  ASSERT_TRUE(run(store_->retry({"a"}, run_, kNow)).has_value());
  EXPECT_EQ(find("both").error, "comes after 'b', which failed: two");
  EXPECT_EQ(find("z").error, "comes after 'b', which failed: two");
  ASSERT_TRUE(run(store_->retry({"b"}, run_, kNow)).has_value());

  EXPECT_EQ(find("both").state, TaskState::kQueued);
  EXPECT_EQ(find("both").blocked_by, 2);
  ASSERT_TRUE(end("a", TaskState::kDone).has_value());
  ASSERT_TRUE(end("b", TaskState::kDone).has_value());
  EXPECT_THAT(due(), testing::ElementsAre("both"));
}

TEST_F(Promises, RetryOfAllLeavesAloneWhatCannotBeDone) {
  ASSERT_TRUE(submit({task("a"), task("b", {"a"}), task("gone"), task("g", {"gone"}), task("ok")})
                  .has_value());
  ASSERT_TRUE(end("a", TaskState::kFailed, "x").has_value());
  ASSERT_TRUE(end("ok", TaskState::kDone).has_value());
  ASSERT_TRUE(run(store_->cancel({"gone"}, run_, kNow)).has_value());

  const Result<std::size_t> other = run(store_->retry_all(RunId{"run_2"}, kAll, kNow));
  const Result<std::size_t> retried = run(store_->retry_all(run_, kAll, kNow));

  EXPECT_EQ(other.value(), 0U);
  EXPECT_EQ(retried.value(), 2U);
  EXPECT_EQ(find("g").state, TaskState::kFailed);
  EXPECT_THAT(due(), testing::ElementsAre("a"));
}

TEST_F(Promises, OnlyWhatFailedIsRetried) {
  ASSERT_TRUE(submit({task("a")}).has_value());

  EXPECT_EQ(run(store_->retry({"a"}, run_, kNow)).error().code, ErrorCode::kConflict);
  EXPECT_EQ(run(store_->retry({"no"}, run_, kNow)).error().code, ErrorCode::kNotFound);
}

TEST_F(Promises, TenThousandTasksInOneChainTakeWellUnderASecond) {
  constexpr int kMany = 10'000;
  std::vector<Submission> tasks;
  for (int i = 0; i < kMany; ++i) {
    std::vector<std::string> after;
    for (int back = 1; back <= std::min(i, 3); ++back)
      after.push_back(fmt::format("t{}", i - back));
    tasks.push_back(task(fmt::format("t{}", i), after));
  }
  const auto began = std::chrono::steady_clock::now();

  ASSERT_TRUE(submit(std::move(tasks)).has_value());
  ASSERT_TRUE(end("t0", TaskState::kFailed, "x").has_value());
  ASSERT_TRUE(run(store_->retry({"t0"}, run_, kNow)).has_value());

  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  RecordProperty("seconds", std::to_string(took.count()));
  EXPECT_LT(took.count(), 8);  // under sanitizers; 0.5 s in a plain build
  EXPECT_THAT(due(), testing::ElementsAre("t0"));
}

TEST_F(Promises, EveryPageOfManyTasksOfOneMomentIsAsQuickAsTheFirst) {
  constexpr std::size_t kMany = 20'000;
  std::vector<Submission> tasks;
  for (std::size_t i = 0; i < kMany; ++i) tasks.push_back(task(fmt::format("t{}", i)));
  ASSERT_TRUE(submit(std::move(tasks)).has_value());
  const auto began = std::chrono::steady_clock::now();

  DueCursor cursor;
  std::size_t taken = 0;
  for (std::vector<DueTask> page; taken < kMany; taken += page.size()) {
    page = store_->due(kNow, cursor, 16).value();
    ASSERT_FALSE(page.empty());
    ASSERT_EQ(store_->next_due(cursor).value(), kNow);
    cursor = page.back().cursor;
  }

  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  EXPECT_EQ(taken, kMany);
  EXPECT_TRUE(store_->due(kNow, cursor, 16).value().empty());
  EXPECT_LT(took.count(), 2);  // 0.1 s; walking over what was taken: 4 s
}

TEST_F(Promises, FailedAttemptsKeepTheirReasonsTheLastOfThem) {
  ASSERT_TRUE(submit({task("a")}).has_value());
  for (int attempt = 1; attempt <= 40; ++attempt) {
    Task failing = find("a");
    failing.failure = TaskFailure{.at = kNow,
                                  .attempt = attempt,
                                  .lane = chat::Lane::kCloud,
                                  .error = fmt::format("reason {}", attempt)};
    ASSERT_TRUE(run(store_->save(failing)).has_value());
  }

  const std::vector<TaskFailure> failures = store_->failures({"a"}, run_).value();

  ASSERT_EQ(failures.size(), TaskStore::kMaxFailures);
  EXPECT_EQ(failures.back().error, "reason 40");
  EXPECT_EQ(failures.front().attempt, 9);
  EXPECT_EQ(failures.back().lane, chat::Lane::kCloud);
}

TEST_F(Promises, SameKeyAndBodyGivesTheFirstAnswerAgainAndStoresNothing) {
  const SubmissionKey key{.app = "mail", .key = "k", .fingerprint = "f", .answer = {201, "first"}};
  SubmissionKey second = key;
  second.answer.body = "second";

  const auto first = run(store_->submit_once(info(), {task("a")}, key));
  const auto again = run(store_->submit_once(info(), {task("b")}, second));

  EXPECT_FALSE(first.value().has_value());
  EXPECT_EQ(again.value(), (SubmissionAnswer{201, "first"}));
  EXPECT_EQ(store_->list({}).value().size(), 1U);
}

TEST_F(Promises, SameKeyWithAnotherBodyIsAConflictAndAnotherAppsKeyIsNone) {
  SubmissionKey key{.app = "mail", .key = "k", .fingerprint = "f", .answer = {201, ""}};
  ASSERT_TRUE(run(store_->submit_once(info(), {task("a")}, key)).has_value());

  key.fingerprint = "g";
  const auto other = run(store_->submit_once(info(), {task("b")}, key));
  key.app = "notes";
  const auto others = run(store_->submit_once(info(), {task("b")}, key));

  EXPECT_EQ(other.error().field, "Idempotency-Key");
  EXPECT_EQ(other.error().code, ErrorCode::kConflict);
  EXPECT_FALSE(others.value().has_value());
}

TEST_F(Promises, KeyIsForgottenAfterADayAndOneOfARefusedSubmissionAtOnce) {
  const SubmissionKey key{.app = "mail", .key = "k", .fingerprint = "f", .answer = {201, ""}};
  EXPECT_FALSE(run(store_->submit_once(info(), {task("a", {"nobody"})}, key)).has_value());
  ASSERT_FALSE(run(store_->submit_once(info(), {task("a")}, key)).value().has_value());
  RunInfo next_day = info();
  next_day.created = kNow + kKeyKept + Millis{1};

  const auto later = run(store_->submit_once(next_day, {task("b")}, key));

  EXPECT_FALSE(later.value().has_value());
  EXPECT_EQ(store_->list({}).value().size(), 2U);
}

TEST_F(Promises, EveryEndPutsItsEffectInTheOutboxOnce) {
  const std::string url = "http://127.0.0.1:9/hook";
  ASSERT_TRUE(submit({task("done", {}, url), task("failed", {}, url), task("gone", {}, url),
                      task("later", {"failed"}, url), task("silent")})
                  .has_value());
  ASSERT_TRUE(end("done", TaskState::kDone).has_value());
  EXPECT_TRUE(told_.effects);
  ASSERT_TRUE(end("done", TaskState::kDone).has_value());  // a late second word changes nothing
  ASSERT_TRUE(end("failed", TaskState::kFailed, "x").has_value());
  ASSERT_TRUE(run(store_->cancel({"gone"}, run_, kNow)).has_value());
  ASSERT_TRUE(end("silent", TaskState::kDone).has_value());

  const std::vector<Effect> all = effects();

  ASSERT_EQ(all.size(), 4U);
  std::vector<std::string> said;
  for (const Effect& each : all) {
    const Effect whole = outbox_->find(each.row).value().value();
    const json::object body = parse_json_object(whole.body).value();
    said.push_back(fmt::format("{} {}", std::string_view(body.at("id").as_string()),
                               std::string_view(body.at("state").as_string())));
    EXPECT_EQ(whole.url, url);
    EXPECT_THAT(whole.id, testing::StartsWith("effect_"));
  }
  EXPECT_THAT(said, testing::UnorderedElementsAre("done done", "failed failed", "gone cancelled",
                                                  "later failed"));
}

TEST_F(Promises, EffectIsTriedUntilItIsDeliveredOrDeadAndADeadOneMayBeRetried) {
  ASSERT_TRUE(submit({task("a", {}, "http://127.0.0.1:9/")}).has_value());
  ASSERT_TRUE(end("a", TaskState::kDone).has_value());
  const Effect effect = effects().front();

  ASSERT_TRUE(run(outbox_->failed(effect.row, kNow + kLongestBackoff, "refused")).has_value());
  EXPECT_EQ(outbox_->next(8).value().front().at, kNow + kLongestBackoff);
  EXPECT_EQ(run(outbox_->retry(effect.id, kAll, kNow)).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(run(outbox_->died(effect.row, kNow, "too often")).has_value());
  EXPECT_TRUE(outbox_->next(8).value().empty());
  EXPECT_EQ(effects().front().attempts, 2);
  EXPECT_EQ(effects().front().last_error, "too often");

  ASSERT_TRUE(run(outbox_->retry(effect.id, kAll, kNow)).has_value());
  EXPECT_EQ(effects().front().attempts, 0);
  EXPECT_EQ(effects().front().id, effect.id);
  ASSERT_TRUE(run(outbox_->delivered(effect.row, kNow)).has_value());
  EXPECT_EQ(effects().front().state, EffectState::kDelivered);
  EXPECT_EQ(run(outbox_->retry_all(kAll, kNow)).value(), 0);
  EXPECT_EQ(run(outbox_->retry("", kAll, kNow)).error().code, ErrorCode::kNotFound);
}

TEST_F(Promises, EffectsOfAnotherAppDoNotExist) {
  RunInfo of_mail = info();
  of_mail.app = "mail";
  ASSERT_TRUE(run(store_->submit(of_mail, {task("a", {}, "http://127.0.0.1:9/")})).has_value());
  ASSERT_TRUE(end("a", TaskState::kDone).has_value());
  const Effect effect = effects().front();
  ASSERT_TRUE(run(outbox_->died(effect.row, kNow, "too often")).has_value());
  const policy::Scope spy = policy::Scope::of_app("spy");
  const policy::Scope mail = policy::Scope::of_app("mail");

  EXPECT_EQ(effect.app, "mail");
  EXPECT_TRUE(outbox_->list({.state = {}, .scope = spy, .limit = 10}).value().empty());
  EXPECT_EQ(run(outbox_->retry(effect.id, spy, kNow)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(outbox_->retry_all(spy, kNow)).value(), 0);
  EXPECT_EQ(outbox_->list({.state = {}, .scope = mail, .limit = 10}).value().size(), 1U);
  EXPECT_EQ(run(outbox_->retry_all(mail, kNow)).value(), 1);
}

TEST_F(Promises, WhatRemainsOfEveryDelayOutlivesAJumpOfTheClock) {
  constexpr std::chrono::hours kJump{5};
  Submission later = task("later", {}, "http://127.0.0.1:9/");
  later.due = kNow + std::chrono::minutes{10};
  ASSERT_TRUE(submit({task("a", {}, "http://127.0.0.1:9/"), later}).has_value());
  ASSERT_TRUE(end("a", TaskState::kDone).has_value());
  for (const Millis by : {Millis{kJump}, Millis{-3 * kJump}}) {
    const WallTime before = find("later").due;
    const WallTime effect = outbox_->next(1).value().front().at;

    ASSERT_TRUE(run(store_->shift(by)).has_value());

    EXPECT_EQ(find("later").due, before + by);
    EXPECT_FALSE(find("later").not_before.has_value());
    EXPECT_EQ(outbox_->next(1).value().front().at, effect + by);
    EXPECT_EQ(find("a").due, kNow);  // what has ended stays when it was
  }
}

TEST_F(Promises, ClockPutBackBetweenTwoDaemonsDelaysNothing) {
  Submission later = task("later");
  later.due = kNow + std::chrono::minutes{10};
  ASSERT_TRUE(submit({task("a"), task("waiting"), later}).has_value());
  ASSERT_TRUE(end("a", TaskState::kDone).has_value());
  const WallTime put_back = kNow - std::chrono::hours{7};

  ASSERT_TRUE(run(store_->requeue_running(put_back, kLongestBackoff)).has_value());

  EXPECT_THAT(due(put_back), testing::ElementsAre("waiting"));
  EXPECT_EQ(find("later").due, put_back + std::chrono::minutes{10} - Millis{10});
}

TEST_F(Promises, RetryFurtherAheadThanTheLongestBackoffIsPulledIn) {
  ASSERT_TRUE(submit({task("a"), task("b")}).has_value());
  Task retried = find("a");
  retried.attempts = 1;
  retried.not_before = kNow + std::chrono::hours{9};
  ASSERT_TRUE(run(store_->save(retried)).has_value());

  ASSERT_TRUE(run(store_->requeue_running(kNow, kLongestBackoff)).has_value());

  EXPECT_EQ(find("a").not_before, kNow + kLongestBackoff);
}

TEST(Migration, TasksOfTheFirstVersionAreReadAndCarriedOut) {
  const test::TempDir folder;
  auto db = sqlite::Database::open(folder / "t.db", sqlite::Database::Mode::kReadWrite);
  ASSERT_TRUE(
      db->exec("CREATE TABLE schema_versions(component TEXT PRIMARY KEY,"
               "  version INTEGER NOT NULL) WITHOUT ROWID;"
               "INSERT INTO schema_versions VALUES('lane', 1);"
               "CREATE TABLE runs("
               "  id TEXT PRIMARY KEY, name TEXT NOT NULL, fingerprint TEXT NOT NULL,"
               "  settings TEXT NOT NULL, created_ms INTEGER NOT NULL);"
               "CREATE TABLE tasks("
               "  row INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs(id),"
               "  id TEXT NOT NULL, spec TEXT NOT NULL, state INTEGER NOT NULL,"
               "  due_ms INTEGER NOT NULL, ready_ms INTEGER NOT NULL,"
               "  lease_until_ms INTEGER, started_ms INTEGER, finished_ms INTEGER,"
               "  attempts INTEGER NOT NULL DEFAULT 0, request TEXT NOT NULL DEFAULT '',"
               "  lane INTEGER NOT NULL DEFAULT 0, escalated INTEGER NOT NULL DEFAULT 0,"
               "  local_passed INTEGER, cloud_passed INTEGER, local_s REAL NOT NULL DEFAULT 0,"
               "  cloud_s REAL NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,"
               "  completion_tokens INTEGER NOT NULL DEFAULT 0,"
               "  cost_usd REAL NOT NULL DEFAULT 0,"
               "  all_cloud_cost_usd REAL NOT NULL DEFAULT 0,"
               "  operation TEXT NOT NULL DEFAULT '', model TEXT NOT NULL DEFAULT '',"
               "  answer TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',"
               "  UNIQUE(run, id));"
               "CREATE INDEX tasks_by_turn ON tasks(state, ready_ms, row);"
               "INSERT INTO runs VALUES('r', 'n', '', '{}', 1);"
               "INSERT INTO tasks(run, id, spec, state, due_ms, ready_ms)"
               "  VALUES('r', 'a', '{\"id\":\"a\",\"title\":\"t\"}', 0, 1, 1);")
          .has_value());

  ASSERT_TRUE(migrate_tasks(*db).has_value());

  sqlite::Writer writer(std::move(*db));
  TaskStore store = TaskStore::open(folder / "t.db", writer).value();
  EXPECT_EQ(store.due(kNow, {}, 10).value().size(), 1U);
  EXPECT_EQ(store.find({"a"}, {"r"}).value()->blocked_by, 0);

  // Nobody noted whose it is and how private: it is the owner's, and as the configuration says.
  EXPECT_FALSE(store.find({"a"}, {"r"}, policy::Scope::of_app("mail")).value().has_value());
  EXPECT_EQ(store.find({"a"}, {"r"}).value()->privacy(), policy::Privacy::kLocalOnly);
  test::EventLoop loop;
  ASSERT_TRUE(loop.run(store.label_unlabelled(policy::Privacy::kAllow)).has_value());
  EXPECT_EQ(store.find({"a"}, {"r"}).value()->privacy(), policy::Privacy::kAllow);
  ASSERT_TRUE(loop.run(store.label_unlabelled(policy::Privacy::kLocalOnly)).has_value());
  EXPECT_EQ(store.find({"a"}, {"r"}).value()->privacy(), policy::Privacy::kAllow);

  // The same file of tasks, submitted again, is still the same.
  Submission again;
  again.spec.id = {"a"};
  again.spec.title = "t";
  again.spec.privacy = policy::Privacy::kAllow;
  RunInfo run;
  run.id = {"r"};
  std::vector<Submission> tasks{again};
  EXPECT_TRUE(loop.run(store.submit(std::move(run), std::move(tasks))).has_value());
}

}  // namespace
}  // namespace minimill::tasks
