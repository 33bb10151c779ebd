#include "check/check.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "check/json_equal.h"
#include "check/json_in_text.h"
#include "check/json_schema.h"
#include "check/trimmed.h"

namespace minimill::check {
namespace {

constexpr std::array<std::string_view, 6> kTypes{"equals",       "contains",    "regex",
                                                 "final_number", "json_fields", "json_schema"};
constexpr std::int64_t kMaxPatternMemory = 8 << 20;
constexpr std::size_t kMaxShown = 80;  // of an answer, in a verdict

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

std::string shown(std::string_view text) {
  text = trimmed(text);
  std::size_t end = std::min(text.size(), kMaxShown);
  while (end < text.size() && end > 0 && (text[end] & 0xC0) == 0x80) --end;  // whole characters
  std::string out(text.substr(0, end));
  std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return end < text.size() ? out + "…" : out;
}

std::optional<double> number_in(std::string_view digits) {
  std::string plain;
  for (const char c : digits) {
    if (c != ',') plain += c;
  }
  while (plain.ends_with('.')) plain.pop_back();
  double value = 0;
  const auto [end, ec] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (ec != std::errc{} || end != plain.data() + plain.size()) return std::nullopt;
  return value;
}

/// Where the sign of a number at `from` stands; npos where it has none. "-3", "-$3", "$-3", but
/// neither "5-3", "2026-03" nor the bullet "- 3".
std::size_t sign_before(std::string_view text, std::size_t from) {
  if (from > 0 && text[from - 1] == '$') --from;
  for (const std::string_view minus : {std::string_view("-"), std::string_view("\u2212")}) {
    if (!text.substr(0, from).ends_with(minus)) continue;
    const std::size_t at = from - minus.size();
    const auto joins = [](char c) {
      return c > ' ' && c != '$' && c != '(' && c != '=' && c != '*';
    };
    return at > 0 && joins(text[at - 1]) ? std::string_view::npos : at;
  }
  return std::string_view::npos;
}

/// The last run of digits, with the separators and the sign that belong to it.
std::optional<double> final_number(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto last = text.find_last_of("0123456789");
  if (last == std::string_view::npos) return std::nullopt;
  std::size_t from = last;
  while (from > 0 && (is_digit(text[from - 1]) || text[from - 1] == ',' || text[from - 1] == '.')) {
    --from;
  }
  while (!is_digit(text[from]) && !(text[from] == '.' && is_digit(text[from + 1]))) ++from;
  std::optional<double> value = number_in(text.substr(from, last - from + 1));
  if (value && sign_before(text, from) != std::string_view::npos) *value = -*value;
  return value;
}

Verdict passed() { return {.passed = true, .why = {}}; }
Verdict failed(std::string why) { return {.passed = false, .why = std::move(why)}; }

struct Equals {
  std::string expected;
  Verdict operator()(std::string_view answer) const {
    if (lower(trimmed(answer)) == lower(trimmed(expected))) return passed();
    return failed(fmt::format("expected '{}', got '{}'", shown(expected), shown(answer)));
  }
};

struct Contains {
  std::vector<std::string> expected;
  Verdict operator()(std::string_view answer) const {
    const std::string text = lower(answer);
    for (const std::string& each : expected) {
      if (text.find(lower(each)) == std::string::npos) {
        return failed(fmt::format("'{}' is not in '{}'", shown(each), shown(answer)));
      }
    }
    return passed();
  }
};

struct Regex {
  std::shared_ptr<const RE2> pattern;
  Verdict operator()(std::string_view answer) const {
    if (RE2::PartialMatch(re2::StringPiece(answer.data(), answer.size()), *pattern))
      return passed();
    return failed(fmt::format("'{}' is not found in '{}'", pattern->pattern(), shown(answer)));
  }
};

struct FinalNumber {
  double expected;
  Verdict operator()(std::string_view answer) const {
    const std::optional<double> got = final_number(answer);
    if (!got) return failed(fmt::format("expected {}, got no number", expected));
    if (same_number(*got, expected)) return passed();
    return failed(fmt::format("expected {}, got {}", expected, *got));
  }
};

struct JsonFields {
  json::object expected;
  Verdict operator()(std::string_view answer) const {
    const std::optional<json::object> got = json_object_in(answer);
    if (!got) return failed(fmt::format("no JSON object in '{}'", shown(answer)));
    for (const auto& [key, value] : expected) {
      const json::value* there = got->if_contains(key);
      if (there == nullptr)
        return failed(fmt::format("the field '{}' is missing", std::string_view(key)));
      if (!json_equal(*there, value, StringMatch::kTrimmed)) {
        return failed(fmt::format("the field '{}' is {}, not {}", std::string_view(key),
                                  shown(json::serialize(*there)), shown(json::serialize(value))));
      }
    }
    for (const auto& [key, value] : *got) {
      if (!expected.contains(key)) {
        return failed(fmt::format("there is a field '{}' too many", std::string_view(key)));
      }
    }
    return passed();
  }
};

struct Schema {
  JsonSchema schema;
  Verdict operator()(std::string_view answer) const {
    const std::optional<json::object> got = json_object_in(answer);
    if (!got) return failed(fmt::format("no JSON object in '{}'", shown(answer)));
    const Result<> valid = schema.validate(*got);
    return valid ? passed() : failed(valid.error().message);
  }
};

using Rule = std::variant<Equals, Contains, Regex, FinalNumber, JsonFields, Schema>;

std::unexpected<Error> bad_value(std::string_view field, std::string_view what) {
  return fail_field(fmt::format("{}.value", field), fmt::format("'{}.value' {}", field, what));
}

Result<Rule> parse_contains(const json::value& value, std::string_view field) {
  Contains rule;
  if (value.is_string()) rule.expected.emplace_back(value.get_string());
  if (const json::array* list = value.if_array()) {
    for (const json::value& each : *list) {
      if (!each.is_string()) return bad_value(field, "must be a string or a list of strings");
      rule.expected.emplace_back(each.get_string());
    }
  }
  if (rule.expected.empty()) return bad_value(field, "must be a string or a list of strings");
  if (std::ranges::find(rule.expected, "") != rule.expected.end()) {
    return bad_value(field, "must not be empty: every answer contains that");
  }
  return rule;
}

Result<Rule> parse_regex(const json::value& value, std::string_view field) {
  if (!value.is_string()) return bad_value(field, "must be a pattern in a string");
  RE2::Options options;
  options.set_max_mem(kMaxPatternMemory);
  options.set_log_errors(false);
  const std::string_view text = value.get_string();
  auto pattern = std::make_shared<RE2>(re2::StringPiece(text.data(), text.size()), options);
  if (!pattern->ok()) {
    return bad_value(field, fmt::format("is no pattern RE2 knows: {}", pattern->error()));
  }
  return Regex{std::move(pattern)};
}

Result<Rule> parse_number(const json::value& value, std::string_view field) {
  if (value.is_number()) return FinalNumber{value.to_number<double>()};
  const std::optional<double> number =
      value.is_string() ? final_number(value.get_string()) : std::nullopt;
  if (!number) return bad_value(field, "must be a number");
  return FinalNumber{*number};
}

Result<Rule> parse_rule(std::string_view type, const json::value& value, std::string_view field) {
  if (type == "equals") {
    if (!value.is_string()) return bad_value(field, "must be a string");
    return Equals{std::string(value.get_string())};
  }
  if (type == "contains") return parse_contains(value, field);
  if (type == "regex") return parse_regex(value, field);
  if (type == "final_number") return parse_number(value, field);
  if (!value.is_object()) return bad_value(field, "must be an object");
  if (type == "json_fields") return JsonFields{value.get_object()};
  Result<JsonSchema> schema = JsonSchema::parse(value.get_object());
  if (!schema) return bad_value(field, schema.error().message);
  return Schema{std::move(*schema)};
}

}  // namespace

struct Check::Impl {
  std::string type;
  json::value spec;
  Rule rule;
};

Result<Check> Check::parse(const json::value& spec, std::string_view field) {
  const json::object* object = spec.if_object();
  if (object == nullptr) {
    return fail_field(std::string(field), fmt::format("'{}' must be an object", field));
  }
  Fields fields(*object, fmt::format("{}.", field));
  const std::string type = fields.required_string("type");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (std::ranges::find(kTypes, type) == kTypes.end()) {
    return fail_field(fmt::format("{}.type", field), fmt::format("unknown check type '{}'", type),
                      fmt::format("use {}", fmt::join(kTypes, ", ")));
  }
  const json::value* value = object->if_contains("value");
  if (value == nullptr) return bad_value(field, "is required");
  Result<Rule> rule = parse_rule(type, *value, field);
  if (!rule) return std::unexpected(std::move(rule.error()));
  return Check(std::make_shared<const Impl>(Impl{type, spec, std::move(*rule)}));
}

Verdict Check::run(std::string_view answer) const {
  return std::visit([answer](const auto& rule) { return rule(answer); }, impl_->rule);
}

const std::string& Check::type() const { return impl_->type; }
const json::value& Check::spec() const { return impl_->spec; }

}  // namespace minimill::check
