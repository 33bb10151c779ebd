#include "distill/ladder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "distill/micro_backend.h"
#include "support/event_loop.h"
#include "support/temp_dir.h"

namespace minimill::distill {
namespace {

constexpr std::string_view kOperation = "triage-this-mail";

/// A ladder in a folder, and requests of one operation to learn from.
class LadderTest : public testing::Test {
 protected:
  LadderTest() { open(); }

  void open() {
    ladder_.reset();
    Result<std::unique_ptr<Ladder>> opened = Ladder::open(loop_.io(), clock_, folder_.path());
    ASSERT_TRUE(opened) << opened.error().to_string();
    ladder_ = std::move(*opened);
  }

  void close() { loop_.run(ladder_->stop()); }

  static std::string queue_of(int i) { return i % 2 == 0 ? "change_pin" : "card_arrival"; }

  static std::string mail(int i) {
    static constexpr std::array kPin{"how do I change my pin", "set another pin code for me",
                                     "my pin must be new", "where is the pin changed"};
    static constexpr std::array kCard{"my card has not arrived", "when does the card come by post",
                                      "still waiting for the card", "is the card sent out"};
    const auto which = static_cast<std::size_t>(i / 2) % kPin.size();
    return std::string(i % 2 == 0 ? kPin[which] : kCard[which]) + ", " +
           std::string(1, static_cast<char>('a' + i % 23)) + " writes on day " +
           std::string(1, static_cast<char>('k' + i % 7));
  }

  static policy::Request request(const std::string& text,
                                 std::string_view answers = "change_pin, card_arrival") {
    chat::RequestParts parts;
    parts.model = "auto";
    parts.messages.push_back(chat::text_message(
        chat::Role::kUser, "Mail: " + text + "\n\nWhich queue? Answer with exactly one of: " +
                               std::string(answers) + "."));
    policy::Request made;
    made.chat = chat::ChatRequest(std::move(parts));
    made.app = "tasks";
    made.origin = chat::Origin::kTask;
    made.verifiable = true;
    return made;
  }

  void answer(const policy::Request& asked, const std::string& said, const std::string& right,
              chat::Lane lane = chat::Lane::kCloud, std::string_view model = "sim-large") {
    const RequestId id{"req_" + std::to_string(++requests_)};
    const route::RouteInput input = route::route_input(asked.chat);
    ladder_->checked({.id = id,
                      .request = asked,
                      .input = input,
                      .operation = kOperation,
                      .model = model,
                      .lane = lane,
                      .answer = said,
                      .passed = said == right,
                      .check = [right](std::string_view other) { return other == right; }});
  }

  void learn(int count) {
    for (int i = 0; i < count; ++i) {
      answer(request(mail(i)), queue_of(i), queue_of(i));
      loop_.poll();
    }
    ASSERT_TRUE(loop_.until([&] { return offer(request(mail(1))).answer.has_value(); }));
  }

  serve::Offer offer(const policy::Request& asked) {
    return ladder_->offer(asked, route::route_input(asked.chat), kOperation);
  }

  std::string files() const {
    std::string all;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (!file.is_regular_file()) continue;
      std::ifstream in(file.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    return all;
  }

  test::EventLoop loop_;
  ManualClock clock_;
  test::TempDir folder_;
  std::unique_ptr<Ladder> ladder_;
  int requests_ = 0;
};

TEST_F(LadderTest, AnswersAnOperationOnceItHasLearntItAndSaysWhy) {
  EXPECT_FALSE(offer(request(mail(1))).answer);
  learn(60);

  const serve::Offer known = offer(request(mail(3)));

  EXPECT_EQ(known.answer, "card_arrival");
  EXPECT_NE(known.why.find("learnt from 60 answers"), std::string::npos) << known.why;
  close();
}

TEST_F(LadderTest, LeavesRequestsWithAnotherListOfAnswersAndThoseThatNameALaneAlone) {
  learn(60);
  policy::Request named = request(mail(3));
  named.choice.lane = chat::Lane::kLocal;

  const serve::Offer novel = offer(request(mail(3), "post, security, treasury"));

  EXPECT_FALSE(novel.answer);
  EXPECT_NE(novel.why.find("novel"), std::string::npos) << novel.why;
  EXPECT_FALSE(offer(named).answer);
  close();
}

TEST_F(LadderTest, KnowsAfterARestartWhatItHadLearnt) {
  learn(60);
  close();
  open();

  EXPECT_EQ(offer(request(mail(3))).answer, "card_arrival");
  EXPECT_EQ(ladder_->skill("tasks", kOperation)->examples, 60);
  close();
}

TEST_F(LadderTest, LearnsNothingOfWhatIsNotKeptAndCountsIt) {
  const KeepRule nothing{.what = KeepRule::What::kNothing};
  ASSERT_TRUE(loop_.run(ladder_->keep("tasks", nothing)));
  for (int i = 0; i < 20; ++i) answer(request(mail(i)), queue_of(i), queue_of(i));

  EXPECT_TRUE(ladder_->skills().empty());
  ASSERT_EQ(ladder_->missed().size(), 1);
  EXPECT_EQ(ladder_->missed()[0].answers, 20);
  close();
  EXPECT_EQ(files().find("Which queue?"), std::string::npos);
}

TEST_F(LadderTest, WhatMayNotLeaveTheDeviceIsLearntFromOnlyWhereTheUserSaysSo) {
  policy::Request asked = request(mail(1));
  asked.privacy = policy::Privacy::kLocalOnly;
  answer(asked, "card_arrival", "card_arrival", chat::Lane::kLocal);
  EXPECT_TRUE(ladder_->skills().empty());

  const KeepRule also{.local_only = true};
  ASSERT_TRUE(loop_.run(ladder_->keep("tasks", also)));
  answer(asked, "card_arrival", "card_arrival", chat::Lane::kLocal);

  EXPECT_EQ(ladder_->skills().size(), 1);
  close();
}

TEST_F(LadderTest, PurgeTakesTracesAndWhatWasLearntFromThem) {
  learn(60);
  answer(request("quokkamark"), "change_pin", "change_pin");
  ASSERT_TRUE(loop_.until([&] { return files().find("quokkamark") != std::string::npos; }));

  const Result<std::size_t> gone = loop_.run(ladder_->purge({.app = "tasks"}));

  ASSERT_TRUE(gone) << gone.error().to_string();
  EXPECT_EQ(*gone, 61);
  EXPECT_EQ(files().find("quokkamark"), std::string::npos);
  EXPECT_FALSE(offer(request(mail(3))).answer);
  close();
  EXPECT_EQ(files().find("card_arrival"), std::string::npos);
}

TEST_F(LadderTest, AnswersThatKeepGoingWrongDemoteIt) {
  learn(60);
  for (int i = 0; i < 40; ++i) ladder_->audited("tasks", kOperation, false);

  EXPECT_EQ(ladder_->skill("tasks", kOperation)->state, "demoted");
  policy::Request unchecked = request(mail(3));
  unchecked.verifiable = false;
  EXPECT_FALSE(offer(unchecked).answer);
  close();
}

TEST_F(LadderTest, PinnedToTheCloudAnswersNothing) {
  learn(60);
  ASSERT_TRUE(loop_.run(ladder_->pin("tasks", std::string(kOperation), true)));
  EXPECT_FALSE(offer(request(mail(3))).answer);
  close();
  open();
  EXPECT_FALSE(offer(request(mail(3))).answer);
  EXPECT_FALSE(loop_.run(ladder_->pin("tasks", "unheard-of", true)));
  close();
}

}  // namespace
}  // namespace minimill::distill
