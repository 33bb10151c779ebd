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

  const chat::Decision easy = router.decide(kEasy).value();
  const chat::Decision hard = router.decide(kHard).value();

  EXPECT_EQ(easy.lane, chat::Lane::kLocal);
  EXPECT_EQ(hard.lane, chat::Lane::kCloud);
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

  EXPECT_EQ(router.decide(input)->lane, chat::Lane::kLocal);
  input.forced = chat::Lane::kCloud;
  EXPECT_EQ(router.decide(input).error().code, ErrorCode::kForbidden);
  input.forced.reset();
  input.local_available = false;
  EXPECT_EQ(router.decide(input).error().code, ErrorCode::kUnavailable);
}

TEST(Router, FailuresSendAnOperationOutAndSuccessesBringItBack) {
  Router router;
  const RouteInput input =
      task("Tag this note", "Copy one of: a, b. Answer with only the tag. Note: x");
  ASSERT_EQ(router.decide(input)->lane, chat::Lane::kLocal);
  const std::string operation = router.recognise(input);
  EXPECT_EQ(operation, "tag-this-note");

  int failures = 0;
  while (router.decide(input)->lane == chat::Lane::kLocal && failures < 20) {
    router.learn(input, operation, false);
    ++failures;
  }
  EXPECT_LE(failures, 5);
  int successes = 0;
  while (router.decide(input)->lane == chat::Lane::kCloud && successes < 60) {
    router.learn(input, operation, true);
    ++successes;
  }
  EXPECT_LE(successes, 20);
}

