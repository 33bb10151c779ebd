#include "tasks/task_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine_pool.h"
#include "serve/engines.h"
#include "serve/model_selector.h"
#include "support/trunk.h"
#include "tasks/answer_executor.h"
#include "tasks/batch_runner.h"

namespace minimill::tasks {
namespace {

using chat::Lane;
using testing::HasSubstr;

/// Both lanes, the store on disk and the runner; a clock that stands still, so that whatever waits
/// waits until the test lets time pass.
class TaskRunnerTest : public testing::Test {
 protected:
  TaskRunnerTest() {
    belongs_to(Lane::kLocal);
    runner();
  }
  ~TaskRunnerTest() override {
    trunk_.device.release();
    trunk_.cloud.release();
    trunk_.loop.run(runner_->stop());
  }

  /// A daemon that carries out tasks, after another that ended; not started yet.
  TaskRunner& runner() {
    batches_.emplace(tools_, trunk_.ids, selector_, client_);
    answers_.emplace(trunk_.clock, judge_, trunk_.gateway());
    return run_with({&*batches_, &*answers_});
  }
  TaskRunner& run_with(std::vector<Executor*> executors) {
    return runner_.emplace(trunk_.loop.io(), trunk_.clock, judge_, trunk_.gateway(),
                           std::move(executors), trunk_.lanes, store_);
  }

  void belongs_to(Lane lane) {
    const double bar = lane == Lane::kLocal ? 0 : 1;
    trunk_.router = route::Router({.threshold = bar, .threshold_checked = bar, .bounds = {}});
  }

  Submission spec(const std::string& id) {
    Submission made;
    made.spec.id = {id};
    made.spec.title = "Is it so?";
    made.spec.privacy = policy::Privacy::kAllow;
    made.due = trunk_.clock.wall();
    return made;
  }
  Submission checked(const std::string& id, const std::string& wanted = "yes") {
    Submission made = spec(id);
    made.spec.check = {{"type", "equals"}, {"value", wanted}};
    return made;
  }
  void submit(std::vector<Submission> tasks) {
    RunInfo info;
    info.id = run_;
    info.app = app_;
    info.created = trunk_.clock.wall();
    ASSERT_TRUE(trunk_.loop.run(store_.submit(std::move(info), std::move(tasks))));
  }
  void submit(Submission task) {
    std::vector<Submission> one;
    one.push_back(std::move(task));
    submit(std::move(one));
  }

  Task find(const std::string& id) { return store_.find({id}, run_).value().value(); }
  bool becomes(const std::string& id, TaskState state) {
    return trunk_.loop.until([&] { return find(id).state == state; });
  }
  bool fails_once(const std::string& id) {
    return trunk_.loop.until([&] { return find(id).not_before.has_value(); });
  }
  /// Time passes until its next turn, and the runner sees it.
  void until_its_turn(const std::string& id) {
    trunk_.clock.advance(*find(id).not_before - trunk_.clock.wall());
    runner_->wake();
  }
  bool asked(const test::FakeBackend& backend, std::size_t times) {
    return trunk_.loop.until([&] { return backend.asked.size() == times; });
  }
  void edit(const std::string& sql) {
    trunk_.writer->post([sql](sqlite::Database& db) { return db.exec(sql.c_str()); });
    trunk_.writer->flush();
  }

