#include "serve/plain_question.h"

#include <utility>

#include "chat/closed_question.h"

namespace minimill::serve {
namespace {

/// There is nothing to undo.
class Asked final : public Applied {
 public:
  void undo(chat::ChatAnswer& /*answer*/) override {}
  void undo(chat::ChatEvent event, std::vector<chat::ChatEvent>& out) override {
    out.push_back(std::move(event));
  }
  std::string save() const override { return {}; }
};

}  // namespace

bool PlainQuestion::applies(const policy::Request& request, const chat::Decision& /*decision*/,
                            chat::Destination destination) const {
  return destination != chat::Destination::kDevice && request.chat.logprobs &&
         chat::options_of(request.chat).has_value();
}

asio::awaitable<Result<std::unique_ptr<Applied>>> PlainQuestion::apply(chat::ChatRequest& chat) {
  chat.logprobs = false;
  chat.edit([](chat::RequestParts& parts) { parts.top_logprobs = 0; });
  std::unique_ptr<Applied> applied = std::make_unique<Asked>();
  co_return applied;
}

}  // namespace minimill::serve
