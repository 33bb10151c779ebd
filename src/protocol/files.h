#pragma once

// Pictures and documents as parts: which of the two a URL is, and what a "data:" URL holds.

#include <optional>
#include <string>
#include <string_view>

#include "chat/chat_request.h"

namespace minimill::protocol {

/// "data:image/png;base64,…" in its two halves.
struct Base64Data {
  std::string_view media_type;
  std::string_view data;
};
/// nullopt for any other URL. The views are of `url`.
std::optional<Base64Data> base64_data(std::string_view url);

/// Apps send documents where pictures go; backends that tell them apart refuse that.
template <class Any>
Any picture_or_document(std::string url) {
  const std::optional<Base64Data> data = base64_data(url);
  if (data && data->media_type == "application/pdf") return chat::File{{}, std::move(url)};
  return chat::Image{std::move(url)};
}

}  // namespace minimill::protocol
