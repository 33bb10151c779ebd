#pragma once

// The JSON object in a model's answer, which may stand in a ```json fence or in prose.

#include <boost/json.hpp>
#include <cstddef>
#include <optional>
#include <string_view>

namespace minimill::check {

/// The first complete top-level object; nullopt where there is none. Prose may have braces of its
/// own: every brace that begins no object counts as one attempt, and the text is read at most once
/// an attempt.
std::optional<boost::json::object> json_object_in(std::string_view text);

inline constexpr int kMaxJsonAttempts = 32;
inline constexpr std::size_t kMaxJsonTextBytes = 256 << 10;  // what lies behind is not looked at

}  // namespace minimill::check
