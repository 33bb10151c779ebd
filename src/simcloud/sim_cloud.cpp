#include "simcloud/sim_cloud.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/clock.h"
#include "http/server.h"
#include "protocol/anthropic.h"
#include "protocol/embeddings.h"
#include "protocol/http_status.h"
#include "protocol/openai.h"
#include "simcloud/answering.h"
#include "simcloud/embedding.h"

namespace minimill::simcloud {
namespace {

namespace openai = protocol::openai;
namespace anthropic = protocol::anthropic;
using chat::Protocol;

constexpr int kOk = 200;
constexpr std::chrono::minutes kStall{10};
constexpr std::size_t kPieceBytes = 4;  // one token's worth
constexpr std::string_view kFaultModel = "sim-fault-";

constexpr std::array<std::pair<std::string_view, Fault>, 9> kFaults{{
    {"none", Fault::kNone},
    {"401", Fault::kUnauthorized},
    {"429", Fault::kRateLimited},
    {"500", Fault::kServerError},
    {"503", Fault::kUnavailable},
    {"garbage", Fault::kGarbage},
    {"half-event", Fault::kHalfEvent},
    {"stall", Fault::kStall},
    {"disconnect", Fault::kDisconnect},
}};

/// The text in pieces of a token's size, never inside a UTF-8 sequence.
std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    std::size_t size = std::min(kPieceBytes, text.size());
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) ++size;
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return pieces;
}

/// One writer for both protocols' streams.
class Frames {
 public:
  Frames(Protocol protocol, const std::string& id, const chat::ChatRequest& request,
         const chat::ChatAnswer& answer, std::int64_t now_s)
      : protocol_(protocol),
        openai_(id, answer.model, now_s, request.include_usage),
        anthropic_(id, answer.model) {}

  std::string write(const chat::ChatEvent& event) {
    std::string out;
    protocol_ == Protocol::kOpenAi ? openai_.write(event, out) : anthropic_.write(event, out);
    return out;
  }
  std::string finish() {
    std::string out;
    protocol_ == Protocol::kOpenAi ? openai_.finish(out) : anthropic_.finish(out);
    return out;
  }

 private:
  Protocol protocol_;
  openai::StreamWriter openai_;
  anthropic::StreamWriter anthropic_;
};

/// Sure of everything, with one other token far behind.
chat::TokenLogprob logprob_of(std::string_view piece) {
  constexpr double kSure = -0.01;
  constexpr double kUnlikely = -5;
  return {.token = std::string(piece),
          .logprob = kSure,
          .top = {{.token = std::string(piece), .logprob = kSure, .top = {}},
                  {.token = " other", .logprob = kUnlikely, .top = {}}}};
}

std::vector<chat::ChatEvent> events_of(const chat::ChatAnswer& answer, bool with_logprobs) {
  std::vector<chat::ChatEvent> events;
  for (std::size_t i = 0; i < answer.tool_calls.size(); ++i) {
    const chat::ToolCall& call = answer.tool_calls[i];
    const auto index = static_cast<std::int64_t>(i);
    events.emplace_back(
        chat::ToolCallDelta{.index = index, .id = call.id, .name = call.name, .arguments = {}});
    for (const std::string_view piece : pieces_of(call.arguments)) {
      events.emplace_back(chat::ToolCallDelta{
          .index = index, .id = {}, .name = {}, .arguments = std::string(piece)});
    }
  }
  for (const std::string_view piece : pieces_of(answer.text)) {
    chat::TextDelta delta{.text = std::string(piece)};
    if (with_logprobs) delta.logprobs.push_back(logprob_of(piece));
    events.emplace_back(std::move(delta));
  }
  events.emplace_back(chat::UsageReport{answer.usage});
  events.emplace_back(chat::Finish{answer.finish});
  return events;
}

