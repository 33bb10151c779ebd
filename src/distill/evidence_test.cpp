#include "distill/evidence.h"

#include <gtest/gtest.h>

#include "distill/shuffler.h"

namespace minimill::distill {
namespace {

bool chance(Shuffler& random, double p) {
  return static_cast<double>(random.below(1'000'000)) < p * 1e6;
}

TEST(Evidence, NothingIsProvenByFew) {
  Evidence evidence;
  for (std::uint64_t i = 0; i < 58; ++i) evidence.add(0.9, true, 0, i);

  EXPECT_EQ(evidence.proven_bar({}), Evidence::kNone);
  EXPECT_EQ(evidence.missing({}), 1U);
  evidence.add(0.9, true, 0, 58);
  EXPECT_LE(evidence.proven_bar({}), 0.9);
}

TEST(Evidence, TextsAlikeCountOnce) {
  Evidence evidence;
  for (int i = 0; i < 500; ++i) evidence.add(0.9, true, 0, 7);

  EXPECT_EQ(evidence.proven_bar({}), Evidence::kNone);
}

TEST(Evidence, TheBarKeepsItsPromiseInNineteenOfTwentyWorlds) {
  // P(right) is what the model says, less a tenth: it is too sure of itself. What is answered above
  // a bar that was proven must be wrong in no more than the promise, but for a twentieth of the
  // worlds.
  int proven = 0;
  int broken = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Shuffler random(seed);
    Evidence evidence;
    for (std::uint64_t i = 0; i < 300; ++i) {
      const double said = 0.5 + (0.5 * static_cast<double>(random.below(1000)) / 1000);
      evidence.add(said, chance(random, said - 0.02), 0, i);
    }
    const double bar = evidence.proven_bar({.most_wrong = 0.1, .confidence = 0.95});
    if (bar > 1) continue;
    ++proven;
    const double mean_wrong = 1 - ((bar + 1) / 2 - 0.02);  // of what is answered above it
    broken += mean_wrong > 0.1 ? 1 : 0;
  }
  EXPECT_GE(proven, 100);
  EXPECT_LE(broken, 20);
}

TEST(Evidence, AClusterThatIsWorseIsLeftOut) {
  Evidence evidence;
  for (std::uint64_t i = 0; i < 400; ++i) evidence.add(0.9, true, 1, i);
  for (std::uint64_t i = 400; i < 410; ++i) evidence.add(0.9, i % 2 == 0, 2, i);

  const double bar = evidence.proven_bar({});
  ASSERT_LE(bar, 0.9);
  EXPECT_FALSE(evidence.is_worse(1, bar, {}));
  EXPECT_TRUE(evidence.is_worse(2, bar, {}));
}

TEST(Evidence, OnlyACheckThatCatchesWrongAnswersAllowsATrial) {
  Evidence blind;
  Evidence sharp;
  for (int i = 0; i < 10; ++i) {
    blind.tried_check(i != 5);
    sharp.tried_check(true);
  }

  EXPECT_EQ(blind.trial_bar(100), Evidence::kNone);
  EXPECT_EQ(sharp.trial_bar(19), Evidence::kNone);
  EXPECT_EQ(sharp.trial_bar(20), Evidence::kTrialBar);
  for (std::uint64_t i = 0; i < 20; ++i) sharp.add(0.8, i % 4 == 0, 0, i);
  EXPECT_EQ(sharp.trial_bar(40), Evidence::kNone);
}

TEST(Evidence, ABrokenPromiseIsSeenSoonAndAKeptOneRarelyTakenForBroken) {
  int falsely = 0;
  int slow = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Shuffler random(seed);
    Evidence kept;
    for (int i = 0; i < 400; ++i) kept.audit(!chance(random, 0.03), {});
    falsely += kept.broken() ? 1 : 0;

    Evidence drifted;
    for (int i = 0; i < 200; ++i) drifted.audit(!chance(random, 0.02), {});
    int until = 0;
    while (!drifted.broken() && until < 200) {
      drifted.audit(!chance(random, 0.3), {});
      ++until;
    }
    slow += until > 60 ? 1 : 0;
  }
  EXPECT_LE(falsely, 1);
  EXPECT_LE(slow, 1);
}

TEST(Evidence, ReadBackItProvesTheSame) {
  Evidence evidence;
  for (std::uint64_t i = 0; i < 100; ++i) evidence.add(0.9, true, 3, i * 0x9e3779b97f4a7c15ULL);
  std::string bytes;
  evidence.append_state(bytes);

  Evidence back;
  std::string_view left = bytes;
  ASSERT_TRUE(back.take_state(left));
  EXPECT_EQ(back.proven_bar({}), evidence.proven_bar({}));
  std::string_view half = std::string_view(bytes).substr(0, bytes.size() / 2);
  EXPECT_FALSE(Evidence().take_state(half));
}

}  // namespace
}  // namespace minimill::distill
