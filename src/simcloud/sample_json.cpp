#include "simcloud/sample_json.h"

#include <algorithm>
#include <string_view>

namespace minimill::simcloud {
namespace {

namespace json = boost::json;

constexpr int kMaxDepth = 16;
constexpr std::int64_t kMaxItems = 64;

std::int64_t bound(const json::object& schema, std::string_view key, std::int64_t otherwise) {
  const json::value* value = schema.if_contains(key);
  if (value == nullptr || !value->is_number()) return otherwise;
  json::error_code ec;
  const auto number = value->to_number<std::int64_t>(ec);
  return ec ? otherwise : number;
}

/// A schema and the document its references mean.
class Sampler {
 public:
  explicit Sampler(const json::value& document) : document_(document) {}

  json::value sample(const json::value& value, int depth);

 private:
  json::object sample_object(const json::object& schema, int depth);
  json::array sample_array(const json::object& schema, int depth);

  const json::value& document_;
};

json::object Sampler::sample_object(const json::object& schema, int depth) {
  json::object made;
  const json::value* required = schema.if_contains("required");
  const json::value* properties = schema.if_contains("properties");
  if (properties != nullptr && properties->is_object()) {
    for (const auto& [name, property] : properties->get_object()) {
      // What may be left out is left out where it would go on for ever.
      if (depth < kMaxDepth / 2) made[name] = sample(property, depth + 1);
    }
  }
  if (required == nullptr || !required->is_array()) return made;
  for (const json::value& name : required->get_array()) {
    if (!name.is_string() || made.contains(name.get_string())) continue;
    const json::value* property = properties != nullptr && properties->is_object()
                                      ? properties->get_object().if_contains(name.get_string())
                                      : nullptr;
    made[name.get_string()] =
        property == nullptr ? json::value("simulated") : sample(*property, depth + 1);
  }
  return made;
}

json::array Sampler::sample_array(const json::object& schema, int depth) {
  json::array made;
  const std::int64_t count = std::clamp<std::int64_t>(bound(schema, "minItems", 0), 0, kMaxItems);
  const json::value* items = schema.if_contains("items");
  for (std::int64_t i = 0; i < count; ++i) {
    made.push_back(items == nullptr ? json::value("simulated") : sample(*items, depth + 1));
  }
  return made;
}

std::string sample_string(const json::object& schema) {
  std::string text = "simulated";
  constexpr std::int64_t kLongest = 1 << 12;
  const auto least = static_cast<std::size_t>(
      std::clamp<std::int64_t>(bound(schema, "minLength", 0), 0, kLongest));
  const auto most = static_cast<std::size_t>(
      std::clamp<std::int64_t>(bound(schema, "maxLength", kLongest), 0, kLongest));
  while (text.size() < least) text += '.';
  if (text.size() > most) text.resize(most);
  return text;
}

json::value Sampler::sample(const json::value& value, int depth) {
  const json::object* schema = value.if_object();
  if (schema == nullptr || depth > kMaxDepth) return nullptr;
  if (const json::value* reference = schema->if_contains("$ref");
      reference && reference->is_string()) {
    const std::string_view path = reference->get_string();
    json::error_code ec;
    const json::value* target =
        path.starts_with('#') ? document_.find_pointer(path.substr(1), ec) : nullptr;
    return target == nullptr ? json::value() : sample(*target, depth + 1);
  }
  for (const char* choice : {"anyOf", "oneOf", "allOf"}) {
    const json::value* choices = schema->if_contains(choice);
    if (choices != nullptr && choices->is_array() && !choices->get_array().empty()) {
      return sample(choices->get_array().front(), depth + 1);
    }
  }
  if (const json::value* fixed = schema->if_contains("const")) return *fixed;
  if (const json::value* choices = schema->if_contains("enum");
      choices != nullptr && choices->is_array() && !choices->get_array().empty()) {
    return choices->get_array().front();
  }
  const json::value* type = schema->if_contains("type");
  if (type != nullptr && type->is_array() && !type->get_array().empty()) {
    type = &type->get_array().front();
  }
  const std::string_view name = type != nullptr && type->is_string()
                                    ? std::string_view(type->get_string())
                                : schema->contains("properties") ? std::string_view("object")
                                                                 : std::string_view("string");
  if (name == "object") return sample_object(*schema, depth);
  if (name == "array") return sample_array(*schema, depth);
  if (name == "integer" || name == "number")
    return std::max<std::int64_t>(bound(*schema, "minimum", 1), 0);
  if (name == "boolean") return true;
  if (name == "null") return nullptr;
  return json::value(sample_string(*schema));
}

}  // namespace

json::value sample_of(const json::value& schema) { return Sampler(schema).sample(schema, 0); }

}  // namespace minimill::simcloud
