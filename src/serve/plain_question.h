#pragma once

// A closed question that leaves the device asks for no log-probabilities: many a provider's model
// refuses to tell any, and the answer is worth having without.

#include "serve/stage.h"

namespace minimill::serve {

class PlainQuestion final : public Stage {
 public:
  bool applies(const policy::Request& request, const chat::Decision& decision,
               chat::Destination destination) const override;
  asio::awaitable<Result<std::unique_ptr<Applied>>> apply(chat::ChatRequest& chat) override;
};

}  // namespace minimill::serve
