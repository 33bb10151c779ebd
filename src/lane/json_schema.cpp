#include "lane/json_schema.h"

#include <fmt/format.h>

#include <exception>
#include <string>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/json.h"

namespace minimill::lane {
namespace {

/// valijson resolves "#/…" by itself; any other reference would need a document from elsewhere.
bool refers_outside(const json::value& schema) {
  if (const json::array* array = schema.if_array()) {
    for (const json::value& each : *array) {
      if (refers_outside(each)) return true;
    }
  }
  if (const json::object* object = schema.if_object()) {
    for (const auto& [key, value] : *object) {
      const bool is_reference = key == "$ref" && value.is_string();
      if (is_reference && !value.get_string().starts_with("#")) return true;
      if (refers_outside(value)) return true;
    }
  }
  return false;
}

}  // namespace

struct JsonSchema::Impl {
  valijson::Schema schema;
};

Result<JsonSchema> JsonSchema::parse(const json::object& schema) {
  const json::value document(schema);
  if (refers_outside(document)) {
    return fail(ErrorCode::kInvalidArgument, "refers to a schema outside itself");
  }
  auto impl = std::make_shared<Impl>();
  try {
    const valijson::adapters::BoostJsonAdapter adapter(document);
    valijson::SchemaParser parser;
    parser.populateSchema(adapter, impl->schema);
  } catch (const std::exception& error) {  // valijson reports bad schemas only so
    return fail(ErrorCode::kInvalidArgument, fmt::format("is no JSON schema: {}", error.what()));
  }
  return JsonSchema(std::move(impl));
}

Result<> JsonSchema::validate(const json::value& value) const {
  const valijson::adapters::BoostJsonAdapter adapter(value);
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  valijson::ValidationResults results;
  if (validator.validate(impl_->schema, adapter, &results)) return {};
  valijson::ValidationResults::Error first;
  if (!results.popError(first)) return fail(ErrorCode::kInvalidArgument, "does not fit the schema");
  std::string path;
  for (const std::string& part : first.context) path += part;
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", path, first.description));
}

}  // namespace minimill::lane
