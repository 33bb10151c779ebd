#include "api/openapi.h"

#include <algorithm>
#include <cctype>

#include "api/headers.h"
#include "base/version.h"
#include "protocol/translation.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

/// "/v1/models/{id*}" is "/v1/models/{id}" in OpenAPI, which has no word for the difference.
std::string path_of(const Routes::Entry& entry) {
  std::string path;
  for (std::string segment : entry.segments) {
    std::erase(segment, '*');
    path += "/" + segment;
  }
  return path;
}

json::object header_of(std::string_view description) {
  return {{"description", description}, {"schema", {{"type", "string"}}}};
}

json::array parameters_of(const Routes::Entry& entry) {
  json::array parameters;
  for (std::string segment : entry.segments) {
    if (!segment.starts_with('{')) continue;
    std::erase_if(segment, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
    parameters.push_back(
        {{"name", segment}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  if (!entry.about.body) return parameters;
  for (const HeaderAbout& header : kHeaders) {
    if (header.of_request.empty()) continue;
    json::object parameter = header_of(header.of_request);
    parameter["name"] = header.name;
    parameter["in"] = "header";
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

/// The fields of a chat in that protocol; what else there is goes to backends that know it.
json::object body_of(chat::Protocol protocol) {
  json::object properties;
  for (const protocol::FieldRule& rule : protocol::field_rules()) {
    const std::string_view field = rule.names[static_cast<std::size_t>(protocol)];
    if (field.empty()) continue;
    const std::size_t dot = field.find('.');
    const std::string_view top = field.substr(0, dot);
    json::object& property = properties.emplace(top, json::object()).first->value().as_object();
    if (dot == std::string_view::npos) {
      if (!rule.how.empty()) property["description"] = rule.how;
      continue;
    }
    json::value& inner = property["properties"];
    if (!inner.is_object()) inner.emplace_object();
    inner.get_object()[field.substr(dot + 1)] = json::object();
  }
  return {{"type", "object"}, {"required", {"model"}}, {"properties", std::move(properties)}};
}

std::string_view audience_of(Who who) {
  switch (who) {
    case Who::kOwner:
      return "owner";
    case Who::kOwn:
      return "app";
    case Who::kAnyone:
      return "anyone";
  }
  return "owner";
}

json::object operation_of(const Routes::Entry& entry) {
  json::object answer{{"description", "the answer"}};
  json::object operation{{"summary", entry.about.summary},
                         {"parameters", parameters_of(entry)},
                         {"x-audience", audience_of(entry.about.who)}};
  json::object schema{{"type", "object"}};
  if (entry.about.body) {
    json::object headers;
    for (const HeaderAbout& header : kHeaders) {
      if (!header.of_answer.empty()) headers[header.name] = header_of(header.of_answer);
    }
    answer["headers"] = std::move(headers);
    schema = body_of(*entry.about.body);
  }
  if (entry.method == "POST") {
    operation["requestBody"] = {
        {"required", true}, {"content", {{"application/json", {{"schema", std::move(schema)}}}}}};
  }
  operation["responses"] = {{"200", std::move(answer)},
                            {"default", {{"description", "an error in the path's own protocol"}}}};
  return operation;
}

}  // namespace

json::object openapi_document(const Routes& routes) {
  json::object paths;
  for (const Routes::Entry& entry : routes.entries()) {
    std::string method = entry.method;
    std::ranges::transform(method, method.begin(), [](unsigned char c) { return std::tolower(c); });
    json::value& path = paths[path_of(entry)];
    if (!path.is_object()) path.emplace_object();
    path.get_object()[method] = operation_of(entry);
  }
  return {
      {"openapi", "3.1.0"},
      {"info", {{"title", "minimill"}, {"version", kVersion}}},
      {"components", {{"securitySchemes", {{"key", {{"type", "http"}, {"scheme", "bearer"}}}}}}},
      {"security", json::array{json::object{}, {{"key", json::array{}}}}},
      {"paths", std::move(paths)}};
}

}  // namespace minimill::api
