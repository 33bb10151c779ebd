#include "route/router.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/sha256.h"
#include "route/prior/fit_prior.h"

namespace minimill::route {
namespace {

RouteInput text(std::string what) {
  RouteInput input;
  input.text = std::move(what);
  return input;
}

RouteInput task(std::string title, std::string notes) {
  RouteInput input = text(title + "\n\n" + notes);
  input.title = std::move(title);
  input.verifiable = true;
  return input;
}

const RouteInput kEasy =
    text("Copy the order number from this mail. Answer with only the number: 55-201");
const RouteInput kHard =
    text("Prove it step by step, show your reasoning, compare two designs and justify the plan");

TEST(Router, EasyStaysAndHardGoesOutAndBothSayWhy) {
  const Router router;

  const Decision easy = router.decide(kEasy).value();
  const Decision hard = router.decide(kHard).value();

  EXPECT_EQ(easy.lane, Lane::kLocal);
  EXPECT_EQ(hard.lane, Lane::kCloud);
  EXPECT_FALSE(easy.reasons.empty());
  EXPECT_EQ(hard.reasons.front().text, "it asks for reasoning, step by step");
  EXPECT_LT(hard.reasons.front().weight, 0);
}

TEST(Router, SameStateAndInputGiveTheSameDecision) {
  Router router;
  router.learn(kEasy, router.recognise(kEasy), false);
  EXPECT_EQ(router.decide(kHard).value(), router.decide(kHard).value());
  EXPECT_EQ(Router::load(router.save(), {}).value().decide(kHard).value(),
            router.decide(kHard).value());
}

TEST(Router, PrivacyIsNeverOutweighed) {
  Router router({.threshold = 1.0, .threshold_checked = 1.0, .bounds = {}});
  for (int i = 0; i < 50; ++i) router.learn(kHard, "", false);
  RouteInput input = kHard;
  input.privacy = policy::Privacy::kLocalOnly;

  EXPECT_EQ(router.decide(input)->lane, Lane::kLocal);
  input.forced = Lane::kCloud;
  EXPECT_EQ(router.decide(input).error().code, ErrorCode::kForbidden);
  input.forced.reset();
  input.local_available = false;
  EXPECT_EQ(router.decide(input).error().code, ErrorCode::kUnavailable);
}

TEST(Router, FailuresSendAnOperationOutAndSuccessesBringItBack) {
  Router router;
  const RouteInput input =
      task("Tag this note", "Copy one of: a, b. Answer with only the tag. Note: x");
  ASSERT_EQ(router.decide(input)->lane, Lane::kLocal);
  const std::string operation = router.recognise(input);
  EXPECT_EQ(operation, "tag-this-note");

  int failures = 0;
  while (router.decide(input)->lane == Lane::kLocal && failures < 20) {
    router.learn(input, operation, false);
    ++failures;
  }
  EXPECT_LE(failures, 5);
  int successes = 0;
  while (router.decide(input)->lane == Lane::kCloud && successes < 60) {
    router.learn(input, operation, true);
    ++successes;
  }
  EXPECT_LE(successes, 20);
}

TEST(Router, WrittenOffOperationIsTriedAgainNowAndThen) {
  Router router;
  const RouteInput input = task("Tag this note", "Copy one of: a, b. Note: x");
  const std::string operation = router.recognise(input);
  while (router.decide(input)->lane == Lane::kLocal) router.learn(input, operation, false);

  int waited = 0;
  while (router.decide(input)->lane == Lane::kCloud && waited < 100) {
    router.recognise(input);
    ++waited;
  }

  EXPECT_EQ(waited, 20);
  EXPECT_EQ(router.decide(input)->reasons.front().layer, "exploration");
}

TEST(Router, OneOfManyWaitingWorksIsTriedAndNotAllOfThem) {
  Router router;
  const RouteInput first = task("Tag this note", "Copy one of: a, b. Note: x");
  const std::string operation = router.recognise(first);
  while (router.decide(first)->lane == Lane::kLocal) router.learn(first, operation, false);

  std::vector<RouteInput> waiting;
  for (int i = 0; i < 30; ++i) {
    const std::string note(static_cast<std::size_t>(i + 1), static_cast<char>('a' + i % 26));
    waiting.push_back(task("Tag this note", "Copy one of: a, b. Note: " + note));
    router.recognise(waiting.back());
  }

  const auto tried = std::ranges::count_if(waiting, [&router](const RouteInput& each) {
    return router.decide(each)->lane == Lane::kLocal;
  });
  EXPECT_EQ(tried, 1);
}

TEST(Router, ShortTextIsCalledShortAndALongOneLong) {
  const auto says = [](const std::string& what, std::string_view reason) {
    const Decision decision = Router().decide(text(what)).value();
    return std::ranges::any_of(decision.reasons,
                               [reason](const Reason& each) { return each.text == reason; });
  };
  EXPECT_FALSE(says("Say hello.", "it is long"));
  EXPECT_FALSE(says("Say hello.", "it has many lines"));
  std::string pages;
  for (int i = 0; i < 2000; ++i) pages += "and so the story goes on\n";
  EXPECT_TRUE(says(pages, "it is long"));
}

TEST(Router, WhatDoesNotFitTheLocalContextGoesOut) {
  RouteInput input = text(std::string(100'000, 'x'));
  input.local_context_tokens = 4096;
  const Decision decision = Router().decide(input).value();
  EXPECT_EQ(decision.lane, Lane::kCloud);
  EXPECT_EQ(decision.reasons.front().layer, "capacity");
}

TEST(Router, ReadsABoundedPartOfAnyText) {
  const Features features = extract_features(text(std::string(10 << 20, 'a') + " end of it"));
  EXPECT_LE(features.words.size(), 20'000U);
  EXPECT_LE(features.characters.size(), 2048U);
}

TEST(Router, AnyBytesAreDecided) {
  const Router router;
  for (const std::string& what :
       {std::string(), std::string(5000, '\0'), std::string("\xff\xfe\x80", 3),
        std::string("\u6f22\u5b57\u3068\u304b\u306a"), std::string(3000, ' ')}) {
    EXPECT_TRUE(router.decide(text(what)).has_value());
  }
}

TEST(Router, StateOfAnOlderVersionIsRefusedByName) {
  std::string state = Router().save().substr(64);
  state.replace(0, state.find('\n'), "minimill-router 1");
  const Error error = Router::load(sha256_hex(state) + state, {}).error();
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_NE(error.message.find("another version"), std::string::npos);
}

TEST(Router, DamagedStateIsRefused) {
  Router router;
  router.recognise(task("A", "b"));
  std::string state = router.save();
  EXPECT_LT(state.size(), std::size_t{16} << 20);
  state[state.size() / 2] ^= 1;
  EXPECT_EQ(Router::load(state, {}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(Router::load(state.substr(0, 50), {}).error().code, ErrorCode::kCorrupt);
}

TEST(Prior, ShippedNumbersAreWhatTheToolGives) {
  const auto examples = read_examples(MINIMILL_PRIOR_PROMPTS);
  ASSERT_TRUE(examples.has_value()) << examples.error().message;

  const Prior fitted = fit_prior(*examples);

  EXPECT_NEAR(fitted.bias, shipped_prior().bias, 1e-3);
  for (std::size_t i = 0; i < kDenseCount; ++i)
    EXPECT_NEAR(fitted.dense[i], shipped_prior().dense[i], 1e-3) << feature_name(i).id;
}

TEST(Prior, OrdersPromptsItHasNotSeen) {
  const auto examples = read_examples(MINIMILL_PRIOR_PROMPTS).value();
  std::vector<Example> seen;
  std::vector<Example> held_out;
  for (std::size_t i = 0; i < examples.size(); ++i)
    (i % 5 == 0 || i % 5 == 3 ? held_out : seen).push_back(examples[i]);
  const Prior prior = fit_prior(seen);
  int pairs = 0;
  int right = 0;
  for (const Example& good : held_out) {
    for (const Example& bad : held_out) {
      if (!good.local_ok || bad.local_ok) continue;
      ++pairs;
      right += prior_score(prior, good.features) > prior_score(prior, bad.features) ? 1 : 0;
    }
  }
  ASSERT_GT(pairs, 0);
  EXPECT_GE(static_cast<double>(right) / pairs, 0.85);  // the area under the ROC curve
}

}  // namespace
}  // namespace minimill::route
