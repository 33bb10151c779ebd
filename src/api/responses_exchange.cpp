#include "api/responses_exchange.h"

#include <utility>

#include "api/routes.h"
#include "protocol/openai.h"

namespace minimill::api {

namespace wire = protocol::responses;

Result<chat::ChatRequest> ResponsesExchange::read(const http::Request& request) {
  Result<wire::ResponsesRequest> parsed = compact_ ? wire::parse_compact_request(request.body)
                                                   : wire::parse_responses_request(request.body);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  asked_ = std::move(*parsed);
  return std::move(asked_.chat);
}

Result<> ResponsesExchange::recall(const http::Request& request, chat::ChatRequest& chat) {
  const policy::Scope scope = scope_of(request);
  owner_ = scope.owner_of_new();
  if (!asked_.previous_response_id.empty()) {
    Result<responses::Conversation> before = store_.history(asked_.previous_response_id, scope);
    if (!before) return std::unexpected(std::move(before.error()));
    privacy_ = before->privacy;
    asked_.chat = std::move(chat);
    wire::insert_history(asked_, std::move(before->messages));
    chat = std::move(asked_.chat);
  }
  return {};
}

wire::ResponseHead ResponsesExchange::head(const RequestId& id, std::string_view model) {
  return {.id = "resp_" + id.value,
          .model = std::string(model),
          .created_s = unix_s(clock_.wall()),
          .echo = std::move(asked_.echo),
          .summary = asked_.summary,
          .custom_tools = asked_.custom_tools,
          .kept = compact_ ? wire::said_by_user(asked_.input_items) : boost::json::array()};
}

std::string ResponsesExchange::answer(const serve::Served& served) {
  const chat::ChatAnswer& answer = served.answers.front();
  const std::string& model = answer.model().empty() ? served.serving.model : answer.model();
  response_ = wire::response_object(head(served.serving.id, model), answer);
  return boost::json::serialize(response_);
}

void ResponsesExchange::begin(const serve::Serving& serving, std::string_view model,
                              std::string& out) {
  writer_.emplace(head(serving.id, model));
  writer_->start(out);
}

void ResponsesExchange::write(const chat::ChatEvent& event, std::string& out) {
  writer_->write(event, out);
}

void ResponsesExchange::finish(std::string& out) {
  writer_->finish(out);
  response_ = writer_->response();
}

void ResponsesExchange::fail(const Error& error, std::string& out) { writer_->fail(error, out); }

asio::awaitable<Result<>> ResponsesExchange::keep() {
  if (!asked_.store || compact_) co_return Result<>{};
  responses::StoredResponse stored;
  stored.id = std::string(response_.at("id").as_string());
  stored.previous_id = asked_.previous_response_id;
  stored.input_items = std::move(asked_.input_items);
  stored.response = std::move(response_);
  stored.app = owner_;
  stored.privacy = privacy_;
  co_return co_await store_.put(std::move(stored));
}

std::string ResponsesExchange::error(const Error& error) const {
  return protocol::openai::write_error(error);
}

}  // namespace minimill::api
