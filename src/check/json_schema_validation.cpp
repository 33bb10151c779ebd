#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "check/json_equal.h"
#include "check/json_schema.h"
#include "check/json_schema_keywords.h"

namespace minimill::check {

namespace json = boost::json;

namespace {

constexpr std::size_t kBytesPerStep = 64;  // of text matched or compared
constexpr std::size_t kMaxShown = 60;

bool is_integer(const json::value& value) {
  if (value.is_int64() || value.is_uint64()) return true;
  return value.is_double() && std::trunc(value.get_double()) == value.get_double();
}

bool is_of_type(const json::value& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "integer") return is_integer(value);
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  return value.is_object();
}

std::string type_text(const json::value& type) {
  if (type.is_string()) return std::string(type.get_string());
  std::string text;
  for (const json::value& each : type.get_array()) {
    text += (text.empty() ? "" : " or ") + std::string(each.get_string());
  }
  return text;
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string shown(const json::value& value) {
  std::string text = json::serialize(value);
  if (text.size() <= kMaxShown) return text;
  std::size_t end = kMaxShown;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;  // not in the middle of a character
  return text.substr(0, end) + "…";
}

/// One value against one document. Every method is false at the first violation and says which in
/// `why_`; once the budget is spent all are false, whatever a `not` around them makes of it.
class Validation {
 public:
  explicit Validation(const JsonSchema::Impl& impl) : impl_(impl) {}

  Result<> run(const json::value& value) {
    const bool holds = follows(impl_.document, value);
    if (exhausted_) {
      return fail(ErrorCode::kTooLarge, "too much to check: the schema or the answer is too large");
    }
    if (!holds) return fail(ErrorCode::kInvalidArgument, why_);
    return {};
  }

 private:
  bool spend(std::size_t steps) {
    if (exhausted_ || steps > steps_left_) {
      exhausted_ = true;
      return false;
    }
    steps_left_ -= steps;
    return true;
  }

  bool violated(std::string_view what) {
    why_ = fmt::format("{}: {}", path_.empty() ? "the answer" : path_.c_str() + 1, what);
    return false;
  }

  template <class Key>
  bool follows_at(const json::value& schema, const json::value& part, const Key& key) {
    const std::size_t before = path_.size();
    path_ += fmt::format(".{}", key);
    const bool holds = follows(schema, part);
    path_.resize(before);
    return holds;
  }

  bool follows(const json::value& schema, const json::value& value) {
    if (depth_ == kMaxValidationDepth) exhausted_ = true;
    if (!spend(1)) return false;
    if (schema.is_bool()) return schema.get_bool() || violated("nothing is allowed here");
    ++depth_;
    const bool holds = follows_object(schema.get_object(), value);
    --depth_;
    return holds;
  }

  bool follows_object(const json::object& schema, const json::value& value) {
    if (const json::value* reference = schema.if_contains("$ref")) {
      // Draft 7 has the other keywords beside a $ref ignored.
      return follows(*find_reference(impl_.document, reference->get_string()), value);
    }
    if (!any_value(schema, value) || !combined(schema, value)) return false;
    if (value.is_number()) return number(schema, value.to_number<double>());
    if (value.is_string()) return string(schema, value);
    if (value.is_array()) return array(schema, value.get_array());
    if (value.is_object()) return object(schema, value.get_object());
    return true;
  }

  bool any_value(const json::object& schema, const json::value& value) {
    if (const json::value* type = schema.if_contains("type")) {
      const auto fits = [&value](const json::value& each) {
        return is_of_type(value, each.get_string());
      };
      const bool fine =
          type->is_array() ? std::ranges::any_of(type->get_array(), fits) : fits(*type);
      if (!fine)
        return violated(fmt::format("{} is not of type {}", shown(value), type_text(*type)));
    }
    if (const json::value* expected = schema.if_contains("const")) {
      if (!equal(*expected, value)) {
        return violated(fmt::format("{} is not {}", shown(value), shown(*expected)));
      }
    }
    if (const json::value* allowed = schema.if_contains("enum")) {
      const bool found = std::ranges::any_of(
          allowed->get_array(), [&](const json::value& each) { return equal(each, value); });
      if (!found)
        return violated(fmt::format("{} is not one of {}", shown(value), shown(*allowed)));
    }
    return true;
  }

  bool equal(const json::value& a, const json::value& b) {
    return spend(cost(a)) && json_equal(a, b);
  }

  /// A bound on the work of comparing with `value`.
  static std::size_t cost(const json::value& value) {
    if (value.is_string()) return 1 + value.get_string().size() / kBytesPerStep;
    std::size_t sum = 1;
    if (const json::array* array = value.if_array()) {
      for (const json::value& each : *array) sum += cost(each);
    }
    if (const json::object* object = value.if_object()) {
      for (const json::key_value_pair& field : *object) sum += cost(field.value());
    }
    return sum;
  }

  bool combined(const json::object& schema, const json::value& value) {
    if (const json::value* all = schema.if_contains("allOf")) {
      for (const json::value& each : all->get_array()) {
        if (!follows(each, value)) return false;
      }
    }
    if (const json::value* any = schema.if_contains("anyOf")) {
      const bool found = std::ranges::any_of(
          any->get_array(), [&](const json::value& each) { return follows(each, value); });
      if (!found) return violated("fits none of anyOf");
    }
    if (const json::value* one = schema.if_contains("oneOf")) {
      const auto fitting = std::ranges::count_if(
          one->get_array(), [&](const json::value& each) { return follows(each, value); });
      if (fitting != 1) return violated(fmt::format("fits {} of oneOf, not one", fitting));
    }
    if (const json::value* no = schema.if_contains("not")) {
      if (follows(*no, value)) return violated("fits what it must not");
    }
    if (const json::value* condition = schema.if_contains("if")) {
      const json::value* branch = schema.if_contains(follows(*condition, value) ? "then" : "else");
      if (branch != nullptr && !follows(*branch, value)) return false;
    }
    return !exhausted_;
  }

  static std::optional<double> bound(const json::object& schema, std::string_view keyword) {
    const json::value* value = schema.if_contains(keyword);
    return value == nullptr ? std::nullopt : std::optional(value->to_number<double>());
  }

  bool number(const json::object& schema, double value) {
    const auto outside = [&](std::string_view relation, double limit) {
      return violated(fmt::format("{} is not {} {}", value, relation, limit));
    };
    if (const auto limit = bound(schema, "minimum"); limit && value < *limit) {
      return outside("at least", *limit);
    }
    if (const auto limit = bound(schema, "maximum"); limit && value > *limit) {
      return outside("at most", *limit);
    }
    if (const auto limit = bound(schema, "exclusiveMinimum"); limit && value <= *limit) {
      return outside("over", *limit);
    }
    if (const auto limit = bound(schema, "exclusiveMaximum"); limit && value >= *limit) {
      return outside("under", *limit);
    }
    if (const auto step = bound(schema, "multipleOf"); step && *step > 0) {
      const double times = value / *step;
      if (!same_number(times, std::round(times))) return outside("a multiple of", *step);
    }
    return true;
  }

  bool counted(const json::object& schema, std::string_view least, std::string_view most,
               std::size_t count, std::string_view what) {
    const auto size = static_cast<double>(count);
    if (const auto limit = bound(schema, least); limit && size < *limit) {
      return violated(fmt::format("{} {}, at least {} wanted", count, what, *limit));
    }
    if (const auto limit = bound(schema, most); limit && size > *limit) {
      return violated(fmt::format("{} {}, at most {} wanted", count, what, *limit));
    }
    return true;
  }

  bool matches(std::string_view text, const std::string& pattern) {
    return spend(1 + text.size() / kBytesPerStep) &&
           RE2::PartialMatch(re2::StringPiece(text.data(), text.size()),
                             *impl_.patterns.at(pattern));
  }

  bool string(const json::object& schema, const json::value& value) {
    const std::string_view text = value.get_string();
    if (!counted(schema, "minLength", "maxLength", code_points(text), "characters")) return false;
    if (const json::value* pattern = schema.if_contains("pattern")) {
      if (!matches(text, std::string(pattern->get_string()))) {
        return violated(fmt::format("{} does not match {}", shown(value), shown(*pattern)));
      }
    }
    if (const json::value* format = schema.if_contains("format")) {
      const auto* known =
          std::ranges::find(kFormats, std::string_view(format->get_string()), &Format::name);
      if (known != kFormats.end() && !matches(text, known->pattern)) {
        return violated(fmt::format("{} is no {}", shown(value), known->name));
      }
    }
    return true;
  }

  bool array(const json::object& schema, const json::array& items) {
    if (!counted(schema, "minItems", "maxItems", items.size(), "items")) return false;
    if (const json::value* each = schema.if_contains("items")) {
      const json::array* by_place = each->if_array();
      const json::value* rest = by_place == nullptr ? each : schema.if_contains("additionalItems");
      for (std::size_t i = 0; i < items.size(); ++i) {
        const json::value* of_item =
            by_place != nullptr && i < by_place->size() ? &(*by_place)[i] : rest;
        if (of_item != nullptr && !follows_at(*of_item, items[i], i)) return false;
      }
    }
    if (const json::value* wanted = schema.if_contains("contains")) {
      const bool found = std::ranges::any_of(
          items, [&](const json::value& item) { return follows(*wanted, item); });
      if (!found) return violated("has no item as wanted by 'contains'");
    }
    if (const json::value* unique = schema.if_contains("uniqueItems");
        unique && unique->get_bool()) {
      for (std::size_t i = 0; i < items.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          if (equal(items[j], items[i]))
            return violated(fmt::format("{} is twice in it", shown(items[i])));
          if (exhausted_) return false;
        }
      }
    }
    return !exhausted_;
  }

  bool object(const json::object& schema, const json::object& fields) {
    if (!counted(schema, "minProperties", "maxProperties", fields.size(), "fields")) return false;
    if (const json::value* required = schema.if_contains("required")) {
      for (const json::value& name : required->get_array()) {
        if (!fields.contains(name.get_string())) {
          return violated(fmt::format("the field {} is missing", shown(name)));
        }
      }
    }
    for (const auto& [key, value] : fields) {
      if (!field(schema, key, value)) return false;
    }
    return !exhausted_;
  }

  bool field(const json::object& schema, std::string_view key, const json::value& value) {
    if (const json::value* names = schema.if_contains("propertyNames")) {
      if (!follows_at(*names, json::value(json::string_view(key)), key)) return false;
    }
    bool known = false;
    if (const json::value* properties = schema.if_contains("properties")) {
      if (const json::value* of_field = properties->get_object().if_contains(key)) {
        known = true;
        if (!follows_at(*of_field, value, key)) return false;
      }
    }
    if (const json::value* patterns = schema.if_contains("patternProperties")) {
      for (const auto& [pattern, of_field] : patterns->get_object()) {
        if (!matches(key, std::string(pattern))) continue;
        known = true;
        if (!follows_at(of_field, value, key)) return false;
      }
    }
    const json::value* rest = schema.if_contains("additionalProperties");
    if (known || rest == nullptr) return !exhausted_;
    if (rest->is_bool() && !rest->get_bool()) {
      return violated(fmt::format("there is a field '{}' too many", key));
    }
    return follows_at(*rest, value, key);
  }

  const JsonSchema::Impl& impl_;
  std::size_t steps_left_ = kMaxValidationSteps;
  std::size_t depth_ = 0;
  bool exhausted_ = false;
  std::string path_;  // ".steps.0.owner"
  std::string why_;
};

}  // namespace

Result<> JsonSchema::validate(const json::value& value) const {
  return Validation(*impl_).run(value);
}

}  // namespace minimill::check
