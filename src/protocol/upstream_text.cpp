#include "protocol/upstream_text.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "protocol/utf8.h"

namespace minimill::protocol {
namespace {

namespace json = boost::json;

/// More than is ever shown, so that a key at the cut is still seen as one; bounds the search.
constexpr std::size_t kMaxRead = 4096;
constexpr std::size_t kMaxGarbageShown = 80;

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

void blot_out_keys(std::string& text) {
  static const RE2 kKeys(
      R"((?i)\b(sk[-_]|gsk_|xai-|hf_|pplx-|key-|aiza|bearer\s+)[\w*.~+/=\-]{4,})");
  RE2::GlobalReplace(&text, kKeys, R"(\1***)");
}

}  // namespace

std::string one_line(std::string_view text, std::size_t max_bytes) {
  std::string line = valid_utf8(text.substr(0, kMaxRead));
  std::ranges::replace_if(line, is_control, ' ');
  blot_out_keys(line);
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  line.erase(0, begin);
  line.resize(utf8_prefix(line, max_bytes).size());
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string error_message(const json::object& body) {
  const json::value* error = body.if_contains("error");
  if (error == nullptr) return {};
  const json::object* object = error->if_object();
  const json::value* message = object == nullptr ? error : object->if_contains("message");
  if (message == nullptr || !message->is_string()) return {};
  return one_line(message->get_string());
}

std::unexpected<Error> garbage(std::string_view expected, std::string_view got) {
  std::string beginning(got.substr(0, kMaxRead));
  std::ranges::replace_if(
      beginning, [](char c) { return is_control(c) || static_cast<unsigned char>(c) >= 0x80; },
      '?');
  return fail(ErrorCode::kUpstream, fmt::format("expected {}, got '{}'", expected,
                                                one_line(beginning, kMaxGarbageShown)));
}

}  // namespace minimill::protocol
