#include "cloud/pool.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/this_coro.hpp>
#include <set>

#include "http/server.h"
#include "support/event_loop.h"

namespace minimill::cloud {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::string_view kUsage =
    R"(,"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15})";

/// How a provider answers one request.
struct Reply {
  int status = 200;
  http::Headers headers = {};
  std::string error = {};  // the body, where the status is none of success
  std::chrono::milliseconds delay{0};
  bool stalls = false;
  bool tells_usage = true;
  bool ignores_stream = false;
  std::string events = {};  // of a stream, instead of the usual ones
};

/// A provider on a real socket that does as it is told.
class FakeProvider {
 public:
  FakeProvider(test::EventLoop& loop, http::Client& client, std::string name,
               std::optional<int> max_concurrent = {})
      : loop_(loop) {
    http::Handler handler = [this](http::Request& request, http::Responder& out) {
      return answer(request, out);
    };
    server_.emplace(loop.io(), http::ServerOptions{}, std::move(handler));
    ProviderOptions options;
    options.name = std::move(name);
    options.base_url = "http://" + *server_->listen("127.0.0.1:0") + "/v1";
    options.models = {"m"};
    options.max_concurrent = max_concurrent;
    provider_.emplace(client, std::move(options));
  }

  /// Lets go whatever is held.
  void release() {
    holds = false;
    for (asio::steady_timer* timer : held_) timer->cancel();
  }
  std::size_t held() const { return held_.size(); }

  Candidate candidate() { return {.provider = &*provider_, .model = "m"}; }
  void stop() { loop_.run(server_->stop(0ms)); }

  Reply reply;              // to whatever is asked
  std::vector<Reply> next;  // and before that, one by one
  int requests = 0;
  int cancelled = 0;
  bool holds = false;     // what would be answered, until release()
  int takes = 1'000'000;  // at once; the rest gets 429
  http::Headers refusal_headers;
  int in_flight = 0;
  int most_in_flight = 0;
  int refused = 0;

 private:
  asio::awaitable<void> answer(http::Request& request, http::Responder& out) {
    ++requests;
    Reply now = reply;
    ++in_flight;
    most_in_flight = std::max(most_in_flight, in_flight);
    struct Counted {
      int& count;
      ~Counted() { --count; }
    } counted{in_flight};
    if (in_flight > takes) {
      ++refused;
      now = {.status = 429, .headers = refusal_headers, .error = "{}"};
    }
    if (!next.empty()) {
      now = next.front();
      next.erase(next.begin());
    }
    struct Leaving {
      int* count;
      ~Leaving() {
        if (count != nullptr) ++*count;
      }
    } leaving{&cancelled};
    const bool stays = now.stalls || (holds && now.status == 200);
    const auto wait = stays ? std::chrono::milliseconds{600'000} : now.delay;
    asio::steady_timer timer(loop_.io(), wait);
    if (stays) held_.insert(&timer);
    struct Held {
      std::set<asio::steady_timer*>& all;
      asio::steady_timer* own;
      ~Held() { all.erase(own); }
    } held{held_, &timer};
    if (wait > 0ms) co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return;
    leaving.count = nullptr;
    http::Headers headers = now.headers;
    if (now.status != 200) {
      headers.add("content-type", "application/json");
      co_await out.send(now.status, std::move(headers), std::move(now.error));
      co_return;
    }
    const std::string_view usage = now.tells_usage ? kUsage : "";
    if (now.ignores_stream || request.body.find("\"stream\":true") == std::string::npos) {
      headers.add("content-type", "application/json");
      std::string body = fmt::format(
          R"({{"id":"1","object":"chat.completion","model":"m","choices":[{{"index":0,)"
          R"("message":{{"role":"assistant","content":"hello there"}},"finish_reason":"stop"}}]{}}})",
          usage);
      co_await out.send(200, std::move(headers), std::move(body));
      co_return;
    }
    headers.add("content-type", "text/event-stream");
    co_await out.start(200, std::move(headers));
    std::string body = now.events;
    if (body.empty())
      body = fmt::format(
          "data: {{\"id\":\"1\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":"
          "\"hello\"}}}}]}}\n\n"
          "data: {{\"id\":\"1\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{}},"
          "\"finish_reason\":\"stop\"}}]{}}}\n\ndata: [DONE]\n\n",
          usage);
    co_await out.write(body);
    co_await out.finish();
  }

  test::EventLoop& loop_;
  std::set<asio::steady_timer*> held_;
  std::optional<http::Server> server_;
  std::optional<Provider> provider_;
};

class PoolTest : public testing::Test {
 protected:
  PoolTest() { options_.first_backoff = 1ms; }

