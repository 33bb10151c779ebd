#include "api/anthropic_api.h"

#include <utility>

#include "api/anthropic_exchange.h"
#include "api/headers.h"
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
  Result<chat::ChatRequest> parsed = anthropic::parse_count_request(request.body);
  if (!parsed) co_return std::unexpected(std::move(parsed.error()));
  if (request.headers.has("anthropic-beta")) parsed->beta = request.headers.get("anthropic-beta");
  Result<policy::Request> asked = reader_.admit(request, std::move(*parsed));
  if (!asked) co_return std::unexpected(std::move(asked.error()));
  Result<chat::Decision> decision = service_.decide(*asked);
  if (!decision) co_return std::unexpected(std::move(decision.error()));
  Result<std::int64_t> counted =
      co_await backends_[decision->lane].count_tokens(*asked, decision->model);
  Count count;
  if (counted) {
    count.tokens = *counted;
  } else {
    count.tokens = chat::estimated_prompt_tokens(asked->chat);
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
  if (counted->estimated) headers.add(header::kEmulated, "input_tokens");
  std::string body = anthropic::write_count(counted->tokens);
  constexpr int kOk = 200;
  co_await out.send(kOk, std::move(headers), std::move(body));
}

}  // namespace minimill::api
