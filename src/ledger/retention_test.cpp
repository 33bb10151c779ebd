#include "ledger/retention.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/co_spawn.hpp>

#include "ledger/ledger.h"
#include "ledger/retention_runner.h"
#include "support/event_loop.h"
#include "support/temp_dir.h"

namespace minimill::ledger {
namespace {

using sqlite::Database;

constexpr WallTime kNow{std::chrono::days{20'000}};
constexpr std::chrono::days kDay{1};

/// Requests of the past on disk, and steps of pruning over them.
class Retention : public testing::Test {
 protected:
  Retention() : db_(Database::open(path(), Database::Mode::kReadWrite).value()) {
    EXPECT_TRUE(migrate_ledger(db_).has_value());
    writer_.emplace(Database::open(path(), Database::Mode::kReadWrite).value());
    ledger_.emplace(Ledger::open(path(), *writer_).value());
  }

  std::filesystem::path path() const { return folder_ / "l.db"; }

  void record(std::string id, WallTime at, double cost_usd = 0.25) {
    RequestRecord request;
    request.id = {id};
    request.at = at;
    request.app = "mail";
    request.status = 200;
    request.decision.lane = decltype(request.decision.lane)::kCloud;
    request.decision.operation = "triage";
    Attempt& attempt = request.attempts.emplace_back();
    attempt.lane = request.decision.lane;
    attempt.backend = "openai";
    attempt.cost_usd = cost_usd;
    attempt.usage = {.prompt_tokens = 10, .completion_tokens = 2};
    ledger_->record(std::move(request));
    ledger_->record(
        Outcome{.request = {std::move(id)}, .at = at, .kind = "check", .ok = true, .detail = "ok"});
  }

  /// Until there is nothing to do; how many rows of the kind went.
  std::int64_t prune(const RetentionOptions& options) {
    writer_->flush();
    std::int64_t rows = 0;
    bool shrinking = false;
    const std::array kinds{prunable_requests()};
    while (true) {
      EXPECT_TRUE(db_.exec("BEGIN IMMEDIATE").has_value());
      const PruneStep step = prune_step(db_, kinds, options, kNow, shrinking).value();
      EXPECT_TRUE(db_.exec("COMMIT").has_value());
      rows += step.rows;
      if (!step.more) return rows;
    }
  }

  std::int64_t count(const char* table) {
    sqlite::Statement rows = db_.prepare(std::string("SELECT count(*) FROM ") + table).value();
    EXPECT_TRUE(rows.step().value());
    return rows.integer(0);
  }

  const test::TempDir folder_;
  Database db_;
  std::optional<sqlite::Writer> writer_;
  std::optional<Ledger> ledger_;
};

TEST_F(Retention, WhatIsOlderThanKeepGoesWithItsAttemptsAndOutcomes) {
  record("old", kNow - 91 * kDay);
  record("young", kNow - 89 * kDay);

  const std::int64_t rows = prune({.keep = 90 * kDay, .max_bytes = 0});

  EXPECT_EQ(rows, 1);
  EXPECT_FALSE(ledger_->find({"old"}).value().has_value());
  EXPECT_TRUE(ledger_->find({"young"}).value().has_value());
  EXPECT_EQ(count("attempts"), 1);
  EXPECT_EQ(count("outcomes"), 1);
}

TEST_F(Retention, StepTakesFewRowsAndSaysThatThereAreMore) {
  for (int i = 0; i < 500; ++i) {
    record("r" + std::to_string(i), kNow - 100 * kDay + std::chrono::seconds{i});
  }
  writer_->flush();
  bool shrinking = false;
  const std::array kinds{prunable_requests()};

  const PruneStep step = prune_step(db_, kinds, {}, kNow, shrinking).value();

  EXPECT_EQ(step.rows, kRowsAtOnce);
  EXPECT_TRUE(step.more);
  EXPECT_EQ(prune({}), 500 - kRowsAtOnce);
}

TEST_F(Retention, RequestThatIsRecordedAnewCountsOnce) {
  record("r", kNow, 0.5);
  record("r", kNow, 0.25);
  writer_->flush();

  const std::vector<DailySum> sums = ledger_->daily(kNow).value();
  ASSERT_EQ(sums.size(), 1U);
  EXPECT_EQ(sums.front().requests, 1);
  EXPECT_EQ(sums.front().attempts, 1);
  EXPECT_DOUBLE_EQ(sums.front().cost_usd, 0.25);
  EXPECT_EQ(sums.front().checked, 1);
}

TEST_F(Retention, LastCheckOfARequestIsTheOneThatCounts) {
  record("r", kNow);
  ledger_->record(
      Outcome{.request = {"r"}, .at = kNow, .kind = "check", .ok = false, .detail = "no"});
  writer_->flush();

  const std::vector<DailySum> sums = ledger_->daily(kNow).value();
  ASSERT_EQ(sums.size(), 1U);
  EXPECT_EQ(sums.front().checked, 1);
  EXPECT_EQ(sums.front().passed, 0);
}

TEST_F(Retention, DatabaseOfBeforeTheSumsIsCountedOnce) {
  record("r", kNow, 0.5);
  record("s", kNow, 0.5);
  writer_->flush();
  const std::vector<DailySum> sums = ledger_->daily(kNow).value();
  ASSERT_TRUE(db_.exec("DELETE FROM daily_sums; UPDATE schema_versions SET version = 1 WHERE "
                       "component = 'daily_sums'")
                  .has_value());

  ASSERT_TRUE(migrate_ledger(db_).has_value());
  ASSERT_TRUE(migrate_ledger(db_).has_value());

  EXPECT_EQ(ledger_->daily(kNow).value(), sums);
}

TEST_F(Retention, SumsOfEachDayAreTheSameBeforeAndAfter) {
  for (int day = 1; day <= 5; ++day) {
    for (int i = 0; i < day; ++i) {
      record("d" + std::to_string(day) + "_" + std::to_string(i), kNow - day * 30 * kDay, 0.5);
    }
  }
  writer_->flush();
  const std::vector<DailySum> before = ledger_->daily(WallTime{}).value();
  const Totals totals = ledger_->totals(WallTime{}).value();
  const std::vector<DayCost> costs = ledger_->costs(kNow - 365 * kDay).value();

  ASSERT_EQ(prune({.keep = 45 * kDay, .max_bytes = 0}), 14);

  const Totals totals_after = ledger_->totals(WallTime{}).value();
  const std::vector<DayCost> costs_after = ledger_->costs(kNow - 365 * kDay).value();
  EXPECT_EQ(ledger_->daily(WallTime{}).value(), before);
  EXPECT_EQ(totals_after.requests, totals.requests);
  EXPECT_EQ(totals_after.cloud, totals.cloud);
  EXPECT_EQ(totals_after.prompt_tokens, totals.prompt_tokens);
  EXPECT_DOUBLE_EQ(totals_after.cost_usd, totals.cost_usd);
  ASSERT_EQ(costs_after.size(), costs.size());
  EXPECT_DOUBLE_EQ(costs_after.front().cost_usd, costs.front().cost_usd);
  ASSERT_EQ(before.size(), 5U);
  EXPECT_EQ(before.front().requests, 5);
  EXPECT_EQ(before.front().answered, 5);
  EXPECT_EQ(before.front().passed, 5);
  EXPECT_EQ(before.front().provider, "openai");
}

TEST_F(Retention, OverTheBoundTheOldestGoUntilThereIsRoomAndTheYoungestStay) {
  const std::string much(2'000, 'x');
  for (int i = 0; i < 300; ++i) {
    record(much + std::to_string(i), kNow - 10 * kDay + std::chrono::seconds{i});
  }
  record("now", kNow - std::chrono::minutes{1});
  writer_->flush();
  const std::array kinds{prunable_requests()};
  const std::int64_t full = usage(db_, kinds, kNow).value().file_bytes;

  prune({.keep = {}, .max_bytes = full / 2});

  const Usage after = usage(db_, kinds, kNow).value();
  EXPECT_LT(after.file_bytes, full / 2);  // given back, not only free
  EXPECT_EQ(after.free_bytes, 0);
  EXPECT_GT(count("requests"), 30);
  EXPECT_FALSE(ledger_->find({much + "0"}).value().has_value());
  EXPECT_TRUE(ledger_->find({much + "299"}).value().has_value());
  prune({.keep = {}, .max_bytes = 1});
  EXPECT_EQ(count("requests"), 1);
}

TEST_F(Retention, UsageSaysWhatTakesTheRoomAndWhatWouldGo) {
  record("old", kNow - 91 * kDay);
  record("young", kNow);
  writer_->flush();
  const std::array kinds{prunable_requests()};

  const Usage found = usage(db_, kinds, kNow - 90 * kDay).value();

  ASSERT_EQ(found.kinds.size(), 2U);
  EXPECT_EQ(found.kinds[0].name, "requests");
  EXPECT_EQ(found.kinds[0].prunable_rows, 1);
  EXPECT_EQ(found.kinds[0].oldest, kNow - 91 * kDay);
  EXPECT_EQ(found.kinds[0].bytes.value_or(0) + found.kinds[1].bytes.value_or(0) + found.free_bytes,
            found.file_bytes);
}

TEST_F(Retention, RunnerLeavesTheWriterToOthersBetweenItsSteps) {
  for (int i = 0; i < 1'000; ++i) {
    record("r" + std::to_string(i), kNow - 100 * kDay + std::chrono::seconds{i});
  }
  writer_->flush();
  test::EventLoop loop;
  ManualClock clock;
  clock.jump_wall(kNow - clock.wall());
  RetentionRunner runner(loop.io(), clock, {}, {prunable_requests()}, *writer_);
  RetentionRunner::Pruned done;
  bool ended = false;
  asio::co_spawn(loop.io(), runner.prune({}, done),
                 [&ended](const std::exception_ptr&, const Result<>&) { ended = true; });

  ASSERT_TRUE(loop.until([&done] { return !done.empty(); }));
  const Outcome note{.request = {"x"}, .at = kNow, .kind = "feedback", .ok = true, .detail = {}};
  ASSERT_TRUE(loop.run(ledger_->store(note)));

  EXPECT_FALSE(ended);  // it was stored before the pruning had come to its end
  EXPECT_LT(done["requests"], 1'000);
  ASSERT_TRUE(loop.until([&ended] { return ended; }));
  EXPECT_EQ(done["requests"], 1'000);
}

TEST(RetentionOfAnOldFile, PagesAreGivenBackOnceItIsPrepared) {
  const test::TempDir folder;
  Database db = Database::open(folder / "l.db", Database::Mode::kReadWrite).value();
  ASSERT_TRUE(db.exec("PRAGMA auto_vacuum = NONE; VACUUM; CREATE TABLE t(x)").has_value());

  ASSERT_TRUE(prepare_to_shrink(db).has_value());

  ASSERT_TRUE(db.exec("INSERT INTO t VALUES(zeroblob(1000000)); DELETE FROM t").has_value());
  bool shrinking = false;
  ASSERT_TRUE(prune_step(db, {}, {}, kNow, shrinking).has_value());
  EXPECT_LT(usage(db, {}, kNow).value().file_bytes, 100'000);
}

}  // namespace
}  // namespace minimill::ledger
