#include "cli/app_setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ranges>

#include "base/http_url.h"
#include "config/data_folder.h"

namespace minimill::cli {
namespace {

/// Letters, digits and these stand in JSON, TOML, YAML and a shell's quotes as they are.
bool is_plain(std::string_view text) {
  constexpr std::string_view kMarks = "._:/@=+-";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.contains(c);
  });
}

std::string filled(std::string_view text, const AppValues& values) {
  const std::array<std::pair<std::string_view, const std::string*>, 4> places{
      {{"{url}", &values.url},
       {"{key}", &values.key},
       {"{model}", &values.model},
       {"{folder}", &values.folder}}};
  std::string out;
  while (!text.empty()) {
    const auto* place = std::ranges::find_if(
        places, [&](const auto& each) { return text.starts_with(each.first); });
    if (place == places.end()) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += *place->second;
      text.remove_prefix(place->first.size());
    }
  }
  return out;
}

/// Who listens on all addresses is reached on this machine's own.
std::string url_of(std::string address) {
  for (const std::string_view any : {"0.0.0.0:", "[::]:"}) {
    if (address.starts_with(any)) address.replace(0, any.size(), "127.0.0.1:");
  }
  return "http://" + address;
}

std::optional<std::string> first_tcp(const std::vector<std::string>& addresses) {
  const auto found = std::ranges::find_if(addresses, [](const std::string& address) {
    return !address.starts_with("unix:") && !address.ends_with(":0");
  });
  if (found == addresses.end()) return std::nullopt;
  return url_of(*found);
}

}  // namespace

void add_setup_options(CLI::App& command, AppSetupFlags& flags) {
  command.add_option("-m,--model", flags.model, "auto, local, cloud, or a model's name");
  command.add_option("--key", flags.key, "A key of your own (minimill key add)");
  command.add_option("--url", flags.url, "minimill's address, where it is another machine's");
}

Result<FoundValues> find_values(const Context& context, const AppSetupFlags& flags) {
  for (const auto& [name, value] : {std::pair("--model", &flags.model), {"--key", &flags.key}}) {
    if (!is_plain(*value)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} may have letters, digits and ._:/@=+- only", name));
    }
  }
  Result<config::Config> config = context.config();
  if (!config) return std::unexpected(std::move(config.error()));
  FoundValues found;
  found.values.key = flags.key;
  found.values.model = flags.model;
  found.values.folder = config->data_dir / "apps";
  if (!flags.url.empty()) {
    const Result<HttpUrl> url = parse_http_url(flags.url);
    if (!url) return std::unexpected(url.error());
    found.values.url = flags.url;
    while (found.values.url.ends_with('/')) found.values.url.pop_back();
    found.running = true;
    return found;
  }
  const auto addresses = config::find_daemon(config->data_dir);
  std::optional<std::string> url = addresses ? first_tcp(*addresses) : std::nullopt;
  found.running = url.has_value();
  if (!url) url = first_tcp(config->listen);
  if (!url) {
    return fail(ErrorCode::kUnavailable, "the configuration names no address to reach minimill at",
                "start it (minimill serve), or give one: --url http://127.0.0.1:4177");
  }
  found.values.url = *url;
  return found;
}

AppSetup set_up(const KnownApp& app, AppValues values) {
  values.folder = std::filesystem::path(values.folder) / app.name;
  AppSetup setup;
  for (const AppVariable& each : app.variables) {
    setup.variables.emplace_back(each.name, filled(each.value, values));
  }
  for (const std::string_view each : app.unset) setup.unset.emplace_back(each);
  for (const std::string_view each : app.arguments) {
    setup.arguments.push_back(filled(each, values));
  }
  for (const AppFile& each : app.files) {
    setup.files.emplace_back(std::filesystem::path(values.folder) / each.name,
                             filled(each.text, values));
  }
  setup.code = filled(app.code, values);
  return setup;
}

AppSetup common_setup(const AppValues& values) {
  AppSetup setup;
  for (const AppVariable& each : common_variables()) {
    setup.variables.emplace_back(each.name, filled(each.value, values));
  }
  return setup;
}

std::string shell_word(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

std::string shell_lines(const AppSetup& setup) {
  std::string lines;
  for (const auto& [path, text] : setup.files) {
    lines += fmt::format("mkdir -p {}\ncat > {} <<'END_OF_FILE'\n{}END_OF_FILE\n",
                         shell_word(path.parent_path().native()), shell_word(path.native()), text);
  }
  for (const std::string& name : setup.unset) lines += fmt::format("unset {}\n", name);
  for (const auto& [name, value] : setup.variables) {
    lines += fmt::format("export {}={}\n", name, shell_word(value));
  }
  for (const auto line : std::views::split(setup.code, '\n')) {
    if (!line.empty()) lines += fmt::format("#   {}\n", std::string_view(line.begin(), line.end()));
  }
  return lines;
}

}  // namespace minimill::cli