TEST(Router, WrittenOffOperationIsTriedAgainNowAndThen) {
  Router router;
  const RouteInput input = task("Tag this note", "Copy one of: a, b. Note: x");
  const std::string operation = router.recognise(input);
  while (router.decide(input)->lane == chat::Lane::kLocal) router.learn(input, operation, false);

  int waited = 0;
  while (router.decide(input)->lane == chat::Lane::kCloud && waited < 100) {
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
  for (int i = 0; i < 10; ++i) router.learn(first, operation, false);

  std::vector<RouteInput> waiting;
  for (int i = 0; i < 30; ++i) {
    const std::string note(static_cast<std::size_t>(i + 1), static_cast<char>('a' + i % 26));
    waiting.push_back(task("Tag this note", "Copy one of: a, b. Note: " + note));
    router.recognise(waiting.back());
  }

  const auto tried = std::ranges::count_if(waiting, [&router](const RouteInput& each) {
    return router.decide(each)->lane == chat::Lane::kLocal;
  });
  EXPECT_EQ(tried, 1);
}

TEST(Router, ShortTextIsCalledShortAndALongOneLong) {
  const auto says = [](const std::string& what, std::string_view reason) {
    const chat::Decision decision = Router().decide(text(what)).value();
    return std::ranges::any_of(decision.reasons,
                               [reason](const chat::Reason& each) { return each.text == reason; });
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
  const chat::Decision decision = Router().decide(input).value();
  EXPECT_EQ(decision.lane, chat::Lane::kCloud);
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

/// Whatever is done to the router, in order: for replaying it.
struct Event {
  RouteInput input;
  std::string operation;
  bool ok = false;
};

TEST(Router, ReplayingTheSameEventsGivesTheSameDecisions) {
  std::vector<Event> events;
  for (int i = 0; i < 60; ++i) {
    RouteInput input = i % 2 == 0 ? task("Tag this note", "Note " + std::to_string(i))
                                  : text("Explain why number " + std::to_string(i) + " matters");
    input.model = i % 3 == 0 ? "small" : "other";
    events.push_back({.input = std::move(input), .operation = "tag-this-note", .ok = i % 4 != 0});
  }
  const auto replayed = [&events](Router router) {
    std::vector<chat::Decision> decisions;
    for (const Event& event : events) {
      router.recognise(event.input);
      decisions.push_back(router.decide(event.input).value());
      router.learn(event.input, event.operation, event.ok);
      router.learn_cloud(event.input, event.operation, true);
      router.audit(event.input, event.operation, !event.ok);
    }
    return decisions;
  };
  Router half;
  for (const Event& event : events) half.learn(event.input, event.operation, event.ok);
  const std::string state = half.save();

  EXPECT_EQ(replayed(Router()), replayed(Router()));
  EXPECT_EQ(replayed(Router::load(state, {}).value()), replayed(Router::load(state, {}).value()));
  EXPECT_EQ(replayed(Router::load(state, {}).value()), replayed(std::move(half)));
}

RouterOptions bounded(std::string operation = {}, std::string app = {}) {
  RouterOptions options;
  options.bounds.push_back({.app = std::move(app),
                            .operation = std::move(operation),
                            .risk = {.max_loss = 0.05, .confidence = 0.95}});
  return options;
}

TEST(QualityBound, SendsEverythingOutWhileEvidenceIsTooThinAndThenWhatItAllows) {
  Router router(bounded());
  EXPECT_EQ(router.decide(kEasy)->lane, chat::Lane::kCloud);
  EXPECT_EQ(router.decide(kEasy)->reasons.front().layer, "bound");
  EXPECT_EQ(router.bounds().at(0).missing, 59U);

  for (int i = 0; i < 60; ++i) router.audit(kEasy, "", false);

  EXPECT_EQ(router.bounds().at(0).missing, 0U);
  EXPECT_EQ(router.decide(kEasy)->lane, chat::Lane::kLocal);
}

TEST(QualityBound, IsKeptForTheAppOrOperationItWasPromisedTo) {
  Router router(bounded({}, "mail"));
  RouteInput mail = kEasy;
  mail.app = "mail";
  EXPECT_EQ(router.decide(mail)->lane, chat::Lane::kCloud);
  EXPECT_EQ(router.decide(kEasy)->lane, chat::Lane::kLocal);

  Router other(bounded("tag-this-note"));
  const RouteInput tag = task("Tag this note", "Copy one of: a, b. Answer with only the tag.");
  other.recognise(tag);
  EXPECT_EQ(other.decide(tag)->lane, chat::Lane::kCloud);
  EXPECT_EQ(other.decide(kEasy)->lane, chat::Lane::kLocal);
}

TEST(QualityBound, NeverOutweighsPrivacy) {
  Router router(bounded());
  RouteInput input = kEasy;
  input.privacy = policy::Privacy::kLocalOnly;
  EXPECT_EQ(router.decide(input)->lane, chat::Lane::kLocal);
}

TEST(QualityBound, EvidenceSurvivesARestart) {
  Router router(bounded());
  for (int i = 0; i < 60; ++i) router.audit(kEasy, "", false);
  const Router again = Router::load(router.save(), bounded()).value();
  EXPECT_EQ(again.bounds().at(0).audits, 60U);
  EXPECT_EQ(again.decide(kEasy)->lane, chat::Lane::kLocal);
}

TEST(Drift, SendsAnOperationOutThatStoppedWorkingAndSaysSo) {
  Router router;
  const RouteInput input = task("Tag this note", "Copy one of: a, b. Answer with only the tag.");
  const std::string operation = router.recognise(input);
  for (int i = 0; i < 60; ++i) router.learn(input, operation, true);
  ASSERT_EQ(router.decide(input)->lane, chat::Lane::kLocal);

  int failures = 1;
  while (!router.learn(input, operation, false)) ++failures;

  EXPECT_LE(failures, 8);
  EXPECT_EQ(router.decide(input)->lane, chat::Lane::kCloud);
}

TEST(Drift, OfOneOperationSaysNothingOfTheOthers) {
  Router router;
  const RouteInput tag = task("Tag this note", "Copy one of: a, b. Answer with only the tag.");
  const RouteInput copy = task("Copy this number", "Copy the number. Answer with only it: 12");
  for (const RouteInput& each : {tag, copy}) {
    const std::string operation = router.recognise(each);
    for (int i = 0; i < 60; ++i) router.learn(each, operation, true);
  }
  while (!router.learn(tag, "tag-this-note", false)) {
  }
  RouteInput unchecked = copy;
  unchecked.verifiable = false;
  EXPECT_EQ(router.decide(unchecked)->lane, chat::Lane::kLocal);
}

TEST(LocalModels, ANewOneStartsFromWhatTheOthersTaught) {
  Router router;
  RouteInput seen = text("Translate this sentence to Klingon: good morning");
  seen.model = "first";
  const double before = router.estimate(seen).local;
  for (int i = 0; i < 20; ++i) router.learn(seen, "", false);
  RouteInput by_new = seen;
  by_new.model = "second";

  const double of_new = router.estimate(by_new).local;
  EXPECT_LT(of_new, before);
  EXPECT_LT(router.estimate(seen).local, of_new + 0.05);

  for (int i = 0; i < 20; ++i) router.learn(by_new, "", true);
  EXPECT_GT(router.estimate(by_new).local, router.estimate(seen).local);
}

TEST(Router, WhateverItWasToldCanBeReadBack) {
  Router router;
  RouteInput input = task(std::string(3000, 'x') + std::string(3000, '\xc3'), "note");
  for (int i = 0; i < 2000; ++i) input.title += "\u00e9";
  input.model = std::string(10'000, 'm');
  router.learn(input, router.recognise(input), true);
  const Result<Router> again = Router::load(router.save(), {});
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->operations().size(), 1U);
}

TEST(QualityBound, ManyThatWereChangedLeaveAStateThatCanBeReadBack) {
  std::string state = Router().save();
  for (int i = 0; i < 100; ++i) {
    Router router = Router::load(state, bounded({}, "app-" + std::to_string(i))).value();
    RouteInput input = kEasy;
    input.app = "app-" + std::to_string(i);
    router.audit(input, "", false);
    EXPECT_EQ(router.bounds().at(0).audits, 1U);
    state = router.save();
  }
}

TEST(Router, MeetingAWorkIsRecognisingItAndDecidingIt) {
  Router met;
  Router apart;
  for (const RouteInput& each : {task("Tag this note", "Note: x"), kEasy, kHard}) {
    apart.recognise(each);
    EXPECT_EQ(met.meet(each).value(), apart.decide(each).value());
  }
  EXPECT_EQ(met.operations().size(), 1U);
}

TEST(LocalModels, OnlySoManyAreRemembered) {
  Router router;
  for (int i = 0; i < 20; ++i) {
    RouteInput input = kEasy;
    input.model = "model-" + std::to_string(i);
    router.learn(input, "", true);
  }
  EXPECT_LE(router.models().size(), 6U);
  EXPECT_LT(router.save().size(), std::size_t{16} << 20);
}

TEST(Operations, SeveralRequestsAlikeMakeOneOfTheirOwn) {
  Router router;
  const std::vector<std::string> mails{"the pallets arrived broken", "my invoice is wrong",
                                       "when does the truck come",   "please cancel the order",
                                       "the steel has rust on it",   "where is my delivery"};
  std::string operation;
  for (const std::string& mail : mails) {
    operation = router.recognise(text(
        "Classify the following customer mail as complaint, question or order. Mail: " + mail));
  }
  EXPECT_EQ(operation, "classify-the-following-customer-mail-as");
  EXPECT_EQ(router.operation_of(text("Classify the following customer mail as complaint, question "
                                     "or order. Mail: nobody answers the phone")),
            operation);
  EXPECT_EQ(router.operation_of(text("Write a poem about the sea")), "");
}

TEST(Padding, RepeatingACueMovesTheEstimateNoFurtherThanSayingItAFewTimes) {
  const Router router;
  RouteInput few = kHard;
  RouteInput many = kHard;
  for (int i = 0; i < 5; ++i) few.text += " Answer with only the word.";
  for (int i = 0; i < 500; ++i) many.text += " Answer with only the word.";
  EXPECT_LE(router.estimate(many).local, router.estimate(few).local + 0.15);
  EXPECT_EQ(router.decide(many)->lane, chat::Lane::kCloud);
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