  Pool& pool() {
    if (!pool_) pool_.emplace(clock_, prices_, options_);
    return *pool_;
  }

  chat::AnswerParts read(chat::ChatStream& stream) {
    chat::AnswerParts answer;
    while (true) {
      const auto event = loop_.run(stream.next());
      EXPECT_TRUE(event) << event.error().to_string();
      if (!event || !*event) return answer;
      chat::accumulate(answer, **event);
    }
  }

  static policy::Cleared<chat::ChatRequest> cleared(chat::Deadline deadline = {}) {
    chat::RequestParts parts;
    parts.messages.push_back(chat::text_message(chat::Role::kUser, "say hello"));
    chat::ChatRequest request(std::move(parts));
    request.deadline = deadline;
    return *policy::clear_for_cloud(std::move(request), policy::Privacy::kAllow);
  }

  Call call_of(std::vector<Candidate> candidates) {
    Call call;
    call.candidates = std::move(candidates);
    return call;
  }

  Result<chat::ChatAnswer> ask(Call& call, chat::Deadline deadline = {}) {
    return loop_.run(pool().complete(cleared(deadline), call));
  }

  /// Answers enough that it is known what is usual there.
  void warm_up(FakeProvider& provider) {
    for (int i = 0; i < 12; ++i) {
      Call call = call_of({provider.candidate()});
      ASSERT_TRUE(ask(call));
    }
  }

  void TearDown() override {
    if (pool_) loop_.run(pool_->stop());
    a_.stop();
    b_.stop();
  }

  test::EventLoop loop_;
  SystemClock clock_;
  PriceTable prices_;
  PoolOptions options_;
  http::Client client_{loop_.io()};
  FakeProvider a_{loop_, client_, "a"};
  FakeProvider b_{loop_, client_, "b"};
  std::optional<Pool> pool_;
};

TEST_F(PoolTest, FailsOverAtOnceAndSaysSo) {
  options_.first_backoff = 60s;
  a_.reply.status = 503;
  Call call = call_of({a_.candidate(), b_.candidate()});

  const Result<chat::ChatAnswer> answer = ask(call);

  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->text(), "hello there");
  EXPECT_EQ(call.provider, "b");
  ASSERT_EQ(call.lost.size(), 1U);
  EXPECT_EQ(call.lost[0].provider, "a");
  EXPECT_THAT(call.lost[0].error, HasSubstr("503"));
}

TEST_F(PoolTest, StreamFailsOverBeforeItsFirstByte) {
  a_.reply.status = 500;
  Call call = call_of({a_.candidate(), b_.candidate()});

  Result<std::unique_ptr<chat::ChatStream>> stream = loop_.run(pool().stream(cleared(), call));

  ASSERT_TRUE(stream) << stream.error().to_string();
  EXPECT_EQ(call.provider, "b");
  const chat::AnswerParts answer = read(**stream);
  EXPECT_EQ(answer.text, "hello");
  EXPECT_EQ(answer.usage.completion_tokens, 5);
  EXPECT_EQ(pool().health("b", "m")->in_flight(), 0);
  EXPECT_GT(pool().health("b", "m")->service().weight(clock_.steady()), 0.9);
}

TEST_F(PoolTest, AnswerInOnePieceIsReadWhereAStreamWasAskedFor) {
  a_.reply.ignores_stream = true;
  Call call = call_of({a_.candidate()});

  Result<std::unique_ptr<chat::ChatStream>> stream = loop_.run(pool().stream(cleared(), call));

  ASSERT_TRUE(stream) << stream.error().to_string();
  const chat::AnswerParts answer = read(**stream);
  EXPECT_EQ(answer.text, "hello there");
  EXPECT_EQ(answer.finish, chat::FinishReason::kStop);
  EXPECT_EQ(answer.usage.completion_tokens, 5);
}

TEST_F(PoolTest, StreamThatCountsItsPromptAndSaysNothingIsPaidForAndAnotherAnswers) {
  prices_.set("m", {.input_usd_per_mtok = 1, .cached_input_usd_per_mtok = 1});
  a_.reply.events = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000000}}\n\n";
  Call call = call_of({a_.candidate(), b_.candidate()});

  const Result<std::unique_ptr<chat::ChatStream>> stream =
      loop_.run(pool().stream(cleared(), call));

  ASSERT_TRUE(stream) << stream.error().to_string();
  EXPECT_EQ(call.provider, "b");
  ASSERT_EQ(call.lost.size(), 1U);
  EXPECT_DOUBLE_EQ(call.lost[0].cost_usd, 1);
}

