#pragma once

// POST /v1/completions: OpenAI's older completions of plain prompts.

#include <optional>

#include "api/exchange.h"
#include "base/clock.h"
#include "protocol/completions.h"

namespace minimill::api {

class CompletionsExchange final : public Exchange {
 public:
  explicit CompletionsExchange(const Clock& clock) : clock_(clock) {}

  Result<chat::ChatRequest> read(const http::Request& request) override;
  std::string answer(const serve::Served& served) override;
  void begin(const serve::Serving& serving, std::string_view model, std::string& out) override;
  void write(const chat::ChatEvent& event, std::string& out) override;
  void finish(std::string& out) override;
  void fail(const Error& error, std::string& out) override;
  std::string error(const Error& error) const override;

 private:
  const Clock& clock_;
  bool include_usage_ = false;
  std::optional<protocol::completions::StreamWriter> writer_;
};

}  // namespace minimill::api
