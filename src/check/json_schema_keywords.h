#pragma once

// The keywords of JSON Schema draft 7: what each may hold. Private to the validator.

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "check/json_schema.h"

namespace minimill::check {

enum class Operand {
  kAnything,
  kNote,  // says nothing about the value
  kNumber,
  kCount,
  kFlag,
  kType,
  kNames,
  kValues,
  kPattern,
  kFormat,
  kReference,
  kSchema,
  kSchemas,
  kSchemaOrSchemas,
  kSchemaByName,
  kSchemaByPattern,
};

struct Keyword {
  std::string_view name;
  Operand operand;
};

inline constexpr std::array kKeywords{
    Keyword{"$comment", Operand::kNote},
    Keyword{"$defs", Operand::kSchemaByName},
    Keyword{"$id", Operand::kNote},
    Keyword{"$ref", Operand::kReference},
    Keyword{"$schema", Operand::kNote},
    Keyword{"additionalItems", Operand::kSchema},
    Keyword{"additionalProperties", Operand::kSchema},
    Keyword{"allOf", Operand::kSchemas},
    Keyword{"anyOf", Operand::kSchemas},
    Keyword{"const", Operand::kAnything},
    Keyword{"contains", Operand::kSchema},
    Keyword{"default", Operand::kNote},
    Keyword{"definitions", Operand::kSchemaByName},
    Keyword{"description", Operand::kNote},
    Keyword{"else", Operand::kSchema},
    Keyword{"enum", Operand::kValues},
    Keyword{"examples", Operand::kNote},
    Keyword{"exclusiveMaximum", Operand::kNumber},
    Keyword{"exclusiveMinimum", Operand::kNumber},
    Keyword{"format", Operand::kFormat},
    Keyword{"if", Operand::kSchema},
    Keyword{"items", Operand::kSchemaOrSchemas},
    Keyword{"maxItems", Operand::kCount},
    Keyword{"maxLength", Operand::kCount},
    Keyword{"maxProperties", Operand::kCount},
    Keyword{"maximum", Operand::kNumber},
    Keyword{"minItems", Operand::kCount},
    Keyword{"minLength", Operand::kCount},
    Keyword{"minProperties", Operand::kCount},
    Keyword{"minimum", Operand::kNumber},
    Keyword{"multipleOf", Operand::kNumber},
    Keyword{"not", Operand::kSchema},
    Keyword{"oneOf", Operand::kSchemas},
    Keyword{"pattern", Operand::kPattern},
    Keyword{"patternProperties", Operand::kSchemaByPattern},
    Keyword{"properties", Operand::kSchemaByName},
    Keyword{"propertyNames", Operand::kSchema},
    Keyword{"readOnly", Operand::kNote},
    Keyword{"required", Operand::kNames},
    Keyword{"then", Operand::kSchema},
    Keyword{"title", Operand::kNote},
    Keyword{"type", Operand::kType},
    Keyword{"uniqueItems", Operand::kFlag},
    Keyword{"writeOnly", Operand::kNote},
};

inline constexpr std::array<std::string_view, 7> kTypeNames{
    "null", "boolean", "integer", "number", "string", "array", "object"};

struct Format {
  std::string_view name;
  const char* pattern;
};

/// Shape only: the 31st of February is a date here.
inline constexpr std::array kFormats{
    Format{"date", R"(^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$)"},
    Format{"time",
           R"(^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$)"},
    Format{
        "date-time",
        R"(^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt ]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60))"
        R"((\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$)"},
    Format{"email", R"(^[^\s@]+@[^\s@]+\.[^\s@]+$)"},
    Format{"uri", R"(^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$)"},
    Format{"uuid", R"(^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$)"},
};

struct JsonSchema::Impl {
  boost::json::value document;
  std::unordered_map<std::string, std::unique_ptr<RE2>> patterns;  // of formats too, by their text
};

/// The schema a "#/…" reference means; nullptr where there is none.
const boost::json::value* find_reference(const boost::json::value& document,
                                         std::string_view reference);

}  // namespace minimill::check
