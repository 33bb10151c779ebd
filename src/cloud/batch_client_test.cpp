#include "cloud/batch_client.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "simcloud/sim_cloud.h"
#include "support/event_loop.h"

namespace minimill::cloud {
namespace {

using chat::Protocol;
using protocol::BatchState;
using protocol::BatchStatus;

policy::Cleared<chat::ChatRequest> cleared(std::string text) {
  chat::RequestParts parts;
  parts.messages.push_back(chat::text_message(chat::Role::kUser, std::move(text)));
  parts.sampling.max_tokens = 50;
  return policy::clear_for_cloud(chat::ChatRequest(std::move(parts)), policy::Privacy::kAllow)
      .value();
}

std::vector<BatchItem> items(int count) {
  std::vector<BatchItem> items;
  for (int i = 0; i < count; ++i) {
    items.push_back({.custom_id = "item-" + std::to_string(i),
                     .request = cleared("question " + std::to_string(i))});
  }
  return items;
}

std::set<std::string> ids(int count) {
  std::set<std::string> ids;
  for (int i = 0; i < count; ++i) ids.insert("item-" + std::to_string(i));
  return ids;
}

class BatchClientTest : public testing::TestWithParam<Protocol> {
 protected:
  void start(simcloud::FaultShares faults = {}, std::chrono::milliseconds takes = {}) {
    simcloud::SimCloudOptions options;
    options.batch = takes;
    options.faults = std::move(faults);
    for (int i = 0; i < 20; ++i) {
      const std::string number = std::to_string(i);
      options.gold.push_back({"question " + number, "answer " + number, "wrong"});
    }
    options.p_correct = 1;
    cloud_.emplace(loop_.io(), std::move(options));
    const std::string url = cloud_->start().value();
    ProviderOptions provider;
    provider.name = "sim";
    provider.protocol = GetParam();
    provider.base_url = GetParam() == Protocol::kOpenAi ? url + "/v1" : url;
    provider.idle_timeout = std::chrono::milliseconds{300};
    provider_ = provider;
    client_.emplace(http_, provider);
  }
  ~BatchClientTest() override {
    if (cloud_) loop_.run(cloud_->stop());
  }

  Result<BatchStatus> create(int count, std::string_view name) {
    const std::vector<BatchItem> sent = items(count);
    std::string body = loop_.run(client_->write(sent, "sim-large"));
    return loop_.run(client_->create(std::move(body), name));
  }

