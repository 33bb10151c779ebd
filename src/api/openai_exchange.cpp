#include "api/openai_exchange.h"

namespace minimill::api {
namespace {

namespace openai = protocol::openai;

std::string completion_id(const RequestId& id) { return "chatcmpl-" + id.value; }

}  // namespace

Result<chat::ChatRequest> OpenAiExchange::read(const http::Request& request) {
  Result<chat::ChatRequest> parsed = openai::parse_chat_request(request.body);
  if (parsed) include_usage_ = parsed->include_usage;
  return parsed;
}

std::string OpenAiExchange::answer(const serve::Served& served) {
  return openai::write_answers(served.answers, completion_id(served.serving.id),
                               unix_s(clock_.wall()));
}

void OpenAiExchange::begin(const serve::Serving& serving, std::string_view model,
                           std::string& /*out*/) {
  writer_.emplace(completion_id(serving.id), model, unix_s(clock_.wall()), include_usage_);
}

void OpenAiExchange::write(const chat::ChatEvent& event, std::string& out) {
  writer_->write(event, out);
}

void OpenAiExchange::finish(std::string& out) { writer_->finish(out); }

void OpenAiExchange::fail(const Error& error, std::string& out) {
  out += openai::write_stream_error(error);
}

std::string OpenAiExchange::error(const Error& error) const { return openai::write_error(error); }

}  // namespace minimill::api
