#include "ledger/ledger.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace minimill::ledger {
namespace {

TEST(Ledger, RecordedRequestIsFoundWithItsAttemptsAndOutcomes) {
  const test::TempDir folder;
  auto db = sqlite::Database::open(folder / "l.db", sqlite::Database::Mode::kReadWrite).value();
  ASSERT_TRUE(migrate_ledger(db).has_value());
  sqlite::Writer writer(std::move(db));
  Ledger ledger = Ledger::open(folder / "l.db", writer).value();
  RequestRecord record;
  record.id = {"req_1"};
  record.at = from_unix_ms(5);
  record.task = {"task_1"};
  record.run = {"run_1"};
  record.decision.lane = chat::Lane::kCloud;
  record.decision.reasons = {{.layer = "difficulty", .text = "it is \"long\"", .weight = -0.5}};
  record.attempts.emplace_back().model = "m";
  record.attempts.back().cost_usd = 0.25;
  const chat::Decision decision = record.decision;

  ledger.record(std::move(record));
  ledger.record(Outcome{
      .request = {"req_1"}, .at = from_unix_ms(6), .kind = "check", .ok = false, .detail = "why"});
  ledger.save_state("router", std::string("\0bytes", 6));
  writer.flush();

  const auto found = ledger.find({"req_1"}).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->decision, decision);
  EXPECT_EQ(found->attempts.at(0).cost_usd, 0.25);
  EXPECT_EQ(ledger.of_task({"task_1"}, {}).value().size(), 1U);
  EXPECT_EQ(ledger.outcomes({"req_1"}).value().at(0).detail, "why");
  EXPECT_EQ(ledger.totals(from_unix_ms(0)).value().cost_usd, 0.25);
  EXPECT_EQ(ledger.load_state("router").value(), std::string("\0bytes", 6));
  EXPECT_FALSE(ledger.find({"req_2"}).value().has_value());
}

}  // namespace
}  // namespace minimill::ledger