TEST_F(PoolTest, StreamThatItsProviderCallsFailedCostsNothing) {
  prices_.set("m", {.input_usd_per_mtok = 1, .cached_input_usd_per_mtok = 1});
  a_.reply.events =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000000}}\n\n"
      "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
  Call call = call_of({a_.candidate(), b_.candidate()});

  ASSERT_TRUE(loop_.run(pool().stream(cleared(), call)));

  ASSERT_EQ(call.lost.size(), 1U);
  EXPECT_EQ(call.lost[0].cost_usd, 0);
}

TEST_F(PoolTest, LoneProviderIsAskedAgainAfterAPause) {
  a_.next = {{.status = 503}, {.status = 500}};
  Call call = call_of({a_.candidate()});

  ASSERT_TRUE(ask(call));
  EXPECT_EQ(a_.requests, 3);
  EXPECT_EQ(call.lost.size(), 2U);
}

TEST_F(PoolTest, GivesUpAfterItsRoundsWithTheLastError) {
  a_.reply.status = 503;
  b_.reply.status = 500;
  Call call = call_of({a_.candidate(), b_.candidate()});

  const Result<chat::ChatAnswer> answer = ask(call);

  ASSERT_FALSE(answer);
  EXPECT_GE(a_.requests + b_.requests, 4);  // each round begins with whoever's pause is over first
  EXPECT_LE(a_.requests + b_.requests, 6);
  EXPECT_TRUE(call.provider.empty());
}

TEST_F(PoolTest, RequestThatIsWrongIsNobodyElsesToTry) {
  a_.reply.status = 400;
  Call call = call_of({a_.candidate(), b_.candidate()});

  const Result<chat::ChatAnswer> answer = ask(call);

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(a_.requests, 1);
  EXPECT_EQ(b_.requests, 0);
  EXPECT_EQ(pool().health("a", "m")->breaker(clock_.steady()), Breaker::kClosed);
}

TEST_F(PoolTest, SpentQuotaIsFinalAtThatProviderOnly) {
  a_.reply = {.status = 429, .error = R"({"error":{"code":"insufficient_quota","message":"no"}})"};
  Call call = call_of({a_.candidate(), b_.candidate()});
  ASSERT_TRUE(ask(call));
  EXPECT_EQ(a_.requests, 1);

  Call alone = call_of({a_.candidate()});
  const Result<chat::ChatAnswer> answer = ask(alone);

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kRateLimited);
  EXPECT_THAT(answer.error().hint, HasSubstr("quota"));
  EXPECT_EQ(a_.requests, 1) << "its breaker is open";
}

TEST_F(PoolTest, XShouldRetryIsObeyed) {
  a_.reply = {.status = 500, .headers = {{"x-should-retry", "false"}}};
  Call call = call_of({a_.candidate()});

  EXPECT_FALSE(ask(call));
  EXPECT_EQ(a_.requests, 1);
}

TEST_F(PoolTest, OverloadLowersTheRequestsAtATimeAndLeavesTheBreakerClosed) {
  a_.reply = {.status = 529, .headers = {{"retry-after-ms", "1"}}};
  Call call = call_of({a_.candidate()});

  EXPECT_FALSE(ask(call));

  EXPECT_EQ(a_.requests, 3);
  EXPECT_LT(pool().gate("a")->limit(), ConcurrencyLimit::kFirst);
  EXPECT_EQ(pool().health("a", "m")->breaker(clock_.steady()), Breaker::kClosed);
}

TEST_F(PoolTest, PauseLongerThanAllowedIsReturnedInsteadOfWaitedFor) {
  a_.reply = {.status = 429, .headers = {{"retry-after", "3600"}}};
  Call call = call_of({a_.candidate()});

  const Result<chat::ChatAnswer> answer = ask(call);

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().retry_after, 1h);
  EXPECT_EQ(a_.requests, 1);
}

