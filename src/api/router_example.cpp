#include "api/router_example.h"

#include <utility>

#include "base/json.h"

namespace minimill::api {
namespace {

std::optional<bool> optional_bool(Fields& fields, std::string_view key) {
  if (fields.find(key) == nullptr) return std::nullopt;
  return fields.bool_or(key, false);
}

}  // namespace

Result<RouterExample> read_router_example(const json::object& object) {
  Fields fields(object);
  RouterExample example;
  example.input.text = fields.required_string("prompt");
  example.input.model = fields.string_or("model", "");
  example.operation = fields.string_or("operation", "");
  example.local_ok = optional_bool(fields, "local_ok");
  example.cloud_ok = optional_bool(fields, "cloud_ok");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return example;
}

void teach(route::Router& router, const RouterExample& example) {
  const std::string operation = route::operation_slug(example.operation);
  if (example.local_ok && example.cloud_ok) {
    router.audit(example.input, operation, *example.cloud_ok && !*example.local_ok);
  }
  if (example.local_ok) router.learn(example.input, operation, *example.local_ok);
  if (example.cloud_ok) router.learn_cloud(example.input, operation, *example.cloud_ok);
  // Last, so that what it is does not help to foretell what became of it.
  if (!operation.empty()) router.teach(example.input, example.operation);
}

}  // namespace minimill::api
