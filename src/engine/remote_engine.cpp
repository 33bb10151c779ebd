#include "engine/remote_engine.h"

#include <utility>

#include "engine/call_stream.h"
#include "engine/openai_transport.h"
#include "protocol/forced_call.h"
#include "protocol/openai.h"

namespace minimill::engine {
namespace {

class RemoteStream final : public chat::ChatStream {
 public:
  explicit RemoteStream(std::unique_ptr<OpenAiStream> stream) : stream_(std::move(stream)) {}

  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override {
    CallResult<std::optional<chat::ChatEvent>> event = co_await stream_->next();
    if (!event) co_return std::unexpected(std::move(event.error().error));
    co_return std::move(*event);
  }
  const std::string& model() const override { return stream_->model(); }

 private:
  std::unique_ptr<OpenAiStream> stream_;
};

OpenAiServer server_of(const Clock& clock, const RemoteEngineOptions& options) {
  OpenAiServer server(clock);
  server.who = options.name;
  server.base_url = options.base_url;
  while (server.base_url.ends_with('/')) server.base_url.pop_back();
  server.key = options.key;
  return server;
}

/// Not ours to start: all we can do is to say what to look at.
Error with_advice(CallFailure failure, const std::string& base_url) {
  Error error = std::move(failure.error);
  if (failure.kind == CallFailure::Kind::kRefused) return error;
  error.code = ErrorCode::kUnavailable;
  if (error.hint.empty()) error.hint = "is the server at " + base_url + " running?";
  return error;
}

Result<chat::ChatAnswer> parse(const std::string& who, std::string body) {
  Result<chat::ChatAnswer> answer = protocol::openai::parse_answer(std::move(body));
  if (!answer) return std::unexpected(std::move(answer.error()).context(who));
  return answer;
}

}  // namespace

RemoteEngine::RemoteEngine(http::Client& client, const Clock& clock, RemoteEngineOptions options)
    : client_(client), clock_(clock), options_(std::move(options)) {}

asio::awaitable<Result<std::string>> RemoteEngine::post(std::string path, std::string body,
                                                        chat::Deadline deadline) {
  OpenAiServer server = server_of(clock_, options_);
  server.total_timeout = chat::time_left(deadline);
  CallResult<std::string> said =
      co_await call(client_, std::move(server), std::move(path), std::move(body));
  if (!said) co_return std::unexpected(with_advice(std::move(said.error()), options_.base_url));
  co_return std::move(*said);
}

asio::awaitable<Result<chat::ChatAnswer>> RemoteEngine::complete(const chat::ChatRequest& request) {
  std::string body = protocol::openai::write_chat_request(request, options_.model, false,
                                                          protocol::Target::kLlamaServer);
  std::string path(kChatPath);
  Result<std::string> said = co_await post(std::move(path), std::move(body), request.deadline);
  if (!said) co_return std::unexpected(std::move(said.error()));
  Result<chat::ChatAnswer> answer = parse(options_.name, std::move(*said));
  if (answer && protocol::demands_call(request)) protocol::take_call(*answer);
  co_return answer;
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> RemoteEngine::stream(
    const chat::ChatRequest& request) {
  OpenAiServer server = server_of(clock_, options_);
  server.total_timeout = chat::time_left(request.deadline);
  std::string body = protocol::openai::write_chat_request(request, options_.model, true,
                                                          protocol::Target::kLlamaServer);
  CallResult<std::unique_ptr<OpenAiStream>> opened =
      co_await open_chat_stream(client_, std::move(server), std::move(body));
  if (!opened) {
    co_return std::unexpected(with_advice(std::move(opened.error()), options_.base_url));
  }
  auto stream = std::make_unique<RemoteStream>(std::move(*opened));
  if (protocol::demands_call(request)) co_return std::make_unique<CallStream>(std::move(stream));
  co_return std::move(stream);
}

EngineStatus RemoteEngine::status() const {
  EngineStatus status;
  status.name = options_.name;
  status.state = EngineState::kReady;  // as far as anyone knows until it is asked
  return status;
}

asio::awaitable<void> RemoteEngine::stop() { co_return; }

}  // namespace minimill::engine
