#include "cloud/provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <random>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "base/retry.h"
#include "chat/answer_stream.h"
#include "cloud/provider_stream.h"
#include "cloud/secret.h"
#include "protocol/anthropic.h"
#include "protocol/http_status.h"
#include "protocol/openai.h"

namespace minimill::cloud {
namespace {

constexpr int kFirstErrorStatus = 300;
constexpr std::size_t kMaxErrorBytes = 64 << 10;

http::ClientRequest json_request(const ProviderOptions& options, std::string_view path,
                                 std::string body, chat::Deadline deadline) {
  http::ClientRequest out;
  out.method = "POST";
  out.url = options.base_url + std::string(path);
  out.connect_timeout = options.connect_timeout;
  out.idle_timeout = options.idle_timeout;
  out.total_timeout = chat::time_left(deadline);
  out.headers.add("content-type", "application/json");
  const bool anthropic = options.protocol == chat::Protocol::kAnthropic;
  if (anthropic) out.headers.add("anthropic-version", "2023-06-01");
  if (!options.key.empty()) {
    if (!options.key_header.empty() || anthropic) {
      out.headers.add(options.key_header.empty() ? "x-api-key" : options.key_header, options.key);
    } else {
      out.headers.add("authorization", "Bearer " + options.key);
    }
  }
  out.body = std::move(body);
  return out;
}

http::ClientRequest chat_request(const ProviderOptions& options, const chat::ChatRequest& request,
                                 std::string_view model, bool stream) {
  if (options.protocol == chat::Protocol::kOpenAi) {
    const protocol::Dialect dialect = dialect_of(options.rules, options.name, model);
    return json_request(options, "/chat/completions",
                        protocol::openai::write_chat_request(request, model, stream,
                                                             protocol::Target::kOpenAi, dialect),
                        request.deadline);
  }
  http::ClientRequest out = json_request(
      options, "/v1/messages", protocol::anthropic::write_messages_request(request, model, stream),
      request.deadline);
  if (!request.beta.empty()) out.headers.add("anthropic-beta", request.beta);
  return out;
}

/// OpenAI's way of saying that there is no money left: a 429 that waiting does not cure.
bool says_quota_spent(std::string_view body) {
  const Result<json::object> parsed = parse_json_object(body);
  if (!parsed) return false;
  const json::value* error = parsed->if_contains("error");
  if (error == nullptr || !error->is_object()) return false;
  for (const char* key : {"code", "type"}) {
    const json::value* said = error->as_object().if_contains(key);
    if (said != nullptr && said->is_string() && said->as_string() == "insufficient_quota") {
      return true;
    }
  }
  return false;
}

Error status_error(const ProviderOptions& options, int status, const http::Headers& headers,
                   std::string_view body, Told& told) {
  constexpr int kPaymentRequired = 402;
  constexpr int kTooManyRequests = 429;
  const std::int64_t now_s = unix_ms(SystemClock().wall()) / 1000;
  Error error =
      protocol::upstream_error(options.name, status, body, headers.get("retry-after"), now_s);
  blot_out(error.message, options.key);
  told.quota_spent =
      status == kPaymentRequired || (status == kTooManyRequests && says_quota_spent(body));
  if (told.quota_spent) {
    error.code = ErrorCode::kRateLimited;
    error.hint = "the account's quota is spent: top it up, or let another provider answer";
  }
  return error;
}

void listen_to(Told& told, int status, const http::Headers& headers) {
  told.status = status;
  told.limits = read_rate_limits(headers, SystemClock().wall());
}

/// Decides whether and when to try again.
class Retries {
 public:
  explicit Retries(const ProviderOptions& options) : options_(options) {}

  /// False when `error` is final.
  asio::awaitable<bool> wait_after(const Error& error) {
    if (!is_transient(error.code) || used_ >= options_.max_retries) co_return false;
    const auto delay = error.retry_after.value_or(backoff());
    if (delay > options_.max_retry_wait) co_return false;
    ++used_;
    asio::steady_timer timer(co_await asio::this_coro::executor, delay);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return true;
  }

 private:
  /// Exponential with jitter, so that those who failed together do not return together.
  std::chrono::milliseconds backoff() {
    static thread_local std::minstd_rand random{std::random_device{}()};
    const auto ceiling = options_.first_backoff * (1 << used_);
    std::uniform_int_distribution<std::chrono::milliseconds::rep> draw(ceiling.count() / 2,
                                                                       ceiling.count());
    return std::chrono::milliseconds{draw(random)};
  }

