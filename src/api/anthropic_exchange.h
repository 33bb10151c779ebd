#pragma once

// POST /v1/messages: Anthropic's messages.

#include <optional>

#include "api/exchange.h"
#include "protocol/anthropic.h"

namespace minimill::api {

class AnthropicExchange final : public Exchange {
 public:
  Result<chat::ChatRequest> read(const http::Request& request) override;
  std::string answer(const serve::Served& served) override;
  void begin(const serve::Serving& serving, std::string_view model, std::string& out) override;
  void write(const chat::ChatEvent& event, std::string& out) override;
  void finish(std::string& out) override;
  void fail(const Error& error, std::string& out) override;
  std::string error(const Error& error) const override;

 private:
  std::optional<protocol::anthropic::StreamWriter> writer_;
};

}  // namespace minimill::api
