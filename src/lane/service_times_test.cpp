#include "lane/service_times.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace minimill::lane {
namespace {

using chat::Lane;

/// A model that reads 2,000 tokens a second and writes 50.
ServiceSample sample(std::int64_t prompt, std::int64_t answer, std::string_view operation = "") {
  return {.lane = Lane::kLocal,
          .model = "m",
          .operation = operation,
          .prompt_tokens = prompt,
          .answer_tokens = answer,
          .seconds = 0.2 + static_cast<double>(prompt) / 2000 + static_cast<double>(answer) / 50};
}

TEST(ServiceTimes, LearnsAModelsSpeed) {
  ServiceTimes times;
  std::minstd_rand random(1);
  for (int i = 0; i < 200; ++i) {
    times.learn(sample(static_cast<std::int64_t>(100 + random() % 3000), 40 + random() % 200, "a"));
  }
  for (int i = 0; i < 30; ++i) times.learn(sample(500, 100, "b"));

  const ServicePrediction predicted = times.predict(Lane::kLocal, "m", "b", 500, 0);

  EXPECT_NEAR(predicted.answer_tokens, 100, 10);
  EXPECT_NEAR(predicted.seconds, 0.2 + 0.25 + 2, 0.3);
}

TEST(ServiceTimes, LongPromptTakesLonger) {
  ServiceTimes times;
  std::minstd_rand random(1);
  for (int i = 0; i < 200; ++i) {
    times.learn(sample(static_cast<std::int64_t>(100 + random() % 3000), 100, "a"));
  }

  EXPECT_GT(times.predict(Lane::kLocal, "m", "a", 4000, 0).seconds,
            times.predict(Lane::kLocal, "m", "a", 100, 0).seconds + 1.5);
}

TEST(ServiceTimes, FollowsAMachineThatGetsBusy) {
  ServiceTimes times;
  for (int i = 0; i < 200; ++i) times.learn(sample(500, 100, "a"));
  const double before = times.predict(Lane::kLocal, "m", "a", 500, 0).seconds;
  ServiceSample slow = sample(500, 100, "a");
  slow.seconds *= 3;

  for (int i = 0; i < 60; ++i) times.learn(slow);

  EXPECT_GT(times.predict(Lane::kLocal, "m", "a", 500, 0).seconds, 2 * before);
}

TEST(ServiceTimes, LimitOnTheAnswerBoundsItsTime) {
  ServiceTimes times;
  for (int i = 0; i < 50; ++i) times.learn(sample(100, 1000, "essay"));

  EXPECT_LT(times.predict(Lane::kLocal, "m", "essay", 100, 10).seconds,
            times.predict(Lane::kLocal, "m", "essay", 100, 0).seconds / 5);
}

TEST(ServiceTimes, NothingIsLearntFromWhatCannotBe) {
  ServiceTimes times;
  const double before = times.predict(Lane::kCloud, "m", "a", 100, 100).seconds;

  for (const double seconds : {-1.0, 0.0, 1e9, std::numeric_limits<double>::quiet_NaN(),
                               std::numeric_limits<double>::infinity()}) {
    times.learn({.lane = Lane::kCloud, .model = "m", .operation = "a", .seconds = seconds});
  }

  EXPECT_EQ(times.predict(Lane::kCloud, "m", "a", 100, 100).seconds, before);
}

TEST(ServiceTimes, AnyHistoryGivesATimeThatCanBe) {
  std::mt19937_64 random(3);
  ServiceTimes times;
  for (int i = 0; i < 20'000; ++i) {
    times.learn({.lane = random() % 2 == 0 ? Lane::kLocal : Lane::kCloud,
                 .model = std::to_string(random() % 3000),
                 .operation = std::to_string(random() % 5000),
                 .prompt_tokens = static_cast<std::int64_t>(random() % 200'000),
                 .answer_tokens = static_cast<std::int64_t>(random() % 20'000),
                 .seconds = static_cast<double>(random() % 100'000) / 100});
    const double predicted =
        times
            .predict(Lane::kLocal, std::to_string(random() % 3000), std::to_string(random() % 5000),
                     static_cast<std::int64_t>(random() % 1'000'000), 0)
            .seconds;
    ASSERT_GT(predicted, 0);
    ASSERT_LE(predicted, 86'400);
  }
}

}  // namespace
}  // namespace minimill::lane