  const ProviderOptions& options_;
  int used_ = 0;
};

Result<> check_key(const ProviderOptions& options) {
  if (!options.key.empty() || options.key_env.empty()) return {};
  return fail(ErrorCode::kUnauthorized, fmt::format("provider '{}' needs a key", options.name),
              fmt::format("set the environment variable {}", options.key_env));
}

asio::awaitable<Result<std::string>> post_once(http::Client& client, const ProviderOptions& options,
                                               http::ClientRequest out, Told& told) {
  Result<http::Response> response = co_await client.fetch(std::move(out));
  if (!response) {
    co_return std::unexpected(std::move(response.error()).context(options.name));
  }
  listen_to(told, response->status, response->headers);
  if (response->status >= kFirstErrorStatus) {
    co_return std::unexpected(
        status_error(options, response->status, response->headers, response->body, told));
  }
  co_return std::move(response->body);
}

Result<chat::ChatAnswer> read_answer(const ProviderOptions& options, Result<std::string> said) {
  if (!said) return std::unexpected(std::move(said.error()));
  Result<chat::ChatAnswer> answer = options.protocol == chat::Protocol::kOpenAi
                                        ? protocol::openai::parse_answer(std::move(*said))
                                        : protocol::anthropic::parse_answer(std::move(*said));
  if (!answer) {
    blot_out(answer.error().message, options.key);
    return std::unexpected(std::move(answer.error()).context(options.name));
  }
  return answer;
}

std::unexpected<Error> unsupported(const ProviderOptions& options, std::string_view what) {
  return fail(ErrorCode::kUnsupported, fmt::format("{} {}", options.name, what),
              "ask for a model of another provider, or for 'local'");
}

bool is_json(const http::Headers& headers) {
  return headers.get("content-type").starts_with("application/json");
}

/// Some answer at once what was asked for as a stream.
asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> read_whole(
    const ProviderOptions& options, http::Download& download) {
  Result<std::string> body = co_await http::read_all(download, http::Client::kMaxResponseBytes);
  if (!body) co_return std::unexpected(std::move(body.error()).context(options.name));
  Result<chat::ChatAnswer> answer = read_answer(options, std::move(body));
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  co_return std::make_unique<chat::AnswerStream>(answer->parts());
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream_once(
    http::Client& client, const ProviderOptions& options, const chat::ChatRequest& request,
    std::string_view model, Told& told) {
  http::ClientRequest out = chat_request(options, request, model, true);
  Result<std::unique_ptr<http::Download>> download = co_await client.open(std::move(out));
  if (!download) {
    co_return std::unexpected(std::move(download.error()).context(options.name));
  }
  // The app's own protocol: what we do not know goes along.
  const chat::OriginalRequest* original = request.original();
  const bool same = original != nullptr && original->protocol == options.protocol;
  const Frames frames = !same ? Frames::kNone
                        : request.include_usage || options.protocol == chat::Protocol::kAnthropic
                            ? Frames::kAll
                            : Frames::kWithoutUsage;
  const int status = (*download)->status();
  listen_to(told, status, (*download)->headers());
  if (status >= kFirstErrorStatus) {
    Result<std::string> body = co_await http::read_all(**download, kMaxErrorBytes);
    co_return std::unexpected(
        status_error(options, status, (*download)->headers(), body ? *body : "", told));
  }
  if (is_json((*download)->headers())) {
    co_return co_await read_whole(options, **download);
  }
  StreamGuard guard{.secret = options.key, .event_timeout = options.event_timeout};
  auto stream = std::make_unique<ProviderStream>(options.name, options.protocol,
                                                 std::move(*download), frames, std::move(guard));
  // Until the first event, what fails may be tried elsewhere.
  Result<> begun = co_await stream->begin();
  if (!begun) {
    told.used = stream->used();
    co_return std::unexpected(std::move(begun.error()));
  }
  co_return std::unique_ptr<chat::ChatStream>(std::move(stream));
}

}  // namespace

Provider::Provider(http::Client& client, ProviderOptions options)
    : client_(client), options_(std::move(options)) {}

bool Provider::serves(std::string_view model) const {
  return std::ranges::find(options_.models, model) != options_.models.end();
}

asio::awaitable<Result<chat::ChatAnswer>> Provider::complete(
    const policy::Cleared<chat::ChatRequest>& request, std::string_view model, Told& told) {
  if (Result<> key = check_key(options_); !key) co_return std::unexpected(key.error());
  http::ClientRequest out = chat_request(options_, *request, model, false);
  Result<std::string> said = co_await post_once(client_, options_, std::move(out), told);
  co_return read_answer(options_, std::move(said));
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> Provider::stream(
    const policy::Cleared<chat::ChatRequest>& request, std::string_view model, Told& told) {
  if (Result<> key = check_key(options_); !key) co_return std::unexpected(key.error());
  co_return co_await stream_once(client_, options_, *request, model, told);
}

asio::awaitable<Result<std::string>> Provider::post(http::ClientRequest out) {
  if (Result<> key = check_key(options_); !key) co_return std::unexpected(key.error());
  Retries retries(options_);
  while (true) {
    Told told;
    http::ClientRequest copy = out;
    Result<std::string> said = co_await post_once(client_, options_, std::move(copy), told);
    if (said) co_return said;
    const bool again = co_await retries.wait_after(said.error());
    if (!again) co_return said;
  }
}

asio::awaitable<Result<protocol::EmbeddingAnswer>> Provider::embed(
    const policy::Cleared<protocol::EmbeddingRequest>& request, std::string_view model,
    chat::Deadline deadline) {
  if (options_.protocol != chat::Protocol::kOpenAi) {
    co_return unsupported(options_, "makes no embeddings");
  }
  http::ClientRequest out = json_request(
      options_, "/embeddings", protocol::write_embedding_request(*request, model), deadline);
  Result<std::string> said = co_await post(std::move(out));
  if (!said) co_return std::unexpected(std::move(said.error()));
  Result<protocol::EmbeddingAnswer> answer =
      protocol::parse_embedding_answer(*said, request->inputs());
  if (!answer) co_return std::unexpected(std::move(answer.error()).context(options_.name));
  co_return answer;
}

asio::awaitable<Result<std::int64_t>> Provider::count_tokens(
    const policy::Cleared<chat::ChatRequest>& request, std::string_view model) {
  if (options_.protocol != chat::Protocol::kAnthropic) {
    co_return unsupported(options_, "counts no tokens beforehand");
  }
  http::ClientRequest out =
      json_request(options_, "/v1/messages/count_tokens",
                   protocol::anthropic::write_count_request(*request, model), request->deadline);
  if (!request->beta.empty()) out.headers.add("anthropic-beta", request->beta);
  Result<std::string> said = co_await post(std::move(out));
  if (!said) co_return std::unexpected(std::move(said.error()));
  co_return protocol::anthropic::parse_count(*said);
}

}  // namespace minimill::cloud
