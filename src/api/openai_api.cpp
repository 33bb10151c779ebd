#include "api/openai_api.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "api/completions_exchange.h"
#include "api/headers.h"
#include "api/openai_exchange.h"
#include "api/responses_exchange.h"
#include "api/serving_headers.h"
#include "protocol/openai.h"

namespace minimill::api {
namespace {

namespace openai = protocol::openai;

constexpr int kOk = 200;

asio::awaitable<void> send_openai_error(const Error& error, http::Responder& out) {
  std::string body = openai::write_error(error);
  co_await send_error(error, std::move(body), out);
}

/// A body, or OpenAI's error.
asio::awaitable<void> send_result(Result<std::string> body, http::Responder& out) {
  if (!body) {
    co_await send_openai_error(body.error(), out);
    co_return;
  }
  http::Headers headers{{"content-type", "application/json"}};
  co_await out.send(kOk, std::move(headers), std::move(*body));
}

Result<protocol::responses::ItemPage> page_of(const std::string& query) {
  protocol::responses::ItemPage page;
  page.after = http::query_value(query, "after");
  page.newest_first = http::query_value(query, "order") != "asc";
  const std::string limit = http::query_value(query, "limit");
  if (limit.empty()) return page;
  const auto [end, error] = std::from_chars(limit.data(), limit.data() + limit.size(), page.limit);
  if (error != std::errc{} || end != limit.data() + limit.size()) {
    return fail_field("limit", "must be a number");
  }
  return page;
}

asio::awaitable<void> moderations(http::Responder& out) {
  const Error error{.code = ErrorCode::kUnsupported,
                    .message = "minimill judges no content: it has no moderation model",
                    .hint = "ask a provider's moderation endpoint directly",
                    .field = {},
                    .retry_after = {}};
  co_await send_openai_error(error, out);
}

/// Codex asks for a WebSocket first: this status alone makes it take HTTP at once.
asio::awaitable<void> no_socket(http::Responder& out) {
  constexpr int kUpgradeRequired = 426;
  const Error error = fail(ErrorCode::kUnsupported, "minimill speaks no WebSocket here",
                           "POST /v1/responses, with \"stream\": true for events")
                          .error();
  std::string body = openai::write_error(error);
  http::Headers headers{{"content-type", "application/json"}, {"connection", "close"}};
  co_await out.send(kUpgradeRequired, std::move(headers), std::move(body));
}

}  // namespace

void OpenAiApi::add_to(Routes& routes) {
  routes.add("POST", "/v1/chat/completions",
             {"A chat in OpenAI's format", Who::kOwn, chat::Protocol::kOpenAi},
             chats_.route([this] { return std::make_unique<OpenAiExchange>(clock_); }));
  routes.add("POST", "/v1/completions",
             {"A completion of a plain prompt", Who::kOwn, chat::Protocol::kCompletions},
             chats_.route([this] { return std::make_unique<CompletionsExchange>(clock_); }));
  routes.add(
      "POST", "/v1/responses",
      {"A response in OpenAI's newer format", Who::kOwn, chat::Protocol::kResponses},
      chats_.route([this] { return std::make_unique<ResponsesExchange>(clock_, responses_); }));
  routes.add("POST", "/v1/responses/compact",
             {"A conversation's summary, to go on from", Who::kOwn, chat::Protocol::kResponses},
             chats_.route(
                 [this] { return std::make_unique<ResponsesExchange>(clock_, responses_, true); }));
  routes.add("GET", "/v1/responses",
             {"Not served: answers 426, as there are no WebSockets", Who::kOwn},
             [](http::Request&, http::Responder& out, const PathParts&) { return no_socket(out); });
  routes.add("GET", "/v1/responses/{id}", {"A stored response", Who::kOwn},
             [this](http::Request& request, http::Responder& out, const PathParts& parts) {
               return response(request, parts, out);
             });
  routes.add("GET", "/v1/responses/{id}/input_items", {"What was asked for it", Who::kOwn},
             [this](http::Request& request, http::Responder& out, const PathParts& parts) {
               return input_items(request, parts, out);
             });
  routes.add("DELETE", "/v1/responses/{id}", {"Forgets a stored response", Who::kOwn},
             [this](http::Request& request, http::Responder& out, const PathParts& parts) {
               return forget(request, parts, out);
             });
  routes.add("POST", "/v1/embeddings", {"Vectors of texts", Who::kOwn},
             [this](http::Request& request, http::Responder& out, const PathParts&) {
               return embed(request, out);
             });
  routes.add(
      "POST", "/v1/moderations", {"Not served: answers 501", Who::kOwn},
      [](http::Request&, http::Responder& out, const PathParts&) { return moderations(out); });
}

asio::awaitable<void> OpenAiApi::embed(http::Request& request, http::Responder& out) {
  Result<protocol::EmbeddingRequest> wanted = protocol::parse_embedding_request(request.body);
  if (!wanted) {
    co_await send_openai_error(wanted.error(), out);
    co_return;
  }
  const bool base64 = wanted->base64;
  Result<serve::Embedded> made = co_await embeddings_.embed(request, std::move(*wanted));
  if (!made) {
    co_await send_openai_error(made.error(), out);
    co_return;
  }
  http::Headers headers = serving_headers(made->serving, "application/json");
  headers.add(header::kCost, fmt::format("{:.6f}", made->cost_usd));
  std::string body = protocol::write_embedding_answer(made->answer, base64);
  co_await out.send(kOk, std::move(headers), std::move(body));
}

asio::awaitable<void> OpenAiApi::response(const http::Request& request, const PathParts& parts,
                                          http::Responder& out) {
  Result<boost::json::object> found = responses_.get(parts.front(), scope_of(request));
  Result<std::string> body;
  if (found) {
    body = boost::json::serialize(*found);
  } else {
    body = std::unexpected(std::move(found.error()));
  }
  co_await send_result(std::move(body), out);
}

asio::awaitable<void> OpenAiApi::input_items(const http::Request& request, const PathParts& parts,
                                             http::Responder& out) {
  Result<std::string> body;
  Result<protocol::responses::ItemPage> page = page_of(request.query);
  Result<boost::json::array> items = responses_.input_items(parts.front(), scope_of(request));
  if (!items) {
    body = std::unexpected(std::move(items.error()));
  } else if (!page) {
    body = std::unexpected(std::move(page.error()));
  } else {
    body = protocol::responses::write_input_items(*items, *page);
  }
  co_await send_result(std::move(body), out);
}

asio::awaitable<void> OpenAiApi::forget(const http::Request& request, const PathParts& parts,
                                        http::Responder& out) {
  std::string id = parts.front();
  policy::Scope scope = scope_of(request);
  Result<> removed = co_await responses_.remove(std::move(id), std::move(scope));
  Result<std::string> body;
  if (removed) {
    body = protocol::responses::write_deleted(parts.front());
  } else {
    body = std::unexpected(std::move(removed.error()));
  }
  co_await send_result(std::move(body), out);
}

}  // namespace minimill::api
