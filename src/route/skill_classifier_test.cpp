#include "route/skill_classifier.h"

#include <gtest/gtest.h>

#include "route/features.h"

namespace minimill::route {
namespace {

Features text(std::string what) {
  RouteInput input;
  input.text = std::move(what);
  return extract_features(input);
}

/// Three operations, a handful of examples each.
SkillClassifier taught() {
  SkillClassifier skills;
  const std::array<std::vector<std::string>, 3> examples{{
      {"what is the weather in berlin tomorrow", "will it rain in paris this weekend",
       "is it going to be sunny in rome today", "how cold will it be in oslo tonight",
       "weather forecast for madrid please"},
      {"transfer fifty euros to my savings account", "move money from checking to savings",
       "please send 20 dollars to my other account", "transfer 300 to the joint account",
       "move 15 euros to savings"},
      {"set an alarm for seven in the morning", "wake me up at half past six",
       "please set my alarm for nine tomorrow", "i need an alarm at five thirty",
       "set the alarm to eight"},
  }};
  for (int pass = 0; pass < 3; ++pass) {
    for (std::size_t i = 0; i < examples[0].size(); ++i) {
      for (std::size_t which = 0; which < examples.size(); ++which) {
        skills.learn(text(examples[which][i]), static_cast<OperationIndex>(which), pass == 0);
      }
    }
  }
  return skills;
}

TEST(SkillClassifier, KnowsAnOperationFromAHandfulOfExamples) {
  const SkillClassifier skills = taught();
  const auto weather = skills.recognise(text("what will the weather be like in london tomorrow"));
  const auto money = skills.recognise(text("transfer 70 euros to savings"));
  ASSERT_TRUE(weather.known);
  EXPECT_EQ(weather.candidates[0].operation, 0);
  ASSERT_TRUE(money.known);
  EXPECT_EQ(money.candidates[0].operation, 1);
}

TEST(SkillClassifier, SaysUnknownWhereNothingIsFamiliar) {
  const SkillClassifier skills = taught();
  EXPECT_FALSE(skills.recognise(text("explain quantum chromodynamics")).known);
  EXPECT_FALSE(skills.recognise(text("\u6f22\u5b57\u3068\u304b\u306a")).known);
  EXPECT_FALSE(skills.recognise(text("")).known);
  EXPECT_FALSE(SkillClassifier().recognise(text("anything")).known);
}

TEST(SkillClassifier, CandidatesComeBestFirstAndShareTheBeliefWithTheUnknown) {
  const auto found = taught().recognise(text("set an alarm for the weather in berlin"));
  double believed = 0;
  for (std::size_t i = 0; i < found.count; ++i) {
    believed += found.candidates[i].share;
    EXPECT_LE(found.candidates[i].score, found.candidates[i == 0 ? 0 : i - 1].score);
  }
  EXPECT_GT(believed, 0);
  EXPECT_LT(believed, 1);
}

TEST(SkillClassifier, ANewOperationDoesNotBlurTheOthers) {
  SkillClassifier skills = taught();
  for (const char* what : {"play some jazz", "play the next song", "turn up the music"}) {
    skills.learn(text(what), 3);
  }
  EXPECT_EQ(skills.recognise(text("play some music")).candidates[0].operation, 3);
  EXPECT_EQ(skills.recognise(text("wake me up at six")).candidates[0].operation, 2);
}

TEST(SkillClassifier, WhatIsNoneOfThemIsRefusedAfterwards) {
  SkillClassifier skills = taught();
  const Features like_weather = text("what is the weather like on jupiter");
  for (int i = 0; i < 5; ++i) skills.learn_none(like_weather);
  EXPECT_FALSE(skills.recognise(like_weather).known);
}

TEST(SkillClassifier, AForgottenOperationIsNotRecognised) {
  SkillClassifier skills = taught();
  skills.clear(2);
  EXPECT_FALSE(skills.recognise(text("set an alarm for seven in the morning")).known);
}

TEST(SkillClassifier, StateGivesTheSameAnswers) {
  const SkillClassifier skills = taught();
  std::string state;
  skills.append_state(state);
  SkillClassifier read;
  std::string_view bytes = state;
  ASSERT_TRUE(read.take_state(bytes).has_value());
  EXPECT_TRUE(bytes.empty());
  const Features asked = text("will it snow in vienna");
  EXPECT_EQ(read.recognise(asked).candidates[0].score, skills.recognise(asked).candidates[0].score);
}

}  // namespace
}  // namespace minimill::route
