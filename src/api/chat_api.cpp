#include "api/chat_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/body_size.h"
#include "api/headers.h"
#include "api/serving_headers.h"
#include "base/log.h"
#include "protocol/http_status.h"

namespace minimill::api {
namespace {

constexpr int kOk = 200;

/// Several answers are asked for one after the other where the backend gives only one at a time.
bool emulates_choices(const serve::Serving& serving) {
  return std::ranges::find(serving.emulated, "n") != serving.emulated.end();
}

/// The request for the `index`-th answer: where the first came from, and with another seed, as the
/// same would give the same. It belongs to the first, and so is no new work.
policy::Request next_choice(const policy::Request& first, const serve::Serving& serving,
                            std::int64_t index) {
  policy::Request request = first;
  request.parent = serving.id;
  request.choice = {.lane = serving.lane, .model = serving.model, .quality = {}};
  if (index > 0 && request.chat.sampling().seed) {
    request.chat.edit([index](chat::RequestParts& parts) { *parts.sampling.seed += index; });
  }
  return request;
}

/// How much of a prompt an engine had met before tells an app with a key what others have asked:
/// only the machine's owner is told.
bool tells_of_others(const http::Request& request, const serve::Serving& serving) {
  return !request.is_owner && serving.lane == chat::Lane::kLocal;
}

/// Writes a stream's events as they come.
class Relay {
 public:
  Relay(Exchange& exchange, http::Responder& out, bool hides_cache)
      : exchange_(exchange), out_(out), hides_cache_(hides_cache) {}

  /// From `event`, already taken, to the stream's end. An error of the stream goes to `failure()`;
  /// the returned one says that the client is gone.
  asio::awaitable<Result<>> run(chat::ChatStream& stream, std::optional<chat::ChatEvent> event) {
    while (event) {
      frames_.clear();
      take(*event);
      if (!frames_.empty()) {
        Result<> written = co_await out_.write(frames_);
        if (!written) co_return written;
      }
      Result<std::optional<chat::ChatEvent>> next = co_await stream.next();
      if (!next) {
        failure_ = std::move(next.error());
        co_return Result<>{};
      }
      event = std::move(*next);
    }
    co_return Result<>{};
  }

  const std::optional<Error>& failure() const { return failure_; }
  void fail_with(Error error) { failure_ = std::move(error); }

  /// The stream's last frames.
  asio::awaitable<Result<>> end() {
    frames_.clear();
    if (failure_) {
      exchange_.fail(*failure_, frames_);
    } else if (!untouched_) {
      exchange_.finish(frames_);
      Result<> kept = co_await exchange_.keep();
      if (!kept) log::error("a response could not be stored: {}", kept.error().to_string());
    }
    Result<> sent;
    if (!frames_.empty()) sent = co_await out_.write(frames_);
    if (sent) sent = co_await out_.finish();
    co_return sent;
  }

 private:
  void take(chat::ChatEvent& event) {
    if (auto* report = std::get_if<chat::UsageReport>(&event); report != nullptr && hides_cache_) {
      report->usage.cached_prompt_tokens = 0;
    }
    if (const auto* frame = std::get_if<chat::Frame>(&event)) {
      untouched_ = true;
      frames_ += frame->bytes;
    } else if (!untouched_) {
      exchange_.write(event, frames_);
    }
  }

