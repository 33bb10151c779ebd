#include <fmt/format.h>

#include "cli/command.h"
#include "cli/terminal.h"
#include "models/known_models.h"
#include "models/pull.h"
#include "models/store.h"

namespace minimill::cli {
namespace {

int list(const Context& context, bool as_json) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  const models::Store store(config->data_dir / "models");
  const std::vector<models::Model> here = store.list();
  if (as_json) {
    boost::json::array listed;
    for (const models::Model& model : here) {
      listed.push_back({{"name", model.name},
                        {"file", model.file.string()},
                        {"bytes", model.info.file_bytes},
                        {"parameters", model.info.parameters},
                        {"quantization", model.info.quantization},
                        {"context_tokens", model.info.context_length},
                        {"source", model.source},
                        {"sha256", model.sha256}});
    }
    fmt::print("{}\n", boost::json::serialize(boost::json::object{{"models", std::move(listed)}}));
    return kExitOk;
  }
  if (here.empty()) {
    fmt::print("No model in {}. These can be pulled:\n", store.folder().string());
    for (const models::KnownModel& known : models::known_models()) {
      fmt::print("  {:<16} {}\n", known.name, known.what);
    }
    return kExitOk;
  }
  fmt::print("{:<20} {:>10} {:>11} {:<8} {:>8}\n", "name", "size", "parameters", "weights",
             "context");
  for (const models::Model& model : here) {
    constexpr double kMillion = 1e6;
    fmt::print("{:<20} {:>10} {:>9.0f} M {:<8} {:>8}\n", model.name,
               bytes_text(model.info.file_bytes),
               static_cast<double>(model.info.parameters) / kMillion, model.info.quantization,
               model.info.context_length);
  }
  return kExitOk;
}

int remove(const Context& context, const std::string& name) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  const models::Store store(config->data_dir / "models");
  if (Result<> removed = store.remove(name); !removed) return report_error(removed.error());
  fmt::print("{} is removed\n", name);
  return kExitOk;
}

}  // namespace

void add_models(CLI::App& app, Context& context) {
  auto as_json = std::make_shared<bool>(false);
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("models", "List the models on this machine");
  command->add_flag("--json", *as_json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  minimill models\n"
      "  minimill models rm smollm2:135m");
  CLI::App* removing = command->add_subcommand("rm", "Remove a model");
  removing->add_option("name", *name, "The model's name")->required();
  command->callback([&context, as_json, name, removing] {
    if (removing->parsed()) {
      context.chosen = [&context, name] { return remove(context, *name); };
    } else {
      context.chosen = [&context, as_json] { return list(context, *as_json); };
    }
  });
}

}  // namespace minimill::cli
