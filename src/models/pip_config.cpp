#include "models/pip_config.h"

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace minimill::models {
namespace {

std::string trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(" \t\r") - from + 1));
}

/// [global] and [install] of an INI file, later values over earlier ones.
void read_ini(const std::string& text, PipConfig& config) {
  std::istringstream lines(text);
  std::string section;
  for (std::string raw; std::getline(lines, raw);) {
    const std::string line = trimmed(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      section = line;
      continue;
    }
    const std::size_t equals = line.find_first_of("=:");
    if (equals == std::string::npos || (section != "[global]" && section != "[install]")) continue;
    const std::string key = trimmed(std::string_view(line).substr(0, equals));
    const std::string value = trimmed(std::string_view(line).substr(equals + 1));
    if (value.empty()) continue;
    if (key == "index-url" || key == "index_url") config.index_url = value;
    if (key == "cert") config.ca_file = value;
  }
}

}  // namespace

PipConfig read_pip_config(const std::function<std::string(std::string_view)>& variable,
                          const std::function<std::string(const std::string&)>& read_file) {
  PipConfig config;
  const std::string home = variable("HOME");
  std::string xdg = variable("XDG_CONFIG_HOME");
  if (xdg.empty()) xdg = home + "/.config";
  const std::array<std::string, 5> files{"/etc/pip.conf", "/etc/xdg/pip/pip.conf",
                                         home + "/.pip/pip.conf", xdg + "/pip/pip.conf",
                                         variable("PIP_CONFIG_FILE")};
  for (const std::string& file : files) {
    if (!file.empty()) read_ini(read_file(file), config);
  }
  if (std::string url = variable("PIP_INDEX_URL"); !url.empty()) config.index_url = std::move(url);
  if (std::string cert = variable("PIP_CERT"); !cert.empty()) config.ca_file = std::move(cert);
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
