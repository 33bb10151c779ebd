#include "api/anthropic_exchange.h"

namespace minimill::api {
namespace {

namespace anthropic = protocol::anthropic;

std::string message_id(const RequestId& id) { return "msg_" + id.value; }

}  // namespace

Result<chat::ChatRequest> AnthropicExchange::read(const http::Request& request) {
  Result<chat::ChatRequest> parsed = anthropic::parse_messages_request(request.body);
  // What a beta adds is known to Anthropic only by this header.
  if (parsed && request.headers.has("anthropic-beta")) {
    parsed->beta = request.headers.get("anthropic-beta");
  }
  return parsed;
}

std::string AnthropicExchange::answer(const serve::Served& served) {
  return anthropic::write_answer(served.answers.front(), message_id(served.serving.id));
}

void AnthropicExchange::begin(const serve::Serving& serving, std::string_view model,
                              std::string& /*out*/) {
  writer_.emplace(message_id(serving.id), model);
}

void AnthropicExchange::write(const chat::ChatEvent& event, std::string& out) {
  writer_->write(event, out);
}

void AnthropicExchange::finish(std::string& out) { writer_->finish(out); }

void AnthropicExchange::fail(const Error& error, std::string& out) {
  out += anthropic::write_stream_error(error);
}

std::string AnthropicExchange::error(const Error& error) const {
  return anthropic::write_error(error);
}

}  // namespace minimill::api
