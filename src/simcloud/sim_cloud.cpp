#include "simcloud/sim_cloud.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "http/server.h"
#include "protocol/anthropic.h"
#include "protocol/embeddings.h"
#include "protocol/http_status.h"
#include "protocol/openai.h"
#include "simcloud/answering.h"
#include "simcloud/anthropic_batches.h"
#include "simcloud/batches.h"
#include "simcloud/embedding.h"
#include "simcloud/named_time.h"
#include "simcloud/openai_batches.h"
#include "simcloud/rate_limit.h"
#include "simcloud/request_log.h"

namespace minimill::simcloud {
namespace {

namespace openai = protocol::openai;
namespace anthropic = protocol::anthropic;
using chat::Protocol;

constexpr int kOk = 200;
constexpr std::chrono::minutes kStall{10};
constexpr std::size_t kPieceBytes = 4;  // one token's worth
constexpr std::string_view kFaultModel = "sim-fault-";
constexpr std::string_view kGarbage = "<html>simulated garbage</html>";

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
  Frames(Protocol protocol, const std::string& id, bool include_usage,
         const chat::ChatAnswer& answer, std::int64_t now_s)
      : protocol_(protocol),
        openai_(id, answer.model(), now_s, include_usage),
        anthropic_(id, answer.model()) {}

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
  for (std::size_t i = 0; i < answer.tool_calls().size(); ++i) {
    const chat::ToolCall& call = answer.tool_calls()[i];
    const auto index = static_cast<std::int64_t>(i);
    events.emplace_back(
        chat::ToolCallDelta{.index = index, .id = call.id, .name = call.name, .arguments = {}});
    for (const std::string_view piece : pieces_of(call.arguments)) {
      events.emplace_back(chat::ToolCallDelta{
          .index = index, .id = {}, .name = {}, .arguments = std::string(piece)});
    }
  }
  for (const std::string_view piece : pieces_of(answer.text())) {
    chat::TextDelta delta{.text = std::string(piece)};
    if (with_logprobs) delta.logprobs.push_back(logprob_of(piece));
    events.emplace_back(std::move(delta));
  }
  events.emplace_back(chat::UsageReport{answer.usage()});
  events.emplace_back(chat::Finish{answer.finish()});
  return events;
}

asio::awaitable<void> sleep_for(asio::io_context& io, std::chrono::nanoseconds duration) {
  if (duration <= std::chrono::nanoseconds::zero()) co_return;
  asio::steady_timer timer(io, std::chrono::duration_cast<asio::steady_timer::duration>(duration));
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace

struct SimCloud::Impl {
  Impl(asio::io_context& the_io, SimCloudOptions given)
      : io(the_io),
        options(std::move(given)),
        answering(options),
        limit(clock, options.requests_per_minute, options.lying_headers),
        batches(clock, answering, options.faults, options.batch, options.seed) {}

  asio::awaitable<void> handle(http::Request& request, http::Responder& out) {
    if (request.path == "/healthz") {
      co_await send(kOk, "{\"status\":\"ok\"}", out);
      co_return;
    }
    if (request.path.starts_with("/sim/")) {
      co_await control(request, out);
      co_return;
    }
    const bool of_batches = co_await batch(request, out);
    if (of_batches) co_return;
    log.add(clock.wall(), request.method, request.path);
    if (request.path == "/v1/models") {
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

  /// What tests and demos turn while it runs.
  asio::awaitable<void> control(http::Request& request, http::Responder& out) {
    if (request.path == "/sim/log" && request.method == "GET") {
      std::string body = json::serialize(log.to_json());
      co_await send(kOk, std::move(body), out);
      co_return;
    }
    Result<> done;
    if (request.path != "/sim/faults") {
      done = fail(ErrorCode::kNotFound, "sim-cloud has /sim/faults and /sim/log");
    } else if (request.method == "POST") {
      const Result<json::object> wanted = parse_json_object(request.body);
      done = wanted ? apply_fault_shares(*wanted, options.faults)
                    : Result<>(std::unexpected(wanted.error()));
    }
    if (done) {
      std::string body = json::serialize(to_json(options.faults));
      co_await send(kOk, std::move(body), out);
    } else {
      co_await send_error(done.error(), Protocol::kOpenAi, out);
    }
  }

  /// True where the path was one of the batch endpoints', and is answered.
  asio::awaitable<bool> batch(http::Request& request, http::Responder& out) {
    const bool anthropic = request.path.starts_with("/v1/messages/batches");
    const bool openai =
        request.path.starts_with("/v1/batches") || request.path.starts_with("/v1/files");
    if (!anthropic && !openai) co_return false;
    const Protocol protocol = anthropic ? Protocol::kAnthropic : Protocol::kOpenAi;
    const std::uint64_t number = requests++;
    std::optional<Error> refused = refusal(request, protocol);
    const Fault fault = fault_of(request, {}, number);
    if (!refused) refused = error_of(fault);
    if (refused) {
      log.add(clock.wall(), request.method, request.path);
      co_await send_error(*refused, protocol, out);
      co_return true;
    }
    const AnswerForm form{.no_usage = options.no_usage};
    std::optional<BatchReply> reply = anthropic ? anthropic_batch_reply(request, batches, form)
                                                : openai_batch_reply(request, batches, form);
    log.add(clock.wall(), request.method, request.path, reply ? reply->batch : std::string{});
    if (!reply) co_return false;
    if (fault == Fault::kStall || reply->withheld) {
      co_await sleep_for(io, kStall);
      co_return true;
    }
    http::Headers headers = marked(std::move(reply->content_type), protocol);
    std::string body = fault == Fault::kGarbage ? std::string(kGarbage) : std::move(reply->body);
    co_await out.send(reply->status, std::move(headers), std::move(body));
    co_return true;
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
    co_await send(kOk, anthropic::write_count(answer.usage().prompt_tokens), out);
  }

  asio::awaitable<void> send(int status, std::string body, http::Responder& out,
                             Protocol protocol = Protocol::kOpenAi) {
    http::Headers headers = marked("application/json", protocol);
    co_await out.send(status, std::move(headers), std::move(body));
  }

  asio::awaitable<void> send_error(const Error& error, Protocol protocol, http::Responder& out) {
    http::Headers headers = marked("application/json", protocol);
    if (error.retry_after) {
      headers.add("retry-after",
                  fmt::format("{:.0f}", std::chrono::duration<double>(*error.retry_after).count()));
    }
    std::string body =
        protocol == Protocol::kOpenAi ? openai::write_error(error) : anthropic::write_error(error);
    co_await out.send(protocol::http_status(error), std::move(headers), std::move(body));
  }

  http::Headers marked(std::string content_type, Protocol protocol) {
    http::Headers headers{{"content-type", std::move(content_type)},
                          {"x-simulated", "minimill sim-cloud"}};
    limit.add_headers(protocol, headers);
    return headers;
  }

  Fault fault_of(const http::Request& request, const chat::ChatRequest& chat,
                 std::uint64_t number) {
    std::string_view forced = request.headers.get("x-sim-fault");
    if (chat.model().starts_with(kFaultModel)) {
      forced = std::string_view(chat.model()).substr(kFaultModel.size());
    }
    if (!forced.empty()) return parse_fault(forced).value_or(Fault::kNone);
    return request_fault(options.faults, unit_interval(options.seed * 1'000'003 + number));
  }

  std::optional<Error> refusal(const http::Request& request, Protocol protocol) {
    const std::string_view key = protocol == Protocol::kOpenAi
                                     ? request.headers.get("authorization")
                                     : request.headers.get("x-api-key");
    const std::string wanted =
        protocol == Protocol::kOpenAi ? "Bearer " + options.key : options.key;
    if (!options.key.empty() && key != wanted) return error_of(Fault::kUnauthorized);
    if (!limit.take()) return error_of(Fault::kRateLimited);
    return std::nullopt;
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
    std::chrono::nanoseconds wait = answering.first_token_after(scrambled(options.seed) ^ number);
    if (const auto named = named_time(options.timed, chat::prompt_text(*parsed))) wait = *named;
    co_await sleep_for(io, wait);
    if (fault == Fault::kGarbage) {
      std::string garbage(kGarbage);
      co_await send(kOk, std::move(garbage), out, protocol);
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
    co_await sleep_for(io, generation_time(answer.usage().completion_tokens));
    const std::string id = fmt::format("sim-{}", requests);
    chat::ChatAnswer choice = answer;
    std::vector<chat::TokenLogprob> logprobs;
    for (const std::string_view piece : pieces_of(answer.text())) {
      if (request.logprobs) logprobs.push_back(logprob_of(piece));
    }
    choice.edit([&logprobs](chat::AnswerParts& parts) { parts.logprobs = std::move(logprobs); });
    const std::vector<chat::ChatAnswer> choices(static_cast<std::size_t>(request.choices), choice);
    std::string body = protocol == Protocol::kOpenAi
                           ? openai::write_answers(choices, id, unix_s(clock.wall()))
                           : anthropic::write_answer(choice, id);
    if (options.no_usage) body = without_usage(body);
    if (fault == Fault::kDisconnect || fault == Fault::kHalfEvent) {
      http::Headers headers = marked("application/json", protocol);
      co_await out.start(kOk, std::move(headers));
      body.resize(body.size() / 2);
      co_await out.write(body);
      co_return;  // unfinished: the server closes the connection
    }
    co_await send(kOk, std::move(body), out, protocol);
  }

  static std::string without_usage(const std::string& body) {
    json::value answer = json::parse(body);
    answer.as_object().erase("usage");
    return json::serialize(answer);
  }

  asio::awaitable<void> stream(const chat::ChatRequest& request, const chat::ChatAnswer& answer,
                               Protocol protocol, Fault fault, http::Responder& out) {
    http::Headers headers = marked("text/event-stream", protocol);
    Result<> sent = co_await out.start(kOk, std::move(headers));
    chat::ChatAnswer told = answer;
    if (options.no_usage) told.set_usage({});
    Frames frames(protocol, fmt::format("sim-{}", requests),
                  request.include_usage && !options.no_usage, told, unix_s(clock.wall()));
    const std::vector<chat::ChatEvent> events = events_of(told, request.logprobs);
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
  RateLimit limit;
  Batches batches;
  RequestLog log;
  std::unique_ptr<http::Server> server;
  std::uint64_t requests = 0;
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
