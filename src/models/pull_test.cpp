// Pulling from Hugging Face, from plain URLs and from paths; models_test.cpp has the package index.

#include "models/pull.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "http/server.h"
#include "support/event_loop.h"
#include "support/temp_dir.h"
#include "support/tiny_gguf.h"

namespace minimill::models {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// A hub that redirects to a content network, both on one loopback server.
class Pulling : public testing::Test {
 protected:
  void SetUp() override {
    test::write_tiny_gguf(folder_ / "theirs.gguf");
    model_ = read(folder_ / "theirs.gguf");
    hash_ = sha256_hex(model_);
    server_.emplace(
        loop_.io(), http::ServerOptions{},
        [this](http::Request& request, http::Responder& out) { return handle(request, out); });
    url_ = "http://" + server_->listen("127.0.0.1:0").value();
  }

  asio::awaitable<void> handle(http::Request& request, http::Responder& out) {
    http::Headers headers;
    requests_.push_back(request.method + " " + request.path + " " +
                        std::string(request.headers.get("range")));
    if (request.path.starts_with("/hf/")) {
      if (!hash_.empty()) headers.add("x-linked-etag", "\"" + hash_ + "\"");
      headers.add("location", url_ + "/cdn/model.gguf");
      std::string body;
      co_await out.send(302, std::move(headers), std::move(body));
      co_return;
    }
    const std::string range(request.headers.get("range"));
    const bool unchanged =
        !request.headers.has("if-range") || request.headers.get("if-range") == etag_;
    const std::size_t from = range.empty() || !unchanged ? 0 : std::stoul(range.substr(6));
    headers.add("etag", etag_);
    if (from >= model_.size()) {
      headers.add("content-range", "bytes */" + std::to_string(model_.size()));
      std::string body;
      co_await out.send(416, std::move(headers), std::move(body));
      co_return;
    }
    if (from > 0) {
      headers.add("content-range", "bytes " + std::to_string(from) + "-" +
                                       std::to_string(model_.size() - 1) + "/" +
                                       std::to_string(model_.size()));
    }
    const int status = from > 0 ? 206 : 200;
    std::string body = model_.substr(from);
    const bool is_question = request.path.starts_with("/files/") && std::exchange(unasked_, false);
    if (cut_ > 0 && !is_question) {
      body.resize(std::exchange(cut_, 0));
      co_await out.start(status, std::move(headers));
      co_await out.write(body);
      co_return;  // without an end
    }
    co_await out.send(status, std::move(headers), std::move(body));
  }

  Result<Model> pull_model(const std::string& name) {
    unasked_ = true;
    http::Client client(loop_.io());
    PullOptions options;
    options.hugging_face = url_ + "/hf";
    options.package_index = url_ + "/none";
    auto tell = [this](const PullProgress& progress) { notes_ += progress.note + "\n"; };
    return loop_.run(pull(client, store_, name, std::move(options), std::move(tell)));
  }

  bool partial_is_empty() const { return !std::filesystem::exists(store_.folder() / ".partial"); }

  test::TempDir folder_;
  Store store_{folder_ / "models"};
  test::EventLoop loop_;
  std::string model_;
  std::string hash_;
  std::string etag_ = "\"one\"";
  std::string url_;
  std::string notes_;
  std::vector<std::string> requests_;
  std::size_t cut_ = 0;
  bool unasked_ = true;  // HEAD comes first, and looks like GET to a handler
  std::optional<http::Server> server_;
};

TEST_F(Pulling, HubsHashIsTakenBeforeItRedirects) {
  const Result<Model> model = pull_model("smollm2:360m");

  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_TRUE(read(model->file) == model_);  // not worth printing
  EXPECT_EQ(model->sha256, hash_);
  EXPECT_TRUE(partial_is_empty());
  EXPECT_EQ(requests_.size(), 3U);  // the question, the redirect, the file
}

TEST_F(Pulling, OtherBytesThanTheHubStatesAreRefusedAndGone) {
  hash_ = std::string(64, '0');

  const Result<Model> model = pull_model("hf.co/user/repo/model.gguf");

  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(model.error().message.find("SHA-256"), std::string::npos);
  EXPECT_FALSE(store_.find("model").has_value());
}

TEST_F(Pulling, CutDownloadGoesOnWhereItWas) {
  cut_ = 10'000;
  ASSERT_FALSE(pull_model("smollm2:360m").has_value());

  const Result<Model> model = pull_model("smollm2:360m");

  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_TRUE(requests_.back().ends_with("bytes=10000-")) << requests_.back();
  EXPECT_TRUE(read(model->file) == model_);  // not worth printing
}

TEST_F(Pulling, PlainUrlGoesOnOnlyWithTheSameETag) {
  for (const bool changes : {false, true}) {
    cut_ = 10'000;
    const std::string name = url_ + "/files/mine.gguf?key=secret";
    ASSERT_FALSE(pull_model(name).has_value());
    if (changes) etag_ = "\"two\"";

    const Result<Model> model = pull_model(name);
    ASSERT_TRUE(model.has_value()) << model.error().message;
    EXPECT_EQ(model->name, "mine");
    EXPECT_EQ(model->source, url_ + "/files/mine.gguf");
    EXPECT_TRUE(read(model->file) == model_);  // not worth printing
    EXPECT_TRUE(partial_is_empty());
    ASSERT_TRUE(store_.remove("mine").has_value());
  }
}

TEST_F(Pulling, PathIsLinkedAndHashed) {
  const Result<Model> model = pull_model((folder_ / "theirs.gguf").string());

  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->name, "theirs");
  EXPECT_EQ(model->sha256, hash_);
  EXPECT_EQ(std::filesystem::hard_link_count(model->file), 2U);
  EXPECT_TRUE(partial_is_empty());
}

TEST_F(Pulling, SymbolicLinkIsFollowed) {
  std::filesystem::create_symlink("theirs.gguf", folder_ / "a link.gguf");

  const Result<Model> model = pull_model((folder_ / "a link.gguf").string());

  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->name, "a-link");
  EXPECT_FALSE(std::filesystem::is_symlink(model->file));
}

TEST_F(Pulling, WhatIsNoModelIsSaidPlainly) {
  EXPECT_EQ(pull_model("nonesuch:1b").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(pull_model("./nonesuch.gguf").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(pull_model("http://far.example/m.gguf").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(pull_model("https://far.example/page").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(pull_model("hf.co/user/m.gguf").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace minimill::models