  Exchange& exchange_;
  http::Responder& out_;
  bool hides_cache_;
  std::string frames_;
  bool untouched_ = false;  // the backend's own frames are passed on
  std::optional<Error> failure_;
};

}  // namespace

asio::awaitable<void> send_error(const Error& error, std::string body, http::Responder& out) {
  http::Headers headers{{"content-type", "application/json"}};
  add_retry_after(error, headers);
  co_await out.send(protocol::http_status(error), std::move(headers), std::move(body));
}

RouteHandler ChatApi::route(std::function<std::unique_ptr<Exchange>()> make) {
  return [this, make = std::move(make)](http::Request& request, http::Responder& out,
                                        const PathParts&) -> asio::awaitable<void> {
    const std::unique_ptr<Exchange> exchange = make();
    co_await serve(request, out, *exchange);
  };
}

asio::awaitable<Result<policy::Request>> ChatApi::read(const http::Request& request,
                                                       Exchange& exchange) {
  Result<chat::ChatRequest> parsed;
  if (request.body.size() < kBigBody) {
    parsed = exchange.read(request);
  } else {
    std::function<Result<chat::ChatRequest>()> parse = [&] { return exchange.read(request); };
    parsed = co_await parsing_.run<Result<chat::ChatRequest>>(std::move(parse));
  }
  if (!parsed) co_return std::unexpected(std::move(parsed.error()));
  if (Result<> recalled = exchange.recall(request, *parsed); !recalled) {
    co_return std::unexpected(std::move(recalled.error()));
  }
  Result<policy::Request> asked = reader_.admit(request, std::move(*parsed), exchange.privacy());
  if (asked) exchange.settled(*asked);
  co_return asked;
}

asio::awaitable<void> ChatApi::serve(http::Request& request, http::Responder& out,
                                     Exchange& exchange) {
  Result<policy::Request> asked = co_await read(request, exchange);
  Result<> answered;
  if (!asked) {
    answered = std::unexpected(std::move(asked.error()));
  } else if (asked->chat.stream) {
    answered = co_await respond_streaming(request, std::move(*asked), exchange, out);
  } else {
    answered = co_await respond(request, std::move(*asked), exchange, out);
  }
  if (answered || out.started()) co_return;
  std::string body = exchange.error(answered.error());
  co_await send_error(answered.error(), std::move(body), out);
}

asio::awaitable<Result<>> ChatApi::respond(const http::Request& request, policy::Request asked,
                                           Exchange& exchange, http::Responder& out) {
  const std::int64_t choices = asked.chat.choices;
  std::optional<policy::Request> first;
  if (choices > 1) first = asked;
  Result<serve::Served> served = co_await service_.complete(std::move(asked));
  if (!served) co_return std::unexpected(std::move(served.error()));
  const std::int64_t more = first && emulates_choices(served->serving) ? choices : 1;
  for (std::int64_t i = 1; i < more; ++i) {
    policy::Request again = next_choice(*first, served->serving, i);
    Result<serve::Served> next = co_await service_.complete(std::move(again));
    if (!next) co_return std::unexpected(std::move(next.error()));
    served->answers.push_back(std::move(next->answers.front()));
    served->cost_usd += next->cost_usd;
  }
  if (tells_of_others(request, served->serving)) {
    for (chat::ChatAnswer& answer : served->answers) {
      // An edit: what the engine says beside (its timings) tells the same.
      answer.edit([](chat::AnswerParts& parts) { parts.usage.cached_prompt_tokens = 0; });
    }
  }
  std::string body = exchange.answer(*served);
  http::Headers headers = serving_headers(served->serving, "application/json");
  // It was made, and perhaps paid for: whoever got none would ask, and pay, again.
  if (const Result<> kept = co_await exchange.keep(); !kept) {
    log::error("a response could not be stored: {}", kept.error().to_string());
    headers.add(header::kNotStored, kept.error().message);
  }
  headers.add(header::kCost, fmt::format("{:.6f}", served->cost_usd));
  co_return co_await out.send(kOk, std::move(headers), std::move(body));
}

asio::awaitable<Result<>> ChatApi::respond_streaming(const http::Request& request,
                                                     policy::Request asked, Exchange& exchange,
                                                     http::Responder& out) {
  const std::int64_t choices = asked.chat.choices;
  std::optional<policy::Request> first;
  if (choices > 1) first = asked;
  Result<serve::ServedStream> served = co_await service_.stream(std::move(asked));
  if (!served) co_return std::unexpected(std::move(served.error()));

  // The first event decides between an answer and the protocol's error with its status.
  Result<std::optional<chat::ChatEvent>> event = co_await served->stream->next();
  if (!event) co_return std::unexpected(std::move(event.error()));
  http::Headers headers = serving_headers(served->serving, exchange.stream_type());
  headers.add("cache-control", "no-cache");
  Result<> sent = co_await out.start(kOk, std::move(headers));
  if (!sent) co_return sent;

  const std::string& named = served->stream->model();
  std::string head;
  exchange.begin(served->serving, named.empty() ? served->serving.model : named, head);
  if (!head.empty()) sent = co_await out.write(head);
  if (!sent) co_return sent;

  Relay relay(exchange, out, tells_of_others(request, served->serving));
  sent = co_await relay.run(*served->stream, std::move(*event));
  const std::int64_t more = first && emulates_choices(served->serving) ? choices : 1;
  for (std::int64_t i = 1; i < more && sent && !relay.failure(); ++i) {
    exchange.next_choice();
    policy::Request again = next_choice(*first, served->serving, i);
    Result<serve::ServedStream> next = co_await service_.stream(std::move(again));
    if (!next) {
      relay.fail_with(std::move(next.error()));
      break;
    }
    Result<std::optional<chat::ChatEvent>> begun = co_await next->stream->next();
    if (!begun) {
      relay.fail_with(std::move(begun.error()));
      break;
    }
    sent = co_await relay.run(*next->stream, std::move(*begun));
  }
  if (sent) sent = co_await relay.end();
  co_return sent;
}

}  // namespace minimill::api
