#include "policy/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace minimill::policy {
namespace {

using chat::Lane;

class AdmissionTest : public testing::Test {
 protected:
  static chat::ChatRequest chat(std::string model = "auto", std::int64_t choices = 1) {
    chat::RequestParts parts;
    parts.model = std::move(model);
    chat::ChatRequest made(std::move(parts));
    made.choices = choices;
    return made;
  }
  Result<Request> admit(std::string model = "auto", Wishes wishes = {}) {
    return admission_.admit("mail", chat(std::move(model)), std::move(wishes));
  }
  template <class Set>
  void app(Set set) {
    App app;
    app.name = "mail";
    set(app);
    ASSERT_TRUE(apps_.set(app));
  }
  template <class Set>
  static Wishes wishing(Set set) {
    Wishes wishes;
    set(wishes);
    return wishes;
  }
  static Wishes in_lane(Lane lane) {
    return wishing([=](Wishes& wishes) { wishes.choice.lane = lane; });
  }

  test::TempDir folder_;
  ManualClock clock_;
  AppStore apps_ = AppStore::open(folder_ / "apps.db").value();
  Admission admission_{clock_, apps_, {}};
};

TEST_F(AdmissionTest, WhoeverAsksIsTheAppAndNothingElse) {
  const Result<Request> request =
      admit("auto", wishing([](Wishes& wishes) { wishes.label = "batch_1"; }));

  EXPECT_EQ(request->app, "mail");
  EXPECT_EQ(request->origin, chat::Origin::kApp);
  EXPECT_EQ(request->label, "batch_1");
  EXPECT_TRUE(request->parent.empty());
  EXPECT_TRUE(request->task.empty());
}

TEST_F(AdmissionTest, RequestThatSaysNothingHasTheAppsPrivacyThenTheConfigurations) {
  Admission strict(clock_, apps_, {.privacy = Privacy::kLocalOnly});
  EXPECT_EQ(strict.admit("mail", chat(), {})->privacy, Privacy::kLocalOnly);

  app([](App& app) { app.privacy = Privacy::kAllow; });
  EXPECT_EQ(strict.admit("mail", chat(), {})->privacy, Privacy::kAllow);
  app([](App& app) { app.privacy = Privacy::kLocalOnly; });
  EXPECT_EQ(admit()->privacy, Privacy::kLocalOnly);
  EXPECT_EQ(strict.admit("other", chat(), {})->privacy, Privacy::kLocalOnly);
}

TEST_F(AdmissionTest, RequestThatSaysItsPrivacyHasIt) {
  app([](App& app) { app.privacy = Privacy::kAllow; });

  EXPECT_EQ(
      admit("auto", wishing([](Wishes& wishes) { wishes.privacy = Privacy::kLocalOnly; }))->privacy,
      Privacy::kLocalOnly);
}

TEST_F(AdmissionTest, StandInsAreAcceptedAsTheRequestThenTheConfigurationSays) {
  Admission proud(clock_, apps_, {.accept_degraded = false});

  EXPECT_TRUE(admit()->accepts_degraded);
  EXPECT_FALSE(proud.admit("mail", chat(), {})->accepts_degraded);
  EXPECT_TRUE(
      proud.admit("mail", chat(), wishing([](Wishes& wishes) { wishes.accepts_degraded = true; }))
          ->accepts_degraded);
}

TEST_F(AdmissionTest, AppsOnlyLaneIsTheRequests) {
  app([](App& app) { app.lane = Lane::kLocal; });

  EXPECT_EQ(admit()->choice.lane, Lane::kLocal);
  EXPECT_EQ(admit("local", in_lane(Lane::kLocal))->choice.lane, Lane::kLocal);
}

TEST_F(AdmissionTest, OtherLaneThanTheAppsIsForbidden) {
  app([](App& app) { app.lane = Lane::kLocal; });

  const Error error = admit("cloud", in_lane(Lane::kCloud)).error();

  EXPECT_EQ(error.code, ErrorCode::kForbidden);
  EXPECT_EQ(error.field, "model");
}

TEST_F(AdmissionTest, ModelThatTheAppMayNotAskForIsForbidden) {
  app([](App& app) { app.models = {"auto", "small-*"}; });

  EXPECT_TRUE(admit("auto"));
  EXPECT_TRUE(admit("small-1"));
  EXPECT_EQ(admit("large").error().field, "model");
}

TEST_F(AdmissionTest, RateIsWhatTheAppMayAMinuteAndFillsEvenly) {
  app([](App& app) { app.requests_per_minute = 2; });
  EXPECT_TRUE(admit());
  EXPECT_TRUE(admit());

  const Error error = admit().error();

  EXPECT_EQ(error.code, ErrorCode::kRateLimited);
  ASSERT_TRUE(error.retry_after);
  clock_.advance(*error.retry_after);
  EXPECT_TRUE(admit());
  EXPECT_FALSE(admit());
}

TEST_F(AdmissionTest, SeveralChoicesTakeAsManyRequestsOrNone) {
  app([](App& app) { app.requests_per_minute = 5; });

  EXPECT_TRUE(admission_.admit("mail", chat("auto", 3), {}));
  EXPECT_EQ(admission_.admit("mail", chat("auto", 3), {}).error().code, ErrorCode::kRateLimited);
  EXPECT_TRUE(admission_.admit("mail", chat("auto", 2), {}));
  EXPECT_FALSE(admit());
}

TEST_F(AdmissionTest, RefusedRequestTakesNothingOfTheRate) {
  app([](App& app) {
    app.requests_per_minute = 1;
    app.models = {"auto"};
  });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(admit("large").error().code, ErrorCode::kForbidden);

  EXPECT_TRUE(admit());
}

TEST_F(AdmissionTest, OneAppsRateIsNotAnothers) {
  app([](App& app) { app.requests_per_minute = 1; });
  ASSERT_TRUE(admit());

  EXPECT_TRUE(admission_.admit("notes", chat(), {}));
  EXPECT_FALSE(admit());
}

TEST_F(AdmissionTest, RequestOfMinimillsOwnIsHeldUpByNoRate) {
  app([](App& app) { app.requests_per_minute = 1; });

  for (int i = 0; i < 5; ++i) {
    const Request own = admission_.own("mail", chat::Origin::kShadow, chat(), Privacy::kLocalOnly);
    EXPECT_EQ(own.origin, chat::Origin::kShadow);
    EXPECT_EQ(own.privacy, Privacy::kLocalOnly);
  }
  EXPECT_TRUE(admit());
}

TEST_F(AdmissionTest, LimitThatAnotherProgramSetHoldsAfterAMoment) {
  const std::uint64_t before = admission_.refresh();
  AppStore other = AppStore::open(folder_ / "apps.db").value();
  App mail;
  mail.name = "mail";
  mail.models = {"auto"};
  ASSERT_TRUE(other.set(mail));

  clock_.advance(std::chrono::seconds{1});

  EXPECT_NE(admission_.refresh(), before);
  EXPECT_FALSE(admit("large"));
}

}  // namespace
}  // namespace minimill::policy
