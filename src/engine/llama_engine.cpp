#include "engine/llama_engine.h"

#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <system_error>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "engine/broadcast.h"
#include "engine/continuation.h"
#include "engine/guarded_process.h"
#include "engine/openai_transport.h"
#include "engine/start_failure.h"
#include "protocol/openai.h"

namespace minimill::engine {
namespace {

/// llama-server keeps evicted prompts in host memory, by default up to 8 GiB of it. Enough for a
/// few long conversations, and small beside any model worth running.
constexpr int kPromptCacheMib = 256;
constexpr int kLogWarnings = 2;  // of -lv

constexpr Millis kHealthPollFirst{20};
constexpr Millis kHealthPollMax{200};
constexpr Millis kHealthTimeout{5'000};
constexpr Millis kLoadingPoll{200};
/// An engine that lived this long was well; its death starts the back-off anew.
constexpr Millis kHealthyAfter{10'000};
/// Beyond the guard's own grace, for a machine that is busy swapping.
constexpr Millis kEndTimeout{5'000};
/// From a connection that broke to the news that the engine died.
constexpr Millis kDeathNews{2'000};
constexpr int kMaxFailedStarts = 3;
constexpr int kMaxRetries = 1;
constexpr int kHttpOk = 200;

Error unavailable(std::string message, std::string hint) {
  Error error;
  error.code = ErrorCode::kUnavailable;
  error.message = std::move(message);
  error.hint = std::move(hint);
  return error;
}

/// Errors that the same start a second later would meet again.
bool hopeless(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported:
    case ErrorCode::kInvalidArgument:
      return true;
    default:
      return false;
  }
}

http::ClientRequest get_request(const std::string& socket, std::string_view path) {
  http::ClientRequest request;
  request.url = fmt::format("http://localhost{}", path);
  request.unix_socket = socket;
  request.connect_timeout = kHealthTimeout;
  request.total_timeout = kHealthTimeout;
  return request;
}

/// default_generation_settings.n_ctx of GET /props: one slot's context, after llama-server has cut
/// it down to what the model was trained for. 0 where it is not there.
std::int64_t slot_context(std::string_view props) {
  const Result<json::object> object = parse_json_object(props);
  if (!object) return 0;
  Fields fields(*object);
  const json::object* settings = fields.optional_object("default_generation_settings");
  if (settings == nullptr) return 0;
  return Fields(*settings).optional_integer("n_ctx", 0).value_or(0);
}

}  // namespace

/// Shared by the engine, its supervising coroutine and the streams under way. Of the three only the
/// engine's end closes it: the others then meet an error.
struct LlamaEngine::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& loop, http::Client& http_client, const Clock& the_clock,
       LlamaEngineOptions the_options)
      : io(loop), client(http_client), clock(the_clock), options(std::move(the_options)) {}

  // What requests do.
  asio::awaitable<Result<int>> ready(int stops_seen);
  asio::awaitable<void> death_of(int life);
  OpenAiServer server() const;
  Error stopped_error() const;

  // What the supervisor does: one coroutine from the first request to the idle stop.
  static asio::awaitable<void> supervise(std::shared_ptr<Impl> self);
  void begin_supervision();
  asio::awaitable<void> back_off();
  Result<> check_options() const;
  std::vector<std::string> command() const;
  asio::awaitable<Result<>> start();
  asio::awaitable<bool> healthy();
  asio::awaitable<void> learn_context();
  asio::awaitable<bool> watch();  // true: it died
  asio::awaitable<void> end_process();
  void note_failure(Error error);
  void remove_socket() const;
  bool ending() const { return closing || stop_wanted; }
  bool alive() const { return process && process->running(); }

  asio::io_context& io;
  http::Client& client;
  const Clock& clock;
  const LlamaEngineOptions options;

  EngineState state = EngineState::kStopped;
  Broadcast changed;  // any of what is below
  std::unique_ptr<GuardedProcess> process;
  std::string socket;
  std::int64_t context = 0;
  int lives = 0;  // processes started
  int restarts = 0;

  int in_flight = 0;
  SteadyTime last_used{};

  bool supervised = false;
  int supervisions = 0;
  bool closing = false;      // the engine is being destroyed
  bool stop_wanted = false;  // stop() waits
  int stops = 0;
  asio::cancellation_signal cancel_supervision;

  int failures = 0;       // in a row, starts and early deaths: decides the back-off
  int failed_starts = 0;  // in a row
  int give_ups = 0;
  SteadyTime retry_at{};
  std::optional<Error> last_error;
};

namespace {

/// Counts a request as under way, so that the idle stop keeps away from it.
template <class Impl>
class InFlight {
 public:
  explicit InFlight(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) { ++impl_->in_flight; }
  ~InFlight() {
    --impl_->in_flight;
    if (!impl_->closing) impl_->last_used = impl_->clock.steady();
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
    if (co_await cancelled()) co_return fail(ErrorCode::kCancelled, "the request was cancelled");
    if (failure.kind == CallFailure::Kind::kRefused) {
      co_return std::unexpected(std::move(failure.error));
    }
    if (impl_->closing || impl_->stops != stops_seen_) {
      co_return std::unexpected(impl_->stopped_error());
    }
    if (failure.kind == CallFailure::Kind::kLoading) {
      const SteadyTime now = impl_->clock.steady();
      if (now >= loading_until_) co_return std::unexpected(std::move(failure.error));
      co_await impl_->changed.wait_until(now + kLoadingPoll);
      co_return Result<>();
    }
    if (++broken_ > kMaxRetries) {
      co_return std::unexpected(unavailable(
          fmt::format("the engine of {} died twice under this request ({})", impl_->options.name,
                      failure.error.message),
          "this prompt may be too much for the model or the machine; see the daemon's log"));
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
  LlamaStream(std::shared_ptr<Impl> impl, std::string body)
      : attempts_(std::move(impl)), body_(std::move(body)) {}

  asio::awaitable<Result<>> open() {
    while (!stream_) {
      Result<> ready = co_await attempts_.next();
      if (!ready) co_return std::unexpected(std::move(ready.error()));
      Result<std::string> body = rest_of_body();
      if (!body) co_return std::unexpected(std::move(body.error()));
      Impl& impl = attempts_.impl();
      OpenAiServer server = impl.server();
      server.total_timeout = chat::time_left(request_);
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
    if (co_await cancelled()) co_return fail(ErrorCode::kCancelled, "the request was cancelled");
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
    if (!supervised) begin_supervision();
    co_await changed.wait();
  }
}

/// The connection breaks a moment before the guard reports the end; asking again in between would
/// meet the same dead socket. An engine that lives on after all is asked again after kDeathNews.
asio::awaitable<void> LlamaEngine::Impl::death_of(int life) {
  const SteadyTime deadline = clock.steady() + kDeathNews;
  while (!closing && lives == life && state == EngineState::kReady && alive() &&
         clock.steady() < deadline) {
    if (co_await cancelled()) co_return;
    co_await changed.wait_until(deadline);
  }
}

OpenAiServer LlamaEngine::Impl::server() const {
  OpenAiServer server;
  server.who = options.name;
  server.base_url = "http://localhost/v1";
  server.unix_socket = socket;
  return server;
}

Error LlamaEngine::Impl::stopped_error() const {
  return unavailable(fmt::format("the engine of {} was stopped", options.name),
                     "send the request again once minimill is running");
}

// ---- supervision

void LlamaEngine::Impl::begin_supervision() {
  supervised = true;
  ++supervisions;
  state = EngineState::kStarting;
  // What a coroutine may throw past its end is a bug or out-of-memory: not ours to swallow.
  auto at_end = [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);
  };
  asio::co_spawn(io, supervise(shared_from_this()),
                 asio::bind_cancellation_slot(cancel_supervision.slot(), std::move(at_end)));
}

asio::awaitable<void> LlamaEngine::Impl::supervise(std::shared_ptr<Impl> self) {
  co_await asio::this_coro::throw_if_cancelled(false);  // `closing` says it
  Impl& engine = *self;
  bool gave_up = false;
  for (int round = 0; !engine.ending(); ++round) {
    engine.state = EngineState::kStarting;
    engine.changed.notify();
    if (round > 0) co_await engine.back_off();
    if (engine.ending()) break;
    if (round > 0) ++engine.restarts;
    const Result<> started = co_await engine.start();
    if (engine.ending()) break;
    if (!started) {
      co_await engine.end_process();
      if (engine.closing) break;
      ++engine.failed_starts;
      engine.note_failure(started.error());
      gave_up = hopeless(started.error()) || engine.failed_starts >= kMaxFailedStarts;
      if (gave_up) break;
      continue;
    }
    engine.failed_starts = 0;
    const bool died = co_await engine.watch();
    if (!died) break;
  }
  if (!engine.closing) {
    engine.state = EngineState::kStopped;
    co_await engine.end_process();
  }
  if (gave_up) {
    ++engine.give_ups;
    engine.state = EngineState::kFailed;
  }
  engine.supervised = false;
  engine.stop_wanted = false;
  engine.changed.notify();
}

asio::awaitable<void> LlamaEngine::Impl::back_off() {
  while (!ending() && clock.steady() < retry_at) co_await changed.wait_until(retry_at);
}

Result<> LlamaEngine::Impl::check_options() const {
  std::error_code error;
  if (!std::filesystem::exists(options.model, error)) {
    return fail(ErrorCode::kNotFound,
                fmt::format("no model file {} for {}", options.model.string(), options.name),
                fmt::format("run minimill pull {}", options.name));
  }
  if (socket.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the socket path {} is longer than the {} bytes a Unix socket may have",
                            socket, sizeof(sockaddr_un::sun_path) - 1),
                "choose a shorter runtime folder");
  }
  return {};
}

std::vector<std::string> LlamaEngine::Impl::command() const {
  std::vector<std::string> words = {
      options.llama_server.string(),
      "--model",
      options.model.string(),
      "--alias",
      options.name,
      "--host",
      socket,
      "--parallel",
      std::to_string(options.slots),
      "--ctx-size",
      std::to_string(options.slots * options.context_per_slot),
      "--cache-ram",
      std::to_string(kPromptCacheMib),
      "--verbosity",
      std::to_string(kLogWarnings),
      "--jinja",
      "--offline",
      "--no-ui",
  };
  if (options.threads > 0) {
    words.insert(words.end(), {"--threads", std::to_string(options.threads)});
  }
  words.insert(words.end(), options.extra_args.begin(), options.extra_args.end());
  return words;
}

asio::awaitable<Result<>> LlamaEngine::Impl::start() {
  // A name never used before: a connection kept for reuse can only be to this very process.
  static std::uint64_t sockets = 0;
  socket = (options.socket_dir / fmt::format("{}-{}.sock", getpid(), ++sockets)).string();
  if (Result<> checked = check_options(); !checked) co_return checked;
  remove_socket();

  const SteadyTime began = clock.steady();
  std::function<void()> on_change = [this] { changed.notify(); };  // the process is ours
  const std::vector<std::string> words = command();
  Result<std::unique_ptr<GuardedProcess>> started =
      GuardedProcess::start(io, options.guard, words, std::move(on_change));
  if (!started) co_return std::unexpected(std::move(started.error()));
  process = std::move(*started);
  ++lives;

  Millis pause = kHealthPollFirst;
  const SteadyTime deadline = began + options.start_timeout;
  while (true) {
    const bool well = co_await healthy();
    if (ending()) co_return fail(ErrorCode::kCancelled, "stopped while starting");
    if (!process->running()) {
      co_return std::unexpected(
          start_failure(options.name, process->output(), process->exit_status().value_or(0)));
    }
    // The pid comes by way of the guard and may come last.
    if (well && process->pid() != 0) break;
    const SteadyTime now = clock.steady();
    if (now >= deadline) {
      co_return fail(ErrorCode::kTimeout,
                     fmt::format("llama-server for {} was not ready after {} s", options.name,
                                 options.start_timeout.count() / 1000),
                     "the model may be too big for this machine");
    }
    co_await changed.wait_until(std::min(now + pause, deadline));
    pause = std::min(pause * 2, kHealthPollMax);
    if (ending()) co_return fail(ErrorCode::kCancelled, "stopped while starting");
  }
  co_await learn_context();
  if (ending()) co_return fail(ErrorCode::kCancelled, "stopped while starting");

  const auto took = std::chrono::duration_cast<Millis>(clock.steady() - began);
  log::info("engine {}: ready after {} ms, pid {}", options.name, took.count(), process->pid());
  last_used = clock.steady();
  co_return Result<>();
}

asio::awaitable<bool> LlamaEngine::Impl::healthy() {
  http::ClientRequest request = get_request(socket, "/health");
  const Result<http::Response> response = co_await client.fetch(std::move(request));
  co_return response && response->status == kHttpOk;
}

asio::awaitable<void> LlamaEngine::Impl::learn_context() {
  http::ClientRequest request = get_request(socket, "/props");
  const Result<http::Response> response = co_await client.fetch(std::move(request));
  if (response && response->status == kHttpOk) context = slot_context(response->body);
}

asio::awaitable<bool> LlamaEngine::Impl::watch() {
  state = EngineState::kReady;
  changed.notify();
  const SteadyTime born = clock.steady();
  while (process->running()) {
    const SteadyTime now = clock.steady();
    // Requests that come and go do not wake us: with one under way we look again later.
    SteadyTime look_at = SteadyTime::max();
    if (options.idle_stop.count() > 0) {
      look_at = (in_flight > 0 ? now : last_used) + options.idle_stop;
      if (look_at <= now) {
        log::info("engine {}: stopping it, idle for {} s", options.name,
                  options.idle_stop.count() / 1000);
        co_return false;
      }
    }
    co_await changed.wait_until(look_at);
    if (ending()) co_return false;
  }
  if (clock.steady() - born >= kHealthyAfter) failures = 0;
  const std::string how = describe_exit(process->exit_status().value_or(0));
  note_failure(unavailable(fmt::format("llama-server for {} ended with {}", options.name, how),
                           "it is being restarted"));
  co_await end_process();
  co_return !closing;
}

asio::awaitable<void> LlamaEngine::Impl::end_process() {
  if (process) process->ask_to_end();
  SteadyTime deadline = clock.steady() + kEndTimeout;
  while (alive()) {
    if (clock.steady() >= deadline) {
      process->kill();
      deadline = SteadyTime::max();  // nothing withstands SIGKILL for ever
    }
    co_await changed.wait_until(deadline);
    if (closing) co_return;
  }
  process.reset();
  remove_socket();
}

void LlamaEngine::Impl::note_failure(Error error) {
  ++failures;
  Millis delay = options.backoff_first;
  for (int i = 1; i < failures && delay < options.backoff_max; ++i) delay *= 2;
  delay = std::min(delay, options.backoff_max);
  retry_at = clock.steady() + delay;
  log::warn("engine {}: {}; next start in {} ms at the earliest", options.name, error.message,
            delay.count());
  last_error = std::move(error);
}

void LlamaEngine::Impl::remove_socket() const {
  std::error_code ignored;  // it may never have been made
  std::filesystem::remove(socket, ignored);
}

// ---- the engine

LlamaEngine::LlamaEngine(asio::io_context& io, http::Client& client, const Clock& clock,
                         LlamaEngineOptions options)
    : impl_(std::make_shared<Impl>(io, client, clock, std::move(options))) {}

LlamaEngine::~LlamaEngine() {
  impl_->closing = true;
  impl_->process.reset();
  impl_->state = EngineState::kStopped;
  if (!impl_->socket.empty()) impl_->remove_socket();
  impl_->cancel_supervision.emit(asio::cancellation_type::terminal);
  impl_->changed.notify();
}

asio::awaitable<Result<chat::ChatAnswer>> LlamaEngine::complete(const chat::ChatRequest& request) {
  const std::string body =
      protocol::openai::write_chat_request(request, impl_->options.name, false,
                                           protocol::Target::kLlamaServer);
  Attempts<Impl> attempts(impl_);
  while (true) {
    Result<> ready = co_await attempts.next();
    if (!ready) co_return std::unexpected(std::move(ready.error()));
    Impl& impl = attempts.impl();
    OpenAiServer server = impl.server();
    server.total_timeout = chat::time_left(request);
    std::string copy = body;
    CallResult<chat::ChatAnswer> answer =
        co_await call_chat(impl.client, std::move(server), std::move(copy));
    if (answer) co_return std::move(*answer);
    Result<> again = co_await attempts.again(std::move(answer.error()));
    if (!again) co_return std::unexpected(std::move(again.error()));
  }
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> LlamaEngine::stream(
    const chat::ChatRequest& request) {
  std::string body = protocol::openai::write_chat_request(request, impl_->options.name, true,
                                           protocol::Target::kLlamaServer);
  auto stream = std::make_unique<LlamaStream<Impl>>(impl_, std::move(body));
  Result<> opened = co_await stream->open();
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  co_return std::move(stream);
}

EngineStatus LlamaEngine::status() const {
  EngineStatus status;
  status.name = impl_->options.name;
  status.state = impl_->state;
  status.pid = impl_->process ? impl_->process->pid() : 0;
  status.restarts = impl_->restarts;
  if (impl_->last_error) status.error = impl_->last_error->message;
  return status;
}

std::int64_t LlamaEngine::context_tokens() const {
  return impl_->context > 0 ? impl_->context : impl_->options.context_per_slot;
}

asio::awaitable<Result<>> LlamaEngine::warm_up() {
  Attempts<Impl> attempts(impl_);
  Result<> ready = co_await attempts.next();
  co_return ready;
}

asio::awaitable<void> LlamaEngine::stop() {
  const std::shared_ptr<Impl> impl = impl_;
  ++impl->stops;
  if (!impl->supervised) co_return;
  const int supervision = impl->supervisions;
  impl->stop_wanted = true;
  impl->changed.notify();
  while (impl->supervised && impl->supervisions == supervision && !impl->closing) {
    if (co_await cancelled()) co_return;
    co_await impl->changed.wait();
  }
}

}  // namespace minimill::engine
