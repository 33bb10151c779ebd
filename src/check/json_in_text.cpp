#include "check/json_in_text.h"

#include "base/json.h"

namespace minimill::check {
namespace {

/// The end of the object that begins at `from`, by counting braces outside strings; npos where it
/// does not end.
std::size_t end_of_object(std::string_view text, std::size_t from) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = from; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::optional<json::object> json_object_in(std::string_view text) {
  text = text.substr(0, kMaxJsonTextBytes);
  std::size_t from = text.find('{');
  for (int i = 0; i < kMaxJsonAttempts && from != std::string_view::npos; ++i) {
    const std::size_t end = end_of_object(text, from);
    if (end != std::string_view::npos) {
      Result<json::object> object = parse_json_object(text.substr(from, end - from));
      if (object) return std::move(*object);
    }
    // Not skipped whole: in "{{"a": 1}}", or after a brace that never closes, it stands further on.
    from = text.find('{', from + 1);
  }
  return std::nullopt;
}

}  // namespace minimill::check
