#include "distill/form.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/json.h"
#include "distill/words.h"
#include "route/state_bytes.h"

namespace minimill::distill {
namespace {

constexpr double kMostMisfits = 0.15;
constexpr double kMostlyCopied = 0.8;
constexpr std::size_t kMostOptionBytes = 80;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_scalar(const json::value& value) { return !value.is_object() && !value.is_array(); }

/// The answer's object, in a fence or in prose; nullopt where there is none or it is not flat.
std::optional<json::object> flat_object(std::string_view answer) {
  const std::size_t begin = answer.find('{');
  const std::size_t end = answer.rfind('}');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  Result<json::object> object = parse_json_object(answer.substr(begin, end - begin + 1));
  if (!object || object->size() > Form::kMostFields) return {};
  const bool flat = std::ranges::all_of(*object, [](const auto& field) {
    return is_scalar(field.value()) && field.key().size() <= Form::kMostValueBytes;
  });
  if (!flat) return {};
  return std::move(*object);
}

/// A copied value's text: a string's own, a number's digits.
std::string copied_text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

bool is_copied(std::string_view text, std::string_view value) {
  return find_value(text, words_of(text), value).has_value();
}

/// What has been seen of one field.
struct FieldSeen {
  std::size_t present = 0;
  std::size_t copied = 0;
  std::size_t numbers = 0;
  std::map<std::string, std::size_t> values;
};

std::optional<Field> field_of(std::string name, const FieldSeen& seen) {
  Field field;
  field.name = std::move(name);
  const auto present = static_cast<double>(seen.present);
  // Copied values are as good as closed ones where few: then the closed set is told by repetition.
  const bool few = seen.values.size() <= std::max<std::size_t>(2, seen.present / 4);
  if (static_cast<double>(seen.copied) >= kMostlyCopied * present && !few) {
    field.kind = seen.numbers * 2 > seen.present ? FieldKind::kNumber : FieldKind::kCopied;
    return field;
  }
  if (static_cast<double>(seen.copied) >= kMostlyCopied * present && seen.present < 12) {
    field.kind = seen.numbers * 2 > seen.present ? FieldKind::kNumber : FieldKind::kCopied;
    return field;
  }
  if (!few || seen.values.size() > Form::kMostValues) return std::nullopt;
  for (const auto& [value, count] : seen.values) {
    if (value.size() <= Form::kMostValueBytes) field.values.push_back(value);
  }
  return field;
}

std::optional<Form> fit_json(std::span<const Form::Seen> seen) {
  std::vector<std::string> order;
  std::map<std::string, FieldSeen> fields;
  std::size_t objects = 0;
  for (const Form::Seen& each : seen) {
    const std::optional<json::object> object = flat_object(each.answer);
    if (!object) continue;
    ++objects;
    for (const auto& [key, value] : *object) {
      auto [known, added] = fields.try_emplace(std::string(key));
      if (added) order.push_back(known->first);
      FieldSeen& field = known->second;
      ++field.present;
      if (value.is_number()) ++field.numbers;
      if ((value.is_string() || value.is_number()) && is_copied(each.text, copied_text(value))) {
        ++field.copied;
      }
      ++field.values[json::serialize(value)];
    }
  }
  if (static_cast<double>(objects) < (1 - kMostMisfits) * static_cast<double>(seen.size()))
    return {};
  Form form;
  form.json = true;
  // A field seen once among many answers is more likely a slip than part of the form.
  const std::size_t fewest = std::max<std::size_t>(1, objects / 50);
  for (const std::string& name : order) {
    if (fields[name].present < fewest) continue;
    std::optional<Field> field = field_of(name, fields[name]);
    if (!field || form.fields.size() == Form::kMostFields) return std::nullopt;
    form.fields.push_back(std::move(*field));
  }
  if (form.fields.empty()) return std::nullopt;
  return form;
}

std::optional<Form> fit_plain(std::span<const Form::Seen> seen,
                              std::span<const std::string> options) {
  const auto all = static_cast<double>(seen.size());
  if (!options.empty()) {
    Form form;
    form.fields.emplace_back().values.assign(options.begin(), options.end());
    const auto fitting = std::ranges::count_if(seen, [&form](const Form::Seen& each) {
      return form.read(each.answer, each.text).has_value();
    });
    if (static_cast<double>(fitting) >= (1 - kMostMisfits) * all) return form;
    return std::nullopt;
  }
  FieldSeen field;
  for (const Form::Seen& each : seen) {
    const std::string answer(trimmed(each.answer));
    if (answer.empty() || answer.size() > Form::kMostValueBytes) continue;
    ++field.present;
    if (is_copied(each.text, answer)) ++field.copied;
    ++field.values[answer];
  }
  if (static_cast<double>(field.present) < (1 - kMostMisfits) * all) return std::nullopt;
  // An answer given once may be a slip or an injection: a closed set is what recurs.
  if (field.values.size() < field.present / 2) {
    std::erase_if(field.values, [](const auto& value) { return value.second < 2; });
  }
  std::optional<Field> plain = field_of("", field);
  if (!plain) return std::nullopt;
  return Form{.json = false, .fields = {std::move(*plain)}};
}

std::optional<std::string> closed_value(const Field& field, std::string_view value) {
  const std::string wanted = lower(trimmed(value));
  for (const std::string& each : field.values) {
    if (lower(each) == wanted) return each;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Form> Form::fit(std::span<const Seen> seen, std::span<const std::string> options) {
  if (seen.size() < kFewestExamples) return std::nullopt;
  if (std::optional<Form> form = fit_json(seen)) return form;
  return fit_plain(seen, options);
}

std::optional<Form::Values> Form::read(std::string_view answer, std::string_view text) const {
  Values values(fields.size());
  if (!json) {
    const Field& field = fields.front();
    const std::string_view value = trimmed(answer);
    values.front() = field.kind == FieldKind::kClosed ? closed_value(field, value)
                                                      : std::optional(std::string(value));
    if (!values.front() || value.empty()) return std::nullopt;
    if (field.kind != FieldKind::kClosed && !is_copied(text, value)) return std::nullopt;
    return values;
  }
  const std::optional<json::object> object = flat_object(answer);
  if (!object) return std::nullopt;
  for (const auto& [key, value] : *object) {
    const auto field = std::ranges::find(fields, std::string_view(key), &Field::name);
    if (field == fields.end()) return std::nullopt;
    std::optional<std::string>& read = values[static_cast<std::size_t>(field - fields.begin())];
    if (field->kind == FieldKind::kClosed) {
      read = closed_value(*field, json::serialize(value));
      if (!read) return std::nullopt;
    } else {
      read = copied_text(value);
      if (!is_copied(text, *read)) return std::nullopt;
    }
  }
  return values;
}

std::string Form::write(const Values& values) const {
  if (!json) return values.front().value_or("");
  std::string out = "{";
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!values[i]) continue;
    if (out.size() > 1) out += ',';
    append_json_string(out, fields[i].name);
    out += ':';
    if (fields[i].kind == FieldKind::kCopied)
      append_json_string(out, *values[i]);
    else
      out += *values[i];
  }
  return out + "}";
}

void Form::append_state(std::string& out) const {
  route::append_number(out, static_cast<std::uint8_t>(json));
  route::append_number(out, static_cast<std::uint32_t>(fields.size()));
  for (const Field& field : fields) {
    route::append_text(out, field.name);
    route::append_number(out, static_cast<std::uint8_t>(field.kind));
    route::append_number(out, static_cast<std::uint32_t>(field.values.size()));
    for (const std::string& value : field.values) route::append_text(out, value);
  }
}

Result<> Form::take_state(std::string_view& bytes) {
  const auto damaged = [] { return fail(ErrorCode::kCorrupt, "the model's form is damaged"); };
  std::uint8_t is_json = 0;
  std::uint32_t count = 0;
  if (!route::take_number(bytes, is_json) || is_json > 1 || !route::take_number(bytes, count) ||
      count == 0 || count > kMostFields || (is_json == 0 && count != 1)) {
    return damaged();
  }
  json = is_json == 1;
  fields.assign(count, {});
  for (Field& field : fields) {
    std::uint8_t kind = 0;
    std::uint32_t values = 0;
    if (!route::take_text(bytes, field.name) || !route::take_number(bytes, kind) ||
        kind > static_cast<std::uint8_t>(FieldKind::kNumber) ||
        !route::take_number(bytes, values) || values > kMostValues) {
      return damaged();
    }
    field.kind = static_cast<FieldKind>(kind);
    field.values.assign(values, {});
    for (std::string& value : field.values) {
      if (!route::take_text(bytes, value)) return damaged();
      // A closed JSON value is written into answers as it stands.
      if (json && field.kind == FieldKind::kClosed && !parse_json(value)) return damaged();
    }
  }
  return {};
}

std::vector<std::string> options_in(std::string_view request) {
  constexpr std::array<std::string_view, 6> kOpenings{
      "one of", "options", "labels", "categories", "choose between", "choose from"};
  const std::string text = lower(request);
  std::size_t begin = std::string::npos;
  for (const std::string_view opening : kOpenings) {
    const std::size_t at = text.rfind(opening);
    if (at == std::string::npos) continue;
    const std::size_t colon = text.find(':', at);
    if (colon != std::string::npos && colon - at < 48) {
      begin = colon + 1;
      break;
    }
  }
  if (begin == std::string::npos) return {};
  std::vector<std::string> options;
  std::string option;
  const auto finish = [&options, &option] {
    std::string_view name = trimmed(option);
    while (!name.empty() && (name.front() == '-' || name.front() == '*' || name.front() == '"')) {
      name = trimmed(name.substr(1));
    }
    if (name.starts_with("or ")) name = trimmed(name.substr(3));
    while (!name.empty() && (name.back() == '"' || name.back() == '.')) name.remove_suffix(1);
    if (!name.empty()) options.emplace_back(name);
    option.clear();
  };
  for (std::size_t i = begin; i < request.size(); ++i) {
    const char c = request[i];
    const char next = i + 1 < request.size() ? request[i + 1] : '\n';
    const bool ends = (c == '.' && (next == ' ' || next == '\n')) || (c == '\n' && next == '\n');
    if (ends && (!options.empty() || !trimmed(option).empty())) break;
    if (c == ',' || c == '|' || c == ';' || c == '\n')
      finish();
    else
      option += c;
    if (option.size() > kMostOptionBytes || options.size() > Form::kMostValues) return {};
  }
  finish();
  if (options.size() < 2) options.clear();
  return options;
}

}  // namespace minimill::distill