  test::Trunk trunk_{{.defaults = {}, .lanes = {}, .migrations = {migrate_tasks, migrate_batches}}};
  RunId run_{"run_1"};
  std::string app_;  // whose tasks they are
  learn::RouterKeeper keeper_{trunk_.loop.io(), trunk_.clock, trunk_.router, trunk_.ledger};
  learn::Outcomes outcomes_{trunk_.clock, trunk_.router, keeper_, trunk_.ledger};
  TaskStore store_ = TaskStore::open(trunk_.path(), *trunk_.writer).value();
  BatchStore batch_store_ = BatchStore::open(trunk_.path(), *trunk_.writer).value();
  TaskJudge judge_{trunk_.clock, trunk_.ids,       trunk_.random,  TaskOptions{.max_attempts = 3},
                   outcomes_,    trunk_.admission, trunk_.decider, trunk_.backends};
  // No batches: tasks that can wait go by the ordinary lanes here.
  config::Config config_;
  config::BatchConfig no_batches_{.enabled = false, .providers = {}};
  config::Environment environment_;
  http::Client client_{trunk_.loop.io()};
  cloud::PriceTable prices_;
  engine::EnginePool pool_{trunk_.loop.io(), client_, trunk_.clock, {}, {}};
  serve::Engines engines_{client_,      trunk_.clock, config_,
                          environment_, pool_,        trunk_.folder.path()};
  serve::ModelSelector selector_{engines_, {}};
  BatchTools tools_{.io = trunk_.loop.io(),
                    .clock = trunk_.clock,
                    .config = no_batches_,
                    .prices = prices_,
                    .tasks = store_,
                    .batches = batch_store_,
                    .observers = trunk_.observers,
                    .request_of = {},
                    .reserve = {},
                    .judge = {},
                    .all_cloud_cost_usd = {},
                    .let_go = {}};
  std::optional<BatchRunner> batches_;
  std::optional<AnswerExecutor> answers_;
  std::optional<TaskRunner> runner_;
};

TEST_F(TaskRunnerTest, DueTaskIsCarriedOutAndItsAnswerKept) {
  submit(spec("a"));
  runner_->start();

  ASSERT_TRUE(becomes("a", TaskState::kDone));
  const Task task = find("a");
  EXPECT_EQ(task.answer, "yes");
  EXPECT_EQ(task.attempts, 1);
  EXPECT_EQ(task.lane, Lane::kLocal);
}

/// Takes tasks of one title, and answers them by itself.
class TitledExecutor final : public Executor {
 public:
  explicit TitledExecutor(std::string title) : title_(std::move(title)) {}
  bool takes(const Task& task, const chat::Decision& /*decision*/) const override {
    return task.spec.title == title_;
  }
  asio::awaitable<Next> carry_out(Task& task, chat::Decision /*decision*/,
                                  lane::Slot /*slot*/) override {
    task.answer = "by the executor";
    task.state = TaskState::kDone;
    co_return Next::kNowhere;
  }

