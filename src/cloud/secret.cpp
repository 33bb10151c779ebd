#include "cloud/secret.h"

#include <algorithm>

namespace minimill::cloud {
namespace {

constexpr std::size_t kShortestPart = 8;

/// How much of the beginning of `text` stands somewhere in `secret`.
std::size_t common_run(std::string_view text, std::string_view secret) {
  std::size_t longest = 0;
  for (std::size_t at = 0; at + longest < secret.size(); ++at) {
    const std::string_view from = secret.substr(at, text.size());
    const auto [end, in_text] = std::ranges::mismatch(from, text);
    longest = std::max(longest, static_cast<std::size_t>(end - from.begin()));
  }
  return longest;
}

}  // namespace

void blot_out(std::string& text, std::string_view secret) {
  if (secret.empty() || text.empty()) return;
  const std::size_t shortest = std::min(kShortestPart, secret.size());
  std::string clean;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t run = common_run(rest, secret);
    if (run >= shortest) {
      clean += "***";
      rest.remove_prefix(run);
    } else {
      clean += rest.front();
      rest.remove_prefix(1);
    }
  }
  text = std::move(clean);
}

}  // namespace minimill::cloud
