#include "simcloud/batches.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "simcloud/anthropic_batches.h"
#include "simcloud/multipart.h"
#include "simcloud/openai_batches.h"
#include "simcloud/rate_limit.h"
#include "simcloud/request_log.h"

namespace minimill::simcloud {
namespace {

using chat::Protocol;

struct World {
  ManualClock clock;
  SimCloudOptions options;
  Answering answering{options};
  Batches batches{clock, answering, options.faults, Millis{1000}, 1};

  BatchReply openai(std::string method, std::string path, std::string body = {},
                    http::Headers headers = {}) {
    const http::Request request{
        .method = std::move(method),
        .path = path.substr(0, path.find('?')),
        .query = path.find('?') == std::string::npos ? "" : path.substr(path.find('?') + 1),
        .headers = std::move(headers),
        .body = std::move(body),
        .peer = {},
        .principal = {}};
    auto reply = request.path.starts_with("/v1/messages")
                     ? anthropic_batch_reply(request, batches, {})
                     : openai_batch_reply(request, batches, {});
    return reply.value_or(BatchReply{.status = 404, .body = "{}"});
  }

  static json::object object(const BatchReply& reply) {
    return parse_json_object(reply.body).value();
  }

  std::string upload(const std::string& lines) {
    const std::string form =
        "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.jsonl\"\r\n"
        "Content-Type: application/jsonl\r\n\r\n" +
        lines + "\r\n--b--\r\n";
    const BatchReply reply =
        openai("POST", "/v1/files", form, {{"content-type", "multipart/form-data; boundary=b"}});
    EXPECT_EQ(reply.status, 200) << reply.body;
    return std::string(object(reply).at("id").as_string());
  }

