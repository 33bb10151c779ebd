#include "chat/chat_request.h"

#include <algorithm>
#include <utility>

namespace minimill::chat {
namespace {

void append_text(std::string& out, const Message& message) {
  for (const Part& part : message.parts) {
    const auto* text = std::get_if<Text>(&part);
    if (text == nullptr) continue;
    if (!out.empty()) out += '\n';
    out += text->text;
  }
}

}  // namespace

std::string Message::text() const {
  std::string out;
  append_text(out, *this);
  return out;
}

Message text_message(Role role, std::string text) {
  return Message{.role = role, .parts = {Text{std::move(text)}}};
}

ChatRequest::ChatRequest(RequestDraft draft, OriginalRequest original)
    : RequestWishes(std::move(static_cast<RequestWishes&>(draft))),
      parts_(std::move(static_cast<RequestParts&>(draft))),
      original_(std::make_shared<const OriginalRequest>(std::move(original))) {}

bool ChatRequest::operator==(const ChatRequest& other) const {
  const bool same_wishes =
      static_cast<const RequestWishes&>(*this) == static_cast<const RequestWishes&>(other);
  const auto same = [](const auto& mine, const auto& theirs) {
    return mine == nullptr || theirs == nullptr ? mine == theirs : *mine == *theirs;
  };
  return same_wishes && parts_ == other.parts_ && same(original_, other.original_) &&
         same(before_, other.before_);
}

void ChatRequest::begin_edit() {
  if (original_ != nullptr && before_ == nullptr) {
    before_ = std::make_shared<const RequestParts>(parts_);
  }
}

std::chrono::milliseconds time_left(Deadline deadline) {
  using std::chrono::milliseconds;
  if (!deadline) return milliseconds{0};
  const auto left = *deadline - std::chrono::steady_clock::now();
  return std::max(std::chrono::duration_cast<milliseconds>(left), milliseconds{1});
}

std::string prompt_text(const ChatRequest& request) {
  std::string out;
  for (const Message& message : request.messages()) append_text(out, message);
  return out;
}

}  // namespace minimill::chat