 private:
  std::string title_;
};

TEST_F(TaskRunnerTest, FirstExecutorThatTakesATaskCarriesItOut) {
  TitledExecutor titled("mine");
  run_with({&titled, &*answers_});
  Submission mine = spec("mine");
  mine.spec.title = "mine";
  std::vector<Submission> both;
  both.push_back(std::move(mine));
  both.push_back(spec("other"));
  submit(std::move(both));

  runner_->start();

  ASSERT_TRUE(becomes("mine", TaskState::kDone));
  ASSERT_TRUE(becomes("other", TaskState::kDone));
  EXPECT_EQ(find("mine").answer, "by the executor");
  EXPECT_EQ(find("other").answer, "yes");
  trunk_.loop.run(runner_->stop());
}

TEST_F(TaskRunnerTest, TaskIsNotCarriedOutBeforeItIsDue) {
  Submission later = spec("later");
  later.due = trunk_.clock.wall() + std::chrono::minutes{5};
  submit([&] {
    std::vector<Submission> both;
    both.push_back(std::move(later));
    both.push_back(spec("now"));
    return both;
  }());
  runner_->start();
  ASSERT_TRUE(becomes("now", TaskState::kDone));
  EXPECT_EQ(find("later").state, TaskState::kQueued);

  trunk_.clock.advance(std::chrono::minutes{5});
  runner_->wake();
  EXPECT_TRUE(becomes("later", TaskState::kDone));
}

TEST_F(TaskRunnerTest, TasksRequestIsATasksWhoeverAsksAndBelongsToIt) {
  submit(spec("a"));
  runner_->start();
  ASSERT_TRUE(becomes("a", TaskState::kDone));

  const policy::Request& request = trunk_.device.asked.front();
  EXPECT_EQ(request.origin, chat::Origin::kTask);
  EXPECT_EQ(request.task.value, "a");
  EXPECT_EQ(request.run, run_);
  const ledger::RequestRecord row = trunk_.records().front();
  EXPECT_EQ(row.id, find("a").request);
  EXPECT_EQ(row.origin, chat::Origin::kTask);
}

TEST_F(TaskRunnerTest, FailedCheckIsEscalatedOnceAndNotAgain) {
  trunk_.device.says("no");
  trunk_.cloud.says("no, either");
  submit(checked("a"));
  runner_->start();

  ASSERT_TRUE(becomes("a", TaskState::kDone));
  const Task task = find("a");
  EXPECT_EQ(task.local_passed, false);
  EXPECT_EQ(task.cloud_passed, false);
  EXPECT_TRUE(task.escalated);
  EXPECT_EQ(trunk_.device.asked.size(), 1U);
  EXPECT_EQ(trunk_.cloud.asked.size(), 1U);
}

TEST_F(TaskRunnerTest, ProvidersRecordIsToldHowItsAnswersChecked) {
  belongs_to(Lane::kCloud);
  submit(checked("a"));
  runner_->start();

  ASSERT_TRUE(becomes("a", TaskState::kDone));
  EXPECT_EQ(trunk_.cloud.judgements, std::vector<bool>{true});
}

TEST_F(TaskRunnerTest, LocalOnlyTaskNeverReachesTheCloud) {
  trunk_.device.says("no");
  Submission task = checked("a");
  task.spec.privacy = policy::Privacy::kLocalOnly;
  submit(std::move(task));
  runner_->start();

  ASSERT_TRUE(becomes("a", TaskState::kDone));
  EXPECT_EQ(find("a").local_passed, false);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(TaskRunnerTest, AppsTaskIsTheAppsAndLeavesItsLaneForNothing) {
  for (const Lane lane : {Lane::kLocal, Lane::kCloud}) {
    policy::App app;
    app.name = std::string(chat::name(lane));
    app.lane = lane;
    ASSERT_TRUE(trunk_.apps.set(app));
    for (int i = 0; i < 3; ++i) {
      (lane == Lane::kLocal ? trunk_.device : trunk_.cloud).fails(ErrorCode::kUnavailable);
    }
    app_ = app.name;
    run_.value = "run_" + app.name;
    submit(spec(app.name));
    if (lane == Lane::kLocal) runner_->start();
    runner_->wake();
    for (int attempt = 1; attempt < 3; ++attempt) {
      ASSERT_TRUE(trunk_.loop.until([&] { return find(app.name).attempts == attempt; }));
      ASSERT_TRUE(trunk_.loop.until([&] {
        const Task task = find(app.name);
        return task.state == TaskState::kQueued && task.not_before > trunk_.clock.wall();
      }));
      until_its_turn(app.name);
    }
    ASSERT_TRUE(becomes(app.name, TaskState::kFailed));
  }

  for (const policy::Request& asked : trunk_.device.asked) EXPECT_EQ(asked.app, "local");
  for (const policy::Request& asked : trunk_.cloud.asked) EXPECT_EQ(asked.app, "cloud");
  EXPECT_EQ(trunk_.device.asked.size() + trunk_.cloud.asked.size(), 6U);
}

TEST_F(TaskRunnerTest, WhatTheDeviceCannotDoGoesToTheCloudAtOnce) {
  trunk_.device.fails(ErrorCode::kTooLarge);
  submit(spec("a"));
  runner_->start();

  ASSERT_TRUE(becomes("a", TaskState::kDone));
  EXPECT_EQ(find("a").lane, Lane::kCloud);
}

TEST_F(TaskRunnerTest, MomentsTroubleOfTheDeviceIsTriedThereAgain) {
  trunk_.device.fails(ErrorCode::kUnavailable);
  submit(spec("a"));
  runner_->start();
  ASSERT_TRUE(fails_once("a"));

  until_its_turn("a");
  ASSERT_TRUE(becomes("a", TaskState::kDone));
  EXPECT_EQ(find("a").lane, Lane::kLocal);
  EXPECT_EQ(find("a").attempts, 2);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(TaskRunnerTest, RetriesWaitLongerAndEndAfterTheLastOne) {
  trunk_.cloud.there = false;
  std::vector<Millis> waits;
  for (int i = 0; i < 3; ++i) trunk_.device.fails(ErrorCode::kUnavailable, "not now");
  submit(spec("a"));
  runner_->start();
  for (std::size_t attempt = 1; attempt < 3; ++attempt) {
    ASSERT_TRUE(asked(trunk_.device, attempt));
    ASSERT_TRUE(trunk_.loop.until([&] {
      const Task task = find("a");
      return task.state == TaskState::kQueued && task.not_before > trunk_.clock.wall();
    }));
    waits.push_back(*find("a").not_before - trunk_.clock.wall());
    until_its_turn("a");
  }

  ASSERT_TRUE(becomes("a", TaskState::kFailed));
  EXPECT_THAT(find("a").error, HasSubstr("not now"));
  EXPECT_EQ(trunk_.device.asked.size(), 3U);
  for (const Millis wait : waits) {
    EXPECT_GT(wait, Millis{0});
    EXPECT_LE(wait, Millis{2000});
  }
}

TEST_F(TaskRunnerTest, ProviderThatSaysWhenIsTriedThenAndNoSooner) {
  belongs_to(Lane::kCloud);
  Error busy = fail(ErrorCode::kRateLimited, "come later").error();
  busy.retry_after = std::chrono::seconds{42};
  trunk_.cloud.next.emplace_back(std::unexpected(busy));
  submit(spec("a"));
  runner_->start();
  ASSERT_TRUE(fails_once("a"));

  EXPECT_EQ(find("a").not_before, trunk_.clock.wall() + std::chrono::seconds{42});
  until_its_turn("a");
  EXPECT_TRUE(becomes("a", TaskState::kDone));
}

TEST_F(TaskRunnerTest, WhatIsRefusedForGoodIsNotTriedAgain) {
  belongs_to(Lane::kCloud);
  trunk_.cloud.fails(ErrorCode::kInvalidArgument, "no such thing");
  submit(spec("a"));
  runner_->start();

  ASSERT_TRUE(becomes("a", TaskState::kFailed));
  EXPECT_EQ(trunk_.cloud.asked.size(), 1U);
}

TEST_F(TaskRunnerTest, DeviceStandsInOnceTheCloudsTroubleLasts) {
  belongs_to(Lane::kCloud);
  trunk_.cloud.fails(ErrorCode::kUnavailable);
  trunk_.cloud.fails(ErrorCode::kUnavailable);
  submit(spec("a"));
  runner_->start();
  ASSERT_TRUE(fails_once("a"));
  EXPECT_TRUE(trunk_.device.asked.empty());

  until_its_turn("a");
  ASSERT_TRUE(becomes("a", TaskState::kDone));
  EXPECT_EQ(find("a").lane, Lane::kLocal);
  // Rows of one moment come in no order.
  EXPECT_TRUE(std::ranges::any_of(trunk_.records(), [](const ledger::RequestRecord& row) {
    return row.attempts.back().lane == Lane::kLocal && row.decision.degraded;
  }));
}

TEST_F(TaskRunnerTest, UnreadableRowFailsAloneAndTheOthersGoOn) {
  std::vector<Submission> three;
  for (const char* id : {"a", "broken", "c"}) three.push_back(spec(id));
  submit(std::move(three));
  edit("UPDATE tasks SET spec = 'no spec' WHERE id = 'broken'");
  runner_->start();

  EXPECT_TRUE(becomes("a", TaskState::kDone));
  EXPECT_TRUE(becomes("c", TaskState::kDone));
  EXPECT_TRUE(becomes("broken", TaskState::kFailed));
  EXPECT_EQ(trunk_.device.asked.size(), 2U);
}

TEST_F(TaskRunnerTest, TaskThatABudgetHoldsUpGoesOnceThatIsRaised) {
  belongs_to(Lane::kCloud);
  trunk_.device.there = false;
  trunk_.cloud.usd_per_token = 0.01;
  ASSERT_TRUE(trunk_.apps.set(policy::Budget{.usd_per_day = 0.001, .soft = 1}));
  submit(spec("a"));
  runner_->start();
  ASSERT_TRUE(fails_once("a"));
  EXPECT_EQ(find("a").attempts, 0);  // nobody was asked
  EXPECT_TRUE(trunk_.cloud.asked.empty());

  ASSERT_TRUE(trunk_.apps.set(policy::Budget{.usd_per_day = 1'000, .soft = 1}));
  runner_->wake();
  ASSERT_TRUE(becomes("a", TaskState::kDone));
  EXPECT_EQ(find("a").attempts, 1);
}

TEST_F(TaskRunnerTest, TurnKeepsItsSlotUntilItsAnswerIsThere) {
  trunk_.device.held = true;
  trunk_.lanes.set_slots(Lane::kLocal, 1);
  std::vector<Submission> two;
  for (const char* id : {"a", "b"}) two.push_back(checked(id));
  trunk_.cloud.there = false;
  submit(std::move(two));
  runner_->start();
  ASSERT_TRUE(asked(trunk_.device, 1));
  EXPECT_EQ(trunk_.lanes.running(Lane::kLocal), 1);
  EXPECT_EQ(trunk_.lanes.waiting(Lane::kLocal), 1U);

  trunk_.device.release();
  ASSERT_TRUE(becomes("a", TaskState::kDone));
  ASSERT_TRUE(becomes("b", TaskState::kDone));
  EXPECT_EQ(trunk_.lanes.running(Lane::kLocal), 0);
}

TEST_F(TaskRunnerTest, CancelledTaskThatWaitsIsNeverAsked) {
  trunk_.device.held = true;
  trunk_.lanes.set_slots(Lane::kLocal, 1);
  trunk_.cloud.there = false;
  std::vector<Submission> two;
  for (const char* id : {"a", "b"}) two.push_back(spec(id));
  submit(std::move(two));
  runner_->start();
  ASSERT_TRUE(asked(trunk_.device, 1));
  const std::string waiting = find("a").state == TaskState::kRunning ? "b" : "a";

  TaskId id{waiting};
  ASSERT_TRUE(trunk_.loop.run(store_.cancel(std::move(id), run_, trunk_.clock.wall())));
  trunk_.device.release();
  ASSERT_TRUE(becomes(waiting == "a" ? "b" : "a", TaskState::kDone));
  EXPECT_TRUE(trunk_.loop.until([&] { return trunk_.lanes.waiting(Lane::kLocal) == 0; }));
  EXPECT_EQ(trunk_.device.asked.size(), 1U);
  EXPECT_EQ(find(waiting).state, TaskState::kCancelled);
}

TEST_F(TaskRunnerTest, NextDaemonCarriesOutWhatTheLastOneLeftRunning) {
  trunk_.device.held = true;
  submit(spec("a"));
  runner_->start();
  ASSERT_TRUE(asked(trunk_.device, 1));
  trunk_.loop.run(runner_->stop());
  EXPECT_EQ(find("a").state, TaskState::kRunning);
  EXPECT_EQ(trunk_.lanes.running(Lane::kLocal), 0);

  trunk_.device.held = false;
  runner().start();
  ASSERT_TRUE(trunk_.loop.until([&] { return find("a").state != TaskState::kRunning; }));
  trunk_.clock.advance(std::chrono::minutes{2});
  runner_->wake();
  ASSERT_TRUE(becomes("a", TaskState::kDone));
  EXPECT_EQ(find("a").attempts, 2);
}

TEST_F(TaskRunnerTest, MoneyOfATaskIsHeldWhileItIsOut) {
  belongs_to(Lane::kCloud);
  trunk_.device.there = false;
  trunk_.cloud.usd_per_token = 0.001;
  trunk_.cloud.held = true;
  ASSERT_TRUE(trunk_.apps.set(policy::Budget{.usd_per_day = 100, .soft = 1}));
  submit(spec("a"));
  runner_->start();
  ASSERT_TRUE(asked(trunk_.cloud, 1));
  EXPECT_LT(*trunk_.spending.budgets().standing("", "").left_usd, 100);

  trunk_.cloud.release();
  ASSERT_TRUE(becomes("a", TaskState::kDone));
  EXPECT_DOUBLE_EQ(find("a").cost_usd, 0.02);
  EXPECT_NEAR(*trunk_.spending.budgets().standing("", "").left_usd, 100 - 0.02, 1e-9);
}

TEST_F(TaskRunnerTest, ManyTasksAtOnceSpendNoMoreThanTheBudgetAndOneMore) {
  belongs_to(Lane::kCloud);
  trunk_.device.there = false;
  trunk_.cloud.usd_per_token = 0.001;
  ASSERT_TRUE(trunk_.apps.set(policy::Budget{.usd_per_day = 1.5, .soft = 1}));
  std::vector<Submission> many;
  for (int i = 0; i < 20; ++i) many.push_back(spec("t" + std::to_string(i)));
  trunk_.cloud.usual = test::answer("yes", 200);
  trunk_.cloud.held = true;
  submit(std::move(many));
  runner_->start();
  const auto all_have_had_their_turn = [&] {
    trunk_.cloud.release();
    int waiting = 0;
    const std::vector<Task> all = store_.list({.run = run_, .state = {}}).value();
    for (const Task& task : all) {
      if (task.state != TaskState::kDone && !task.not_before) ++waiting;
    }
    return waiting == 0;
  };

  ASSERT_TRUE(trunk_.loop.until(all_have_had_their_turn));
  EXPECT_LE(trunk_.spent_usd(), 1.5 + 0.2);  // an answer may be longer than was expected
  EXPECT_GT(trunk_.spent_usd(), 0);
}

TEST_F(TaskRunnerTest, OneWorkIsMetOnceHoweverOftenItIsTried) {
  trunk_.cloud.there = false;
  for (int i = 0; i < 2; ++i) trunk_.device.fails(ErrorCode::kUnavailable);
  submit(spec("a"));
  runner_->start();
  for (std::size_t i = 1; i < 3; ++i) {
    ASSERT_TRUE(asked(trunk_.device, i));
    ASSERT_TRUE(trunk_.loop.until([&] {
      const Task task = find("a");
      return task.state == TaskState::kQueued && task.not_before > trunk_.clock.wall();
    }));
    until_its_turn("a");
  }
  ASSERT_TRUE(becomes("a", TaskState::kDone));

  ASSERT_EQ(trunk_.router.operations().size(), 1U);
  EXPECT_EQ(trunk_.router.operations().front().seen, 1U);
}

}  // namespace
}  // namespace minimill::tasks
