#include "distill/learner.h"

#include <gtest/gtest.h>

#include <map>

#include "distill/shuffler.h"
#include "distill/test_data.h"

namespace minimill::distill {
namespace {

constexpr std::string_view kList = "card, pin, refund";

std::string request(const std::string& mail, std::string_view list = kList) {
  return "Triage this mail\n\nFrom: customer\n\n" + mail +
         "\n\nWhich queue? Answer with exactly one of: " + std::string(list) + ".";
}

struct Mail {
  std::string text;
  std::string answer;
};

/// Mails that a few words decide, each other than the others.
Mail mail(Shuffler& random) {
  static const std::vector<std::string> kPeople{"my sister", "my boss",  "a friend", "our club",
                                                "my mother", "the firm", "my aunt",  "my son"};
  static const std::vector<std::string> kTimes{
      "today",   "last week", "on Monday",    "since May",  "yesterday",
      "at noon", "for days",  "this morning", "in the end", "all year"};
  static const std::vector<Mail> kKinds{
      {"the card did not arrive", "card"}, {"a new card was ordered", "card"},
      {"the pin was forgotten", "pin"},    {"wants another pin code", "pin"},
      {"wants the money back", "refund"},  {"a refund was promised", "refund"}};
  const Mail& kind = kKinds[random.below(kKinds.size())];
  return {.text = "For " + kPeople[random.below(8)] + " " + kind.text + " " +
                  kTimes[random.below(10)] + " by " + kPeople[random.below(8)],
          .answer = kind.answer};
}

struct Life {
  int answered = 0;
  int wrong = 0;
};

/// Lives so many mails without checks; `teacher` may give another answer than the right one.
Life live(OperationLearner& learner, Shuffler& random, int count,
          const std::function<std::string(const Mail&)>& teacher) {
  Life life;
  for (int i = 0; i < count; ++i) {
    const Mail each = mail(random);
    const auto verdict = learner.predict(request(each.text), false);
    if (verdict.answer) {
      ++life.answered;
      life.wrong += *verdict.answer != each.answer ? 1 : 0;
    }
    learner.learn({.request = request(each.text), .answer = teacher(each)}, nullptr);
    if (learner.due()) learner.adopt(OperationLearner::train(learner.training_set()));
  }
  return life;
}

std::string honest(const Mail& mail) { return mail.answer; }

TEST(Learner, AnswersWhatItHasProvenAndNothingBefore) {
  Shuffler random(1);
  OperationLearner learner;

  const Life young = live(learner, random, 50, honest);
  const Life grown = live(learner, random, 150, honest);
  const Life old = live(learner, random, 100, honest);

  EXPECT_EQ(young.answered, 0);
  EXPECT_GE(old.answered, 80);
  EXPECT_LE(grown.wrong + old.wrong, 5);
}

TEST(Learner, WhatItHasNotSeenIsNovelAndSaysWhy) {
  Shuffler random(1);
  OperationLearner learner;
  live(learner, random, 250, honest);
  const Mail each = mail(random);

  EXPECT_TRUE(learner.predict(request(each.text), false).answer);
  EXPECT_EQ(learner.predict(request(each.text, "card, pin, refund, other"), false).reason,
            Abstention::kNovelTemplate);
  EXPECT_EQ(learner.predict(each.text, false).reason, Abstention::kNovelTemplate);
  EXPECT_EQ(learner.predict(request("For zwölf Boxkämpfer jagen Viktor quer"), false).reason,
            Abstention::kNovelText);
  EXPECT_EQ(OperationLearner().predict(request("x"), false).reason, Abstention::kNotLearnt);
}

TEST(Learner, ATeacherOfWhichATenthIsWrongPromotesNothing) {
  Shuffler random(2);
  OperationLearner learner;
  Shuffler poison(3);

  const Life life = live(learner, random, 400, [&poison](const Mail& mail) {
    return poison.below(10) == 0 ? std::string("pin") : mail.answer;
  });

  EXPECT_EQ(life.wrong, 0);
}

TEST(Learner, ATeacherThatSaysTheSameToEverythingPromotesNothing) {
  Shuffler random(2);
  OperationLearner learner;

  const Life life = live(learner, random, 300, [](const Mail&) { return "card"; });

  EXPECT_EQ(life.answered, 0);
}

TEST(Learner, WhatIsLiveIsDemotedWhenTheTeacherTurns) {
  Shuffler random(4);
  OperationLearner learner;
  live(learner, random, 250, honest);
  ASSERT_GE(live(learner, random, 50, honest).answered, 30);

  live(learner, random, 20, [](const Mail&) { return "refund"; });

  EXPECT_EQ(live(learner, random, 100, [](const Mail&) { return "refund"; }).answered, 0);
}

TEST(Learner, AuditsThatFailDemote) {
  Shuffler random(5);
  OperationLearner learner;
  live(learner, random, 300, honest);
  const Mail each = mail(random);
  ASSERT_TRUE(learner.predict(request(each.text), false).answer);

  for (int i = 0; i < 6; ++i) learner.audit(false);

  EXPECT_EQ(learner.predict(request(each.text), false).reason, Abstention::kDemoted);
}

TEST(Learner, GoesOnTrialAfterTwentyWhereTheCheckCatchesWrongAnswers) {
  Shuffler random(6);
  OperationLearner learner;
  for (int i = 0; i < 40; ++i) {
    const Mail each = mail(random);
    const OperationLearner::Judge judge = [&each](std::string_view a) { return a == each.answer; };
    learner.learn(
        {.request = request(each.text), .answer = each.answer, .teacher = Teacher::kRight}, &judge);
    if (learner.due()) learner.adopt(OperationLearner::train(learner.training_set()));
    EXPECT_TRUE(i >= 19 || !learner.predict(request(each.text), true).answer);
  }

  const auto verdict = learner.predict(request(mail(random).text), true);
  EXPECT_TRUE(verdict.answer);
  EXPECT_TRUE(verdict.on_trial);
  EXPECT_FALSE(learner.predict(request(mail(random).text), false).answer);
}

TEST(Learner, ACheckThatPassesEverythingAllowsNoTrial) {
  Shuffler random(6);
  OperationLearner learner;
  const OperationLearner::Judge blind = [](std::string_view) { return true; };
  for (int i = 0; i < 60; ++i) {
    const Mail each = mail(random);
    learner.learn(
        {.request = request(each.text), .answer = each.answer, .teacher = Teacher::kRight}, &blind);
    if (learner.due()) learner.adopt(OperationLearner::train(learner.training_set()));
    EXPECT_FALSE(learner.predict(request(each.text), true).on_trial);
  }
}

TEST(Learner, ReadBackItAnswersAsBeforeAndHoldsNoTexts) {
  Shuffler random(7);
  OperationLearner learner;
  live(learner, random, 300, honest);
  const Mail each = mail(random);

  const std::string bytes = learner.encode();
  const Result<OperationLearner> back = OperationLearner::decode(bytes);

  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->predict(request(each.text), false).answer,
            learner.predict(request(each.text), false).answer);
  EXPECT_EQ(bytes.find("sister"), std::string::npos);
  EXPECT_FALSE(OperationLearner::decode(bytes.substr(0, bytes.size() - 1)));
}

TEST(Learner, WhatIsForgottenGoesWithTheModelLearntFromIt) {
  Shuffler random(8);
  OperationLearner learner;
  live(learner, random, 60, honest);

  const std::size_t gone = learner.forget([](const Lesson& lesson) {
    return lesson.request.find("my sister") != std::string_view::npos;
  });

  EXPECT_GT(gone, 0U);
  EXPECT_EQ(learner.model(), nullptr);
  learner.adopt(OperationLearner::train(learner.training_set()));
  EXPECT_NE(learner.model(), nullptr);
}

TEST(Learner, AWeekOfTasksIsMostlyLocalByItsFourthDay) {
  const auto tasks = shared_rows("tasks/week.jsonl");
  MINIMILL_SKIP_WITHOUT(tasks, "week.jsonl");
  std::map<std::string, OperationLearner> learners;
  std::map<std::int64_t, int> local;
  for (const auto& task : tasks) {
    const auto& check = task.at("check").as_object();
    const std::string title = text_of(task.at("title"));
    const std::string right = text_of(check.at("value"));
    const std::string text = title + "\n\n" + text_of(task.at("notes"));
    const OperationLearner::Judge judge = [&](std::string_view answer) {
      boost::system::error_code error;
      if (check.at("type") != "json_fields") return answer == right;
      return boost::json::parse(answer, error) == check.at("value") && !error;
    };
    OperationLearner& learner = learners[title];
    const auto verdict = learner.predict(text, true);
    if (verdict.answer && judge(*verdict.answer)) ++local[task.at("day").as_int64()];
    learner.learn({.request = text, .answer = right, .teacher = Teacher::kRight}, &judge);
    if (learner.due()) learner.adopt(OperationLearner::train(learner.training_set()));
  }
  EXPECT_GE(local[1], 35);
  EXPECT_GE(local[3], 50);
  EXPECT_GE(local[6], 60);
}

}  // namespace
}  // namespace minimill::distill
