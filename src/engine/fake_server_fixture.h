#pragma once

// llama-servers that are HTTP servers of the test itself, and a host that gives room as the test
// says.

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/broadcast.h"
#include "engine/engine_host.h"
#include "http/server.h"

namespace minimill::engine {

class FakeProcess;

/// What the processes do, and which there are.
class FakeServers {
 public:
  explicit FakeServers(asio::io_context& io) : io_(io) {}

  Result<std::unique_ptr<EngineProcess>> start(const std::vector<std::string>& words,
                                               std::function<void()> on_change);
  asio::io_context& io() { return io_; }
  FakeProcess& last() { return *running.back(); }
  void release() {
    holds = false;
    released.notify();
  }

  std::optional<int> fails_with;  // they end with it before they are ready
  bool stubborn = false;          // they do not end on SIGTERM
  bool holds = false;             // their answers wait
  async::Broadcast released;
  int started = 0;
  std::vector<std::string> command;
  std::vector<FakeProcess*> running;

 private:
  asio::io_context& io_;
};

class FakeProcess final : public EngineProcess {
 public:
  FakeProcess(FakeServers& servers, const std::string& socket, std::function<void()> on_change)
      : servers_(servers), on_change_(std::move(on_change)) {
    servers_.running.push_back(this);
    if (servers_.fails_with) {
      die(*servers_.fails_with);
      return;
    }
    server_.emplace(servers_.io(), http::ServerOptions{},
                    [&servers](http::Request& request, http::Responder& out) {
                      return answer(servers, request, out);
                    });
    EXPECT_TRUE(server_->listen("unix:" + socket));
  }
  ~FakeProcess() override { std::erase(servers_.running, this); }

  int pid() const override { return running() ? 4711 : 0; }
  bool running() const override { return !status_; }
  std::optional<int> exit_status() const override { return status_; }
  const std::string& output() const override { return output_; }
  void ask_to_end() override {
    if (!servers_.stubborn) die(0);
  }
  void kill() override { die(137); }

  void die(int status) {
    if (status_) return;
    status_ = status;
    server_.reset();
    asio::post(servers_.io(), on_change_);  // as a real one's news, by way of the loop
  }

 private:
  static asio::awaitable<void> answer(FakeServers& servers, http::Request& request,
                                      http::Responder& out) {
    std::string body = "{}";
    if (request.path == "/props") {
      body = R"({"total_slots":3,"default_generation_settings":{"n_ctx":512}})";
    } else if (request.path == "/v1/embeddings") {
      while (servers.holds) co_await servers.released.wait();
      body = R"({"answer":42})";
    }
    http::Headers headers{{"content-type", "application/json"}};
    co_await out.send(200, std::move(headers), std::move(body));
  }

  FakeServers& servers_;
  std::function<void()> on_change_;
  std::optional<int> status_;
  std::string output_ = "error: something of its own\n";
  std::optional<http::Server> server_;
};

inline Result<std::unique_ptr<EngineProcess>> FakeServers::start(
    const std::vector<std::string>& words, std::function<void()> on_change) {
  ++started;
  command = words;
  const auto option = std::ranges::find(words, "--host");
  return std::make_unique<FakeProcess>(*this, *(option + 1), std::move(on_change));
}

}  // namespace minimill::engine
