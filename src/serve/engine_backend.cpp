#include "serve/engine_backend.h"

#include <utility>

#include "chat/answer_stream.h"
#include "chat/closed_question.h"
#include "protocol/anthropic.h"
#include "protocol/option_scoring.h"

namespace minimill::serve {
namespace {

/// The device's own engines take anything.
Result<engine::Backend*> allowed(Result<engine::Backend*> engine, policy::Privacy privacy) {
  if (!engine || (*engine)->destination() == chat::Destination::kDevice) return engine;
  if (Result<> may = policy::may_leave(privacy); !may) {
    return std::unexpected(
        std::move(may.error()).context((*engine)->status().name + " is on another machine"));
  }
  return engine;
}

/// The weighed answer to a closed question; nullopt: it is none, or the engine cannot weigh.
asio::awaitable<Result<std::optional<chat::ChatAnswer>>> score(engine::Backend& engine,
                                                               const chat::ChatRequest& chat,
                                                               const std::string& model,
                                                               Random& random) {
  const std::optional<std::vector<std::string>> options = chat::options_of(chat);
  if (!chat.logprobs || !options || options->size() > protocol::kMaxScoredOptions) {
    co_return std::nullopt;
  }
  const std::vector<std::size_t> order = protocol::random_order(options->size(), random);
  std::string body = protocol::write_scoring_request(chat, *options, order, model);
  std::string path = "/chat/completions";
  Result<std::string> said = co_await engine.post(std::move(path), std::move(body), chat.deadline);
  if (!said && said.error().code == ErrorCode::kInvalidArgument) co_return std::nullopt;
  if (!said) co_return std::unexpected(std::move(said.error()));
  Result<chat::ChatAnswer> answer = protocol::read_scoring_answer(*said, *options, order);
  if (!answer) co_return std::nullopt;
  co_return std::move(*answer);
}

}  // namespace

Result<protocol::Fit> EngineBackend::fit(const chat::ChatRequest& request,
                                         const Call& /*call*/) const {
  return protocol::fit_request(request, protocol::Target::kLlamaServer);
}

asio::awaitable<Result<chat::ChatAnswer>> EngineBackend::complete(const policy::Request& request,
                                                                  Call& call) {
  Result<engine::Backend*> engine = allowed(engines_.find(call.model), request.privacy);
  if (!engine) co_return std::unexpected(std::move(engine.error()));
  Result<std::optional<chat::ChatAnswer>> scored =
      co_await score(**engine, request.chat, call.model, random_);
  if (!scored) co_return std::unexpected(std::move(scored.error()));
  if (*scored) co_return std::move(**scored);
  co_return co_await (*engine)->complete(request.chat);
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> EngineBackend::stream(
    const policy::Request& request, Call& call) {
  Result<engine::Backend*> engine = allowed(engines_.find(call.model), request.privacy);
  if (!engine) co_return std::unexpected(std::move(engine.error()));
  Result<std::optional<chat::ChatAnswer>> scored =
      co_await score(**engine, request.chat, call.model, random_);
  if (!scored) co_return std::unexpected(std::move(scored.error()));
  if (*scored) {
    std::unique_ptr<chat::ChatStream> stream =
        std::make_unique<chat::AnswerStream>((*scored)->parts());
    co_return stream;
  }
  co_return co_await (*engine)->stream(request.chat);
}

asio::awaitable<Result<protocol::EmbeddingAnswer>> EngineBackend::embed(
    const policy::Request& request, const protocol::EmbeddingRequest& texts, Call& call) {
  Result<engine::Backend*> engine = allowed(engines_.find_embedder(call.model), request.privacy);
  if (!engine) co_return std::unexpected(std::move(engine.error()));
  std::string body = protocol::write_embedding_request(texts, call.model);
  std::string path = "/embeddings";
  Result<std::string> said =
      co_await (*engine)->post(std::move(path), std::move(body), request.chat.deadline);
  if (!said) co_return std::unexpected(std::move(said.error()));
  co_return protocol::parse_embedding_answer(*said, texts.inputs());
}

asio::awaitable<Result<std::int64_t>> EngineBackend::count_tokens(const policy::Request& request,
                                                                  std::string_view model) {
  Result<engine::Backend*> engine = allowed(engines_.find(model), request.privacy);
  if (!engine) co_return std::unexpected(std::move(engine.error()));
  std::string body = protocol::anthropic::write_count_request(request.chat, model);
  std::string path = "/messages/count_tokens";
  Result<std::string> said =
      co_await (*engine)->post(std::move(path), std::move(body), request.chat.deadline);
  if (!said) co_return std::unexpected(std::move(said.error()));
  co_return protocol::anthropic::parse_count(*said);
}

}  // namespace minimill::serve
