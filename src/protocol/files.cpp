#include "protocol/files.h"

namespace minimill::protocol {

std::optional<Base64Data> base64_data(std::string_view url) {
  constexpr std::string_view kData = "data:";
  constexpr std::string_view kBase64 = ";base64,";
  const std::size_t mark = url.find(kBase64);
  if (!url.starts_with(kData) || mark == std::string_view::npos) return std::nullopt;
  return Base64Data{.media_type = url.substr(kData.size(), mark - kData.size()),
                    .data = url.substr(mark + kBase64.size())};
}

}  // namespace minimill::protocol
