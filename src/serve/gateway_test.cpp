#include "serve/gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "support/trunk.h"

namespace minimill::serve {
namespace {

using chat::Lane;
using testing::ElementsAre;
using testing::HasSubstr;

class GatewayTest : public testing::Test {
 protected:
  test::Trunk trunk_;
};

chat::ChatRequest with_tool(chat::ChatRequest chat) {
  chat.edit([](chat::RequestParts& parts) {
    parts.tools.push_back({.name = "look_up", .description = "", .parameters = {}});
  });
  return chat;
}

chat::ChatRequest as_json(chat::ChatRequest chat) {
  chat.edit(
      [](chat::RequestParts& parts) { parts.response_format = chat::ResponseFormat::kJsonObject; });
  return chat;
}

// Which way it goes.

TEST_F(GatewayTest, EasyWorkIsAnsweredOnTheDeviceAndNowhereElse) {
  const Result<Served> served = trunk_.complete(trunk_.easy());

  EXPECT_EQ(served->serving.lane, Lane::kLocal);
  EXPECT_EQ(served->answers.front().text(), "yes");
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(GatewayTest, HardWorkIsAnsweredInTheCloudAndNowhereElse) {
  const Result<Served> served = trunk_.complete(trunk_.hard());

  EXPECT_EQ(served->serving.lane, Lane::kCloud);
  EXPECT_TRUE(trunk_.device.asked.empty());
}

TEST_F(GatewayTest, DecidingCarriesNothingOut) {
  EXPECT_EQ(trunk_.gateway().decide(trunk_.hard())->lane, Lane::kCloud);

  EXPECT_TRUE(trunk_.cloud.asked.empty());
  EXPECT_TRUE(trunk_.records().empty());
}

TEST_F(GatewayTest, LocalOnlyRequestNeverReachesTheCloud) {
  policy::Request request = trunk_.hard();
  request.privacy = policy::Privacy::kLocalOnly;
  trunk_.device.fails(ErrorCode::kUpstream);

  const Result<Served> served = trunk_.complete(std::move(request));

  EXPECT_EQ(served.error().code, ErrorCode::kUpstream);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(GatewayTest, LocalOnlyRequestForTheCloudIsForbidden) {
  policy::Request request = trunk_.in_lane(Lane::kCloud);
  request.privacy = policy::Privacy::kLocalOnly;

  EXPECT_EQ(trunk_.complete(std::move(request)).error().code, ErrorCode::kForbidden);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(GatewayTest, NamedLaneIsNeverLeftWhateverFails) {
  for (const ErrorCode code : {ErrorCode::kInvalidArgument, ErrorCode::kUnavailable,
                               ErrorCode::kUpstream, ErrorCode::kTimeout}) {
    trunk_.device.fails(code);
    trunk_.cloud.fails(code);
    EXPECT_EQ(trunk_.complete(trunk_.in_lane(Lane::kLocal)).error().code, code);
    EXPECT_EQ(trunk_.complete(trunk_.in_lane(Lane::kCloud)).error().code, code);
  }

  EXPECT_EQ(trunk_.device.asked.size(), 4U);
  EXPECT_EQ(trunk_.cloud.asked.size(), 4U);
}

TEST_F(GatewayTest, NamedModelOfALaneIsAskedForThere) {
  policy::Request request = trunk_.in_lane(Lane::kCloud);
  request.choice.model = "own-choice";

  EXPECT_EQ(trunk_.complete(std::move(request))->serving.model, "own-choice");
}

TEST_F(GatewayTest, NothingToAskIsAnErrorThatSaysWhatToDo) {
  trunk_.device.there = trunk_.cloud.there = false;

  const Error error = trunk_.complete(trunk_.easy()).error();

  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.hint, HasSubstr("pull"));
}

// Escalation.

TEST_F(GatewayTest, WhateverTheDeviceCannotDoTheCloudDoes) {
  for (const ErrorCode code :
       {ErrorCode::kInvalidArgument, ErrorCode::kForbidden, ErrorCode::kTooLarge,
        ErrorCode::kUnsupported, ErrorCode::kUnavailable, ErrorCode::kUpstream,
        ErrorCode::kRateLimited, ErrorCode::kTimeout, ErrorCode::kInternal}) {
    trunk_.device.fails(code, "not here");

    const Result<Served> served = trunk_.complete(trunk_.easy());

    ASSERT_TRUE(served) << name(code);
    EXPECT_EQ(served->serving.lane, Lane::kCloud);
    EXPECT_EQ(served->serving.escalated, "not here");
  }
}

TEST_F(GatewayTest, FieldsThatTheDeviceCannotDoGoToTheCloudUnasked) {
  trunk_.device.cannot = fail(ErrorCode::kUnsupported, "no such field here").error();

  const Result<Served> served = trunk_.complete(trunk_.easy());

  EXPECT_EQ(served->serving.lane, Lane::kCloud);
  EXPECT_TRUE(trunk_.device.asked.empty());
}

TEST_F(GatewayTest, WhoeverLeavesIsNotEscalated) {
  trunk_.device.fails(ErrorCode::kCancelled);

  EXPECT_EQ(trunk_.complete(trunk_.easy()).error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(GatewayTest, FailureOfTheDeviceIsTheAnswerWhereThereIsNoCloud) {
  trunk_.cloud.there = false;
  trunk_.device.fails(ErrorCode::kUpstream);

  EXPECT_EQ(trunk_.complete(trunk_.easy()).error().code, ErrorCode::kUpstream);
}

TEST_F(GatewayTest, EscalationCostsNoMoreThanTheAppAllows) {
  trunk_.cloud.usd_per_token = 1;
  policy::Request request = trunk_.easy();
  request.max_cost_usd = 0.01;
  trunk_.device.fails(ErrorCode::kUpstream);

  EXPECT_EQ(trunk_.complete(std::move(request)).error().code, ErrorCode::kUpstream);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(GatewayTest, BothFailuresAreInTheLedgerAndTheCloudsIsTheAnswer) {
  trunk_.device.fails(ErrorCode::kUnsupported, "not here");
  trunk_.cloud.fails(ErrorCode::kInvalidArgument, "nor there");

  EXPECT_EQ(trunk_.complete(trunk_.easy()).error().message, "nor there");
  const std::vector<ledger::RequestRecord> rows = trunk_.records();
  ASSERT_EQ(rows.size(), 1U);
  ASSERT_EQ(rows[0].attempts.size(), 2U);
  EXPECT_EQ(rows[0].attempts[0].error, "not here");
  EXPECT_EQ(rows[0].attempts[1].error, "nor there");
  EXPECT_EQ(rows[0].status, 400);
}

// Watching.

TEST_F(GatewayTest, GoodBeginningStaysOnTheDevice) {
  const Result<Served> served = trunk_.complete(trunk_.doubtful());

  EXPECT_EQ(served->serving.lane, Lane::kLocal);
  EXPECT_EQ(served->answers.front().text(), "yes");
}

TEST_F(GatewayTest, BadBeginningIsAnsweredByTheCloudAndTheAppSeesNothingOfIt) {
  trunk_.device.logprob = -9;
  trunk_.device.says("no no no");

  Result<ServedStream> served = trunk_.stream(trunk_.doubtful());

  ASSERT_TRUE(served);
  EXPECT_EQ(served->serving.lane, Lane::kCloud);
  EXPECT_THAT(served->serving.escalated, HasSubstr("looked good enough"));
  EXPECT_EQ(trunk_.read(*served), "yes");
}

TEST_F(GatewayTest, ToolsAreNeverWatched) {
  policy::Request request = trunk_.doubtful();
  request.chat = with_tool(std::move(request.chat));
  trunk_.device.logprob = -9;

  EXPECT_EQ(trunk_.complete(std::move(request))->serving.lane, Lane::kLocal);
  EXPECT_FALSE(trunk_.device.asked.front().chat.logprobs);
}

TEST_F(GatewayTest, NamedLaneAndLocalOnlyRequestsAreNotWatched) {
  policy::Request only = trunk_.easy();
  only.privacy = policy::Privacy::kLocalOnly;
  trunk_.device.logprob = -9;

  EXPECT_TRUE(trunk_.complete(std::move(only)));
  EXPECT_TRUE(trunk_.complete(trunk_.in_lane(Lane::kLocal)));
  for (const policy::Request& asked : trunk_.device.asked) EXPECT_FALSE(asked.chat.logprobs);
}

TEST_F(GatewayTest, LogprobsThatOnlyMinimillWantedAreNotTheApps) {
  const Result<Served> unasked = trunk_.complete(trunk_.doubtful());
  policy::Request wanting = trunk_.doubtful();
  wanting.chat.logprobs = true;
  const Result<Served> asked = trunk_.complete(std::move(wanting));

  EXPECT_TRUE(trunk_.device.asked.front().chat.logprobs);
  EXPECT_TRUE(unasked->answers.front().logprobs().empty());
  EXPECT_EQ(asked->answers.front().logprobs().size(), 3U);
}

TEST_F(GatewayTest, CloudAfterABadBeginningIsAskedForNoLogprobs) {
  trunk_.device.logprob = -9;

  ASSERT_TRUE(trunk_.complete(trunk_.doubtful()));
  EXPECT_FALSE(trunk_.cloud.asked.front().chat.logprobs);
}

TEST_F(GatewayTest, BadBeginningIsBetterThanACloudThatFails) {
  trunk_.device.logprob = -9;
  trunk_.cloud.fails(ErrorCode::kUnavailable);

  const Result<Served> served = trunk_.complete(trunk_.doubtful());

  ASSERT_TRUE(served);
  EXPECT_EQ(served->serving.lane, Lane::kLocal);
  EXPECT_EQ(trunk_.device.asked.size(), 2U);
}

// What the device does in the cloud's place.

TEST_F(GatewayTest, DeviceStandsInForACloudThatIsOutOfReachAndSaysSo) {
  trunk_.cloud.fails(ErrorCode::kUnavailable);

  const Result<Served> served = trunk_.complete(trunk_.hard());

  ASSERT_TRUE(served);
  EXPECT_EQ(served->serving.lane, Lane::kLocal);
  EXPECT_THAT(chat::degraded(served->serving.decision), HasSubstr("out of reach"));
}

TEST_F(GatewayTest, CloudKnownToBeOutOfReachIsNotAsked) {
  trunk_.cloud.ready = false;

  EXPECT_EQ(trunk_.complete(trunk_.hard())->serving.lane, Lane::kLocal);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(GatewayTest, AppThatWantsNoStandInGetsTheCloudsError) {
  policy::Request request = trunk_.hard();
  request.accepts_degraded = false;
  trunk_.cloud.fails(ErrorCode::kUnavailable);

  EXPECT_EQ(trunk_.complete(std::move(request)).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(trunk_.device.asked.empty());
}

TEST_F(GatewayTest, RequestThatTheCloudRefusesIsNotDegraded) {
  trunk_.cloud.fails(ErrorCode::kInvalidArgument);

  EXPECT_EQ(trunk_.complete(trunk_.hard()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(trunk_.device.asked.empty());
}

TEST_F(GatewayTest, CloudsStoryIsToldWhereItsStandInFailsToo) {
  trunk_.cloud.fails(ErrorCode::kUnavailable, "the cloud's story");
  trunk_.device.fails(ErrorCode::kUpstream, "the device's story");

  EXPECT_EQ(trunk_.complete(trunk_.hard()).error().message, "the cloud's story");
}

TEST_F(GatewayTest, StandInIsNotWatched) {
  trunk_.cloud.ready = false;
  trunk_.device.logprob = -9;

  EXPECT_TRUE(trunk_.complete(trunk_.hard()));
  EXPECT_FALSE(trunk_.device.asked.front().chat.logprobs);
}

// The form asked for.

TEST_F(GatewayTest, AnswerNotInTheFormAskedForIsTheCloudsToGive) {
  policy::Request request = trunk_.easy();
  request.chat = as_json(std::move(request.chat));
  trunk_.cloud.says(R"({"is": true})");

  const Result<Served> served = trunk_.complete(std::move(request));

  EXPECT_EQ(served->answers.front().text(), R"({"is": true})");
  EXPECT_THAT(trunk_.cloud.judgements, ElementsAre(true));
}

TEST_F(GatewayTest, NoStreamOfABrokenFormReachesTheApp) {
  policy::Request request = trunk_.easy();
  request.chat = as_json(std::move(request.chat));
  trunk_.cloud.says("[]");

  EXPECT_EQ(trunk_.stream(std::move(request)).error().code, ErrorCode::kUpstream);
}

TEST_F(GatewayTest, BrokenFormOfTheCloudIsPaidForAllTheSame) {
  policy::Request request = trunk_.in_lane(Lane::kCloud);
  request.chat = as_json(std::move(request.chat));
  trunk_.cloud.usd_per_token = 0.01;

  EXPECT_FALSE(trunk_.complete(std::move(request)));
  EXPECT_DOUBLE_EQ(trunk_.spent_usd(), 0.2);
}

TEST_F(GatewayTest, SchemaThatCannotBeCheckedIsRefusedAndRecordedSo) {
  policy::Request request = trunk_.easy();
  request.chat.edit([](chat::RequestParts& parts) {
    parts.response_format = chat::ResponseFormat::kJsonSchema;
    parts.json_schema = {{"name", "x"}, {"schema", {{"type", 7}}}};
  });

  EXPECT_EQ(trunk_.complete(std::move(request)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(trunk_.records().front().status, 400);
}

// Streams.

TEST_F(GatewayTest, StreamSaysWhoAnswersBeforeItsFirstEvent) {
  Result<ServedStream> served = trunk_.stream(trunk_.in_lane(Lane::kLocal));

  ASSERT_TRUE(served);
  EXPECT_EQ(served->serving.backend, "small-server");
  EXPECT_EQ(trunk_.read(*served), "yes");
}

TEST_F(GatewayTest, StreamThatBreaksOffIsAnErrorOfTheAppsAndOfTheLedgers) {
  trunk_.cloud.breaks_off = fail(ErrorCode::kUpstream, "it broke off").error();

  Result<ServedStream> served = trunk_.stream(trunk_.in_lane(Lane::kCloud));

  EXPECT_EQ(trunk_.read(*served).error().message, "it broke off");
  // What a backend says may repeat the prompt: it is the app's alone.
  EXPECT_EQ(trunk_.records().front().attempts.front().error, "large-server broke off (upstream)");
}

TEST_F(GatewayTest, StreamThatBreaksOffWhileItIsHeldBackForItsFormIsPaidFor) {
  trunk_.cloud.usd_per_token = 1;
  trunk_.cloud.breaks_off = fail(ErrorCode::kUpstream, "it broke off").error();
  policy::Request request = trunk_.in_lane(Lane::kCloud);
  request.chat = as_json(std::move(request.chat));

  EXPECT_FALSE(trunk_.stream(std::move(request)));

  const ledger::Attempt attempt = trunk_.records().front().attempts.front();
  EXPECT_GT(attempt.usage.prompt_tokens, 0);
  EXPECT_TRUE(attempt.usage.estimated);
  EXPECT_GT(attempt.cost_usd, 0);
}

TEST_F(GatewayTest, NoAttemptHoldsItsSlotForEver) {
  ASSERT_TRUE(trunk_.complete(trunk_.easy()));

  const chat::Deadline deadline = trunk_.device.asked.front().chat.deadline;
  ASSERT_TRUE(deadline.has_value());
  EXPECT_GE(*deadline - trunk_.clock.steady(), std::chrono::minutes(10));
  EXPECT_LE(*deadline - trunk_.clock.steady(), std::chrono::hours(25));
}

TEST_F(GatewayTest, DeadlineOfTheAppsStands) {
  policy::Request request = trunk_.easy();
  const SteadyTime soon = trunk_.clock.steady() + std::chrono::minutes(1);
  request.chat.deadline = soon;

  ASSERT_TRUE(trunk_.complete(std::move(request)));

  EXPECT_EQ(*trunk_.device.asked.front().chat.deadline, soon);
}

TEST_F(GatewayTest, StreamThatBreaksOffIsPaidForAsFarAsItCame) {
  trunk_.cloud.usd_per_token = 1;
  trunk_.cloud.breaks_off = fail(ErrorCode::kUpstream, "it broke off").error();

  Result<ServedStream> served = trunk_.stream(trunk_.in_lane(Lane::kCloud));
  (void)trunk_.read(*served);

  EXPECT_GE(trunk_.spent_usd(), 3);  // its three tokens, and the prompt's
  EXPECT_TRUE(trunk_.records().front().attempts.front().usage.estimated);
}

TEST_F(GatewayTest, WhatAStreamToldOfItsPromptIsPaidForHoweverItEnds) {
  trunk_.cloud.usd_per_token = 1;
  trunk_.cloud.tells_first = chat::Usage{.prompt_tokens = 100'000, .completion_tokens = 1};
  {
    Result<ServedStream> left = trunk_.stream(trunk_.in_lane(Lane::kCloud));
    ASSERT_TRUE(left);
    (void)trunk_.loop.run(left->stream->next());
  }
  EXPECT_EQ(trunk_.spent_usd(), 100'001);
  EXPECT_FALSE(trunk_.records().front().attempts.front().usage.estimated);

  trunk_.cloud.breaks_off = fail(ErrorCode::kUpstream, "it broke off").error();
  Result<ServedStream> broken = trunk_.stream(trunk_.in_lane(Lane::kCloud));
  (void)trunk_.read(*broken);
  EXPECT_EQ(trunk_.spent_usd(), 200'004);
}

TEST_F(GatewayTest, StreamThatBreaksOffWhileItsFormIsCheckedIsPaidFor) {
  trunk_.cloud.usd_per_token = 1;
  trunk_.cloud.breaks_off = fail(ErrorCode::kUpstream, "it broke off").error();
  policy::Request asked = trunk_.in_lane(Lane::kCloud);
  asked.chat.edit(
      [](chat::RequestParts& parts) { parts.response_format = chat::ResponseFormat::kJsonObject; });

  EXPECT_FALSE(trunk_.stream(std::move(asked)));

  EXPECT_GE(trunk_.spent_usd(), 3);
}

TEST_F(GatewayTest, AppThatLeavesInTheMiddleLeavesOneRowAndWhatItCost) {
  trunk_.cloud.usd_per_token = 1;
  Result<ServedStream> served = trunk_.stream(trunk_.in_lane(Lane::kCloud));
  (void)trunk_.loop.run(served->stream->next());

  served->stream.reset();

  const std::vector<ledger::RequestRecord> rows = trunk_.records();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].status, 499);
  EXPECT_THAT(rows[0].attempts.front().error, HasSubstr("went away"));
  EXPECT_GT(trunk_.spent_usd(), 1);
}

TEST_F(GatewayTest, SlotIsHeldUntilTheStreamEndsAndNoLonger) {
  Result<ServedStream> served = trunk_.stream(trunk_.in_lane(Lane::kLocal));

  EXPECT_EQ(trunk_.lanes.running(Lane::kLocal), 1);
  EXPECT_TRUE(trunk_.read(*served));
  EXPECT_EQ(trunk_.lanes.running(Lane::kLocal), 0);
}

// One row, once.

TEST_F(GatewayTest, AnswerIsOneRowWithWhatItTookAndCost) {
  trunk_.cloud.usd_per_token = 0.01;

  const Result<Served> served = trunk_.complete(trunk_.hard());

  const std::vector<ledger::RequestRecord> rows = trunk_.records();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].status, 200);
  EXPECT_EQ(rows[0].id, served->serving.id);
  EXPECT_DOUBLE_EQ(rows[0].attempts.front().cost_usd, 0.2);
  EXPECT_DOUBLE_EQ(served->cost_usd, 0.2);
  EXPECT_DOUBLE_EQ(default_cost_usd(trunk_.cloud, served->answers.front().usage()), 0.2);
}

TEST_F(GatewayTest, StreamedAnswerIsOneRowWithItsCost) {
  trunk_.cloud.usd_per_token = 0.01;

  Result<ServedStream> served = trunk_.stream(trunk_.hard());
  ASSERT_TRUE(trunk_.read(*served));
  served->stream.reset();

  const std::vector<ledger::RequestRecord> rows = trunk_.records();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_DOUBLE_EQ(rows[0].attempts.front().cost_usd, 0.2);
}

TEST_F(GatewayTest, RequestThatCouldNotBeDecidedIsInTheLedger) {
  trunk_.device.there = trunk_.cloud.there = false;

  EXPECT_FALSE(trunk_.complete(trunk_.easy()));
  EXPECT_EQ(trunk_.records().front().status, 503);
}

TEST_F(GatewayTest, RequestThatLeavesTheQueueIsInTheLedgerOnce) {
  trunk_.gateway();
  trunk_.device.held = true;
  trunk_.lanes.set_slots(Lane::kLocal, 1);
  asio::cancellation_signal leave;  // a slot of it serves one
  asio::co_spawn(trunk_.loop.io(), trunk_.gateway().complete(trunk_.in_lane(Lane::kLocal)),
                 asio::detached);
  trunk_.loop.poll();
  asio::co_spawn(trunk_.loop.io(), trunk_.gateway().complete(trunk_.in_lane(Lane::kLocal)),
                 asio::bind_cancellation_slot(leave.slot(), asio::detached));
  trunk_.loop.poll();
  EXPECT_EQ(trunk_.lanes.waiting(Lane::kLocal), 1U);

  leave.emit(asio::cancellation_type::all);
  trunk_.loop.poll();

  EXPECT_EQ(trunk_.lanes.waiting(Lane::kLocal), 0U);
  EXPECT_EQ(trunk_.records().size(), 1U);
  trunk_.device.release();
  trunk_.loop.poll();
  EXPECT_EQ(trunk_.records().size(), 2U);
}

TEST_F(GatewayTest, LabelOfAClientDecidesNothing) {
  policy::Request request = trunk_.easy();
  request.label = "batch_01";

  ASSERT_TRUE(trunk_.complete(std::move(request)));
  const ledger::RequestRecord row = trunk_.records().front();
  EXPECT_EQ(row.origin, chat::Origin::kApp);
  EXPECT_EQ(row.label, "batch_01");
}

TEST_F(GatewayTest, ServiceTimesAreLearntWhateverTheLabelSays) {
  for (int i = 0; i < 40; ++i) {
    ledger::RequestRecord record;
    record.label = "batch_01";
    ledger::Attempt& attempt = record.attempts.emplace_back();
    attempt.lane = Lane::kCloud;
    attempt.model = "large";
    attempt.duration_ms = 1000;
    attempt.usage = {.prompt_tokens = 10, .completion_tokens = 3000};
    trunk_.planner.ended(record);
  }

  EXPECT_GT(trunk_.planner.expected_answer_tokens("large", 0), 1000);
}

// Works and choices.

TEST_F(GatewayTest, FurtherChoicesOfOneRequestAreNoNewWorks) {
  const Result<Served> first = trunk_.complete(trunk_.request(0, "Name a colour for the barn."));
  for (int i = 0; i < 20; ++i) {
    policy::Request again = trunk_.request(0, "Name a colour for the barn.");
    again.parent = first->serving.id;
    ASSERT_TRUE(trunk_.complete(std::move(again)));
  }

  EXPECT_TRUE(trunk_.router.operations().empty());
}

TEST_F(GatewayTest, OneWorkManyTimesOverIsAnOperation) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(trunk_.complete(trunk_.request(0, "Name a colour for the barn.")));
  }

  EXPECT_EQ(trunk_.router.operations().size(), 1U);
}

// Turns: what waited elsewhere.

TEST_F(GatewayTest, TurnIsOneAttemptInItsLaneWhateverBecomesOfIt) {
  trunk_.device.fails(ErrorCode::kUpstream);
  policy::Request request = trunk_.easy();
  Turn turn{.id = {"req_turn"}, .slot = {}, .decision = {}};
  lane::Job job = trunk_.gateway().job(request, turn.decision, {});
  turn.slot = trunk_.loop.run(trunk_.lanes.enter(std::move(job))).value();

  const Result<Served> served =
      trunk_.loop.run(trunk_.gateway().complete(std::move(request), std::move(turn)));

  EXPECT_EQ(served.error().code, ErrorCode::kUpstream);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
  EXPECT_EQ(trunk_.records().front().id.value, "req_turn");
  EXPECT_EQ(trunk_.lanes.running(Lane::kLocal), 0);
}

TEST_F(GatewayTest, TurnOfARequestThatMakesNoSenseIsRecordedAsRefused) {
  policy::Request request = trunk_.easy();
  request.chat.edit([](chat::RequestParts& parts) {
    parts.response_format = chat::ResponseFormat::kJsonSchema;
    parts.json_schema = {{"name", "x"}, {"schema", {{"type", 7}}}};
  });
  Turn turn{.id = {"req_turn"}, .slot = {}, .decision = {}};

  EXPECT_FALSE(trunk_.loop.run(trunk_.gateway().complete(std::move(request), std::move(turn))));
  EXPECT_EQ(trunk_.records().front().status, 400);
}

}  // namespace
}  // namespace minimill::serve
