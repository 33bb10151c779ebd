#include "api/decisions_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "api/chat_api.h"
#include "api/headers.h"
#include "api/serving_headers.h"
#include "protocol/openai.h"

namespace minimill::api {

namespace wire = protocol::decisions;

/// What is asked of one input, and how far it is.
struct DecisionsApi::Round {
  const http::Request& request;
  wire::DecisionRequest asked;
  std::vector<wire::Answer> answers;      // one a question
  std::size_t next = 0;                   // question that nobody has taken yet
  std::optional<Error> failure;           // the first
  std::optional<serve::Serving> serving;  // of the first question
  chat::Usage usage;
  double cost_usd = 0;
};

void DecisionsApi::add_to(Routes& routes) {
  routes.add("POST", "/v1/decisions",
             {"Typed questions about one input, answered with probabilities", Who::kOwn},
             [this](http::Request& request, http::Responder& out, const PathParts&) {
               return decide(request, out);
             });
}

asio::awaitable<Result<>> DecisionsApi::answer(Round& round, std::size_t question) {
  const wire::Question& asked = round.asked.questions[question];
  chat::ChatRequest chat = wire::ask(round.asked, asked);
  Result<policy::Request> let_in = reader_.admit(round.request, std::move(chat));
  if (!let_in) co_return std::unexpected(std::move(let_in.error()));
  Result<serve::Served> served = co_await service_.complete(std::move(*let_in));
  if (!served) co_return std::unexpected(std::move(served.error()));
  const chat::ChatAnswer& said = served->answers.front();
  Result<wire::Answer> answer = wire::read_answer(asked, said);
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  round.answers[question] = std::move(*answer);
  round.usage += said.usage();
  round.cost_usd += served->cost_usd;
  if (question == 0) round.serving = std::move(served->serving);
  co_return Result<>{};
}

asio::awaitable<void> DecisionsApi::work(Round& round) {
  while (!round.failure && round.next < round.asked.questions.size()) {
    const std::size_t question = round.next++;
    Result<> answered = co_await answer(round, question);
    if (!answered && !round.failure) round.failure = std::move(answered.error());
  }
}

asio::awaitable<void> DecisionsApi::decide(http::Request& request, http::Responder& out) {
  Result<wire::DecisionRequest> asked = wire::parse_decision_request(request.body);
  if (!asked) {
    std::string body = protocol::openai::write_error(asked.error());
    co_await send_error(asked.error(), std::move(body), out);
    co_return;
  }
  const std::size_t questions = asked->questions.size();
  Round round{.request = request,
              .asked = std::move(*asked),
              .answers = std::vector<wire::Answer>(questions),
              .next = 0,
              .failure = {},
              .serving = {},
              .usage = {},
              .cost_usd = 0};
  if (questions == 1) {
    co_await work(round);
  } else {
    using Worker = decltype(asio::co_spawn(executor_, work(round), asio::deferred));
    std::vector<Worker> workers;
    for (std::size_t i = 0; i < std::min(kAtOnce, questions); ++i) {
      workers.push_back(asio::co_spawn(executor_, work(round), asio::deferred));
    }
    auto together = asio::experimental::make_parallel_group(std::move(workers));
    const asio::experimental::wait_for_all all;
    const auto [order, failures] = co_await together.async_wait(all, asio::use_awaitable);
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
  }
  if (round.failure) {
    std::string body = protocol::openai::write_error(*round.failure);
    co_await send_error(*round.failure, std::move(body), out);
    co_return;
  }
  http::Headers headers = serving_headers(*round.serving, "application/json");
  headers.add(header::kCost, fmt::format("{:.6f}", round.cost_usd));
  std::string body =
      wire::write_decision(round.asked, round.answers, round.serving->model, round.usage);
  co_await out.send(200, std::move(headers), std::move(body));
}

}  // namespace minimill::api
