#include "protocol/answer_fields.h"

namespace minimill::protocol {

namespace json = boost::json;

std::string_view text_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

const json::object* object_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* array_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_array();
}

std::optional<std::int64_t> tokens_in(const json::object& object, std::string_view key) {
  constexpr std::int64_t kMost = 1'000'000'000'000;
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  json::error_code ec;
  const auto number = value->to_number<std::int64_t>(ec);
  if (ec || number < 0 || number > kMost) return std::nullopt;
  return number;
}

std::string arguments_in(const json::object& object, std::string_view key) {
  if (const json::object* arguments = object_in(object, key)) return json::serialize(*arguments);
  return std::string(text_in(object, key));
}

}  // namespace minimill::protocol