  BatchReply create(const std::string& lines, http::Headers headers = {}) {
    const json::object body{{"input_file_id", upload(lines)},
                            {"endpoint", "/v1/chat/completions"},
                            {"completion_window", "24h"},
                            {"metadata", {{"name", "mine"}}}};
    return openai("POST", "/v1/batches", json::serialize(body), std::move(headers));
  }
};

std::string line(const std::string& id) {
  return R"({"custom_id": ")" + id +
         R"(", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", )"
         R"("messages": [{"role": "user", "content": "hi"}]}})"
         "\n";
}

TEST(OpenAiBatches, GoFromValidatingToCompletedWithEveryLineAnswered) {
  World world;
  const std::string id(World::object(world.create(line("a") + line("b"))).at("id").as_string());
  const auto status = [&] {
    return std::string(
        World::object(world.openai("GET", "/v1/batches/" + id)).at("status").as_string());
  };

  EXPECT_EQ(status(), "validating");
  world.clock.advance(Millis{500});
  EXPECT_EQ(status(), "in_progress");
  world.clock.advance(Millis{450});
  EXPECT_EQ(status(), "finalizing");
  world.clock.advance(Millis{60});
  EXPECT_EQ(status(), "completed");

  const json::object batch = World::object(world.openai("GET", "/v1/batches/" + id));
  const std::string file(batch.at("output_file_id").as_string());
  const std::string text = world.openai("GET", "/v1/files/" + file + "/content").body;
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  EXPECT_NE(text.find("[simulated]"), std::string::npos);
  EXPECT_EQ(batch.at("metadata").at("name"), "mine");
  EXPECT_EQ(world.openai("DELETE", "/v1/files/" + file).status, 200);
  EXPECT_EQ(world.openai("GET", "/v1/files/" + file).status, 404);
}

TEST(OpenAiBatches, AreMadeOnceForOneIdempotencyKey) {
  World world;

  const BatchReply first = world.create(line("a"), {{"idempotency-key", "k"}});
  const BatchReply second = world.create(line("a"), {{"idempotency-key", "k"}});

  EXPECT_EQ(first.batch, second.batch);
  EXPECT_NE(world.create(line("a")).batch, first.batch);
}

TEST(OpenAiBatches, FailInValidationWhereALineIsWrong) {
  for (const std::string& lines : {line("a") + line("a"), std::string("{\n"), std::string("\n"),
                                   std::string(R"({"custom_id": "a"})")}) {
    World world;
    const BatchReply made = world.create(lines);
    world.clock.advance(Millis{2000});
    const json::object batch = World::object(world.openai("GET", "/v1/batches/" + made.batch));
    EXPECT_EQ(batch.at("status"), "failed") << lines;
    EXPECT_FALSE(batch.at("errors").is_null());
  }
}

TEST(OpenAiBatches, AreListedNewestFirstInPages) {
  World world;
  for (int i = 0; i < 3; ++i) world.create(line("a"));

  const json::object page = World::object(world.openai("GET", "/v1/batches?limit=2"));
  const std::string last(page.at("last_id").as_string());
  const json::object next = World::object(world.openai("GET", "/v1/batches?limit=2&after=" + last));

  EXPECT_EQ(page.at("data").as_array().size(), 2U);
  EXPECT_TRUE(page.at("has_more").as_bool());
  EXPECT_EQ(next.at("data").as_array().size(), 1U);
  EXPECT_FALSE(next.at("has_more").as_bool());
}

TEST(AnthropicBatches, EndWithAResultForEveryRequestAndCancelTheRest) {
  World world;
  json::array requests;
  for (const char* id : {"a", "b", "c", "d"}) {
    requests.push_back({{"custom_id", id},
                        {"params",
                         {{"model", "m"},
                          {"max_tokens", 5},
                          {"messages", json::array{{{"role", "user"}, {"content", "hi"}}}}}}});
  }
  const std::string body = json::serialize(json::object{{"requests", requests}});
  const std::string path =
      "/v1/messages/batches/" + world.openai("POST", "/v1/messages/batches", body).batch;
  EXPECT_EQ(world.openai("GET", path + "/results").status, 404);

  world.clock.advance(Millis{500});
  EXPECT_EQ(World::object(world.openai("POST", path + "/cancel")).at("processing_status"),
            "canceling");
  world.clock.advance(Millis{200});

  const json::object ended = World::object(world.openai("GET", path));
  EXPECT_EQ(ended.at("processing_status"), "ended");
  EXPECT_EQ(ended.at("request_counts").at("succeeded"), 2);
  EXPECT_EQ(ended.at("request_counts").at("canceled"), 2);
  const std::string text = world.openai("GET", path + "/results").body;
  EXPECT_NE(text.find(R"({"custom_id":"a","result":{"type":"succeeded")"), std::string::npos);
  EXPECT_NE(text.find(R"({"custom_id":"d","result":{"type":"canceled")"), std::string::npos);
}

TEST(Multipart, BrokenFormsAreRefused) {
  const std::string type = "multipart/form-data; boundary=b";
  for (const char* body : {"", "--b", "--b\r\n", "--b\r\nx\r\n--b--",
                           "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
                           "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx"}) {
    EXPECT_FALSE(parse_form(type, body)) << body;
  }
  EXPECT_FALSE(parse_form("multipart/form-data", "--b--"));
}

TEST(FaultShares, AreSetAllOrNone) {
  FaultShares shares{{Fault::kStall, 0.5}};

  EXPECT_FALSE(apply_fault_shares({{"stall", 0}, {"flood", 1}}, shares));
  EXPECT_FALSE(apply_fault_shares({{"stall", "often"}}, shares));
  EXPECT_FALSE(apply_fault_shares({{"stall", 2}}, shares));
  EXPECT_EQ(shares.at(Fault::kStall), 0.5);

  EXPECT_TRUE(apply_fault_shares({{"stall", 0}, {"429", 0.1}}, shares));
  EXPECT_EQ(shares, (FaultShares{{Fault::kRateLimited, 0.1}}));
}

TEST(RateLimitHeaders, AreInTheDialectOfTheProtocol) {
  ManualClock clock;
  RateLimit limit(clock, 60, false);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.take());

  http::Headers openai;
  http::Headers anthropic;
  limit.add_headers(Protocol::kOpenAi, openai);
  limit.add_headers(Protocol::kAnthropic, anthropic);

  EXPECT_EQ(openai.get("x-ratelimit-limit-requests"), "60");
  EXPECT_EQ(openai.get("x-ratelimit-remaining-requests"), "57");
  EXPECT_EQ(openai.get("x-ratelimit-reset-requests"), "3s");
  EXPECT_EQ(anthropic.get("anthropic-ratelimit-requests-remaining"), "57");
  EXPECT_TRUE(anthropic.get("anthropic-ratelimit-requests-reset").ends_with("Z"));
}

TEST(RequestLog, KeepsTheNewestAndCountsAll) {
  RequestLog log;
  for (std::size_t i = 0; i < RequestLog::kKept + 5; ++i) log.add(WallTime{}, "GET", "/x");

  const json::object shown = log.to_json();

  EXPECT_EQ(shown.at("requests").as_array().size(), RequestLog::kKept);
  EXPECT_EQ(shown.at("total"), static_cast<std::int64_t>(RequestLog::kKept) + 5);
}

}  // namespace
}  // namespace minimill::simcloud
