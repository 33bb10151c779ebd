#include "protocol/anthropic.h"

namespace minimill::protocol::anthropic {
namespace {

namespace json = boost::json;

/// Nobody knows when a model of this machine was released; clients want a date.
json::object model(const std::string& id) {
  return {
      {"type", "model"}, {"id", id}, {"display_name", id}, {"created_at", "1970-01-01T00:00:00Z"}};
}

}  // namespace

std::string write_model(const std::string& id) { return json::serialize(model(id)); }

std::string write_models(const std::vector<std::string>& ids) {
  json::array data;
  for (const std::string& id : ids) data.push_back(model(id));
  json::object page{{"data", std::move(data)}, {"has_more", false}};
  page["first_id"] = ids.empty() ? json::value() : json::value(ids.front());
  page["last_id"] = ids.empty() ? json::value() : json::value(ids.back());
  return json::serialize(page);
}

}  // namespace minimill::protocol::anthropic
