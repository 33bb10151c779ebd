#include "models/pip_config.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace minimill::models {
namespace {

std::string trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(" \t\r") - from + 1));
}

using Section = std::map<std::string, std::string, std::less<>>;

/// Keys of [global] and of [install], later values over earlier ones.
void read_ini(const std::string& text, Section& global, Section& install) {
  std::istringstream lines(text);
  Section* section = nullptr;
  for (std::string raw; std::getline(lines, raw);) {
    const std::string line = trimmed(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      section = line == "[global]" ? &global : line == "[install]" ? &install : nullptr;
      continue;
    }
    const std::size_t equals = line.find_first_of("=:");
    if (equals == std::string::npos || section == nullptr) continue;
    std::string key = trimmed(std::string_view(line).substr(0, equals));
    std::ranges::replace(key, '_', '-');
    std::string value = trimmed(std::string_view(line).substr(equals + 1));
    if (!value.empty()) (*section)[std::move(key)] = std::move(value);
  }
}

}  // namespace

PipConfig read_pip_config(const std::function<std::string(std::string_view)>& variable,
                          const std::function<std::string(const std::string&)>& read_file) {
  const auto first_of = [&variable](std::initializer_list<std::string_view> names) {
    std::string value;
    for (const std::string_view name : names) {
      if (value.empty()) value = variable(name);
    }
    return value;
  };
  const std::string home = variable("HOME");
  const std::string config_home =
      variable("XDG_CONFIG_HOME").empty() ? home + "/.config" : variable("XDG_CONFIG_HOME");
  const std::string environment = variable("VIRTUAL_ENV");
  const std::string chosen = variable("PIP_CONFIG_FILE");
  Section global;
  Section install;
  const auto load = [&](const std::string& path) { read_ini(read_file(path), global, install); };
  if (chosen != "/dev/null") {
    for (const char* path :
         {"/Library/Application Support/pip/pip.conf", "/etc/xdg/pip/pip.conf", "/etc/pip.conf"})
      load(path);
    if (chosen.empty() || read_file(chosen).empty()) {
      for (const std::string& path :
           {home + "/.pip/pip.conf", home + "/Library/Application Support/pip/pip.conf",
            config_home + "/pip/pip.conf"}) {
        load(path);
      }
    }
    if (!environment.empty()) load(environment + "/pip.conf");
    if (!chosen.empty()) load(chosen);
  }
  for (auto& [key, value] : install)
    global[key] = std::move(value);  // the command's own goes first
  const auto setting = [&](std::string_view name, std::string otherwise) {
    const auto found = global.find(name);
    return found == global.end() ? std::move(otherwise) : found->second;
  };
  PipConfig config;
  config.index_url = first_of({"PIP_INDEX_URL"});
  if (config.index_url.empty()) config.index_url = setting("index-url", PipConfig{}.index_url);
  config.ca_file = first_of({"PIP_CERT"});
  if (config.ca_file.empty())
    config.ca_file =
        setting("cert", first_of({"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"}));
  while (config.index_url.ends_with('/')) config.index_url.pop_back();
  return config;
}

PipConfig pip_config() {
  const auto variable = [](std::string_view name) {
    const char* value = std::getenv(std::string(name).c_str());
    return std::string(value == nullptr ? "" : value);
  };
  const auto read_file = [](const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return in ? text.str() : std::string{};
  };
  return read_pip_config(variable, read_file);
}

}  // namespace minimill::models