asio::awaitable<void> sleep_for(asio::io_context& io, std::chrono::nanoseconds duration) {
  if (duration <= std::chrono::nanoseconds::zero()) co_return;
  asio::steady_timer timer(io, std::chrono::duration_cast<asio::steady_timer::duration>(duration));
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace

Result<Fault> parse_fault(std::string_view text) {
  for (const auto& [name, fault] : kFaults) {
    if (name == text) return fault;
  }
  return fail_field("fault", fmt::format("no fault '{}'", text),
                    "use 401, 429, 500, 503, garbage, half-event, stall or disconnect");
}

struct SimCloud::Impl {
  Impl(asio::io_context& the_io, SimCloudOptions given)
      : io(the_io), options(std::move(given)), answering(options) {}

  asio::awaitable<void> handle(http::Request& request, http::Responder& out) {
    if (request.path == "/healthz") {
      co_await send(kOk, "{\"status\":\"ok\"}", out);
    } else if (request.path == "/v1/models") {
      const std::vector<openai::ModelEntry> models{
          {.id = "sim-large", .created_s = 0, .owned_by = "simulated"}};
      co_await send(kOk, openai::write_models(models), out);
    } else if (request.method == "POST" && request.path == "/v1/chat/completions") {
      co_await chat(request, Protocol::kOpenAi, out);
    } else if (request.method == "POST" && request.path == "/v1/messages") {
      co_await chat(request, Protocol::kAnthropic, out);
    } else if (request.method == "POST" && request.path == "/v1/embeddings") {
      co_await embeddings(request, out);
    } else if (request.method == "POST" && request.path == "/v1/messages/count_tokens") {
      co_await count_tokens(request, out);
    } else {
      Error error;
      error.code = ErrorCode::kNotFound;
      error.message = "sim-cloud has no " + request.path;
      co_await send_error(error, Protocol::kOpenAi, out);
    }
  }

  asio::awaitable<void> embeddings(http::Request& request, http::Responder& out) {
    ++requests;
    Result<protocol::EmbeddingRequest> parsed = protocol::parse_embedding_request(request.body);
    std::optional<Error> refused = refusal(request, Protocol::kOpenAi);
    if (!parsed) refused = parsed.error();
    if (refused) {
      co_await send_error(*refused, Protocol::kOpenAi, out);
      co_return;
    }
    co_await send(kOk, protocol::write_embedding_answer(embed(*parsed), parsed->base64), out);
  }

  asio::awaitable<void> count_tokens(http::Request& request, http::Responder& out) {
    ++requests;
    Result<chat::ChatRequest> parsed = anthropic::parse_count_request(request.body);
    std::optional<Error> refused = refusal(request, Protocol::kAnthropic);
    if (!parsed) refused = parsed.error();
    if (refused) {
      co_await send_error(*refused, Protocol::kAnthropic, out);
      co_return;
    }
    const chat::ChatAnswer answer = answering.answer(*parsed);
    co_await send(kOk, anthropic::write_count(answer.usage.prompt_tokens), out);
  }

  asio::awaitable<void> send(int status, std::string body, http::Responder& out) {
    http::Headers headers = marked("application/json");
    co_await out.send(status, std::move(headers), std::move(body));
  }

  asio::awaitable<void> send_error(const Error& error, Protocol protocol, http::Responder& out) {
    http::Headers headers = marked("application/json");
    if (error.retry_after) {
      headers.add("retry-after",
                  fmt::format("{:.0f}", std::chrono::duration<double>(*error.retry_after).count()));
    }
    std::string body =
        protocol == Protocol::kOpenAi ? openai::write_error(error) : anthropic::write_error(error);
    co_await out.send(protocol::http_status(error), std::move(headers), std::move(body));
  }

  static http::Headers marked(std::string content_type) {
    return {{"content-type", std::move(content_type)}, {"x-simulated", "minimill sim-cloud"}};
  }

  Fault fault_of(const http::Request& request, const chat::ChatRequest& chat,
                 std::uint64_t number) {
    std::string_view forced = request.headers.get("x-sim-fault");
    if (chat.model.starts_with(kFaultModel)) {
      forced = std::string_view(chat.model).substr(kFaultModel.size());
    }
    if (!forced.empty()) return parse_fault(forced).value_or(Fault::kNone);
    double left = unit_interval(options.seed * 1'000'003 + number);
    for (const auto& [fault, probability] : options.faults) {
      if (left < probability) return fault;
      left -= probability;
    }
    return Fault::kNone;
  }

  std::optional<Error> refusal(const http::Request& request, Protocol protocol) {
    const std::string_view key = protocol == Protocol::kOpenAi
                                     ? request.headers.get("authorization")
                                     : request.headers.get("x-api-key");
    const std::string wanted =
        protocol == Protocol::kOpenAi ? "Bearer " + options.key : options.key;
    if (!options.key.empty() && key != wanted) return error_of(Fault::kUnauthorized);
    if (options.requests_per_minute > 0 && !take_permit()) return error_of(Fault::kRateLimited);
    return std::nullopt;
  }

  /// A bucket that holds a minute's worth.
  bool take_permit() {
    const auto now = clock.steady();
    const double per_second = options.requests_per_minute / 60.0;
    permits = std::min<double>(
        options.requests_per_minute,
        permits + per_second * std::chrono::duration<double>(now - refilled).count());
    refilled = now;
    if (permits < 1) return false;
    permits -= 1;
    return true;
  }

  static std::optional<Error> error_of(Fault fault) {
    Error error;
    switch (fault) {
      case Fault::kUnauthorized:
        error.code = ErrorCode::kUnauthorized;
        error.message = "simulated: wrong key";
        return error;
      case Fault::kRateLimited:
        error.code = ErrorCode::kRateLimited;
        error.message = "simulated: too many requests";
        error.retry_after = std::chrono::seconds{1};
        return error;
      case Fault::kServerError:
        error.code = ErrorCode::kInternal;
        error.message = "simulated: internal error";
        return error;
      case Fault::kUnavailable:
        error.code = ErrorCode::kUnavailable;
        error.message = "simulated: overloaded";
        return error;
      default:
        return std::nullopt;
    }
  }

  asio::awaitable<void> chat(http::Request& request, Protocol protocol, http::Responder& out) {
    const std::uint64_t number = requests++;
    Result<chat::ChatRequest> parsed = protocol == Protocol::kOpenAi
                                           ? openai::parse_chat_request(request.body)
                                           : anthropic::parse_messages_request(request.body);
    if (!parsed) {
      co_await send_error(parsed.error(), protocol, out);
      co_return;
    }
    std::optional<Error> refused = refusal(request, protocol);
    const Fault fault = fault_of(request, *parsed, number);
    if (!refused) refused = error_of(fault);
    if (refused) {
      co_await send_error(*refused, protocol, out);
      co_return;
    }
    if (fault == Fault::kStall) {
      co_await sleep_for(io, kStall);
      co_return;
    }
    if (parsed->stream && parsed->choices > 1) {
      const Error error = fail_field("n", "sim-cloud streams one choice").error();
      co_await send_error(error, protocol, out);
      co_return;
    }
    const chat::ChatAnswer answer = answering.answer(*parsed);
    co_await sleep_for(io, answering.first_token_after(scrambled(options.seed) ^ number));
    if (fault == Fault::kGarbage) {
      co_await send(kOk, "<html>simulated garbage</html>", out);
    } else if (parsed->stream) {
      co_await stream(*parsed, answer, protocol, fault, out);
    } else {
      co_await whole(*parsed, answer, protocol, fault, out);
    }
  }

  std::chrono::nanoseconds generation_time(std::int64_t tokens) const {
    if (options.tokens_per_second <= 0) return {};
    const std::chrono::duration<double> time(static_cast<double>(tokens) /
                                             options.tokens_per_second);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time);
  }

  asio::awaitable<void> whole(const chat::ChatRequest& request, const chat::ChatAnswer& answer,
                              Protocol protocol, Fault fault, http::Responder& out) {
    co_await sleep_for(io, generation_time(answer.usage.completion_tokens));
    const std::string id = fmt::format("sim-{}", requests);
    chat::ChatAnswer choice = plain(answer);
    for (const std::string_view piece : pieces_of(answer.text)) {
      if (request.logprobs) choice.logprobs.push_back(logprob_of(piece));
    }
    const std::vector<chat::ChatAnswer> choices(static_cast<std::size_t>(request.choices), choice);
    std::string body = protocol == Protocol::kOpenAi
                           ? openai::write_answers(choices, id, unix_s(clock.wall()))
                           : anthropic::write_answer(choice, id);
    if (fault == Fault::kDisconnect || fault == Fault::kHalfEvent) {
      http::Headers headers = marked("application/json");
      co_await out.start(kOk, std::move(headers));
      body.resize(body.size() / 2);
      co_await out.write(body);
      co_return;  // unfinished: the server closes the connection
    }
    co_await send(kOk, std::move(body), out);
  }

  static chat::ChatAnswer plain(chat::ChatAnswer answer) {
    answer.body.clear();
    return answer;
  }

  asio::awaitable<void> stream(const chat::ChatRequest& request, const chat::ChatAnswer& answer,
                               Protocol protocol, Fault fault, http::Responder& out) {
    http::Headers headers = marked("text/event-stream");
    Result<> sent = co_await out.start(kOk, std::move(headers));
    Frames frames(protocol, fmt::format("sim-{}", requests), request, answer, unix_s(clock.wall()));
    const std::vector<chat::ChatEvent> events = events_of(answer, request.logprobs);
    const SteadyTime began = clock.steady();
    for (std::size_t i = 0; i < events.size() && sent; ++i) {
      // Against the whole answer's schedule, so that late timers do not add up.
      const auto due = began + generation_time(static_cast<std::int64_t>(i));
      co_await sleep_for(io, due - clock.steady());
      std::string frame = frames.write(events[i]);
      if (i >= events.size() / 2 && fault == Fault::kDisconnect) co_return;
      if (i >= events.size() / 2 && fault == Fault::kHalfEvent) {
        frame.resize(frame.size() / 2);
        co_await out.write(frame);
        co_return;
      }
      if (!frame.empty()) sent = co_await out.write(frame);
    }
    const std::string end = frames.finish();
    if (sent) sent = co_await out.write(end);
    if (sent) co_await out.finish();
  }

  asio::io_context& io;
  SimCloudOptions options;
  Answering answering;
  SystemClock clock;
  std::unique_ptr<http::Server> server;
  std::uint64_t requests = 0;
  double permits = options.requests_per_minute;
  SteadyTime refilled = clock.steady();
};

SimCloud::SimCloud(asio::io_context& io, SimCloudOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(options))) {}

SimCloud::~SimCloud() = default;

Result<std::string> SimCloud::start() {
  http::Handler handler = [impl = impl_.get()](http::Request& request, http::Responder& out) {
    return impl->handle(request, out);
  };
  impl_->server =
      std::make_unique<http::Server>(impl_->io, http::ServerOptions{}, std::move(handler));
  Result<std::string> address = impl_->server->listen(impl_->options.listen);
  if (!address) return std::unexpected(std::move(address.error()));
  return "http://" + *address;
}

asio::awaitable<void> SimCloud::stop() {
  constexpr std::chrono::seconds kGrace{1};
  if (impl_->server) co_await impl_->server->stop(kGrace);
}

std::uint64_t SimCloud::requests() const { return impl_->requests; }

}  // namespace minimill::simcloud
