#pragma once

// A backend that answers as a test tells it to, and remembers what it was asked.
//
//   FakeBackend cloud(loop.io(), chat::Destination::kCloud, "large");
//   cloud.fails(ErrorCode::kUnavailable);        // this once
//   cloud.held = true;                           // whoever asks waits until release()

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/notifier.h"
#include "serve/backend.h"

namespace minimill::test {

namespace asio = boost::asio;

/// A whole answer of so many tokens.
inline chat::ChatAnswer answer(std::string text, std::int64_t tokens = 10) {
  chat::AnswerParts parts;
  parts.text = std::move(text);
  parts.usage = {.prompt_tokens = tokens, .completion_tokens = tokens};
  return chat::ChatAnswer(std::move(parts));
}

/// Says its events one by one, and then ends: well, or by `failure`.
class FakeStream final : public chat::ChatStream {
 public:
  explicit FakeStream(std::vector<chat::ChatEvent> events, std::optional<Error> failure = {})
      : events_(events.begin(), events.end()), failure_(std::move(failure)) {}
  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override {
    if (events_.empty() && failure_) co_return std::unexpected(*failure_);
    if (events_.empty()) co_return std::nullopt;
    std::optional<chat::ChatEvent> event(std::move(events_.front()));
    events_.pop_front();
    co_return event;
  }
  const std::string& model() const override { return model_; }

 private:
  std::deque<chat::ChatEvent> events_;
  std::optional<Error> failure_;
  std::string model_ = "fake";
};

class FakeBackend final : public serve::Backend {
 public:
  FakeBackend(asio::io_context& io, chat::Destination where, std::string model)
      : where_(where), model_(std::move(model)), released_(io.get_executor()) {}

  // What it is like.
  bool there = true;
  bool ready = true;
  double usd_per_token = 0;
  double logprob = -0.01;                  // of every token, where they are asked for
  std::optional<Error> breaks_off;         // how its streams end
  std::optional<chat::Usage> tells_first;  // what its streams begin with
  std::optional<Error> cannot;             // what fit() says
  bool held = false;                       // whoever asks waits until release()
  chat::ChatAnswer usual = answer("yes");
  std::deque<Result<chat::ChatAnswer>> next;  // before the usual one

  std::vector<cloud::LostAttempt> lost;  // beside the one that answers

  // What became of it.
  std::vector<policy::Request> asked;
  std::vector<bool> judgements;

  void fails(ErrorCode code, std::string why = "as told") {
    next.emplace_back(fail(code, std::move(why)));
  }
  void says(std::string text) { next.emplace_back(answer(std::move(text))); }
  void release() {
    held = false;
    released_.notify();
  }

  chat::Destination destination() const override { return where_; }
  bool available() override { return there; }
  std::string default_model() const override { return there ? model_ : ""; }
  Result<protocol::Fit> fit(const chat::ChatRequest&, const serve::Call&) const override {
    if (cannot) return std::unexpected(*cannot);
    return protocol::Fit{};
  }
  serve::Estimate estimate(const serve::Size& size) const override {
    return {.ready = ready, .usd = cost_usd({}, size.model, size.usage)};
  }
  double cost_usd(std::string_view, std::string_view, const chat::Usage& usage) const override {
    return usd_per_token * static_cast<double>(usage.prompt_tokens + usage.completion_tokens);
  }
  std::string name_of(std::string_view) const override { return model_ + "-server"; }
  void judged(const serve::Call&, bool passed) override { judgements.push_back(passed); }

  asio::awaitable<Result<chat::ChatAnswer>> complete(const policy::Request& request,
                                                     serve::Call& call) override {
    asked.push_back(request);
    while (held) co_await released_.wait();
    call.done.lost = lost;
    if (!lost.empty()) call.done.provider = name_of(model_);
    co_return take();
  }
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(const policy::Request& request,
                                                                    serve::Call&) override {
    asked.push_back(request);
    while (held) co_await released_.wait();
    Result<chat::ChatAnswer> whole = take();
    if (!whole) co_return std::unexpected(std::move(whole.error()));
    co_return std::make_unique<FakeStream>(events_of(*whole, request.chat.logprobs), breaks_off);
  }
  asio::awaitable<Result<protocol::EmbeddingAnswer>> embed(const policy::Request& request,
                                                           const protocol::EmbeddingRequest& texts,
                                                           serve::Call&) override {
    asked.push_back(request);
    const Result<chat::ChatAnswer> whole = take();
    if (!whole) co_return std::unexpected(whole.error());
    protocol::EmbeddingAnswer vectors;
    vectors.vectors.assign(texts.inputs(), {1, 0});
    vectors.prompt_tokens = whole->usage().prompt_tokens;
    co_return vectors;
  }

 private:
  Result<chat::ChatAnswer> take() {
    if (next.empty()) return usual;
    Result<chat::ChatAnswer> taken = std::move(next.front());
    next.pop_front();
    return taken;
  }

  /// A letter a token; the counts and the end only where it does not break off.
  std::vector<chat::ChatEvent> events_of(const chat::ChatAnswer& whole, bool logprobs) const {
    std::vector<chat::ChatEvent> events;
    if (tells_first) events.emplace_back(chat::UsageReport{*tells_first});
    for (const char letter : whole.text()) {
      chat::TextDelta delta{std::string(1, letter), {}};
      if (logprobs) delta.logprobs.push_back({delta.text, logprob, {}});
      events.emplace_back(std::move(delta));
    }
    if (breaks_off) return events;
    events.emplace_back(chat::Finish{});
    events.emplace_back(chat::UsageReport{whole.usage()});
    return events;
  }

  chat::Destination where_;
  std::string model_;
  async::Notifier released_;
};

}  // namespace minimill::test
