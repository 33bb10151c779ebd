#include "serve/stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trunk.h"

namespace minimill::serve {
namespace {

using chat::Lane;
using testing::ElementsAre;

/// Puts its mark at the end of what goes out and takes it as the sign that what comes back is its
/// own: "x" makes "ask" "askx", and undone, "yes" is "yes-x".
class Mark final : public Stage {
 public:
  Mark(std::string mark, std::vector<std::string>& log) : mark_(std::move(mark)), log_(log) {}

  std::optional<chat::Destination> only;
  bool fails = false;

  bool applies(const policy::Request&, const chat::Decision&,
               chat::Destination destination) const override {
    return !only || destination == *only;
  }
  asio::awaitable<Result<std::unique_ptr<Applied>>> apply(chat::ChatRequest& chat) override {
    log_.push_back("apply " + mark_);
    if (fails) co_return fail(ErrorCode::kUnsupported, "no " + mark_);
    std::string text = chat.messages().front().text() + mark_;
    auto change = [&text](chat::RequestParts& parts) {
      parts.messages.front() = chat::text_message(chat::Role::kUser, std::move(text));
    };
    chat.edit(change);
    co_return std::make_unique<Marked>(mark_, log_);
  }

 private:
  class Marked final : public Applied {
   public:
    Marked(std::string mark, std::vector<std::string>& log) : mark_(std::move(mark)), log_(log) {}
    void undo(chat::ChatAnswer& answer) override {
      log_.push_back("undo " + mark_);
      answer.edit([this](chat::AnswerParts& parts) { parts.text += "-" + mark_; });
    }
    void undo(chat::ChatEvent event, std::vector<chat::ChatEvent>& out) override {
      if (std::holds_alternative<chat::Finish>(event)) {
        log_.push_back("undo " + mark_);
        out.emplace_back(chat::TextDelta{"-" + mark_});
      }
      out.push_back(std::move(event));
    }
    std::string save() const override { return mark_; }

   private:
    std::string mark_;
    std::vector<std::string>& log_;
  };

  std::string mark_;
  std::vector<std::string>& log_;
};

class StageTest : public testing::Test {
 protected:
  StageTest() { trunk_.stages = {&first_, &second_}; }

  static std::string sent(const policy::Request& request) {
    return request.chat.messages().front().text();
  }

  std::vector<std::string> log_;
  Mark first_{"1", log_};
  Mark second_{"2", log_};
  test::Trunk trunk_;
};

TEST_F(StageTest, AppliedInOrderAndUndoneInTheOpposite) {
  const Result<Served> served = trunk_.complete(trunk_.in_lane(Lane::kLocal));

  EXPECT_EQ(sent(trunk_.device.asked.front()), "Is it so?12");
  EXPECT_EQ(served->answers.front().text(), "yes-2-1");
  EXPECT_THAT(log_, ElementsAre("apply 1", "apply 2", "undo 2", "undo 1"));
}

TEST_F(StageTest, StreamIsUndoneAsTheWholeAnswerIs) {
  Result<ServedStream> served = trunk_.stream(trunk_.in_lane(Lane::kLocal));

  EXPECT_EQ(trunk_.read(*served), "yes-2-1");
  EXPECT_THAT(log_, ElementsAre("apply 1", "apply 2", "undo 2", "undo 1"));
}

TEST_F(StageTest, WatchedAnswerIsUndoneToo) {
  const Result<Served> served = trunk_.complete(trunk_.doubtful());

  EXPECT_EQ(served->answers.front().text(), "yes-2-1");
}

TEST_F(StageTest, EveryAttemptBeginsWithTheRequestAsItCame) {
  trunk_.device.fails(ErrorCode::kUpstream);

  ASSERT_TRUE(trunk_.complete(trunk_.easy()));
  EXPECT_EQ(sent(trunk_.device.asked.front()), "Is it so?12");
  EXPECT_EQ(sent(trunk_.cloud.asked.front()), "Is it so?12");
}

TEST_F(StageTest, StageForTheCloudLeavesTheDeviceAlone) {
  first_.only = second_.only = chat::Destination::kCloud;

  ASSERT_TRUE(trunk_.complete(trunk_.in_lane(Lane::kLocal)));
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(trunk_.complete(trunk_.in_lane(Lane::kCloud))->answers.front().text(), "yes-2-1");
}

TEST_F(StageTest, NothingGoesOutWhereAStageFails) {
  second_.fails = true;

  EXPECT_EQ(trunk_.complete(trunk_.in_lane(Lane::kCloud)).error().message, "no 2");
  EXPECT_TRUE(trunk_.cloud.asked.empty());
  EXPECT_EQ(trunk_.records().front().attempts.front().error, "no 2");
}

TEST_F(StageTest, WhatObserversSeeIsTheAppsOwnRequest) {
  struct Reader final : Observer {
    bool wants_content(const Observed&) const override { return true; }
    void answered(const Observed& request, const chat::ChatAnswer& answer,
                  std::optional<double>) override {
      asked = sent(request.request);
      got = answer.text();
    }
    std::string asked;
    std::string got;
  } reader;
  trunk_.observers.add(reader);

  ASSERT_TRUE(trunk_.complete(trunk_.in_lane(Lane::kLocal)));
  EXPECT_EQ(reader.asked, "Is it so?");
  EXPECT_EQ(reader.got, "yes-2-1");
}

}  // namespace
}  // namespace minimill::serve
