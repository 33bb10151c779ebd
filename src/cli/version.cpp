#include "base/version.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <boost/version.hpp>

#include "cli/command.h"
#include "engine/llama_server_search.h"

namespace minimill::cli {
namespace {

int version(const Context& context) {
  fmt::print("minimill {}\n", kVersion);
  fmt::print("  sqlite {}, curl {}, boost {}.{}\n", sqlite3_libversion(),
             curl_version_info(CURLVERSION_NOW)->version, BOOST_VERSION / 100'000,
             BOOST_VERSION / 100 % 1000);
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  const auto variable = [&context](std::string_view name) { return context.environment.get(name); };
  const Result<std::filesystem::path> server =
      engine::find_llama_server(engine::llama_server_places(variable, config->local.llama_server));
  fmt::print("  llama-server {}\n", server ? server->string() : server.error().to_string());
  return kExitOk;
}

}  // namespace

void add_version(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("version", "Print the versions of minimill and its parts");
  command->callback([&context] { context.chosen = [&context] { return version(context); }; });
}

}  // namespace minimill::cli
