#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace minimill {
namespace {

std::string_view kind_name(json::kind kind) {
  switch (kind) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
  }
  return "something else";
}

std::string range_text(double min, double max) {
  const bool low = min > std::numeric_limits<double>::lowest();
  const bool high = max < std::numeric_limits<double>::max();
  if (low && high) return fmt::format("between {} and {}", min, max);
  if (low) return fmt::format("at least {}", min);
  return fmt::format("at most {}", max);
}

/// At whatever depth; `value` is no deeper than kMaxJsonDepth.
bool has_finite_numbers(const json::value& value) {
  if (const double* number = value.if_double()) return std::isfinite(*number);
  if (const json::array* array = value.if_array()) {
    return std::ranges::all_of(*array, has_finite_numbers);
  }
  const json::object* object = value.if_object();
  return object == nullptr || std::ranges::all_of(*object, [](const json::key_value_pair& pair) {
           return has_finite_numbers(pair.value());
         });
}

}  // namespace

Result<json::value> parse_json(std::string_view text, json::storage_ptr storage) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::parser parser(std::move(storage), options);
  json::error_code ec;
  const std::size_t read = parser.write_some(text, ec);
  if (!ec && text.substr(read).find_first_not_of(" \t\r\n") != std::string_view::npos) {
    ec = json::make_error_code(json::error::extra_data);
  }
  if (ec == json::error::too_deep) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("JSON nested deeper than {} levels", kMaxJsonDepth));
  }
  if (ec) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("not valid JSON at byte {}: {}", read, ec.message()));
  }
  json::value value = parser.release();
  if (!has_finite_numbers(value)) {
    return fail(ErrorCode::kInvalidArgument, "a number in the JSON is too large to be read");
  }
  return value;
}

Result<json::object> parse_json_object(std::string_view text, json::storage_ptr storage) {
  Result<json::value> value = parse_json(text, std::move(storage));
  if (!value) return std::unexpected(std::move(value.error()));
  if (!value->is_object()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("expected a JSON object, got {}", kind_name(value->kind())));
  }
  return std::move(value->get_object());
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // start of the run not yet copied
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, plain);
  out += '"';
}

Fields::Fields(const json::object& object, std::string prefix)
    : object_(object), prefix_(std::move(prefix)) {}

const json::value* Fields::find(std::string_view key) const {
  const json::value* value = object_.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void Fields::reject(std::string_view key, std::string message, std::string hint) {
  if (error_) return;
  const std::string where = path(key);
  error_ = fail_field(where, fmt::format("'{}' {}", where, message), std::move(hint)).error();
}

std::string Fields::required_string(std::string_view key) {
  const json::value* value = find(key);
  if (value == nullptr) {
    reject(key, "is required");
    return {};
  }
  return string_or(key, "");
}

std::string Fields::string_or(std::string_view key, std::string_view otherwise) {
  std::optional<std::string> text = optional_string(key);
  return text ? std::move(*text) : std::string(otherwise);
}

std::optional<std::string> Fields::optional_string(std::string_view key) {
  const json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    reject(key, fmt::format("must be a string, not {}", kind_name(value->kind())));
    return std::nullopt;
  }
  return std::string(value->get_string());
}

double Fields::number_or(std::string_view key, double otherwise, double min, double max) {
  return optional_number(key, min, max).value_or(otherwise);
}

std::optional<double> Fields::optional_number(std::string_view key, double min, double max) {
  const json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) {
    reject(key, fmt::format("must be a number, not {}", kind_name(value->kind())));
    return std::nullopt;
  }
  const double number = value->to_number<double>();
  if (number < min || number > max || !std::isfinite(number)) {
    reject(key, fmt::format("must be {}, not {}", range_text(min, max), number));
    return std::nullopt;
  }
  return number;
}

std::optional<std::int64_t> Fields::optional_integer(std::string_view key, std::int64_t min,
                                                     std::int64_t max) {
  const json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  json::error_code ec;
  const auto number = value->is_number() ? value->to_number<std::int64_t>(ec) : 0;
  if (!value->is_number() || ec) {
    const bool fraction = value->is_number();
    reject(key, fmt::format("must be an integer, not {}",
                            fraction ? "a fraction" : kind_name(value->kind())));
    return std::nullopt;
  }
  if (number < min || number > max) {
    reject(key,
           fmt::format("must be {}, not {}",
                       range_text(static_cast<double>(min), static_cast<double>(max)), number));
    return std::nullopt;
  }
  return number;
}

bool Fields::bool_or(std::string_view key, bool otherwise) {
  const json::value* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_bool()) {
    reject(key, fmt::format("must be true or false, not {}", kind_name(value->kind())));
    return otherwise;
  }
  return value->get_bool();
}

const json::array* Fields::optional_array(std::string_view key) {
  const json::value* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    reject(key, fmt::format("must be an array, not {}", kind_name(value->kind())));
    return nullptr;
  }
  return &value->get_array();
}

const json::object* Fields::optional_object(std::string_view key) {
  const json::value* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) {
    reject(key, fmt::format("must be an object, not {}", kind_name(value->kind())));
    return nullptr;
  }
  return &value->get_object();
}

}  // namespace minimill
