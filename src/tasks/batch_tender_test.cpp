#include "tasks/batch_tender.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include "support/event_loop.h"
#include "support/temp_dir.h"

namespace minimill::tasks {
namespace {

using protocol::BatchStatus;
using RemoteState = protocol::BatchState;

/// A provider that has ended whatever it is sent, and notes what it was asked.
class FakeProvider final : public cloud::BatchApi {
 public:
  asio::awaitable<std::string> write(const std::vector<cloud::BatchItem>& items,
                                     std::string_view) override {
    std::string body;
    for (const cloud::BatchItem& item : items) body += item.custom_id + "\n";
    co_return body;
  }
  asio::awaitable<Result<BatchStatus>> create(std::string body, std::string_view) override {
    sent.push_back(std::move(body));
    if (refuse_next) {
      refuse_next = false;
      co_return fail(ErrorCode::kTimeout, "nothing came back");
    }
    co_return ended();
  }
  asio::awaitable<Result<BatchStatus>> poll(std::string_view) override { co_return ended(); }
  asio::awaitable<Result<std::optional<BatchStatus>>> find(std::string_view,
                                                           std::int64_t) override {
    ++looked;
    co_return std::nullopt;
  }
  bool keeps_names() const override { return names; }
  asio::awaitable<Result<BatchStatus>> cancel(std::string_view) override { co_return ended(); }
  asio::awaitable<Result<cloud::BatchAnswers>> results(const BatchStatus&,
                                                       std::set<std::string> ids) override {
    if (on_results) on_results();
    cloud::BatchAnswers answers;
    for (const std::string& id : ids) {
      chat::AnswerParts answer;
      answer.text = "yes";
      answer.usage = {.prompt_tokens = 1'000'000, .completion_tokens = 0};
      answers.emplace(id, chat::ChatAnswer(std::move(answer)));
    }
    co_return answers;
  }
  asio::awaitable<void> forget(const BatchStatus&) override { co_return; }

  static BatchStatus ended() {
    BatchStatus status;
    status.id = "remote";
    status.state = RemoteState::kEnded;
    return status;
  }

  std::vector<std::string> sent;
  int looked = 0;
  bool names = true;
  bool refuse_next = false;
  std::function<void()> on_results;
};

/// One batch of two tasks on disk, and its tender.
class BatchTenderTest : public testing::Test {
 protected:
  BatchTenderTest() {
    auto db = sqlite::Database::open(path(), sqlite::Database::Mode::kReadWrite).value();
    EXPECT_TRUE(ledger::migrate_ledger(db));
    EXPECT_TRUE(migrate_tasks(db));
    EXPECT_TRUE(migrate_batches(db));
    writer_.emplace(std::move(db));
    ledger_.emplace(ledger::Ledger::open(path(), *writer_).value());
    tasks_.emplace(TaskStore::open(path(), *writer_).value());
    batches_.emplace(BatchStore::open(path(), *writer_).value());
    prices_.set("m", {.input_usd_per_mtok = 10, .output_usd_per_mtok = 10});
    prices_.set_batch_price_factor("sim", 0.3);
    tools_.emplace(BatchTools{
        .io = loop_.io(),
        .clock = clock_,
        .config = config_,
        .prices = prices_,
        .tasks = *tasks_,
        .batches = *batches_,
        .observers = observers_.emplace(*ledger_),
        .request_of =
            [](const Task& task) {
              chat::RequestParts parts;
              parts.messages.push_back(chat::text_message(chat::Role::kUser, task.prompt()));
              policy::Request request;
              request.chat = chat::ChatRequest(std::move(parts));
              request.privacy = task.privacy();
              request.task = task.spec.id;
              request.run = task.run;
              return request;
            },
        .reserve = [this](const policy::Request&,
                          const std::string&) { return budgets_.hold("tasks", "", 0.25); },
        .judge =
            [](Task& task, const chat::ChatAnswer& answer) {
              task.answer = answer.text();
              task.state = TaskState::kDone;
            },
        .all_cloud_cost_usd = [](const chat::Usage&) { return 1.0; },
        .let_go = [](const RunId&, const TaskId&) {}});
    submit();
    begin();
  }

