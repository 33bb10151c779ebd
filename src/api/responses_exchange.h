#pragma once

// POST /v1/responses: OpenAI's responses, whose conversations minimill remembers where the app lets
// it.

#include <optional>

#include "api/exchange.h"
#include "base/clock.h"
#include "protocol/responses.h"
#include "responses/response_store.h"

namespace minimill::api {

class ResponsesExchange final : public Exchange {
 public:
  /// `compact`: POST /v1/responses/compact, whose answer is a summary and is not kept.
  ResponsesExchange(const Clock& clock, responses::ResponseStore& store, bool compact = false)
      : clock_(clock), store_(store), compact_(compact) {}

  Result<chat::ChatRequest> read(const http::Request& request) override;
  Result<> recall(const http::Request& request, chat::ChatRequest& chat) override;
  policy::Privacy privacy() const override { return privacy_; }
  void settled(const policy::Request& request) override { privacy_ = request.privacy; }
  std::string answer(const serve::Served& served) override;
  void begin(const serve::Serving& serving, std::string_view model, std::string& out) override;
  void write(const chat::ChatEvent& event, std::string& out) override;
  void finish(std::string& out) override;
  void fail(const Error& error, std::string& out) override;
  asio::awaitable<Result<>> keep() override;
  std::string error(const Error& error) const override;

 private:
  protocol::responses::ResponseHead head(const RequestId& id, std::string_view model);

  const Clock& clock_;
  responses::ResponseStore& store_;
  bool compact_;
  protocol::responses::ResponsesRequest asked_;
  std::string owner_;  // whose the response will be
  policy::Privacy privacy_ = policy::Privacy::kAllow;
  std::optional<protocol::responses::ResponseStreamWriter> writer_;
  boost::json::object response_;  // once it is whole
};

}  // namespace minimill::api