  test::EventLoop loop_;
  http::Client http_{loop_.io()};
  std::optional<simcloud::SimCloud> cloud_;
  ProviderOptions provider_;
  std::optional<BatchClient> client_;
};

TEST_P(BatchClientTest, BringsOneAnswerForEachRequest) {
  start();
  const BatchStatus made = create(5, "b1").value();

  const BatchStatus ended = loop_.run(client_->poll(made.id)).value();
  const BatchAnswers answers = loop_.run(client_->results(ended, ids(5))).value();

  EXPECT_EQ(ended.state, BatchState::kEnded);
  EXPECT_EQ(ended.answered, 5);
  ASSERT_EQ(answers.size(), 5U);
  for (int i = 0; i < 5; ++i) {
    const auto& answer = answers.at("item-" + std::to_string(i));
    ASSERT_TRUE(answer) << answer.error().to_string();
    EXPECT_EQ(answer->text(), "answer " + std::to_string(i));
    EXPECT_GT(answer->usage().completion_tokens, 0);
  }
}

TEST_P(BatchClientTest, MakesOneBatchForOneName) {
  start();

  const BatchStatus first = create(2, "b1").value();
  const BatchStatus second = create(2, "b1").value();

  EXPECT_EQ(first.id, second.id);
  EXPECT_NE(create(2, "b2").value().id, first.id);
}

TEST_P(BatchClientTest, FindsByNameABatchWhoseCreationWasNeverConfirmed) {
  start({{simcloud::Fault::kBatchStall, 1}});
  const Result<BatchStatus> made = create(2, "b1");
  EXPECT_EQ(made.error().code, ErrorCode::kTimeout);

  const auto found = loop_.run(client_->find("b1", 0)).value();
  const auto other = loop_.run(client_->find("b2", 0)).value();

  EXPECT_EQ(found.has_value(), GetParam() == Protocol::kOpenAi);  // Anthropic keeps no names
  EXPECT_FALSE(other);
}

TEST_P(BatchClientTest, CancellingIsAskedForAndTakesItsTime) {
  start({}, std::chrono::seconds{100});
  const BatchStatus made = create(4, "b1").value();

  const BatchStatus cancelled = loop_.run(client_->cancel(made.id)).value();

  EXPECT_EQ(cancelled.state, BatchState::kCancelling);
}

TEST_P(BatchClientTest, ExpiredRequestsAreErrorsOfTheirOwn) {
  start({{simcloud::Fault::kBatchExpire, 1}});
  const BatchStatus made = create(4, "b1").value();

  const BatchStatus ended = loop_.run(client_->poll(made.id)).value();
  const BatchAnswers answers = loop_.run(client_->results(ended, ids(4))).value();

  EXPECT_TRUE(answers.at("item-0"));
  ASSERT_FALSE(answers.at("item-3"));
  EXPECT_EQ(answers.at("item-3").error().code, ErrorCode::kTimeout);
}

TEST_P(BatchClientTest, HostileResultsAreErrorsOfTheItemsTheyConcern) {
  start({{simcloud::Fault::kBatchHostile, 1}});
  const BatchStatus made = create(4, "b1").value();

  const BatchStatus ended = loop_.run(client_->poll(made.id)).value();
  const BatchAnswers answers = loop_.run(client_->results(ended, ids(4))).value();

  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers.at("item-0").error().message, "the batch's results answer this request twice");
  EXPECT_TRUE(answers.at("item-1"));
  EXPECT_TRUE(answers.at("item-2"));
  EXPECT_EQ(answers.at("item-3").error().message, "the batch's results lack this request");
}

TEST_P(BatchClientTest, FailedBatchSaysSo) {
  start({{simcloud::Fault::kBatchFail, 1}});
  const BatchStatus made = create(2, "b1").value();

  const BatchStatus ended = loop_.run(client_->poll(made.id)).value();

  if (GetParam() == Protocol::kOpenAi) {
    EXPECT_EQ(ended.state, BatchState::kFailed);
    EXPECT_EQ(ended.error, "simulated: the batch failed");
  } else {
    const BatchAnswers answers = loop_.run(client_->results(ended, ids(2))).value();
    EXPECT_EQ(answers.at("item-0").error().code, ErrorCode::kUpstream);
  }
}

TEST_P(BatchClientTest, ForgottenBatchIsGoneAtTheProvider) {
  start();
  const BatchStatus made = create(1, "b1").value();
  const BatchStatus ended = loop_.run(client_->poll(made.id)).value();

  loop_.run(client_->forget(ended));

  EXPECT_EQ(loop_.run(client_->results(ended, ids(1))).error().code, ErrorCode::kNotFound);
}

TEST_P(BatchClientTest, UnknownBatchIsNotFound) {
  start();
  EXPECT_EQ(loop_.run(client_->poll("batch_none")).error().code, ErrorCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(BothProtocols, BatchClientTest,
                         testing::Values(Protocol::kOpenAi, Protocol::kAnthropic),
                         [](const auto& each) {
                           return each.param == Protocol::kOpenAi ? "OpenAi" : "Anthropic";
                         });

TEST(BatchResults, LineOverTheLimitIsReadOverAndTheNextOneRead) {
  protocol::BatchResultsReader reader({"a"}, [](std::string_view line) {
    return Result<protocol::BatchResult>({std::string(line), chat::ChatAnswer{}});
  });
  const std::string piece(std::size_t{1} << 20, 'x');
  for (int i = 0; i < 6; ++i) reader.feed(piece);
  reader.feed("\na");
  reader.end_of_file();

  const auto results = std::move(reader).results();
  EXPECT_EQ(results.size(), 1);
  EXPECT_TRUE(results.at("a"));
}

}  // namespace
}  // namespace minimill::cloud
