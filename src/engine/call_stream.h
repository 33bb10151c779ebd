#pragma once

// The stream of a demanded call (protocol/forced_call.h): what is written as text comes out as a
// call. It comes at once, when it is whole: half a call is of no use to anybody.

#include <memory>
#include <optional>
#include <utility>

#include "chat/answer_stream.h"

namespace minimill::engine {

class CallStream final : public chat::ChatStream {
 public:
  explicit CallStream(std::unique_ptr<chat::ChatStream> inner) : inner_(std::move(inner)) {}

  chat::asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override;
  const std::string& model() const override { return inner_->model(); }

 private:
  std::unique_ptr<chat::ChatStream> inner_;
  std::optional<chat::AnswerStream> called_;  // once it is whole
};

}  // namespace minimill::engine