TEST_F(PoolTest, HedgesWhenNothingComesAndCancelsTheSlowOne) {
  options_.hedge_budget = 1;
  options_.preference = *parse_preference("fast");
  b_.reply.delay = 20ms;
  warm_up(a_);
  warm_up(b_);
  a_.reply.stalls = true;
  Call call = call_of({a_.candidate(), b_.candidate()});

  ASSERT_TRUE(ask(call));

  EXPECT_EQ(call.provider, "b");
  EXPECT_TRUE(call.hedged);
  ASSERT_EQ(call.lost.size(), 1U);
  EXPECT_EQ(call.lost[0].provider, "a");
  EXPECT_EQ(call.lost[0].error, "overtaken by b");
  EXPECT_TRUE(call.lost[0].usage.estimated);
  EXPECT_GT(call.lost[0].usage.prompt_tokens, 0);
  EXPECT_THAT(call.why, HasSubstr("unusually slow"));
  EXPECT_TRUE(loop_.until([this] { return a_.cancelled == 1; }));
  EXPECT_EQ(pool().health("a", "m")->in_flight(), 0);
}

TEST_F(PoolTest, LoneProviderIsHedgedByItself) {
  options_.hedge_budget = 1;
  warm_up(a_);
  a_.next = {{.stalls = true}};
  Call call = call_of({a_.candidate()});

  ASSERT_TRUE(ask(call));
  EXPECT_TRUE(call.hedged);
  EXPECT_EQ(call.provider, "a");
}

TEST_F(PoolTest, WithoutABudgetNothingIsSentTwice) {
  options_.hedge_budget = 0;
  warm_up(a_);
  a_.next = {{.stalls = true}};
  Call call = call_of({a_.candidate(), b_.candidate()});
  call.candidates.pop_back();

  const Result<chat::ChatAnswer> answer = ask(call, clock_.steady() + 200ms);

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kTimeout);
  EXPECT_EQ(a_.requests, 13);
}

TEST_F(PoolTest, HedgesStayWithinTheirBudget) {
  options_.hedge_budget = 0.1;
  warm_up(a_);
  a_.reply.delay = 30ms;  // slower than all that went before
  int hedged = 0;
  for (int i = 0; i < 28; ++i) {
    Call call = call_of({a_.candidate()});
    ASSERT_TRUE(ask(call));
    hedged += call.lost.empty() ? 0 : 1;
  }
  EXPECT_GE(hedged, 1);
  EXPECT_LE(hedged, 4);
  EXPECT_LE(a_.requests, 44);
}

TEST_F(PoolTest, CallerThatLeavesTakesItsRequestsWithIt) {
  options_.hedge_budget = 1;
  options_.preference = *parse_preference("fast");
  b_.reply.delay = 20ms;
  warm_up(a_);
  warm_up(b_);
  a_.reply.stalls = true;
  b_.reply.stalls = true;
  Call call = call_of({a_.candidate(), b_.candidate()});
  asio::cancellation_signal leave;
  bool gone = false;
  auto ended = [&gone](const std::exception_ptr&, const Result<chat::ChatAnswer>&) { gone = true; };
  asio::co_spawn(loop_.io(), pool().complete(cleared(), call),
                 asio::bind_cancellation_slot(leave.slot(), std::move(ended)));
  ASSERT_TRUE(loop_.until([this] { return a_.requests == 13 && b_.requests == 13; }));

  leave.emit(asio::cancellation_type::terminal);

  EXPECT_TRUE(loop_.until([&] { return gone && a_.cancelled == 1 && b_.cancelled == 1; }));
  EXPECT_EQ(pool().health("a", "m")->in_flight(), 0);
  EXPECT_EQ(pool().health("b", "m")->in_flight(), 0);
  EXPECT_EQ(call.lost.size(), 2U);
}

TEST_F(PoolTest, MissingUsageIsEstimatedAndMarked) {
  a_.reply.tells_usage = false;
  Call whole = call_of({a_.candidate()});
  const Result<chat::ChatAnswer> answer = ask(whole);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->usage().estimated);
  EXPECT_GT(answer->usage().completion_tokens, 0);

  Call streamed = call_of({a_.candidate()});
  Result<std::unique_ptr<chat::ChatStream>> stream = loop_.run(pool().stream(cleared(), streamed));
  ASSERT_TRUE(stream);
  const chat::AnswerParts gathered = read(**stream);
  EXPECT_TRUE(gathered.usage.estimated);
  EXPECT_GT(gathered.usage.completion_tokens, 0);
}

