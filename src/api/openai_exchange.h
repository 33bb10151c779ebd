#pragma once

// POST /v1/chat/completions: OpenAI's chat completions.

#include <optional>
#include <vector>

#include "api/exchange.h"
#include "base/clock.h"
#include "protocol/openai.h"

namespace minimill::api {

class OpenAiExchange final : public Exchange {
 public:
  explicit OpenAiExchange(const Clock& clock) : clock_(clock) {}

  Result<chat::ChatRequest> read(const http::Request& request) override;
  std::string answer(const serve::Served& served) override;
  void begin(const serve::Serving& serving, std::string_view model, std::string& out) override;
  void write(const chat::ChatEvent& event, std::string& out) override;
  void next_choice() override { writer_->next_choice(); }
  void finish(std::string& out) override;
  void fail(const Error& error, std::string& out) override;
  std::string error(const Error& error) const override;

 private:
  const Clock& clock_;
  bool include_usage_ = false;
  std::optional<protocol::openai::StreamWriter> writer_;
};

}  // namespace minimill::api