  std::filesystem::path path() const { return folder_ / "t.db"; }

  void submit() {
    std::vector<Submission> submitted;
    for (const char* id : {"a", "b"}) {
      Submission& task = submitted.emplace_back();
      task.spec.id = {id};
      task.spec.title = "t";
      task.spec.privacy = policy::Privacy::kAllow;
    }
    RunInfo info;
    info.id = run_;
    EXPECT_TRUE(loop_.run(tasks_->submit(std::move(info), std::move(submitted))));
  }

  void begin() {
    Batch batch;
    batch.id = {"batch_1"};
    batch.provider = "sim";
    batch.model = "m";
    batch.created = clock_.wall();
    std::vector<BatchTask> in_it;
    for (const char* id : {"a", "b"}) {
      in_it.push_back({.request = {std::string("req_") + id},
                       .run = run_,
                       .task = {id},
                       .take_back = clock_.wall() + std::chrono::hours{10},
                       .operation = {},
                       .reasons = {}});
    }
    EXPECT_TRUE(loop_.run(batches_->begin(std::move(batch), std::move(in_it))));
  }

  /// What the runner does with a batch.
  void start(bool resumed) {
    auto provider = std::make_unique<FakeProvider>(provider_);
    fake_ = provider.get();
    tender_.emplace(*tools_, batch(), std::move(provider), resumed);
    asio::co_spawn(loop_.io(), tend(), [this](const std::exception_ptr&) { closed_ = true; });
    loop_.poll();
  }
  asio::awaitable<void> tend() {
    Result<> done = co_await tender_->carry_through();
    co_await tender_->close(std::move(done));
  }
  bool ends() {
    return loop_.until([this] { return closed_; });
  }
  /// As often as whoever waits for the clock would, were it not standing still.
  void look_again() {
    for (int i = 0; i < 20; ++i) {
      writer_->flush();
      loop_.poll();
      tender_->look_now();
    }
    writer_->flush();
    loop_.poll();
  }

  void edit(const std::string& sql) {
    writer_->post([sql](sqlite::Database& db) { return db.exec(sql.c_str()); });
    writer_->flush();
  }
  Task task(const std::string& id) { return tasks_->find({id}, run_).value().value(); }
  Batch batch() { return batches_->find({"batch_1"}).value().value(); }

