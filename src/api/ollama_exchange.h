#pragma once

// POST /api/chat and POST /api/generate: Ollama's chats, as lines of JSON.

#include <optional>

#include "api/exchange.h"
#include "base/clock.h"
#include "protocol/ollama.h"

namespace minimill::api {

class OllamaExchange final : public Exchange {
 public:
  /// `asked` has been read by its route, as a request without a prompt goes another way.
  OllamaExchange(const Clock& clock, protocol::ollama::Shape shape, chat::ChatRequest asked)
      : clock_(clock), shape_(shape), started_(clock.steady()), asked_(std::move(asked)) {}

  Result<chat::ChatRequest> read(const http::Request& request) override;
  std::string answer(const serve::Served& served) override;
  std::string_view stream_type() const override { return "application/x-ndjson"; }
  void begin(const serve::Serving& serving, std::string_view model, std::string& out) override;
  void write(const chat::ChatEvent& event, std::string& out) override;
  void finish(std::string& out) override;
  void fail(const Error& error, std::string& out) override;
  std::string error(const Error& error) const override;

 private:
  protocol::ollama::Durations durations() const;

  const Clock& clock_;
  protocol::ollama::Shape shape_;
  SteadyTime started_;
  std::optional<SteadyTime> first_token_;
  chat::ChatRequest asked_;
  std::string model_;  // as the app called it: Ollama's clients expect it back
  std::optional<protocol::ollama::StreamWriter> writer_;
};

}  // namespace minimill::api
