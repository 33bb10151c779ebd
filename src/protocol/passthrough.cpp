#include "protocol/passthrough.h"

#include <algorithm>
#include <array>

#include "base/json.h"

namespace minimill::protocol {
namespace {

/// Nearly all of a body is prompt; what else there is fits the rest, or grows the string once.
std::size_t likely_bytes(const chat::ChatRequest& request) {
  constexpr std::size_t kOtherFields = 512;
  std::size_t bytes = kOtherFields;
  for (const chat::Message& message : request.messages()) {
    for (const chat::Part& part : message.parts) {
      if (const auto* text = std::get_if<chat::Text>(&part)) bytes += text->text.size();
      if (const auto* image = std::get_if<chat::Image>(&part)) bytes += image->url.size();
    }
  }
  return bytes;
}

}  // namespace

std::string write_passthrough(const chat::ChatRequest& request, std::string_view model,
                              std::span<const std::string_view> ours, std::string_view tail) {
  std::string out;
  out.reserve(likely_bytes(request));
  out += R"({"model":)";
  append_json_string(out, model);
  json::serializer serializer;
  std::array<char, 4096> chunk;
  for (const auto& [key, value] : request.untouched()->body) {
    if (key == "model" || std::ranges::find(ours, std::string_view(key)) != ours.end()) continue;
    out += ',';
    append_json_string(out, key);
    out += ':';
    serializer.reset(&value);
    while (!serializer.done()) out += serializer.read(chunk.data(), chunk.size());
  }
  out += tail;
  out += '}';
  return out;
}

json::object merge_edited(const json::object& arrived, const json::object& before,
                          json::object after, std::span<const std::string_view> ours) {
  const auto is_kept = [&before, &after, ours](std::string_view key) {
    if (std::ranges::find(ours, key) != ours.end()) return false;
    const json::value* was = before.if_contains(key);
    const json::value* is = after.if_contains(key);
    return was == nullptr || is == nullptr ? was == is : *was == *is;
  };
  for (const auto& [key, value] : before) {
    if (!arrived.contains(key) && is_kept(key)) after.erase(key);
  }
  for (const auto& [key, value] : arrived) {
    if (is_kept(key)) after[key] = value;
  }
  return after;
}

}  // namespace minimill::protocol
