#include "serve/observer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trunk.h"

namespace minimill::serve {
namespace {

using chat::Lane;
using testing::ElementsAre;

class Witness final : public Observer {
 public:
  Witness(std::string name, std::vector<std::string>& log) : name_(std::move(name)), log_(log) {}

  bool wants = false;
  std::string text;  // of the last answer

  void decided(const Observed&) override { note("decided"); }
  bool wants_content(const Observed&) const override { return wants; }
  void judged(const Observed&, const Judged& judged) override {
    note(judged.ok ? "judged well" : "judged badly");
  }
  void answered(const Observed&, const chat::ChatAnswer& answer, std::optional<double>) override {
    note("answered");
    text = answer.text();
  }
  void ended(const ledger::RequestRecord& record) override {
    note("ended " + std::to_string(record.status));
  }

 private:
  void note(const std::string& what) { log_.push_back(name_ + " " + what); }

  std::string name_;
  std::vector<std::string>& log_;
};

class ObserverTest : public testing::Test {
 protected:
  ObserverTest() {
    trunk_.observers.add(a_);
    trunk_.observers.add(b_);
  }

  std::vector<std::string> log_;
  Witness a_{"a", log_};
  Witness b_{"b", log_};
  test::Trunk trunk_;
};

TEST_F(ObserverTest, AllAreToldInTheOrderInWhichTheyWereAdded) {
  ASSERT_TRUE(trunk_.complete(trunk_.in_lane(Lane::kLocal)));

  EXPECT_THAT(log_, ElementsAre("a decided", "b decided", "a answered", "b answered", "a ended 200",
                                "b ended 200"));
}

TEST_F(ObserverTest, StreamIsToldOfWhenItHasEnded) {
  Result<ServedStream> served = trunk_.stream(trunk_.in_lane(Lane::kLocal));
  EXPECT_THAT(log_, ElementsAre("a decided", "b decided"));

  ASSERT_TRUE(trunk_.read(*served));
  served->stream.reset();
  EXPECT_THAT(log_, ElementsAre("a decided", "b decided", "a answered", "b answered", "a ended 200",
                                "b ended 200"));
}

TEST_F(ObserverTest, WatchedBeginningIsJudgedBeforeTheEnd) {
  trunk_.device.logprob = -9;

  ASSERT_TRUE(trunk_.complete(trunk_.doubtful()));
  EXPECT_THAT(log_, testing::IsSupersetOf({"a judged badly", "b judged badly", "a ended 200"}));
}

TEST_F(ObserverTest, FailureEndsWithoutAnAnswer) {
  trunk_.device.fails(ErrorCode::kUpstream);

  EXPECT_FALSE(trunk_.complete(trunk_.in_lane(Lane::kLocal)));
  EXPECT_THAT(log_, ElementsAre("a decided", "b decided", "a ended 502", "b ended 502"));
}

TEST_F(ObserverTest, LeavingInTheMiddleEndsItOnce) {
  Result<ServedStream> served = trunk_.stream(trunk_.in_lane(Lane::kLocal));
  served->stream.reset();

  EXPECT_THAT(log_, ElementsAre("a decided", "b decided", "a ended 499", "b ended 499"));
}

TEST_F(ObserverTest, ContentIsKeptOnlyWhereSomebodyWantsIt) {
  ASSERT_TRUE(trunk_.complete(trunk_.in_lane(Lane::kLocal)));
  EXPECT_EQ(b_.text, "");
  a_.wants = true;

  ASSERT_TRUE(trunk_.complete(trunk_.in_lane(Lane::kLocal)));
  EXPECT_EQ(b_.text, "yes");
  Result<ServedStream> served = trunk_.stream(trunk_.in_lane(Lane::kLocal));
  b_.text = "";
  ASSERT_TRUE(trunk_.read(*served));
  EXPECT_EQ(b_.text, "yes");
}

}  // namespace
}  // namespace minimill::serve
