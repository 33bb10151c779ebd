// The whole program in a test: its folder, clock and randomness are the test's, its provider is
// simulated, and its door is a port of the loopback.

#include "daemon/daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "http/client.h"
#include "support/event_loop.h"
#include "support/temp_dir.h"

namespace minimill::daemon {
namespace {

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() {
    DaemonOptions options;
    options.config.data_dir = folder_ / "data";
    options.config.listen = {"127.0.0.1:0"};
    options.config.local.model.clear();
    options.config.sim_cloud = {.enabled = true,
                                .first_token_ms = 0,
                                .tokens_per_second = 100'000,
                                .p_correct = 1,
                                .gold = {}};
    options.environment.xdg_runtime_dir = folder_ / "run";
    std::filesystem::create_directories(options.environment.xdg_runtime_dir);
    options.clock = &clock_;
    options.random = &random_;
    daemon_ = Daemon::create(loop_.io(), std::move(options)).value();
    address_ = loop_.run(daemon_->start()).value().front();
  }
  ~DaemonTest() override { loop_.run(daemon_->stop(std::chrono::milliseconds{0})); }

  http::Response fetch(const std::string& method, const std::string& path, std::string body = {}) {
    http::ClientRequest request;
    request.method = method;
    request.url = "http://" + address_ + path;
    request.headers.add("content-type", "application/json");
    request.body = std::move(body);
    return loop_.run(client_.fetch(std::move(request))).value();
  }

  test::EventLoop loop_;
  test::TempDir folder_;
  ManualClock clock_;
  SeededRandom random_{1};
  http::Client client_{loop_.io()};
  std::unique_ptr<Daemon> daemon_;
  std::string address_;
};

TEST_F(DaemonTest, ChatIsAnsweredThroughItsDoorAndToldOfByItsId) {
  const http::Response answered =
      fetch("POST", "/v1/chat/completions",
            R"({"model": "cloud", "messages": [{"role": "user", "content": "Is it so?"}]})");

  ASSERT_EQ(answered.status, 200) << answered.body;
  const json::object answer = parse_json_object(answered.body).value();
  EXPECT_FALSE(answer.at("choices").as_array().empty());
  EXPECT_EQ(answered.headers.get("x-minimill-lane"), "cloud");
}

TEST_F(DaemonTest, BadRequestIsRefusedInTheProtocolsOwnWords) {
  const http::Response refused = fetch("POST", "/v1/chat/completions", R"({"messages": 7})");

  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(parse_json_object(refused.body)->contains("error"));
}

TEST_F(DaemonTest, TimeIsTheTests) {
  const http::Response models = fetch("GET", "/healthz");

  EXPECT_EQ(models.status, 200);
  EXPECT_EQ(unix_s(clock_.wall()), 24 * 365 * 50 * 3600LL);  // and stands still
}

}  // namespace
}  // namespace minimill::daemon
