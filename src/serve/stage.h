#pragma once

// What is done to a request on its way out and undone on the answer's way back: skills, condensing,
// redaction. Stages are asked in their order, once for every attempt, as what fits one destination
// does not fit another; their undoing goes in the opposite order.

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "chat/chat_event.h"
#include "chat/destination.h"
#include "policy/request.h"

namespace minimill::serve {

namespace asio = boost::asio;

/// A stage as it was applied to one request.
class Applied {
 public:
  virtual ~Applied() = default;
  virtual void undo(chat::ChatAnswer& answer) = 0;
  /// Appends to `out` what the app gets in the place of `event`: nothing, the event, or several.
  /// What was held back goes out before Finish.
  virtual void undo(chat::ChatEvent event, std::vector<chat::ChatEvent>& out) = 0;
  /// What another process needs to undo it: a batch's answer comes hours later.
  virtual std::string save() const = 0;
};

class Stage {
 public:
  virtual ~Stage() = default;
  virtual bool applies(const policy::Request& request, const chat::Decision& decision,
                       chat::Destination destination) const = 0;
  /// Changes `chat` by its edit().
  virtual asio::awaitable<Result<std::unique_ptr<Applied>>> apply(chat::ChatRequest& chat) = 0;
};

/// The stages that were applied to one attempt, in their order.
using Staged = std::vector<std::unique_ptr<Applied>>;

/// All that apply, applied to `request.chat`; the first that fails ends it.
asio::awaitable<Result<Staged>> apply_stages(std::span<Stage* const> stages,
                                             policy::Request& request,
                                             const chat::Decision& decision,
                                             chat::Destination destination);

void undo(const Staged& staged, chat::ChatAnswer& answer);
/// `stream` with every event undone, as it comes; `stream` itself where nothing was applied.
std::unique_ptr<chat::ChatStream> undo(Staged staged, std::unique_ptr<chat::ChatStream> stream);

}  // namespace minimill::serve
