#include "protocol/upstream_text.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/sha256.h"
#include "protocol/utf8.h"

namespace minimill::protocol {
namespace {

namespace json = boost::json;

/// More than is ever shown, so that a key at the cut is still seen as one; bounds the search.
constexpr std::size_t kMaxRead = 4096;
constexpr std::size_t kMaxGarbageShown = 80;

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

/// The four digits of an escape at `at`: 0xD800 … 0xDFFF is half a character.
std::uint32_t escape_at(std::string_view text, std::size_t at) {
  constexpr std::size_t kBytes = 6;  // \uXXXX
  if (at + kBytes > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
  std::uint32_t unit = 0;
  const char* const digits = text.data() + at + 2;
  const auto [end, error] = std::from_chars(digits, digits + 4, unit, 16);
  return error == std::errc{} && end == digits + 4 ? unit : 0;
}

/// nullopt where there are none.
std::optional<std::string> without_lone_surrogates(std::string_view text) {
  constexpr std::size_t kBytes = 6;
  const auto is_high = [](std::uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; };
  const auto is_low = [](std::uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; };
  std::string out(text);
  bool found = false;
  for (std::size_t at = out.find('\\'); at != std::string::npos; at = out.find('\\', at)) {
    const std::uint32_t unit = escape_at(out, at);
    if (is_high(unit) && is_low(escape_at(out, at + kBytes))) {
      at += 2 * kBytes;
    } else if (is_high(unit) || is_low(unit)) {
      out.replace(at, kBytes, "\\ufffd");
      found = true;
      at += kBytes;
    } else {
      at += 2;  // of any other escape, "\\" among them
    }
  }
  return found ? std::optional(std::move(out)) : std::nullopt;
}

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

Result<json::object> parse_provider_object(std::string_view text) {
  Result<json::object> parsed = parse_json_object(text);
  if (parsed || text.find("\\u") == std::string_view::npos) return parsed;
  const std::optional<std::string> mended = without_lone_surrogates(text);
  return mended ? parse_json_object(*mended) : parsed;
}

std::string made_call_id(std::string_view said, std::size_t index) {
  constexpr std::size_t kDigits = 16;
  return "call_" + sha256_hex(fmt::format("{} {}", index, said)).substr(0, kDigits);
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
