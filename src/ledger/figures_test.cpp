#include "ledger/figures.h"

#include <gtest/gtest.h>

#include <functional>

#include "ledger/ledger.h"
#include "support/temp_dir.h"

namespace minimill::ledger {
namespace {

constexpr WallTime kDay{std::chrono::days{20'000}};
constexpr WallTime kNoon = kDay + std::chrono::hours{12};

class FiguresTest : public testing::Test {
 protected:
  FiguresTest() {
    auto db = sqlite::Database::open(folder_ / "l.db", sqlite::Database::Mode::kReadWrite).value();
    EXPECT_TRUE(migrate_ledger(db).has_value());
    writer_ = std::make_unique<sqlite::Writer>(std::move(db));
    ledger_ = std::make_unique<Ledger>(Ledger::open(folder_ / "l.db", *writer_).value());
  }

  static Attempt attempt(chat::Lane lane, double cost_usd = 0, std::string error = {}) {
    Attempt attempt;
    attempt.lane = lane;
    attempt.backend = lane == chat::Lane::kLocal ? "engine" : "provider";
    attempt.queued_ms = 10;
    attempt.duration_ms = 100;
    attempt.usage = {.prompt_tokens = 7, .completion_tokens = 3};
    attempt.cost_usd = cost_usd;
    attempt.error = std::move(error);
    return attempt;
  }
  static RequestRecord request(std::string id, std::vector<Attempt> attempts, WallTime at = kNoon) {
    RequestRecord record;
    record.id = {std::move(id)};
    record.at = at;
    record.app = "mail";
    record.model_asked = "auto";
    record.decision.operation = "triage";
    record.attempts = std::move(attempts);
    record.status = 200;
    return record;
  }
  void outcome(const char* id, const char* kind, bool ok) {
    ledger_->record(Outcome{.request = {id}, .at = kNoon, .kind = kind, .ok = ok, .detail = {}});
  }
  Figures all() {
    writer_->flush();
    Figures sum;
    const auto rows = ledger_->figures(kDay, kDay + std::chrono::days{1}).value();
    for (const FiguresRow& row : rows) {
      sum += row.figures;
    }
    return sum;
  }

  test::TempDir folder_;
  std::unique_ptr<sqlite::Writer> writer_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(FiguresTest, RequestCountsWhereItsLastAnswerCameFrom) {
  ledger_->record(request(
      "req_1", {attempt(chat::Lane::kLocal, 0, "too unsure"), attempt(chat::Lane::kCloud, 0.5)}));
  writer_->flush();

  const auto rows = ledger_->figures(kDay, kDay + std::chrono::days{1}).value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].provider, "engine");
  EXPECT_EQ(rows[0].figures.requests, 0);
  EXPECT_EQ(rows[0].figures.failures, 1);
  EXPECT_EQ(rows[1].provider, "provider");
  EXPECT_EQ(rows[1].figures.answered, 1);
  EXPECT_EQ(rows[1].figures.escalated, 1);
  EXPECT_EQ(rows[1].figures.cost_usd, 0.5);
  EXPECT_EQ(rows[1].figures.waited_ms, 20);
}

TEST_F(FiguresTest, AnswerThatWasEscalatedDoesNotStand) {
  RequestRecord local = request("req_1", {attempt(chat::Lane::kLocal)});
  local.cloud_usd = 2;
  ledger_->record(std::move(local));
  EXPECT_EQ(all().answered, 1);
  EXPECT_EQ(all().cloud_usd, 2);

  outcome("req_1", "check", false);
  outcome("req_1", "escalated", false);

  const Figures sum = all();
  EXPECT_EQ(sum.requests, 1);
  EXPECT_EQ(sum.answered, 0);
  EXPECT_EQ(sum.escalated, 1);
  EXPECT_EQ(sum.checked, 1);
  EXPECT_EQ(sum.passed, 0);
  EXPECT_EQ(sum.cloud_usd, 0);
}

TEST_F(FiguresTest, RequestThatNobodyAnsweredCountsAndIsRecorded) {
  ledger_->record(request("req_1", {attempt(chat::Lane::kLocal, 0, "not here"),
                                    attempt(chat::Lane::kCloud, 0, "nor there")}));

  const Figures sum = all();
  EXPECT_EQ(sum.requests, 1);
  EXPECT_EQ(sum.answered, 0);
  EXPECT_EQ(sum.escalated, 0);
  EXPECT_EQ(sum.failures, 2);
  EXPECT_EQ(ledger_->recent(10).value().size(), 1U);
}

TEST_F(FiguresTest, LastWordCountsWhateverIsRecordedAnew) {
  ledger_->record(request("req_1", {attempt(chat::Lane::kLocal, 0.25)}));
  ledger_->record(request("req_1", {attempt(chat::Lane::kLocal, 0.25)}));
  outcome("req_1", "check", false);
  outcome("req_1", "check", true);
  outcome("req_1", "feedback", true);
  outcome("req_1", "feedback", false);

  const Figures sum = all();
  EXPECT_EQ(sum.requests, 1);
  EXPECT_EQ(sum.attempts, 1);
  EXPECT_DOUBLE_EQ(sum.cost_usd, 0.25);
  EXPECT_EQ(sum.checked, 1);
  EXPECT_EQ(sum.passed, 1);
  EXPECT_EQ(sum.judged, 1);
  EXPECT_EQ(sum.good, 0);
}

TEST_F(FiguresTest, PairIsWhatTheCloudTookForWhatTheDeviceAnswered) {
  RequestRecord local = request("req_1", {attempt(chat::Lane::kLocal)});
  local.cloud_usd = 0.002;
  ledger_->record(std::move(local));
  RequestRecord compared = request("req_2", {attempt(chat::Lane::kCloud, 0.003)});
  compared.origin = chat::Origin::kShadow;
  compared.parent = {"req_1"};
  ledger_->record(std::move(compared));
  RequestRecord to_judge = request("req_3", {attempt(chat::Lane::kCloud, 0.9)});
  to_judge.origin = chat::Origin::kShadow;
  to_judge.parent = {"req_1"};
  to_judge.model_asked = "judge";
  ledger_->record(std::move(to_judge));

  const Figures sum = all();
  EXPECT_EQ(sum.pairs, 1);
  EXPECT_DOUBLE_EQ(sum.pair_x, 0.002);
  EXPECT_DOUBLE_EQ(sum.pair_y, 0.003);
  EXPECT_DOUBLE_EQ(sum.pair_xy, 0.002 * 0.003);
}

TEST_F(FiguresTest, DatabaseOfBeforeIsCountedOnce) {
  ledger_->record(request("req_1", {attempt(chat::Lane::kLocal, 0.25)}));
  outcome("req_1", "check", true);
  const Figures before = all();
  auto db = sqlite::Database::open(folder_ / "l.db", sqlite::Database::Mode::kReadWrite).value();
  ASSERT_TRUE(db.exec("DROP TABLE figures; DELETE FROM schema_versions WHERE component = 'figures'")
                  .has_value());

  ASSERT_TRUE(migrate_ledger(db).has_value());
  ASSERT_TRUE(migrate_ledger(db).has_value());

  EXPECT_EQ(all().requests, before.requests);
  EXPECT_EQ(all().passed, before.passed);
  EXPECT_EQ(all().cost_usd, before.cost_usd);
}

TEST_F(FiguresTest, PagesFollowOneAnotherAndMissNothing) {
  for (int i = 0; i < 7; ++i) {
    ledger_->record(request("req_" + std::to_string(i), {attempt(chat::Lane::kLocal)},
                            kNoon + Millis{i / 2}));  // some at the same moment
  }
  writer_->flush();

  std::vector<std::string> seen;
  RequestFilter filter;
  filter.limit = 2;
  do {
    const RequestPage page = ledger_->page(filter).value();
    for (const RequestRecord& each : page.requests) seen.push_back(each.id.value);
    filter.after = page.next;
  } while (filter.after);

  EXPECT_EQ(seen, (std::vector<std::string>{"req_6", "req_5", "req_4", "req_3", "req_2", "req_1",
                                            "req_0"}));
}

TEST_F(FiguresTest, PageIsOfWhatWasAskedFor) {
  ledger_->record(request("req_1", {attempt(chat::Lane::kLocal)}));
  RequestRecord other = request("req_2", {});
  other.app = "crm";
  other.status = 502;
  other.label = "100%_sure";
  ledger_->record(std::move(other));
  writer_->flush();
  const auto found = [this](const std::function<void(RequestFilter&)>& set) {
    RequestFilter filter;
    set(filter);
    std::string ids;
    const RequestPage page = ledger_->page(filter).value();
    for (const RequestRecord& each : page.requests) {
      ids += each.id.value;
    }
    return ids;
  };

  EXPECT_EQ(found([](RequestFilter& filter) { filter.app = "crm"; }), "req_2");
  EXPECT_EQ(found([](RequestFilter& filter) { filter.failed = true; }), "req_2");
  EXPECT_EQ(found([](RequestFilter& filter) { filter.text = "0%_S"; }), "req_2");
  EXPECT_EQ(found([](RequestFilter& filter) { filter.text = "%"; }), "req_2");
  EXPECT_EQ(found([](RequestFilter& filter) { filter.lane = chat::Lane::kCloud; }), "");
}

}  // namespace
}  // namespace minimill::ledger
