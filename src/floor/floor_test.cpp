#include "floor/floor.h"

#include <gtest/gtest.h>

namespace minimill::floor {
namespace {

class FloorTest : public testing::Test {
 protected:
  FloorTest() {
    request_.app = "mail";
    decision_.model = "small";
  }
  serve::Observed observed() {
    return {.id = id_, .request = request_, .input = input_, .decision = decision_, .lane = lane_};
  }
  static ledger::Attempt attempt(std::string model) {
    ledger::Attempt attempt;
    attempt.backend = "engine";
    attempt.model = std::move(model);
    return attempt;
  }
  void end(std::string id) {
    ledger::RequestRecord record;
    record.id = {std::move(id)};
    floor_.ended(record);
  }

  ManualClock clock_;
  Floor floor_{clock_};
  RequestId id_{"req_1"};
  policy::Request request_;
  route::RouteInput input_;
  chat::Decision decision_;
  chat::Lane lane_ = chat::Lane::kLocal;
};

TEST_F(FloorTest, RequestIsThereFromItsDecisionToItsEnd) {
  floor_.decided(observed());
  EXPECT_FALSE(floor_.under_way().at(id_).began);

  clock_.advance(Millis{30});
  floor_.began(observed(), attempt("small"));
  clock_.advance(Millis{20});
  floor_.wrote(observed(), 1);
  const UnderWay& writing = floor_.under_way().at(id_);
  EXPECT_EQ(writing.app, "mail");
  EXPECT_EQ(writing.backend, "engine");
  EXPECT_EQ(*writing.began - writing.decided, Millis{30});
  EXPECT_EQ(*writing.first_token - *writing.began, Millis{20});

  end("req_1");
  EXPECT_TRUE(floor_.under_way().empty());
  EXPECT_EQ(floor_.ended().back().record.id, id_);
}

TEST_F(FloorTest, TokensAreNewsNowAndThenAndCountedAlways) {
  floor_.decided(observed());
  floor_.began(observed(), {});
  floor_.wrote(observed(), 1);
  const std::uint64_t version = floor_.version();

  floor_.wrote(observed(), 2);
  EXPECT_EQ(floor_.version(), version);
  EXPECT_EQ(floor_.under_way().at(id_).tokens, 2);

  clock_.advance(Floor::kTokensEvery);
  floor_.wrote(observed(), 3);
  EXPECT_EQ(floor_.version(), version + 1);
}

TEST_F(FloorTest, AnotherAttemptBeginsAnew) {
  floor_.decided(observed());
  floor_.began(observed(), {});
  floor_.wrote(observed(), 5);
  lane_ = chat::Lane::kCloud;
  floor_.began(observed(), attempt("large"));

  const UnderWay& again = floor_.under_way().at(id_);
  EXPECT_EQ(again.lane, chat::Lane::kCloud);
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(again.tokens, 0);
  EXPECT_FALSE(again.first_token);
}

TEST_F(FloorTest, EndedRequestsAreNumberedAndBounded) {
  for (std::size_t i = 0; i < Floor::kMostKept + 10; ++i) end("req_" + std::to_string(i));

  EXPECT_EQ(floor_.ended().size(), Floor::kMostKept);
  EXPECT_EQ(floor_.ended().front().number, 11U);
  EXPECT_EQ(floor_.last_number(), Floor::kMostKept + 10);
}

}  // namespace
}  // namespace minimill::floor
