#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <filesystem>
#include <system_error>

#include "base/json.h"
#include "base/log.h"
#include "engine/llama_engine_impl.h"
#include "engine/start_failure.h"

namespace minimill::engine {
namespace {

constexpr int kLogWarnings = 2;  // of -lv

constexpr Millis kHealthPollFirst{20};
constexpr Millis kHealthPollMax{200};
constexpr Millis kHealthTimeout{5'000};
/// An engine that lived this long was well; its death starts the back-off anew.
constexpr Millis kHealthyAfter{10'000};
/// Beyond the guard's own grace, for a machine that is busy swapping.
constexpr Millis kEndTimeout{5'000};
constexpr int kMaxFailedStarts = 3;
/// How long those at work are waited for before a request is told that there is no room.
constexpr Millis kRoomPatience{10'000};
constexpr int kHttpOk = 200;

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
constexpr std::int64_t kMostSlots = 1024;

/// Of one slot; 0 where the server does not say.
std::int64_t slot_context(const json::object& props) {
  Fields fields(props);
  const json::object* settings = fields.optional_object("default_generation_settings");
  if (settings == nullptr) return 0;
  return Fields(*settings).optional_integer("n_ctx", 0).value_or(0);
}

}  // namespace

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
  const Result<> entered = co_await engine.enter();
  if (!entered && !engine.ending()) {
    engine.note_failure(entered.error());
    gave_up = true;
  }
  for (int round = 0; !engine.ending() && !gave_up; ++round) {
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
  if (!engine.closing) engine.host.leave();
  if (gave_up) {
    ++engine.give_ups;
    engine.state = EngineState::kFailed;
  }
  engine.supervised = false;
  engine.stop_wanted = false;
  engine.changed.notify();
}

/// By the engine's own clock.
asio::awaitable<void> LlamaEngine::Impl::wait_until(SteadyTime deadline) {
  if (deadline == SteadyTime::max()) co_return co_await changed.wait();
  co_await changed.wait_for(deadline - clock.steady());
}

/// Waits for room as long as others are being stopped for it, and kRoomPatience for those at work.
asio::awaitable<Result<>> LlamaEngine::Impl::enter() {
  const SteadyTime patience = clock.steady() + kRoomPatience;
  while (!ending()) {
    Result<bool> room = host.enter();
    if (room && *room) co_return Result<>();
    const bool busy = !room && room.error().code == ErrorCode::kUnavailable;
    if (!room && (!busy || clock.steady() >= patience)) {
      co_return std::unexpected(std::move(room.error()));
    }
    co_await wait_until(busy ? patience : SteadyTime::max());
  }
  co_return fail(ErrorCode::kCancelled, "stopped while waiting for room");
}

asio::awaitable<void> LlamaEngine::Impl::back_off() {
  while (!ending() && clock.steady() < retry_at) co_await wait_until(retry_at);
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

std::vector<std::string> LlamaEngine::Impl::command(
    const std::filesystem::path& llama_server) const {
  std::vector<std::string> words = {
      llama_server.string(),
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
  if (options.embeddings) {
    // A text is read in one piece, so a piece may be as long as the context.
    const std::string piece = std::to_string(options.context_per_slot);
    words.insert(words.end(), {"--embeddings", "--batch-size", piece, "--ubatch-size", piece});
    if (!options.pooling.empty()) words.insert(words.end(), {"--pooling", options.pooling});
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

  Result<std::filesystem::path> program = co_await host.llama_server();
  if (ending()) co_return fail(ErrorCode::kCancelled, "stopped while starting");
  if (!program) co_return std::unexpected(std::move(program.error()));

  const SteadyTime began = clock.steady();
  std::function<void()> on_change = [this] { changed.notify(); };  // the process is ours
  const std::vector<std::string> words = command(*program);
  Result<std::unique_ptr<EngineProcess>> started = host.start(words, std::move(on_change));
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
    co_await wait_until(std::min(now + pause, deadline));
    pause = std::min(pause * 2, kHealthPollMax);
    if (ending()) co_return fail(ErrorCode::kCancelled, "stopped while starting");
  }
  co_await learn_props();
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

asio::awaitable<void> LlamaEngine::Impl::learn_props() {
  http::ClientRequest request = get_request(socket, "/props");
  const Result<http::Response> response = co_await client.fetch(std::move(request));
  if (!response || response->status != kHttpOk) co_return;
  const Result<json::object> props = parse_json_object(response->body);
  if (!props) co_return;
  context = slot_context(*props);
  // The user's own arguments may have asked for another number than ours.
  const auto slots = Fields(*props).optional_integer("total_slots", 1, kMostSlots);
  if (slots && !closing) host.has_slots(static_cast<int>(*slots));
}

asio::awaitable<bool> LlamaEngine::Impl::watch() {
  state = EngineState::kReady;
  changed.notify();
  const SteadyTime born = clock.steady();
  while (process->running()) {
    const SteadyTime now = clock.steady();
    // Requests that come and go do not wake us: with one under way we look again later.
    SteadyTime look_at = SteadyTime::max();
    if (idle_stop.count() > 0) {
      look_at = (in_flight > 0 ? now : last_used) + idle_stop;
      if (look_at <= now) {
        log::info("engine {}: stopping it, idle for {} s", options.name, idle_stop.count() / 1000);
        co_return false;
      }
    }
    co_await wait_until(look_at);
    if (ending()) co_return false;
  }
  if (clock.steady() - born >= kHealthyAfter) failures = 0;
  const std::string how = describe_exit(process->exit_status().value_or(0));
  note_failure(fail(ErrorCode::kUnavailable,
                    fmt::format("llama-server for {} ended with {}", options.name, how),
                    "it is being restarted")
                   .error());
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
    co_await wait_until(deadline);
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

}  // namespace minimill::engine
