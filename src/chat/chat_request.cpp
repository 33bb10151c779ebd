#include "chat/chat_request.h"

#include <algorithm>
#include <utility>

#include "chat/token_estimate.h"

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

/// What a picture or a page takes, whatever its size in bytes: some 1000 tokens.
constexpr std::size_t kPictureBytes = 3500;

std::size_t bytes_of(const ToolResult& result) {
  return result.text.size() + result.shown.size() * kPictureBytes;
}

std::size_t bytes_of(const Part& part) {
  if (const auto* text = std::get_if<Text>(&part)) return text->text.size();
  if (const auto* call = std::get_if<ToolCall>(&part)) {
    return call->name.size() + call->arguments.size();
  }
  if (const auto* result = std::get_if<ToolResult>(&part)) return bytes_of(*result);
  return kPictureBytes;
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

std::int64_t estimated_prompt_tokens(const ChatRequest& request) {
  std::size_t bytes = 0;
  for (const Message& message : request.messages()) {
    for (const Part& part : message.parts) bytes += bytes_of(part);
  }
  for (const Tool& tool : request.tools()) {
    bytes += tool.name.size() + tool.description.size() + json::serialize(tool.parameters).size();
  }
  return estimated_tokens(bytes);
}

}  // namespace minimill::chat
