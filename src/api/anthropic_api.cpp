#include "api/anthropic_api.h"

#include <utility>

#include "api/anthropic_exchange.h"
#include "api/serving_headers.h"
#include "chat/token_estimate.h"
#include "protocol/anthropic.h"
#include "route/features.h"

namespace minimill::api {

namespace anthropic = protocol::anthropic;

void AnthropicApi::add_to(Routes& routes) {
  routes.add("POST", "/v1/messages",
             {"A message in Anthropic's format", Who::kOwn, chat::Protocol::kAnthropic},
             chats_.route([] { return std::make_unique<AnthropicExchange>(); }));
  routes.add("POST", "/v1/messages/count_tokens",
             {"How many tokens a message would be", Who::kOwn, chat::Protocol::kAnthropic},
             [this](http::Request& request, http::Responder& out, const PathParts&) {
               return count_tokens(request, out);
             });
}

asio::awaitable<Result<AnthropicApi::Count>> AnthropicApi::count(const http::Request& request) {
  serve::Ask ask = access_.new_ask(request);
  Result<chat::ChatRequest> parsed = anthropic::parse_count_request(request.body);
  if (!parsed) co_return std::unexpected(std::move(parsed.error()));
  ask.request = std::move(*parsed);
  if (request.headers.has("anthropic-beta")) {
    ask.request.beta = request.headers.get("anthropic-beta");
  }
  if (Result<> read = read_ask_headers(request.headers, ask); !read) {
    co_return std::unexpected(std::move(read.error()));
  }
  Result<serve::ModelChoice> choice = selector_.resolve(ask.request.model());
  if (!choice) co_return std::unexpected(std::move(choice.error()));
  ask.choice = std::move(*choice);
  if (Result<> admitted = access_.admit(ask); !admitted) {
    co_return std::unexpected(std::move(admitted.error()));
  }
  Result<chat::Decision> decision = gateway_.decide(ask);
  if (!decision) co_return std::unexpected(std::move(decision.error()));
  Result<std::int64_t> counted =
      co_await backends_.count_tokens(decision->lane, decision->model, ask.request, ask.privacy);
  Count count;
  if (counted) {
    count.tokens = *counted;
  } else {
    count.tokens = chat::estimated_tokens(chat::prompt_text(ask.request).size());
    count.estimated = true;
  }
  co_return count;
}

asio::awaitable<void> AnthropicApi::count_tokens(const http::Request& request,
                                                 http::Responder& out) {
  Result<Count> counted = co_await count(request);
  if (!counted) {
    std::string body = anthropic::write_error(counted.error());
    co_await send_error(counted.error(), std::move(body), out);
    co_return;
  }
  http::Headers headers{{"content-type", "application/json"}};
  if (counted->estimated) headers.add("x-minimill-emulated", "input_tokens");
  std::string body = anthropic::write_count(counted->tokens);
  constexpr int kOk = 200;
  co_await out.send(kOk, std::move(headers), std::move(body));
}

}  // namespace minimill::api
