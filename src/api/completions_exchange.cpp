#include "api/completions_exchange.h"

#include "protocol/openai.h"

namespace minimill::api {
namespace {

namespace completions = protocol::completions;

std::string completion_id(const RequestId& id) { return "cmpl-" + id.value; }

}  // namespace

Result<chat::ChatRequest> CompletionsExchange::read(const http::Request& request) {
  Result<chat::ChatRequest> parsed = completions::parse_completion_request(request.body);
  if (parsed) include_usage_ = parsed->include_usage;
  return parsed;
}

std::string CompletionsExchange::answer(const serve::Served& served) {
  return completions::write_answer(served.answers.front(), completion_id(served.serving.id),
                                   unix_s(clock_.wall()));
}

void CompletionsExchange::begin(const serve::Serving& serving, std::string_view model,
                                std::string& /*out*/) {
  writer_.emplace(completion_id(serving.id), model, unix_s(clock_.wall()), include_usage_);
}

void CompletionsExchange::write(const chat::ChatEvent& event, std::string& out) {
  writer_->write(event, out);
}

void CompletionsExchange::finish(std::string& out) { writer_->finish(out); }

void CompletionsExchange::fail(const Error& error, std::string& out) {
  out += protocol::openai::write_stream_error(error);
}

std::string CompletionsExchange::error(const Error& error) const {
  return protocol::openai::write_error(error);
}

}  // namespace minimill::api
