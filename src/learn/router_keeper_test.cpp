#include "learn/router_keeper.h"

#include <gtest/gtest.h>

#include "support/event_loop.h"
#include "support/temp_dir.h"

namespace minimill::learn {
namespace {

class RouterKeeperTest : public testing::Test {
 protected:
  RouterKeeperTest() {
    auto db = sqlite::Database::open(path(), sqlite::Database::Mode::kReadWrite).value();
    EXPECT_TRUE(ledger::migrate_ledger(db));
    writer_.emplace(std::move(db));
    ledger_.emplace(ledger::Ledger::open(path(), *writer_).value());
  }
  std::filesystem::path path() const { return folder_ / "t.db"; }

  static route::RouteInput work() {
    route::RouteInput input;
    input.title = "Triage a mail";
    input.text = "Is this mail urgent?";
    return input;
  }
  std::size_t saved_operations() {
    writer_->flush();
    return load_router(*ledger_, {})->operations().size();
  }

  test::EventLoop loop_;
  test::TempDir folder_;
  ManualClock clock_;
  std::optional<sqlite::Writer> writer_;
  std::optional<ledger::Ledger> ledger_;
  route::Router router_;
};

TEST_F(RouterKeeperTest, WhatWasLearntOutlivesTheDaemon) {
  RouterKeeper keeper(loop_.io(), clock_, router_, *ledger_);
  router_.recognise(work());
  keeper.note_learnt();

  loop_.run(keeper.stop());

  EXPECT_EQ(saved_operations(), 1U);
}

TEST_F(RouterKeeperTest, NothingIsWrittenWhereNothingWasLearnt) {
  RouterKeeper keeper(loop_.io(), clock_, router_, *ledger_);
  keeper.start();
  loop_.run(keeper.stop());
  writer_->flush();

  EXPECT_FALSE(ledger_->load_state("router")->has_value());
}

TEST_F(RouterKeeperTest, StateThatCannotBeReadIsSetAsideAndTheRouterStartsFromItsPrior) {
  ledger_->save_state("router", std::string("no state"));
  writer_->flush();

  EXPECT_EQ(saved_operations(), 0U);
  writer_->flush();
  EXPECT_EQ(ledger_->load_state("router.unreadable").value(), "no state");
}

}  // namespace
}  // namespace minimill::learn