  test::EventLoop loop_;
  const test::TempDir folder_;
  ManualClock clock_;
  config::BatchConfig config_;
  cloud::PriceTable prices_;
  RunId run_{"run_1"};
  policy::AppStore apps_ = policy::AppStore::open(folder_ / "apps.db").value();
  policy::Budgets budgets_{clock_, apps_};
  std::optional<sqlite::Writer> writer_;
  std::optional<ledger::Ledger> ledger_;
  std::optional<serve::Observers> observers_;
  std::optional<TaskStore> tasks_;
  std::optional<BatchStore> batches_;
  std::optional<BatchTools> tools_;
  FakeProvider provider_;  // as start() copies it
  FakeProvider* fake_ = nullptr;
  std::optional<BatchTender> tender_;
  bool closed_ = false;
};

TEST_F(BatchTenderTest, WhatIsOutCountsAsSpentUntilItIsAnswered) {
  ASSERT_TRUE(apps_.set(policy::Budget{.usd_per_day = 1}));
  std::optional<double> left_while_out;
  provider_.on_results = [&] { left_while_out = budgets_.standing("tasks", "").left_usd; };

  start(false);

  ASSERT_TRUE(ends());
  EXPECT_EQ(left_while_out, 0.5);  // two tasks at 0.25 each
  EXPECT_EQ(budgets_.standing("tasks", "").left_usd, 1.0);
}

TEST_F(BatchTenderTest, AnswersAreSettledAtTheBatchPriceOfTheProvider) {
  start(false);
  ASSERT_TRUE(ends());

  EXPECT_EQ(fake_->sent, std::vector<std::string>{"req_a\nreq_b\n"});
  EXPECT_EQ(batch().state, BatchState::kEnded);
  EXPECT_EQ(task("a").state, TaskState::kDone);
  EXPECT_DOUBLE_EQ(task("a").cost_usd, 0.3 * 10);
  EXPECT_DOUBLE_EQ(batch().cost_usd, 2 * 0.3 * 10);
}

TEST_F(BatchTenderTest, RowsThatCannotBeReadAreNotNothingThere) {
  edit("ALTER TABLE tasks RENAME TO hidden");
  start(true);
  look_again();

  EXPECT_FALSE(closed_);  // neither sent nor given back nor ended
  EXPECT_TRUE(fake_->sent.empty());
  EXPECT_EQ(batch().state, BatchState::kSending);
  EXPECT_EQ(batch().waiting, 2);

  edit("ALTER TABLE hidden RENAME TO tasks");
  tender_->look_now();
  ASSERT_TRUE(ends());
  EXPECT_EQ(fake_->sent.size(), 1U);
  EXPECT_EQ(task("b").state, TaskState::kDone);
}

TEST_F(BatchTenderTest, SecondAttemptSaysWhatTheFirstDidOrIsNotMadeWhereNamesAreNotKept) {
  provider_.names = false;
  provider_.refuse_next = true;
  start(false);
  loop_.until([this] { return fake_->sent.size() == 1; });
  edit("UPDATE tasks SET spec = 'broken' WHERE id = 'b'");
  look_again();

  EXPECT_FALSE(closed_);
  EXPECT_EQ(fake_->sent.size(), 1U);  // never another body under the same name
  EXPECT_EQ(batch().waiting, 2);      // nor paid for a second time elsewhere

  edit(
      "UPDATE tasks SET spec = '{\"id\":\"b\",\"title\":\"t\",\"privacy\":\"allow\"}' WHERE id = "
      "'b'");
  tender_->look_now();
  ASSERT_TRUE(ends());
  ASSERT_EQ(fake_->sent.size(), 2U);
  EXPECT_EQ(fake_->sent[0], fake_->sent[1]);
}

TEST_F(BatchTenderTest, BodyThatChangedIsNotSentToThoseWhoSayTheyDoNotHaveTheFirst) {
  edit("UPDATE batches SET body_hash = 'another'");
  start(true);
  ASSERT_TRUE(ends());

  EXPECT_EQ(fake_->looked, 1);
  EXPECT_TRUE(fake_->sent.empty());
  EXPECT_EQ(batch().state, BatchState::kFailed);
  EXPECT_EQ(batch().given_back, 2);
  EXPECT_EQ(task("a").state, TaskState::kQueued);
}

TEST_F(BatchTenderTest, UnreadableTaskIsLeftOutAndTheOthersAreSent) {
  edit("UPDATE tasks SET spec = 'broken' WHERE id = 'b'");
  start(false);
  ASSERT_TRUE(ends());

  EXPECT_EQ(fake_->sent, std::vector<std::string>{"req_a\n"});
  EXPECT_EQ(task("a").state, TaskState::kDone);
  EXPECT_EQ(task("b").state, TaskState::kFailed);
  EXPECT_NE(task("b").error.find("cannot be read"), std::string::npos);
}

TEST_F(BatchTenderTest, AnswersThatArePaidForWaitForADiskThatCannotBeRead) {
  provider_.on_results = [this] { edit("ALTER TABLE tasks RENAME TO hidden"); };
  start(false);
  loop_.until([this] { return batch().state == BatchState::kRunning; });
  look_again();

  EXPECT_FALSE(closed_);
  EXPECT_EQ(batch().waiting, 2);

  edit("ALTER TABLE hidden RENAME TO tasks");
  tender_->look_now();
  ASSERT_TRUE(ends());
  EXPECT_EQ(task("a").state, TaskState::kDone);
  EXPECT_EQ(task("b").state, TaskState::kDone);
}

}  // namespace
}  // namespace minimill::tasks
