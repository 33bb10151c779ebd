#include "check/json_schema.h"

#include <fmt/format.h>

#include <unordered_set>
#include <utility>
#include <vector>

#include "check/json_schema_keywords.h"

namespace minimill::check {

namespace json = boost::json;

const json::value* find_reference(const json::value& document, std::string_view reference) {
  if (!reference.starts_with('#')) return nullptr;
  json::error_code ec;
  return document.find_pointer(reference.substr(1), ec);
}

namespace {

constexpr std::int64_t kMaxPatternMemory = 1 << 20;

/// Looks at every schema in the document once, so that validation may trust their shapes.
class Inspection {
 public:
  Inspection(JsonSchema::Impl& impl, Unknown unknown)
      : impl_(impl), lenient_(unknown == Unknown::kIgnored) {}

  Result<> document() {
    if (Result<> fine = schema(impl_.document, "#"); !fine) return fine;
    for (const auto& [reference, path] : references_) {
      const json::value* target = find_reference(impl_.document, reference);
      if (target == nullptr || !schemas_.contains(target)) {
        return bad(path, fmt::format("'{}' is no schema in this document", reference));
      }
    }
    return {};
  }

 private:
  static std::unexpected<Error> bad(std::string_view path, std::string_view what) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", path, what));
  }

  Result<> schema(const json::value& value, const std::string& path) {
    schemas_.insert(&value);
    if (value.is_bool()) return {};
    if (!value.is_object()) return bad(path, "a schema must be an object, true or false");
    for (const auto& [key, operand] : value.get_object()) {
      const std::string at = fmt::format("{}/{}", path, std::string_view(key));
      const auto* keyword = std::ranges::find(kKeywords, std::string_view(key), &Keyword::name);
      if (keyword == kKeywords.end()) {
        if (lenient_) continue;
        return bad(at, "a keyword we do not know");
      }
      if (Result<> fine = check(keyword->operand, operand, at); !fine) return fine;
    }
    return {};
  }

  Result<> check(Operand kind, const json::value& value, const std::string& path) {
    switch (kind) {
      case Operand::kAnything:
      case Operand::kNote:
        return {};
      case Operand::kNumber:
        return value.is_number() ? Result<>{} : bad(path, "must be a number");
      case Operand::kCount: {
        const bool count = value.is_number() && value.to_number<double>() >= 0;
        return count ? Result<>{} : bad(path, "must be a number of at least 0");
      }
      case Operand::kFlag:
        return value.is_bool() ? Result<>{} : bad(path, "must be true or false");
      case Operand::kType:
        return type(value, path);
      case Operand::kNames:
        return names(value, path);
      case Operand::kValues:
        return value.is_array() ? Result<>{} : bad(path, "must be a list");
      case Operand::kPattern:
        return pattern(value, path);
      case Operand::kFormat:
        return format(value, path);
      case Operand::kReference:
        return reference(value, path);
      case Operand::kSchema:
        return schema(value, path);
      case Operand::kSchemas:
        return schemas(value, path);
      case Operand::kSchemaOrSchemas:
        return value.is_array() ? schemas(value, path) : schema(value, path);
      case Operand::kSchemaByName:
      case Operand::kSchemaByPattern:
        return schema_by_name(value, path, kind == Operand::kSchemaByPattern);
    }
    return {};
  }

  static Result<> type(const json::value& value, const std::string& path) {
    const auto known = [](const json::value& each) {
      return each.is_string() &&
             std::ranges::find(kTypeNames, std::string_view(each.get_string())) != kTypeNames.end();
    };
    const bool fine =
        value.is_array() ? std::ranges::all_of(value.get_array(), known) : known(value);
    if (fine) return {};
    return bad(path, fmt::format("must be of {}", fmt::join(kTypeNames, ", ")));
  }

  static Result<> names(const json::value& value, const std::string& path) {
    const bool fine =
        value.is_array() &&
        std::ranges::all_of(value.get_array(), [](const auto& name) { return name.is_string(); });
    return fine ? Result<>{} : bad(path, "must be a list of names");
  }

  Result<> pattern(const json::value& value, const std::string& path) {
    if (!value.is_string()) return bad(path, "must be a pattern in a string");
    return compile(value.get_string(), path);
  }

  Result<> format(const json::value& value, const std::string& path) {
    if (value.is_string()) {
      const auto* found =
          std::ranges::find(kFormats, std::string_view(value.get_string()), &Format::name);
      if (found != kFormats.end()) return compile(found->pattern, path);
    }
    if (lenient_ && value.is_string()) return {};
    std::vector<std::string_view> known;
    for (const Format& each : kFormats) known.push_back(each.name);
    return bad(path, fmt::format("a format we do not check (we do: {})", fmt::join(known, ", ")));
  }

  Result<> compile(std::string_view text, const std::string& path) {
    if (impl_.patterns.contains(std::string(text))) return {};
    if (impl_.patterns.size() >= kMaxSchemaPatterns) {
      return bad(path, fmt::format("more than {} patterns", kMaxSchemaPatterns));
    }
    RE2::Options options;
    options.set_max_mem(kMaxPatternMemory);
    options.set_log_errors(false);
    auto compiled = std::make_unique<RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!compiled->ok() && lenient_) {
      compiled = std::make_unique<RE2>("");  // found in every text
    }
    if (!compiled->ok()) {
      return bad(path, fmt::format("is no pattern RE2 knows: {}", compiled->error()));
    }
    impl_.patterns.emplace(text, std::move(compiled));
    return {};
  }

  Result<> reference(const json::value& value, const std::string& path) {
    if (!value.is_string()) return bad(path, "must be a string");
    // A schema from outside must not make us read files or the network.
    if (!value.get_string().starts_with('#')) return bad(path, "refers outside the document");
    references_.emplace_back(value.get_string(), path);
    return {};
  }

  Result<> schemas(const json::value& value, const std::string& path) {
    if (!value.is_array()) return bad(path, "must be a list of schemas");
    for (std::size_t i = 0; i < value.get_array().size(); ++i) {
      if (Result<> fine = schema(value.get_array()[i], fmt::format("{}/{}", path, i)); !fine) {
        return fine;
      }
    }
    return {};
  }

  Result<> schema_by_name(const json::value& value, const std::string& path, bool are_patterns) {
    if (!value.is_object()) return bad(path, "must be an object of schemas");
    for (const auto& [key, each] : value.get_object()) {
      const std::string at = fmt::format("{}/{}", path, std::string_view(key));
      if (are_patterns) {
        if (Result<> fine = compile(key, at); !fine) return fine;
      }
      if (Result<> fine = schema(each, at); !fine) return fine;
    }
    return {};
  }

  JsonSchema::Impl& impl_;
  bool lenient_;
  std::unordered_set<const json::value*> schemas_;
  std::vector<std::pair<std::string, std::string>> references_;  // and where they stand
};

}  // namespace

Result<JsonSchema> JsonSchema::parse(const json::object& schema, Unknown unknown) {
  auto impl = std::make_shared<Impl>();
  impl->document = schema;
  if (Result<> fine = Inspection(*impl, unknown).document(); !fine) {
    return std::unexpected(std::move(fine.error()));
  }
  return JsonSchema(std::move(impl));
}

}  // namespace minimill::check
