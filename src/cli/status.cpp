#include <fmt/format.h>

#include "cli/command.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "config/data_folder.h"

namespace minimill::cli {
namespace {

void print_status(const json::object& status) {
  fmt::print("minimill {}, since {}\n", std::string_view(status.at("version").as_string()),
             std::string_view(status.at("started_at").as_string()));
  fmt::print("local model {}{}\n", std::string_view(status.at("local_model").as_string()),
             status.at("local_model_present").as_bool() ? "" : " (not here yet: minimill pull)");
  for (const json::value& each : status.at("lanes").as_array()) {
    const json::object& lane = each.as_object();
    fmt::print("{:<6} lane: {} of {} slots busy, {} waiting\n",
               std::string_view(lane.at("lane").as_string()), lane.at("running").as_int64(),
               lane.at("slots").as_int64(), lane.at("waiting").to_number<std::int64_t>());
  }
  for (const json::value& each : status.at("engines").as_array()) {
    const json::object& engine = each.as_object();
    fmt::print("engine {}: {}, process {}, {} restarts\n",
               std::string_view(engine.at("model").as_string()),
               std::string_view(engine.at("state").as_string()), engine.at("pid").as_int64(),
               engine.at("restarts").as_int64());
  }
  for (const json::value& each : status.at("providers").as_array()) {
    const json::object& provider = each.as_object();
    fmt::print("provider {}: {}\n", std::string_view(provider.at("name").as_string()),
               json::serialize(provider.at("models")));
  }
}

int status(const Context& context, bool as_json) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  const auto addresses = config::find_daemon(config->data_dir);
  if (!addresses || addresses->empty()) {
    return report_error({.code = ErrorCode::kUnavailable,
                         .message = "no daemon is running",
                         .hint = "start one: minimill serve",
                         .field = {},
                         .retry_after = {}});
  }
  ApiClient api(addresses->front());
  Result<json::object> answer = api.get("/minimill/v1/status");
  if (!answer) return report_error(answer.error());
  if (as_json) {
    fmt::print("{}\n", json::serialize(*answer));
  } else {
    print_status(*answer);
  }
  return kExitOk;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("status", "Show what the running daemon is doing");
  command->add_flag("--json", *as_json, "Print JSON");
  command->callback([&context, as_json] {
    context.chosen = [&context, as_json] { return status(context, *as_json); };
  });
}

}  // namespace minimill::cli