TEST_F(PoolTest, BreakerOpensAndClosesAgain) {
  options_.max_retries = 0;
  a_.reply.status = 500;
  for (int i = 0; i < Health::kBreakAfter; ++i) {
    Call call = call_of({a_.candidate(), b_.candidate()});
    EXPECT_TRUE(ask(call));
  }
  while (a_.requests < Health::kBreakAfter) {
    Call call = call_of({a_.candidate()});
    EXPECT_FALSE(ask(call));
  }
  EXPECT_EQ(pool().health("a", "m")->breaker(clock_.steady()), Breaker::kOpen);
  Call call = call_of({a_.candidate(), b_.candidate()});
  ASSERT_TRUE(ask(call));
  EXPECT_EQ(a_.requests, Health::kBreakAfter);
  EXPECT_THAT(call.why, HasSubstr("a fails, left alone"));
}

TEST_F(PoolTest, ModelWhoseAnswersDoNotPassIsPassedOver) {
  options_.preference = *parse_preference("cheap");
  for (int i = 0; i < 10; ++i) pool().judged("a", "m", "triage", false);
  Call call = call_of({a_.candidate(), b_.candidate()});
  call.operation = "triage";

  ASSERT_TRUE(ask(call));
  EXPECT_EQ(call.provider, "b");

  b_.reply.status = 400;  // but with nobody better in reach it is asked all the same
  Call alone = call_of({a_.candidate()});
  alone.operation = "triage";
  EXPECT_TRUE(ask(alone));
}

/// Many requests at once, and how they end.
struct Crowd {
  Crowd(test::EventLoop& the_loop, Pool& pool, std::size_t size,
        const std::function<Call(std::size_t)>& call_of)
      : loop(the_loop), calls(size), answers(size) {
    for (std::size_t i = 0; i < size; ++i) {
      calls[i] = call_of(i);
      chat::RequestParts parts;
      parts.messages.push_back(chat::text_message(chat::Role::kUser, "say hello"));
      chat::ChatRequest request(std::move(parts));
      auto ended = [this, i](const std::exception_ptr&, Result<chat::ChatAnswer> answer) {
        answers[i] = std::move(answer);
        order.push_back(i);
      };
      asio::co_spawn(
          loop.io(),
          pool.complete(*policy::clear_for_cloud(std::move(request), policy::Privacy::kAllow),
                        calls[i]),
          std::move(ended));
    }
  }
  bool wait() {
    return loop.until([this] { return order.size() == calls.size(); });
  }
  std::size_t failed() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        answers, [](const auto& each) { return !each || !each->has_value(); }));
  }

  test::EventLoop& loop;
  std::vector<Call> calls;
  std::vector<std::optional<Result<chat::ChatAnswer>>> answers;
  std::vector<std::size_t> order;  // in which they ended
};

TEST_F(PoolTest, SixtyFourAtOnceAreSixtyFourAtTheProvider) {
  a_.holds = true;
  Crowd crowd(loop_, pool(), 64, [&](std::size_t) { return call_of({a_.candidate()}); });

  EXPECT_TRUE(loop_.until([&] { return a_.held() == 64; }));

  a_.release();
  ASSERT_TRUE(crowd.wait());
  EXPECT_EQ(crowd.failed(), 0U);
}

TEST_F(PoolTest, ProviderThatRefusesBeyondEightIsSentAboutEightAndNobodySeesAnError) {
  a_.takes = 8;
  a_.reply.delay = 10ms;
  Crowd crowd(loop_, pool(), 200, [&](std::size_t) { return call_of({a_.candidate()}); });

  ASSERT_TRUE(crowd.wait());

  EXPECT_EQ(crowd.failed(), 0U);
  EXPECT_LE(pool().gate("a")->limit(), 12);
  EXPECT_GE(pool().gate("a")->limit(), 4);
  const int once_known = a_.refused;
  a_.most_in_flight = 0;
  Crowd later(loop_, pool(), 200, [&](std::size_t) { return call_of({a_.candidate()}); });
  ASSERT_TRUE(later.wait());
  EXPECT_EQ(later.failed(), 0U);
  EXPECT_LE(a_.most_in_flight, 13);
  EXPECT_LE(a_.refused - once_known, 40);
}

TEST_F(PoolTest, RetryAfterOfACrowdedProviderIsWaitedOutAndNobodySeesAnError) {
  a_.takes = 2;
  a_.refusal_headers = {{"retry-after-ms", "20"}};
  a_.reply.delay = 2ms;
  Crowd crowd(loop_, pool(), 32, [&](std::size_t) { return call_of({a_.candidate()}); });

  ASSERT_TRUE(crowd.wait());
  EXPECT_EQ(crowd.failed(), 0U);
}

