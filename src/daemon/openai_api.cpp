#include "daemon/openai_api.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "protocol/http_status.h"
#include "protocol/openai.h"

namespace minimill::daemon {
namespace {

namespace openai = protocol::openai;

std::int64_t unix_s(const Clock& clock) { return unix_ms(clock.wall()) / 1000; }

std::string completion_id(const RequestId& id) { return "chatcmpl-" + id.value; }

/// What minimill says about an answer, beside the protocol: who gave it, and how to ask why.
http::Headers serving_headers(const Serving& serving, std::string content_type) {
  return {{"content-type", std::move(content_type)},
          {"x-minimill-request-id", serving.id.value},
          {"x-minimill-lane", std::string(route::name(serving.lane))},
          {"x-minimill-model", serving.model},
          {"x-minimill-probability", fmt::format("{:.3f}", serving.decision.p_local_ok)},
          {"x-minimill-queued-ms", fmt::format("{:.0f}", serving.queued_ms)}};
}

asio::awaitable<void> send_error(const Error& error, http::Responder& out) {
  http::Headers headers{{"content-type", "application/json"}};
  if (error.retry_after) {
    const double seconds = std::chrono::duration<double>(*error.retry_after).count();
    headers.add("retry-after", fmt::format("{}", static_cast<std::int64_t>(std::ceil(seconds))));
  }
  std::string body = openai::write_error(error);
  co_await out.send(protocol::http_status(error.code), std::move(headers), std::move(body));
}

}  // namespace

OpenAiApi::OpenAiApi(const Clock& clock, Gateway& gateway, ModelSelector& selector,
                     Engines& engines, policy::Privacy default_privacy)
    : clock_(clock),
      gateway_(gateway),
      selector_(selector),
      engines_(engines),
      default_privacy_(default_privacy) {}

void OpenAiApi::add_to(Routes& routes) {
  routes.add("POST", "/v1/chat/completions",
             [this](http::Request& request, http::Responder& out, const PathParts&) {
               return chat_completions(request, out);
             });
  routes.add("GET", "/v1/models", [this](http::Request&, http::Responder& out, const PathParts&) {
    return models(out);
  });
}

Result<Ask> OpenAiApi::read(http::Request& request) const {
  Ask ask;
  ask.privacy = default_privacy_;
  if (request.headers.has("x-minimill-privacy")) {
    Result<policy::Privacy> privacy =
        policy::parse_privacy(request.headers.get("x-minimill-privacy"), "x-minimill-privacy");
    if (!privacy) return std::unexpected(std::move(privacy.error()));
    ask.privacy = *privacy;
  }
  Result<chat::ChatRequest> parsed = openai::parse_chat_request(request.body);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  Result<ModelChoice> choice = selector_.resolve(parsed->model);
  if (!choice) return std::unexpected(std::move(choice.error()));
  ask.app = request.headers.get("user-agent");
  ask.request = std::move(*parsed);
  ask.choice = std::move(*choice);
  return ask;
}

asio::awaitable<void> OpenAiApi::chat_completions(http::Request& request, http::Responder& out) {
  Result<Ask> ask = read(request);
  if (!ask) {
    co_await send_error(ask.error(), out);
    co_return;
  }
  Result<> answered;
  if (ask->request.stream) {
    answered = co_await respond_streaming(std::move(*ask), out);
  } else {
    answered = co_await respond(std::move(*ask), out);
  }
  if (!answered && !out.started()) co_await send_error(answered.error(), out);
}

asio::awaitable<Result<>> OpenAiApi::respond(Ask ask, http::Responder& out) {
  Result<Served> served = co_await gateway_.complete(std::move(ask));
  if (!served) co_return std::unexpected(std::move(served.error()));
  std::string body =
      openai::write_answer(served->answer, completion_id(served->serving.id), unix_s(clock_));
  http::Headers headers = serving_headers(served->serving, "application/json");
  constexpr int kOk = 200;
  co_return co_await out.send(kOk, std::move(headers), std::move(body));
}

asio::awaitable<Result<>> OpenAiApi::respond_streaming(Ask ask, http::Responder& out) {
  const bool include_usage = ask.request.include_usage;
  Result<ServedStream> served = co_await gateway_.stream(std::move(ask));
  if (!served) co_return std::unexpected(std::move(served.error()));

  // The first event decides between an answer and the protocol's error with its status.
  Result<std::optional<chat::ChatEvent>> event = co_await served->stream->next();
  if (!event) co_return std::unexpected(std::move(event.error()));
  http::Headers headers = serving_headers(served->serving, "text/event-stream");
  headers.add("cache-control", "no-cache");
  constexpr int kOk = 200;
  Result<> sent = co_await out.start(kOk, std::move(headers));

  const std::string& named = served->stream->model();
  openai::StreamWriter writer(completion_id(served->serving.id),
                              named.empty() ? served->serving.model : named, unix_s(clock_),
                              include_usage);
  std::string frames;
  while (sent && event && *event) {
    frames.clear();
    writer.write(**event, frames);
    if (!frames.empty()) sent = co_await out.write(frames);
    if (sent) event = co_await served->stream->next();
  }
  if (!sent) co_return sent;
  frames.clear();
  if (event) {
    writer.finish(frames);
  } else {
    frames = openai::write_stream_error(event.error());
  }
  sent = co_await out.write(frames);
  if (sent) sent = co_await out.finish();
  co_return sent;
}

asio::awaitable<void> OpenAiApi::models(http::Responder& out) {
  std::vector<openai::ModelEntry> entries;
  const auto add = [&](std::string_view id, std::string_view owner) {
    entries.push_back({.id = std::string(id), .created_s = 0, .owned_by = std::string(owner)});
  };
  for (const std::string_view name : {kAuto, kLocal, kCloud}) add(name, "minimill");
  for (const std::string& name : engines_.model_names()) add(name, "local");
  for (const cloud::Provider* provider : selector_.providers()) {
    for (const std::string& model : provider->options().models)
      add(model, provider->options().name);
  }
  std::string body = openai::write_models(entries);
  http::Headers headers{{"content-type", "application/json"}};
  constexpr int kOk = 200;
  co_await out.send(kOk, std::move(headers), std::move(body));
}

}  // namespace minimill::daemon
