#include "api/ollama_exchange.h"

#include <utility>

namespace minimill::api {

namespace ollama = protocol::ollama;

Result<chat::ChatRequest> OllamaExchange::read(const http::Request& /*request*/) {
  model_ = asked_.model();
  return std::move(asked_);
}

ollama::Durations OllamaExchange::durations() const {
  const SteadyTime now = clock_.steady();
  ollama::Durations durations;
  durations.total = now - started_;
  durations.prompt_eval = first_token_.value_or(now) - started_;
  durations.eval = durations.total - durations.prompt_eval;
  return durations;
}

std::string OllamaExchange::answer(const serve::Served& served) {
  chat::ChatAnswer answer = served.answers.front();
  answer.edit([this](chat::AnswerParts& parts) { parts.model = model_; });
  return ollama::write_answer(answer, shape_, clock_.wall(), durations());
}

void OllamaExchange::begin(const serve::Serving& /*serving*/, std::string_view /*model*/,
                           std::string& /*out*/) {
  first_token_ = clock_.steady();
  writer_.emplace(shape_, model_);
}

void OllamaExchange::write(const chat::ChatEvent& event, std::string& out) {
  writer_->write(event, clock_.wall(), out);
}

void OllamaExchange::finish(std::string& out) { writer_->finish(clock_.wall(), durations(), out); }

void OllamaExchange::fail(const Error& error, std::string& out) {
  out += ollama::write_stream_error(error);
}

std::string OllamaExchange::error(const Error& error) const { return ollama::write_error(error); }

}  // namespace minimill::api
