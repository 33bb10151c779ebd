#include "cloud/pool.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

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
};

/// A provider on a real socket that does as it is told.
class FakeProvider {
 public:
  FakeProvider(test::EventLoop& loop, http::Client& client, std::string name) : loop_(loop) {
    http::Handler handler = [this](http::Request& request, http::Responder& out) {
      return answer(request, out);
    };
    server_.emplace(loop.io(), http::ServerOptions{}, std::move(handler));
    ProviderOptions options;
    options.name = std::move(name);
    options.base_url = "http://" + *server_->listen("127.0.0.1:0") + "/v1";
    options.models = {"m"};
    provider_.emplace(client, std::move(options));
  }

  Candidate candidate() { return {.provider = &*provider_, .model = "m"}; }
  void stop() { loop_.run(server_->stop(0ms)); }

  Reply reply;              // to whatever is asked
  std::vector<Reply> next;  // and before that, one by one
  int requests = 0;
  int cancelled = 0;

 private:
  asio::awaitable<void> answer(http::Request& request, http::Responder& out) {
    ++requests;
    Reply now = reply;
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
    const auto wait = now.stalls ? std::chrono::milliseconds{600'000} : now.delay;
    asio::steady_timer timer(loop_.io(), wait);
    if (wait > 0ms) co_await timer.async_wait(asio::use_awaitable);
    leaving.count = nullptr;
    http::Headers headers = now.headers;
    if (now.status != 200) {
      headers.add("content-type", "application/json");
      co_await out.send(now.status, std::move(headers), std::move(now.error));
      co_return;
    }
    const std::string_view usage = now.tells_usage ? kUsage : "";
    if (request.body.find("\"stream\":true") == std::string::npos) {
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
    const std::string body = fmt::format(
        "data: {{\"id\":\"1\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":"
        "\"hello\"}}}}]}}\n\n"
        "data: {{\"id\":\"1\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{}},"
        "\"finish_reason\":\"stop\"}}]{}}}\n\ndata: [DONE]\n\n",
        usage);
    co_await out.write(body);
    co_await out.finish();
  }

  test::EventLoop& loop_;
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
  chat::AnswerParts answer;
  while (true) {
    auto event = loop_.run((*stream)->next());
    ASSERT_TRUE(event) << event.error().to_string();
    if (!*event) break;
    chat::accumulate(answer, **event);
  }
  EXPECT_EQ(answer.text, "hello");
  EXPECT_EQ(answer.usage.completion_tokens, 5);
  EXPECT_EQ(pool().health("b", "m")->in_flight(), 0);
  EXPECT_GT(pool().health("b", "m")->service().weight(clock_.steady()), 0.9);
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
  EXPECT_EQ(pool().health("a", "m")->limit(), 2);
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
  chat::AnswerParts gathered;
  while (true) {
    auto event = loop_.run((*stream)->next());
    ASSERT_TRUE(event);
    if (!*event) break;
    chat::accumulate(gathered, **event);
  }
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

TEST_F(PoolTest, NobodyToAskIsAnErrorAndNotAWait) {
  Call call;
  EXPECT_FALSE(ask(call));
}

}  // namespace
}  // namespace minimill::cloud
