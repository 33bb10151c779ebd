#include "protocol/ollama_models.h"

#include <utility>

#include "base/json.h"
#include "base/rfc3339.h"
#include "protocol/ollama_fields.h"
#include "protocol/utf8.h"

namespace minimill::protocol::ollama {
namespace {

/// In the 24th century, as Ollama says it of a model that stays; dates much later are none in some
/// languages.
constexpr WallTime kNever{std::chrono::hours{24 * 365 * 348}};

/// Names come from files and their metadata: whoever wrote these may have written anything.
json::string safe(std::string_view text) { return json::string(valid_utf8(text)); }

json::object details_json(const ModelDetails& details) {
  json::array families;
  if (!details.family.empty()) families.push_back(safe(details.family));
  return {{"parent_model", ""},
          {"format", safe(details.format)},
          {"family", safe(details.family)},
          {"families", std::move(families)},
          {"parameter_size", safe(details.parameter_size)},
          {"quantization_level", safe(details.quantization_level)}};
}

/// GGUF names lengths by the model's architecture.
json::object info_json(const ShownModel& model) {
  json::object info = model.model_info;
  if (!model.details.family.empty()) {
    info.emplace("general.architecture", safe(model.details.family));
  }
  const json::value* named = info.if_contains("general.architecture");
  const bool known = named != nullptr && named->is_string();
  const std::string architecture = known ? std::string(named->get_string()) : "general";
  if (model.context_length > 0) {
    info.emplace(architecture + ".context_length", model.context_length);
  }
  if (model.embedding_length > 0) {
    info.emplace(architecture + ".embedding_length", model.embedding_length);
  }
  return info;
}

}  // namespace

Result<ModelRequest> parse_model_request(std::string_view text) {
  const Result<json::object> body = parse_json_object(text);
  if (!body) return std::unexpected(body.error());
  Fields fields(*body);
  ModelRequest request{.model = read_model(fields),
                       .stream = fields.bool_or("stream", true),
                       .insecure = fields.bool_or("insecure", false)};
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return request;
}

std::string write_tags(const std::vector<LocalModel>& models) {
  json::array list;
  for (const LocalModel& model : models) {
    list.push_back({{"name", safe(model.name)},
                    {"model", safe(model.name)},
                    {"modified_at", rfc3339(model.modified_at)},
                    {"size", model.size_bytes},
                    {"digest", safe(model.digest)},
                    {"details", details_json(model.details)}});
  }
  return json::serialize(json::object{{"models", std::move(list)}});
}

std::string write_ps(const std::vector<LoadedModel>& models) {
  json::array list;
  for (const LoadedModel& model : models) {
    list.push_back({{"name", safe(model.name)},
                    {"model", safe(model.name)},
                    {"size", model.size_bytes},
                    {"digest", safe(model.digest)},
                    {"details", details_json(model.details)},
                    {"expires_at", rfc3339(model.expires_at.value_or(kNever))},
                    {"size_vram", model.size_vram_bytes},
                    {"context_length", model.context_length}});
  }
  return json::serialize(json::object{{"models", std::move(list)}});
}

std::string write_show(const ShownModel& model) {
  json::array capabilities;
  for (const std::string& each : model.capabilities) capabilities.push_back(safe(each));
  return json::serialize(json::object{{"license", safe(model.license)},
                                      {"modelfile", ""},
                                      {"parameters", safe(model.parameters)},
                                      {"template", safe(model.chat_template)},
                                      {"details", details_json(model.details)},
                                      {"model_info", info_json(model)},
                                      {"capabilities", std::move(capabilities)},
                                      {"modified_at", rfc3339(model.modified_at)}});
}

std::string write_version(std::string_view version) {
  return json::serialize(json::object{{"version", safe(version)}});
}

std::string write_pull_progress(const PullProgress& progress) {
  json::object line{{"status", safe(progress.status)}};
  if (!progress.digest.empty()) line["digest"] = safe(progress.digest);
  if (progress.total_bytes) line["total"] = *progress.total_bytes;
  if (progress.completed_bytes) line["completed"] = *progress.completed_bytes;
  return json::serialize(line) + '\n';
}

}  // namespace minimill::protocol::ollama