TEST_F(PoolTest, WhatOneProviderCannotTakeAnotherDoes) {
  a_.takes = 4;
  a_.holds = true;
  b_.holds = true;
  Crowd crowd(loop_, pool(), 40,
              [&](std::size_t) { return call_of({a_.candidate(), b_.candidate()}); });

  EXPECT_TRUE(loop_.until([&] { return a_.held() + b_.held() == 40; }));

  a_.release();
  b_.release();
  ASSERT_TRUE(crowd.wait());
  EXPECT_EQ(crowd.failed(), 0U);
}

TEST_F(PoolTest, FloodOfOneAppDoesNotHoldUpAnothersRequest) {
  FakeProvider one(loop_, client_, "one", 1);
  Crowd crowd(loop_, pool(), 60, [&](std::size_t i) {
    Call call = call_of({one.candidate()});
    call.app = i < 59 ? "flood" : "other";
    return call;
  });

  ASSERT_TRUE(crowd.wait());

  EXPECT_EQ(one.most_in_flight, 1) << "the user set one at a time";
  const auto place = std::ranges::find(crowd.order, 59U) - crowd.order.begin();
  EXPECT_LE(place, 4);
  one.stop();
}

TEST_F(PoolTest, CapacityIsWhatProvidersTakeAndWhoWaitsTakesNobodysPlace) {
  FakeProvider one(loop_, client_, "one", 1);
  std::vector<int> told;
  pool().on_capacity([&](int capacity) { told.push_back(capacity); });
  pool().expect(*one.candidate().provider);
  one.holds = true;
  ASSERT_EQ(pool().capacity(), 1);
  Crowd crowd(loop_, pool(), 3, [&](std::size_t) { return call_of({one.candidate()}); });
  ASSERT_TRUE(loop_.until([&] { return one.held() == 1; }));

  EXPECT_EQ(pool().capacity(), 3);
  EXPECT_EQ(told.back(), 3);

  one.release();
  ASSERT_TRUE(crowd.wait());
  EXPECT_EQ(pool().capacity(), 1);
  one.stop();
}

TEST_F(PoolTest, SoManyMayWaitAndNoMore) {
  options_.max_waiting = 2;
  FakeProvider one(loop_, client_, "one", 1);
  one.holds = true;
  Crowd crowd(loop_, pool(), 5, [&](std::size_t) { return call_of({one.candidate()}); });
  ASSERT_TRUE(loop_.until([&] { return crowd.order.size() == 2; }));
  ASSERT_TRUE(loop_.until([&] { return one.held() == 1; }));

  one.release();
  ASSERT_TRUE(crowd.wait());
  EXPECT_EQ(crowd.failed(), 2U);
  EXPECT_EQ((*crowd.answers[4]).error().code, ErrorCode::kRateLimited);
  one.stop();
}

TEST_F(PoolTest, WhoLeavesTheQueueLeavesNoHoleInIt) {
  FakeProvider one(loop_, client_, "one", 1);
  one.holds = true;
  Call held = call_of({one.candidate()});
  Call leaves = call_of({one.candidate()});
  Call stays = call_of({one.candidate()});
  int ended = 0;
  asio::cancellation_signal leave;
  const auto count = [&ended](const std::exception_ptr&, const Result<chat::ChatAnswer>&) {
    ++ended;
  };
  asio::co_spawn(loop_.io(), pool().complete(cleared(), held), count);
  ASSERT_TRUE(loop_.until([&] { return one.held() == 1; }));
  asio::co_spawn(loop_.io(), pool().complete(cleared(), leaves),
                 asio::bind_cancellation_slot(leave.slot(), count));
  asio::co_spawn(loop_.io(), pool().complete(cleared(), stays), count);
  ASSERT_TRUE(loop_.until([&] { return pool().gate("one")->waiting() == 2; }));

  leave.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(loop_.until([&] { return ended == 1; }));
  one.release();

  EXPECT_TRUE(loop_.until([&] { return ended == 3; }));
  EXPECT_EQ(stays.provider, "one");
  EXPECT_EQ(pool().gate("one")->in_flight(), 0);
  one.stop();
}

TEST_F(PoolTest, BusyForATimeThatItNamesIsNotBroken) {
  a_.next = {{.status = 503, .headers = {{"retry-after-ms", "1"}}}};
  Call call = call_of({a_.candidate()});

  ASSERT_TRUE(ask(call));

  EXPECT_EQ(pool().health("a", "m")->error_rate(clock_.steady()), 0);
}

TEST_F(PoolTest, NobodyToAskIsAnErrorAndNotAWait) {
  Call call;
  EXPECT_FALSE(ask(call));
}

}  // namespace
}  // namespace minimill::cloud
