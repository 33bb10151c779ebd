#include "engine/llama_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "engine/call_stream.h"
#include "engine/continuation.h"
#include "engine/llama_engine_impl.h"
#include "engine/openai_transport.h"
#include "protocol/forced_call.h"
#include "protocol/openai.h"

namespace minimill::engine {
namespace {

constexpr Millis kLoadingPoll{200};
/// From a connection that broke to the news that the engine died.
constexpr Millis kDeathNews{2'000};
constexpr int kMaxRetries = 1;
constexpr Millis kNever{0};  // as an idle time

/// Counts a request as under way, so that the idle stop keeps away from it.
template <class Impl>
class InFlight {
 public:
  explicit InFlight(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) { ++impl_->in_flight; }
  ~InFlight() {
    --impl_->in_flight;
    if (impl_->closing) return;
    impl_->last_used = impl_->clock.steady();
    if (impl_->in_flight == 0) impl_->host.became_idle();
  }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  std::shared_ptr<Impl> impl_;
};

/// One request's way to an answer: at most kMaxRetries engines may die under it.
template <class Impl>
class Attempts {
 public:
  explicit Attempts(std::shared_ptr<Impl> impl)
      : impl_(std::move(impl)),
        lease_(impl_),
        stops_seen_(impl_->stops),
        loading_until_(impl_->clock.steady() + impl_->options.start_timeout) {}

  /// Waits for a running engine.
  asio::awaitable<Result<>> next() {
    Result<int> life = co_await impl_->ready(stops_seen_);
    if (!life) co_return std::unexpected(std::move(life.error()));
    life_ = *life;
    co_return Result<>();
  }

  /// After a failed call: returns once another is worth its while, or the error for the app.
  asio::awaitable<Result<>> again(CallFailure failure) {
    if (co_await async::cancelled())
      co_return fail(ErrorCode::kCancelled, "the request was cancelled");
    if (failure.kind == CallFailure::Kind::kRefused) {
      co_return std::unexpected(std::move(failure.error));
    }
    if (impl_->closing || impl_->stops != stops_seen_) {
      co_return std::unexpected(impl_->stopped_error());
    }
    if (failure.kind == CallFailure::Kind::kLoading) {
      const SteadyTime now = impl_->clock.steady();
      if (now >= loading_until_) co_return std::unexpected(std::move(failure.error));
      co_await impl_->wait_until(now + kLoadingPoll);
      co_return Result<>();
    }
    if (++broken_ > kMaxRetries) {
      co_return fail(
          ErrorCode::kUnavailable,
          fmt::format("the engine of {} died twice under this request ({})", impl_->options.name,
                      failure.error.message),
          "this prompt may be too much for the model or the machine; see the daemon's log");
    }
    log::info("engine {}: retrying a request ({})", impl_->options.name, failure.error.message);
    co_await impl_->death_of(life_);
    co_return Result<>();
  }

  Impl& impl() { return *impl_; }

 private:
  std::shared_ptr<Impl> impl_;
  InFlight<Impl> lease_;
  int stops_seen_;
  SteadyTime loading_until_;
  int life_ = 0;
  int broken_ = 0;
};

/// A stream that survives its engine.
template <class Impl>
class LlamaStream final : public chat::ChatStream {
 public:
  LlamaStream(std::shared_ptr<Impl> impl, std::string body, chat::Deadline deadline)
      : attempts_(std::move(impl)), body_(std::move(body)), deadline_(deadline) {}

  asio::awaitable<Result<>> open() {
    while (!stream_) {
      Result<> ready = co_await attempts_.next();
      if (!ready) co_return std::unexpected(std::move(ready.error()));
      Result<std::string> body = rest_of_body();
      if (!body) co_return std::unexpected(std::move(body.error()));
      Impl& impl = attempts_.impl();
      OpenAiServer server = impl.server();
      server.total_timeout = chat::time_left(deadline_);
      CallResult<std::unique_ptr<OpenAiStream>> opened =
          co_await open_chat_stream(impl.client, std::move(server), std::move(*body));
      if (opened) {
        stream_ = std::move(*opened);
        pieces_before_ = sent_.pieces;
        break;
      }
      Result<> again = co_await attempts_.again(std::move(opened.error()));
      if (!again) co_return std::unexpected(std::move(again.error()));
    }
    co_return Result<>();
  }

  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override {
    while (true) {
      if (ended_) co_return std::nullopt;
      Result<> opened = co_await open();
      if (!opened) co_return std::unexpected(std::move(opened.error()));
      CallResult<std::optional<chat::ChatEvent>> event = co_await stream_->next();
      if (event) {
        if (*event) take(**event);
        co_return std::move(*event);
      }
      model_ = stream_->model();
      stream_.reset();
      Result<> again = co_await attempts_.again(std::move(event.error()));
      if (!again) co_return std::unexpected(std::move(again.error()));
      if (!sent_.empty() && tokens_left(body_, sent_) == 0) {
        // The engine died between the last token allowed and saying so.
        ended_ = true;
        co_return std::optional<chat::ChatEvent>(chat::Finish{chat::FinishReason::kLength});
      }
    }
  }

  const std::string& model() const override { return stream_ ? stream_->model() : model_; }

 private:
  Result<std::string> rest_of_body() const {
    if (sent_.empty()) return body_;
    return continue_body(body_, sent_);
  }

  void take(chat::ChatEvent& event) {
    note(sent_, event);
    if (auto* report = std::get_if<chat::UsageReport>(&event)) {
      report->usage = whole_usage(report->usage, pieces_before_);
    }
  }

  Attempts<Impl> attempts_;
  std::string body_;
  chat::Deadline deadline_;
  std::unique_ptr<OpenAiStream> stream_;
  SentSoFar sent_;
  std::int64_t pieces_before_ = 0;  // sent by engines before the one that answers now
  std::string model_;
  bool ended_ = false;
};

}  // namespace

// ---- requests

asio::awaitable<Result<int>> LlamaEngine::Impl::ready(int stops_seen) {
  const int give_ups_seen = give_ups;
  while (true) {
    if (co_await async::cancelled())
      co_return fail(ErrorCode::kCancelled, "the request was cancelled");
    if (closing || stops != stops_seen) co_return std::unexpected(stopped_error());
    if (state == EngineState::kReady && alive()) co_return lives;
    const SteadyTime now = clock.steady();
    const bool resting = !supervised && state == EngineState::kFailed && now < retry_at;
    if (give_ups != give_ups_seen || resting) {
      Error error = *last_error;
      const SteadyTime::duration left = std::max(retry_at - now, SteadyTime::duration::zero());
      error.retry_after = std::chrono::ceil<Millis>(left);
      co_return std::unexpected(std::move(error));
    }
    if (!supervised) {
      begin_supervision();
      continue;  // it may have failed already, and nobody will say so again
    }
    co_await changed.wait();
  }
}

/// The connection breaks a moment before the guard reports the end; asking again in between would
/// meet the same dead socket. An engine that lives on after all is asked again after kDeathNews.
asio::awaitable<void> LlamaEngine::Impl::death_of(int life) {
  const SteadyTime deadline = clock.steady() + kDeathNews;
  while (!closing && lives == life && state == EngineState::kReady && alive() &&
         clock.steady() < deadline) {
    if (co_await async::cancelled()) co_return;
    co_await wait_until(deadline);
  }
}

OpenAiServer LlamaEngine::Impl::server() const {
  OpenAiServer server(clock);
  server.who = options.name;
  server.base_url = "http://localhost/v1";
  server.unix_socket = socket;
  return server;
}

Error LlamaEngine::Impl::stopped_error() const {
  return fail(ErrorCode::kUnavailable, fmt::format("the engine of {} was stopped", options.name),
              "send the request again once minimill is running")
      .error();
}

// ---- the engine

LlamaEngine::LlamaEngine(asio::io_context& io, http::Client& client, const Clock& clock,
                         EngineHost& host, LlamaEngineOptions options)
    : impl_(std::make_shared<Impl>(io, client, clock, host, std::move(options))) {}

LlamaEngine::~LlamaEngine() {
  impl_->closing = true;
  impl_->process.reset();
  impl_->state = EngineState::kStopped;
  if (!impl_->socket.empty()) impl_->remove_socket();
  impl_->cancel_supervision.emit(asio::cancellation_type::terminal);
  impl_->changed.notify();
}

asio::awaitable<Result<std::string>> LlamaEngine::post(std::string path, std::string body,
                                                       chat::Deadline deadline) {
  Attempts<Impl> attempts(impl_);
  while (true) {
    Result<> ready = co_await attempts.next();
    if (!ready) co_return std::unexpected(std::move(ready.error()));
    Impl& impl = attempts.impl();
    OpenAiServer server = impl.server();
    server.total_timeout = chat::time_left(deadline);
    std::string path_again = path;
    std::string body_again = body;
    CallResult<std::string> said =
        co_await call(impl.client, std::move(server), std::move(path_again), std::move(body_again));
    if (said) co_return std::move(*said);
    Result<> again = co_await attempts.again(std::move(said.error()));
    if (!again) co_return std::unexpected(std::move(again.error()));
  }
}

asio::awaitable<Result<chat::ChatAnswer>> LlamaEngine::complete(const chat::ChatRequest& request) {
  std::string body = protocol::openai::write_chat_request(request, impl_->options.name, false,
                                                          protocol::Target::kLlamaServer);
  std::string path(kChatPath);
  Result<std::string> said = co_await post(std::move(path), std::move(body), request.deadline);
  if (!said) co_return std::unexpected(std::move(said.error()));
  Result<chat::ChatAnswer> answer = protocol::openai::parse_answer(std::move(*said));
  if (!answer) co_return std::unexpected(std::move(answer.error()).context(impl_->options.name));
  if (protocol::demands_call(request)) protocol::take_call(*answer);
  co_return answer;
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> LlamaEngine::stream(
    const chat::ChatRequest& request) {
  std::string body = protocol::openai::write_chat_request(request, impl_->options.name, true,
                                                          protocol::Target::kLlamaServer);
  auto stream = std::make_unique<LlamaStream<Impl>>(impl_, std::move(body), request.deadline);
  Result<> opened = co_await stream->open();
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  if (protocol::demands_call(request)) co_return std::make_unique<CallStream>(std::move(stream));
  co_return std::move(stream);
}

EngineStatus LlamaEngine::status() const {
  EngineStatus status;
  status.name = impl_->options.name;
  status.state = impl_->state;
  status.pid = impl_->process ? impl_->process->pid() : 0;
  status.restarts = impl_->restarts;
  status.in_flight = impl_->in_flight;
  status.last_used = impl_->last_used;
  if (impl_->state == EngineState::kReady && impl_->in_flight == 0 &&
      impl_->idle_stop.count() > 0) {
    status.stops_at = impl_->last_used + impl_->idle_stop;
  }
  if (impl_->last_error) status.error = impl_->last_error->message;
  return status;
}

std::int64_t LlamaEngine::context_tokens() const {
  return impl_->context > 0 ? impl_->context : impl_->options.context_per_slot;
}

void LlamaEngine::keep_alive(std::chrono::seconds time) {
  constexpr Millis kAtOnce{50};
  impl_->idle_stop = time.count() < 0 ? kNever : std::max<Millis>(time, kAtOnce);
  impl_->changed.notify();
}

asio::awaitable<Result<>> LlamaEngine::warm_up() {
  Attempts<Impl> attempts(impl_);
  Result<> ready = co_await attempts.next();
  co_return ready;
}

void LlamaEngine::notify() { impl_->changed.notify(); }

void LlamaEngine::begin_stop() {
  ++impl_->stops;
  impl_->stop_wanted = impl_->supervised;
  impl_->changed.notify();
}

asio::awaitable<void> LlamaEngine::stop() {
  const std::shared_ptr<Impl> impl = impl_;
  begin_stop();
  const int supervision = impl->supervisions;
  while (impl->supervised && impl->supervisions == supervision && !impl->closing) {
    if (co_await async::cancelled()) co_return;
    co_await impl->changed.wait();
  }
}

}  // namespace minimill::engine
